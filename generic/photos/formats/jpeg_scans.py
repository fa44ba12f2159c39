"""The scans of a JPEG: which part of the picture each sends, and what a row of zeros would mean in it.

Nothing is decoded here: a scan's header and the tables of codes before it are read, its data are found.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from generic.photos.formats.jpeg import read_head, scans
from generic.photos.formats.source import Odd, Part, cut, number

_SOS, _TABLES, _PROGRESSIVE = 0xDA, 0xC4, 0xC2
_AC = 0x10
_RUNS = {run << 4 for run in range(1, 15)}
"""Symbols that end several blocks at once, in progressive photos."""


@dataclass(frozen=True)
class Scan:
    """One scan, as its header says."""

    components: tuple[int, ...]
    coefficients: range
    """Which of a block's 64 it sends, in zigzag order; the first is the mean of the block."""
    refines: bool
    """Whether it sends one more bit of what earlier scans began."""
    missing: int
    """Lowest bits of each coefficient that later scans must bring."""
    flat: bool
    """Whether zeros without end are what an encoder writes for a part of the picture without detail."""
    data: Part


def read_scans(source: memoryview) -> Iterator[Scan]:
    """All scans up to EOI; Odd unless the file is built as it should be."""
    head = read_head(source)
    progressive = bool(head.frames) and head.frames[0][0] == _PROGRESSIVE
    tables: dict[int, Part] = {}
    for segment in (*head.kept, *scans(source, head.scan_at)):
        marker = _marker(segment)
        if marker == _TABLES:
            tables |= _symbols(segment)
        elif marker == _SOS:
            yield _scan(segment, tables, progressive)


def bare(source: memoryview) -> bytes:
    """The picture alone, as a file of its own: without what is told about it, and what follows EOI."""
    head = read_head(source)
    return b"".join((b"\xff\xd8", *head.kept, *scans(source, head.scan_at)))


def _marker(segment: Part) -> int:
    return cut(segment, 1, 1)[0]


def _symbols(segment: Part) -> dict[int, Part]:
    """The symbols of each table of codes, by class and number; the code of the first is all zeros."""
    found, at = {}, 4
    while at < len(segment):
        name, counts = cut(segment, at, 1)[0], cut(segment, at + 1, 16)
        found[name] = cut(segment, at + 17, sum(counts))
        at += 17 + len(found[name])
    return found


def _scan(segment: Part, tables: dict[int, Part], progressive: bool) -> Scan:
    size, n = number(segment, 2, 2), cut(segment, 4, 1)[0]
    if size != 6 + 2 * n or not n:
        raise Odd
    used = cut(segment, 5, 2 * n)
    first, last, bits = cut(segment, 5 + 2 * n, 3) if progressive else (0, 63, 0)
    names = {it >> 4 for it in used[1::2]} if not first else set()
    names |= {_AC | it & 15 for it in used[1::2]} if last else set()
    refines = bits >> 4 > 0
    return Scan(
        components=tuple(used[::2]),
        coefficients=range(first, last + 1),
        refines=refines,
        missing=bits & 15,
        flat=refines or all(_zeros_are_flat(tables.get(name, b"")) for name in names),
        data=segment[2 + size :],
    )


def _zeros_are_flat(symbols: Part) -> bool:
    """Whether zeros mean one block without detail after another: who can end several at once would do so."""
    return bytes(symbols[:1]) in (b"", b"\0") and not _RUNS & set(symbols)
