"""WebP: the picture is all chunks but EXIF and XMP.

Programs that add EXIF or XMP to a simple file put a chunk VP8X before it, which repeats the size
and says what follows. So the picture of a simple file counts as if that chunk were there.
"""

from __future__ import annotations

from collections.abc import Iterator

from generic.photos.formats.exif import Header, header_of, turn_part
from generic.photos.formats.source import Odd, Part, Source, cut, number, part

_ALPHA, _EXIF, _XMP = 0x10, 0x08, 0x04
_MOST_CHUNKS = 100_000


def header(source: Source) -> Header:
    """What the file says; reads the head of each chunk, and the chunks of EXIF and XMP."""
    flags, width, height = _canvas(source)
    found = {kind: cut(source, at, size) for kind, at, size in _chunks(source) if kind in (b"EXIF", b"XMP ")}
    exif = found.get(b"EXIF") if flags & _EXIF else None
    xmp = found.get(b"XMP ") if flags & _XMP else None
    return header_of((width, height), exif, xmp)


def image_parts(source: memoryview) -> Iterator[Part]:
    """The picture; Odd unless every chunk is whole and VP8X announces EXIF and XMP truly."""
    flags, width, height = _canvas(source)
    exif, xmp, kept = [], [], []
    for kind, at, size in _chunks(source):
        if kind == b"EXIF":
            exif.append(source[at : at + size])
        elif kind == b"XMP ":
            xmp.append(source[at : at + size])
        elif kind != b"VP8X":
            kept.append(source[at - 8 : at + size])
        if kind == b"VP8L":
            # Transparent or not, as these data say; the decoder does not ask VP8X.
            flags = flags & ~_ALPHA | _lossless(source[at : at + size])[0]
    # The decoder passes over what is not announced.
    if (len(exif), len(xmp)) != (bool(flags & _EXIF), bool(flags & _XMP)):
        raise Odd
    yield turn_part(exif[0] if exif else None, xmp[0] if xmp else None)
    yield part("canvas", b"%d %d %d" % (flags & ~(_EXIF | _XMP), width, height))
    yield from kept


def _canvas(source: Source) -> tuple[int, int, int]:
    """The flags, width and height that VP8X says, or would say."""
    kind, at, size = next(_chunks(source))
    content = cut(source, at, min(size, 10))
    if kind == b"VP8X":
        return content[0], number(content, 4, 3, "little") + 1, number(content, 7, 3, "little") + 1
    if kind == b"VP8L":
        return _lossless(content)
    if kind == b"VP8 " and bytes(content[3:6]) == b"\x9d\x01\x2a":
        return 0, number(content, 6, 2, "little") & 0x3FFF, number(content, 8, 2, "little") & 0x3FFF
    raise Odd


def _lossless(content: Part) -> tuple[int, int, int]:
    """As :func:`_canvas`, of data without loss."""
    bits = number(content, 1, 4, "little")
    return _ALPHA * (bits >> 28 & 1), (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1


def _chunks(source: Source) -> Iterator[tuple[bytes, int, int]]:
    """Kind, start and size of each chunk's content; Odd unless they fill the file's own length."""
    end = 8 + number(source, 4, 4, "little")
    if end > len(source):
        raise Odd
    at = 12
    for _ in range(_MOST_CHUNKS):
        if at == end:
            return
        kind, size = bytes(cut(source, at, 4)), number(source, at + 4, 4, "little")
        if at + 8 + size > end:
            raise Odd
        yield kind, at + 8, size
        at = min(at + 8 + size + size % 2, end)
    raise Odd
