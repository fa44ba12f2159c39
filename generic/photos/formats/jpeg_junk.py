"""Bytes that some cameras and programs leave between the first segments of a JPEG; decoders skip them."""

from __future__ import annotations

import re

from generic.photos.formats.source import Odd, Part, cut, number

_SOS, _APP0 = 0xDA, 0xE0
_ALONE = {0x01, *range(0xD0, 0xDA)}
_MARKER = re.compile(rb"\xff[\x01-\xfe]")
_MOST_SEGMENTS = 10_000


def without_junk(source: memoryview) -> memoryview:
    """The JPEG without what lies between the segments before its first scan.

    After a segment that decides about pixels only zeros may lie: other bytes could be a part of it, if its
    length is wrong.

    Args:
        source: the whole file.

    Returns:
        the same where there is nothing to leave out.

    Raises:
        Odd: there are other bytes, or no scan.
    """
    kept: list[Part] = [source[:2]]
    at, told = 2, True
    for _ in range(_MOST_SEGMENTS):
        found = _MARKER.search(source, at)
        if found is None:
            raise Odd
        start, marker = found.start(), source[found.start() + 1]
        if not told and any(bytes(source[at:start]).strip(b"\xff")):
            raise Odd
        if marker == _SOS:
            return source if sum(map(len, kept)) == start else memoryview(b"".join((*kept, source[start:])))
        if marker in _ALONE:
            raise Odd
        segment = cut(source, start, 2 + number(source, start + 2, 2))
        kept.append(segment)
        at, told = start + len(segment), marker >= _APP0
    raise Odd
