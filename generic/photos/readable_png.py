"""A PNG without what the decoder may stumble over: texts, comments and the like never cost the pixels.

Pillow gives up the whole picture for a text that is large when unpacked, a checksum that is wrong
in a comment, or a profile of more than a megabyte. So it is given the chunks alone that decide the
pixels or which side is up, as far as they can be read. Nothing is unpacked beyond a limit.
"""

from __future__ import annotations

import io
import struct
import zlib
from contextlib import suppress
from typing import BinaryIO

from generic.photos.formats.png import TEXT, TURNING, chunks, intact
from generic.photos.formats.source import FileBytes, Odd

_MOST = 16 << 20
"""Bytes of a chunk that is heeded, and of all profiles or texts unpacked: printers' profiles have four million."""
_COLOUR_TYPE = 25
"""Where in the file the byte lies that tells grey, colours and palettes apart."""
_TRIED = 1 << 20
"""Bytes that a damaged one counts for."""
_OPTIONAL = 0x20
"""In the first letter of the kind of a chunk that a decoder may do without."""


def readable_png(stream: BinaryIO) -> tuple[BinaryIO, bytes | None]:
    """The PNG for the decoder, and its colour profile.

    Args:
        stream: a PNG, can seek. Its errors in what is needed are left to the decoder.

    Returns:
        a PNG of the same pixels and the same side up, the stream itself if nothing had to be
        left out; and the ICC profile, None if there is none that can be read.
    """
    source = FileBytes(stream)
    pieces: list[bytes] = []
    texts, profiles = _Unpacker(), _Unpacker()
    profile, done = None, 0
    with suppress(Odd):  # What is cut off, or follows the last chunk, stays as it is.
        for kind, at, length in chunks(source):
            if not kind[0] & _OPTIONAL:
                continue
            end = at + length + 12
            content = source[at + 8 : end - 4] if length <= _MOST and intact(source, at, length) else None
            if kind == b"iCCP" and content is not None:
                profile = profiles.after_name(content)
            if kind == b"tRNS" and not _is_transparency(
                content or b"", source[_COLOUR_TYPE : _COLOUR_TYPE + 1]
            ):
                content = None
            pieces += [source[done:at], _heeded(kind, content, texts)]
            done = end
    if not done:
        return stream, None
    return io.BytesIO(b"".join([*pieces, source[done:]])), profile


def _is_transparency(content: bytes, colour_type: bytes) -> bool:
    """Whether it has the length that this type of picture asks for."""
    least, most = {b"\0": (2, 2), b"\2": (6, 6), b"\3": (1, 256)}.get(colour_type, (1, 0))
    return least <= len(content) <= most


def _heeded(kind: bytes, content: bytes | None, texts: _Unpacker) -> bytes:
    """The chunk as the decoder is given it: packed texts unpacked, empty for what it can do without."""
    if content is None or kind not in (b"tRNS", b"eXIf", *TEXT):
        return b""
    if kind in TEXT:
        if content.split(b"\0")[0] not in TURNING:
            return b""
        kind, content = _plain(kind, content, texts)
        if not content:
            return b""
    return struct.pack(">L", len(content)) + kind + content + struct.pack(">L", zlib.crc32(kind + content))


def _plain(kind: bytes, content: bytes, texts: _Unpacker) -> tuple[bytes, bytes]:
    """Kind and content of the chunk that says the same without packing; no content if it cannot be read."""
    name, _, rest = content.partition(b"\0")
    if kind == b"zTXt":
        text = texts.after_name(content)
        return b"tEXt", b"" if text is None else name + b"\0" + text
    if kind == b"tEXt" or rest[:1] == b"\0":
        return kind, texts.counted(content)
    head = rest[2:].split(b"\0", 2)  # language, translated name, text
    text = texts.unpacked(head[2]) if len(head) == 3 and rest[1:2] == b"\0" else None
    return kind, b"" if text is None else b"\0".join([name, b"\0", *head[:2], text])


class _Unpacker:
    """Unpacks what zlib packed, up to a limit for all together, so that a thousand bombs cost as one."""

    def __init__(self) -> None:
        self._left = _MOST

    def after_name(self, content: bytes) -> bytes | None:
        """What follows a name and the number 0, which stands for the one way of packing."""
        _, _, rest = content.partition(b"\0")
        return self.unpacked(rest[1:]) if rest[:1] == b"\0" else None

    def counted(self, content: bytes) -> bytes:
        """What was never packed; empty beyond the limit."""
        self._left -= len(content)
        return content if self._left >= 0 else b""

    def unpacked(self, packed: bytes) -> bytes | None:
        """None if it is damaged, or larger than what is left of the limit."""
        unpacking = zlib.decompressobj()
        try:
            content = unpacking.decompress(packed, max(1, self._left))
        except zlib.error:
            self._left -= _TRIED
            return None
        self._left -= len(content)
        return None if unpacking.unconsumed_tail else content
