"""Directories of TIFF: lists of tags and values, of which TIFF files, raw photos and EXIF blocks are made."""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from generic.photos.formats.source import Odd, Part, Source, cut, number

SIZES = {
    1: 1,
    2: 1,
    3: 2,
    4: 4,
    5: 8,
    6: 1,
    7: 1,
    8: 2,
    9: 4,
    10: 8,
    11: 4,
    12: 8,
    13: 4,
    16: 8,
    17: 8,
    18: 8,
}
"""Bytes of one value, by the kind of value."""
SHORT = 3
NEXT_ONES = 330
"""The tag SubIFDs: where further directories lie."""

_CODES = {1: "B", 3: "H", 4: "L", 13: "L", 16: "Q", 18: "Q"}
_CLASSIC, _BIG = 42, 43
_MOST_ENTRIES = 4096
_MOST_DIRECTORIES = 64


@dataclass(frozen=True)
class Entry:
    """One tag's values, which are read when they are asked for."""

    kind: int
    count: int
    start: int
    size: int
    """Bytes of all values; 0 for an unknown kind."""


@dataclass(frozen=True)
class Directory:
    """The tags of one image or block."""

    source: Source
    order: str
    """``little`` or ``big``."""
    entries: dict[int, Entry] = field(repr=False)
    following: int
    """Where the next directory lies; 0 for none."""
    repeated: frozenset[int]
    """Tags that stand there more than once; programs differ in which they believe."""

    def raw(self, tag: int) -> Part:
        """A tag's values as they are stored; Odd unless they are there."""
        entry = self.entries.get(tag)
        if entry is None:
            raise Odd
        return cut(self.source, entry.start, entry.size)

    def numbers(self, tag: int) -> tuple[int, ...]:
        """A tag's values, which must be whole numbers; none if the tag is not there."""
        entry = self.entries.get(tag)
        if entry is None:
            return ()
        if entry.kind not in _CODES:
            raise Odd
        sign = "<" if self.order == "little" else ">"
        return struct.unpack(f"{sign}{entry.count}{_CODES[entry.kind]}", self.raw(tag))

    def one(self, tag: int, default: int) -> int:
        """A tag's first value, or the default if it is not there."""
        return next(iter(self.numbers(tag)), default)


class Directories:
    """A file or block that begins like TIFF.

    Args:
        source: from its first byte; offsets count from there.
        versions: the numbers after the byte order that are allowed; raw photos have their own.

    Raises:
        Odd: it does not begin like TIFF.
    """

    def __init__(self, source: Source, versions: Collection[int] = (_CLASSIC, _BIG)) -> None:
        orders = {b"II": "little", b"MM": "big"}
        self.source = source
        self.order = orders.get(bytes(source[:2]), "")
        if not self.order:
            raise Odd
        version = number(source, 2, 2, self.order)
        if version not in versions:
            raise Odd
        self.big = version == _BIG
        if self.big and number(source, 4, 4, self.order) != (8 if self.order == "little" else 8 << 16):
            raise Odd
        self.first = number(source, 8, 8, self.order) if self.big else number(source, 4, 4, self.order)

    def read(self, at: int) -> Directory:
        """The directory that lies at an offset; Odd unless all its entries are there."""
        width, step, short = (8, 20, 8) if self.big else (4, 12, 2)
        n = number(self.source, at, short, self.order)
        if n > _MOST_ENTRIES:
            raise Odd
        start = at + short
        table = cut(self.source, start, n * step)
        entries: dict[int, Entry] = {}
        repeated = set()
        for here in range(0, n * step, step):
            tag, entry = self._entry(table, here, start + here, width)
            if tag in entries:
                repeated.add(tag)
            entries[tag] = entry
        end = start + n * step
        # Some EXIF blocks end before this number.
        following = number(self.source, end, width, self.order) if end + width <= len(self.source) else 0
        return Directory(self.source, self.order, entries, following, frozenset(repeated))

    def _entry(self, table: Part, here: int, at: int, width: int) -> tuple[int, Entry]:
        tag, kind = number(table, here, 2, self.order), number(table, here + 2, 2, self.order)
        count = number(table, here + 4, width, self.order)
        size = count * SIZES.get(kind, 0)
        inside = size <= width
        start = at + 4 + width if inside else number(table, here + 4 + width, width, self.order)
        return tag, Entry(kind, count, start, size)

    def walk(self) -> Iterator[Directory]:
        """The first directory, those that follow it, and those inside each; none twice."""
        waiting, seen = [self.first], set[int]()
        while waiting and len(seen) < _MOST_DIRECTORIES:
            at = waiting.pop(0)
            if at == 0 or at in seen:
                continue
            seen.add(at)
            directory = self.read(at)
            yield directory
            waiting += [*directory.numbers(NEXT_ONES)[:_MOST_DIRECTORIES], directory.following]
