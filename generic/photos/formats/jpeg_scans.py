"""The scans of a JPEG: which part of the picture each sends, and how many zeros in a row it may hold.

Nothing is decoded here: a scan's header and the tables of codes before it are read, its data are found.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from generic.photos.formats.jpeg import Head, read_head, scans
from generic.photos.formats.jpeg_zeros import AC, Codes, Component, most_zeros, read_codes, read_divisors
from generic.photos.formats.source import Odd, Part, cut, number

_SOS, _CODES, _DIVISORS = 0xDA, 0xC4, 0xDB
_PROGRESSIVE, _SEQUENTIAL = 0xC2, (0xC0, 0xC1)
_ALL_IN_ONE = bytes((0, 63, 0))
"""Which coefficients a scan sends, and which bits of them, where it sends all."""


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
    most_zeros: int | None
    """How many zero bytes in a row an encoder may write; None for any number."""
    data: Part


def read_scans(source: memoryview) -> Iterator[Scan]:
    """All scans up to EOI; Odd unless the file is built as it should be."""
    head = read_head(source)
    tables, divisors = dict[int, Codes](), dict[int, int]()
    for segment in (*head.kept, *scans(source, head.scan_at)):
        marker = _marker(segment)
        if marker == _CODES:
            tables |= read_codes(segment)
        elif marker == _DIVISORS:
            divisors |= read_divisors(segment)
        elif marker == _SOS:
            yield _scan(segment, head, tables, divisors)


def bare(source: memoryview) -> bytes:
    """The picture alone, as a file of its own: without what is told about it, and what follows EOI.

    Where one scan sends all coefficients, what its header says of them, which no decoder heeds, is put right.
    """
    head = read_head(source)
    segments = [*head.kept, *scans(source, head.scan_at)]
    if head.frames and head.frames[0][0] in _SEQUENTIAL:
        segments = [_put_right(it) if _marker(it) == _SOS else it for it in segments]
    return b"".join((b"\xff\xd8", *segments))


def _put_right(segment: Part) -> bytes:
    end = 2 + number(segment, 2, 2)
    return b"".join((segment[: end - len(_ALL_IN_ONE)], _ALL_IN_ONE, segment[end:]))


def _marker(segment: Part) -> int:
    return cut(segment, 1, 1)[0]


def _scan(segment: Part, head: Head, tables: dict[int, Codes], divisors: dict[int, int]) -> Scan:
    size, n = number(segment, 2, 2), cut(segment, 4, 1)[0]
    if size != 6 + 2 * n or not n:
        raise Odd
    used = bytes(cut(segment, 5, 2 * n))
    progressive = bool(head.frames) and head.frames[0][0] == _PROGRESSIVE
    first, last, bits = cut(segment, 5 + 2 * n, 3) if progressive else _ALL_IN_ONE
    refines, missing = bits >> 4 > 0, bits & 15
    frame = _by_component(head)

    def sent(one: int, names: int) -> Component:
        sampling, divisor = frame.get(one, (0x11, 0))
        return Component(
            blocks=(sampling >> 4) * (sampling & 15) if n > 1 else 1,
            divisor=divisors.get(divisor, 1) << missing,
            means=tables.get(names >> 4, Codes()) if not first else Codes(),
            details=tables.get(AC | names & 15, Codes()) if last else Codes(),
            others=last - max(first, 1),
        )

    return Scan(
        components=tuple(used[::2]),
        coefficients=range(first, last + 1),
        refines=refines,
        missing=missing,
        most_zeros=None if refines else most_zeros([*map(sent, used[::2], used[1::2])]),
        data=segment[2 + size :],
    )


def _by_component(head: Head) -> dict[int, tuple[int, int]]:
    """Sampling, and number of the table of divisors, of each component in the frame."""
    frame = bytes(head.frames[0][1]) if head.frames else b""
    return {frame[at]: (frame[at + 1], frame[at + 2]) for at in range(6, len(frame) - 2, 3)}
