"""PNG: the picture is all chunks but those of text, EXIF, time and resolution, up to IEND.

A chunk that this module does not know counts: it may change pixels.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from generic.photos.formats.exif import Header, header_of, orientation, turn_part
from generic.photos.formats.source import Odd, Part, Source, cut, number, part

_FIRST = 8
"""Bytes of the signature."""
TEXT = (b"tEXt", b"zTXt", b"iTXt")
_ABOUT = (*TEXT, b"eXIf", b"zxIf", b"tIME", b"pHYs", b"caBX")
_MOST_CHUNKS = 100_000
_XMP = b"XML:com.adobe.xmp"
_MOST_XMP = 64 << 20
"""Bytes that a compressed packet may have."""
_PROFILE = b"Raw profile type exif"
TURNING = (_XMP, _PROFILE, b"exif", b"xmp")
"""Names of the texts by which Pillow turns a photo upright."""
# Transparency: earlier releases heeded a text of that name, and an identity stays what it was.
_HEEDED = (*TURNING, b"transparency")


@dataclass
class _Blocks:
    """What is told about the picture, and what of it the decoder heeds."""

    exif: list[Part] = field(default_factory=list)
    xmp: list[bytes] = field(default_factory=list)
    texts: list[Part] = field(default_factory=list)
    """Texts under a name that the decoder looks up, but for plain XMP."""


def header(source: Source) -> Header:
    """What the file says; reads the head of each chunk, and the chunks of EXIF and XMP."""
    size = number(source, 16, 4), number(source, 20, 4)
    blocks = _Blocks()
    for kind, at, length in chunks(source):
        if kind in _ABOUT and intact(source, at, length):
            _note(kind, cut(source, at + 8, length), blocks)
    exif = blocks.exif[-1] if blocks.exif else None
    packed = [text for text in map(bytes, blocks.texts) if text.startswith(_XMP + b"\0\1")]
    return header_of(size, exif, next(map(_packet, [*blocks.xmp[::-1], *packed]), None))


def image_parts(source: memoryview) -> Iterator[Part]:
    """The picture; Odd unless every chunk is whole, and those left out have the checksum they claim."""
    blocks, kept = _Blocks(), []
    for kind, at, length in chunks(source):
        if kind not in _ABOUT:
            kept.append(source[at : at + length + 12])
            continue
        if not intact(source, at, length):
            raise Odd
        _note(kind, source[at + 8 : at + 8 + length], blocks)
    if len(blocks.exif) > 1 or len(blocks.xmp) > 1:
        raise Odd
    exif, xmp = (found[0] if found else None for found in (blocks.exif, blocks.xmp))
    yield turn_part(exif, xmp)
    for text in blocks.texts:
        yield part("text", text)
    yield from kept


def intact(source: Source, at: int, length: int) -> bool:
    """Whether the chunk that begins at ``at`` has the checksum that it claims."""
    return zlib.crc32(source[at + 4 : at + 8 + length]) == number(source, at + 8 + length, 4)


def chunks(source: Source) -> Iterator[tuple[bytes, int, int]]:
    """Kind, start and length of the content of each chunk; Odd unless the last is IEND."""
    at = _FIRST
    for _ in range(_MOST_CHUNKS):
        head = cut(source, at, 8)
        length, kind = number(head, 0, 4), bytes(head[4:])
        if at + length + 12 > len(source):
            raise Odd
        yield kind, at, length
        if kind == b"IEND":
            return
        at += length + 12
    raise Odd


def _note(kind: bytes, content: Part, blocks: _Blocks) -> None:
    if kind == b"eXIf":
        blocks.exif.append(content)
    if kind not in TEXT:
        return
    name = bytes(content[:80]).split(b"\0")[0]
    plain = kind == b"iTXt" and name == _XMP and bytes(content[len(name) + 1 : len(name) + 2]) == b"\0"
    if plain and _is_text(content):
        blocks.xmp.append(bytes(content))
    elif name in _HEEDED and not (name == _PROFILE and _says_orientation(blocks)):
        blocks.texts.append(content)


def _packet(content: bytes) -> bytes | None:
    """The packet in the content of a chunk iTXt, after name, compression, language and translated name."""
    head, text = content[: len(_XMP) + 3], content[len(_XMP) + 3 :]
    text = text.split(b"\0", 2)[-1]
    if head[-2] == 0:
        return text
    unpacker = zlib.decompressobj()
    try:
        found = unpacker.decompress(text, _MOST_XMP)
    except zlib.error:
        return None
    return found if unpacker.eof else None


def _is_text(content: Part) -> bool:
    try:
        bytes(content).decode()
    except UnicodeDecodeError:
        return False
    return True


def _says_orientation(blocks: _Blocks) -> bool:
    try:
        return bool(blocks.exif) and orientation(blocks.exif[0]) is not None
    except Odd:
        return False
