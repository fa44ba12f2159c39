"""Boxes, of which HEIC, AVIF and Canon's raw photos are made: a length, a type and a content."""

from __future__ import annotations

from collections.abc import Iterator

from generic.photos.formats.source import Odd, Source, cut, number

_MOST_BOXES = 10_000
_MOST_ITEMS = 10_000


def boxes(source: Source, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Type, start and end of the content of each box in a range; Odd unless they fill it."""
    for _ in range(_MOST_BOXES):
        if start == end:
            return
        size, kind, head = number(source, start, 4), bytes(cut(source, start + 4, 4)), 8
        if size == 1:
            size, head = number(source, start + 8, 8), 16
        size = size or end - start
        if size < head or start + size > end:
            raise Odd
        yield kind, start + head, start + size
        start += size
    raise Odd


class Reader:
    """A box that begins with a version and flags, read number by number."""

    def __init__(self, source: Source, start: int, end: int) -> None:
        self._content = bytes(cut(source, start, end - start))
        self._at = 0
        self.start = start
        self.version, self.flags = self.take(1), self.take(3)

    def take(self, size: int) -> int:
        """The next number; Odd at the end."""
        value = number(self._content, self._at, size) if size else 0
        self._at += size
        return value

    @property
    def here(self) -> int:
        """Where in the file the next number lies."""
        return self.start + self._at

    @property
    def left(self) -> int:
        """Bytes that are still to read."""
        return len(self._content) - self._at

    def count(self, size: int) -> range:
        """The next number, of things that follow, one by one; Odd for more than a photo has."""
        n = self.take(size)
        if n > _MOST_ITEMS:
            raise Odd
        return range(n)
