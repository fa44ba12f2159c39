"""JPEG: the picture is all segments but APPn and COM, from the first byte to the marker EOI.

What counts of APPn is what the decoder heeds: the ICC profile, the orientation, and the marks of
Adobe and JFIF where they decide how the components become colours. What follows EOI (a second
photo, a film, a preview) does not count: no decoder looks at it, and programs that share photos
cut it off.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from generic.photos.formats.exif import Header, header_of, turn_part, unmarked
from generic.photos.formats.source import Endless, Odd, Part, Source, cut, number, part

START = b"\xff\xd8\xff"
_APP0, _APP1, _APP2, _APP14, _APP15, _COM = 0xE0, 0xE1, 0xE2, 0xEE, 0xEF, 0xFE
_EOI, _SOS = 0xD9, 0xDA
_ALONE = {0x01, 0xD8, *range(0xD0, 0xD8)}  # markers without a length; none belongs between segments
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_USUAL = (0xC0, 0xC1, 0xC2)
_XMP = b"http://ns.adobe.com/xap/1.0/\0"
_MOST_SEGMENTS = 10_000
_MOST_FILL = 4096
# In the data of a scan, FF 00 is the byte FF, and FF D0 to FF D7 restart the decoder.
_SCAN_ENDS = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")


@dataclass
class Head:
    """All before the first scan."""

    applications: list[tuple[int, Part]] = field(default_factory=list)
    """Each APPn: its marker and its content."""
    kept: list[Part] = field(default_factory=list)
    frames: list[tuple[int, Part]] = field(default_factory=list)
    scan_at: int = 0
    """Where the first scan begins."""

    def find(self, marker: int, start: bytes) -> list[Part]:
        """The contents that begin so."""
        return [it for found, it in self.applications if found == marker and it[: len(start)] == start]

    @property
    def exif(self) -> bytes | None:
        """The EXIF block without its mark; one in several segments is put together."""
        blocks = self.find(_APP1, b"Exif\0\0")
        return b"".join([unmarked(blocks[0]), *(bytes(it[6:]) for it in blocks[1:])]) if blocks else None

    @property
    def xmp(self) -> Part | None:
        """The last XMP packet."""
        found = self.find(_APP1, _XMP)
        return found[-1][len(_XMP) :] if found else None


def read_head(source: Source) -> Head:
    """All before the first scan; Odd unless it is there and whole, Endless for too many segments."""
    head, at = Head(), 2
    for _ in range(_MOST_SEGMENTS):
        marker, start, end = _segment(source, at)
        if marker in (_SOS, _EOI):
            head.scan_at = start
            return head
        content = cut(source, start + 4, end - start - 4)
        if _APP0 <= marker <= _APP15:
            head.applications.append((marker, content))
        elif marker != _COM:
            head.kept.append(cut(source, start, end - start))
        if marker in _FRAMES:
            head.frames.append((marker, content))
        at = end
    raise Endless


def frame_size(head: Head) -> tuple[int, int]:
    """Width and height in pixels as stored; Odd unless there is one frame of a usual kind."""
    if len(head.frames) != 1 or head.frames[0][0] not in _USUAL:
        raise Odd
    frame = head.frames[0][1]
    return number(frame, 3, 2), number(frame, 1, 2)


def header(source: Source, otherwise: int = 1) -> Header:
    """What the file says before its first scan.

    Args:
        source: the file.
        otherwise: the orientation if it gives none.
    """
    head = read_head(source)
    return header_of(frame_size(head), head.exif, head.xmp, otherwise)


def image_parts(source: memoryview, otherwise: int = 1) -> Iterator[Part]:
    """The picture; ``otherwise`` as in :func:`header`. Odd unless the file is whole."""
    head = read_head(source)
    if len(head.frames) != 1:
        raise Odd
    yield turn_part(head.exif, head.xmp, otherwise)
    yield part("colour", _colour(head))
    for profile in head.find(_APP2, b"ICC_PROFILE\0"):
        yield part("profile", profile)
    yield from head.kept
    yield from scans(source, head.scan_at)


def end_of(source: memoryview) -> int:
    """Where a JPEG that begins at the first byte ends; Odd unless it does."""
    at = read_head(source).scan_at
    for segment in scans(source, at, everything=True):
        at += len(segment)
    return at


def scans(source: memoryview, at: int, everything: bool = False) -> Iterator[memoryview]:
    """The segments from the first scan to EOI, but for APPn and COM; a scan's data follow its header."""
    for _ in range(_MOST_SEGMENTS):
        marker, start, end = _segment(source, at)
        if everything and start > at:
            yield source[at:start]
        if marker == _SOS:
            found = _SCAN_ENDS.search(source, end)
            if found is None:
                raise Odd
            end = found.start()
        if everything or not (_APP0 <= marker <= _APP15 or marker == _COM):
            yield source[start:end]
        if marker == _EOI:
            return
        at = end
    raise Endless


def _segment(source: Source, at: int) -> tuple[int, int, int]:
    """Marker, start and end of the segment at ``at``, before which FF may be repeated.

    A segment must follow on the last: data between two would be scan data to one program and
    rubbish to another.
    """
    start = at
    while source[start : start + 2] == b"\xff\xff" and start - at < _MOST_FILL:
        start += 1
    head = cut(source, start, 2)
    marker = head[1]
    if head[0] != 0xFF or marker == 0 or marker in _ALONE:
        raise Odd
    if marker == _EOI:
        return marker, start, start + 2
    size = number(source, start + 2, 2)
    if size < 2 or start + 2 + size > len(source):
        raise Odd
    return marker, start, start + 2 + size


def _colour(head: Head) -> bytes:
    """What of APP0 and APP14 decides the colours in libjpeg.

    Three components numbered 1, 2, 3 are YCbCr, with a mark of JFIF or without; so that mark,
    which programs add and remove, counts only for other photos.
    """
    marker, frame = head.frames[0]
    adobe = b"".join(bytes(it[:12]) for it in head.find(_APP14, b"Adobe"))
    components = bytes(frame[6::3])
    if not adobe and marker in _USUAL and (len(components) == 1 or components == b"\1\2\3"):
        return b""
    jfif = any(len(it) >= 14 for it in head.find(_APP0, b"JFIF\0"))
    return adobe + (b"JFIF" if jfif else b"")
