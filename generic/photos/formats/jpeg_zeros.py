"""How many zero bytes in a row the data of a JPEG's scan may hold, so that more are a hole.

Zeros are one code again and again, the shortest. Where that means "no detail here", or the last wave
that a scan sends of a block, as in stripes, there may be any number of them. Where it means that each
block is darker than the last by a certain step, as in a smooth gradient, there may be as many as lie
between white and black. Any other meaning is none of a picture.
"""

from __future__ import annotations

from dataclasses import dataclass

from generic.photos.formats.source import Part, cut, number

AC = 0x10
_LEAST, _SPARE = 64, 8
"""Bytes: of fewer zeros nothing is said; and how far a gradient may go beyond what is counted."""
_MEANS = 2048
"""How many values the mean of a block has, undivided."""
_RUNS = {run << 4 for run in range(1, 15)}
"""Symbols that end several blocks at once, in progressive photos."""


@dataclass(frozen=True)
class Codes:
    """One table of codes."""

    shortest: int = 0
    """Bits of the code that is all zeros."""
    symbols: bytes = b""
    """What the codes stand for; the first is the one of all zeros."""

    @property
    def ends_blocks(self) -> bool:
        """Whether zeros say that nothing comes; who can end several blocks at once would do so."""
        return self.symbols[:1] in (b"", b"\0") and not _RUNS & set(self.symbols)


@dataclass(frozen=True)
class Component:
    """One of those that a scan sends."""

    blocks: int
    """How many follow on each other."""
    divisor: int
    """Of the means."""
    means: Codes
    details: Codes
    others: int = 62
    """How many waves of a block the scan sends before the last."""

    @property
    def ends_blocks(self) -> bool:
        """Whether zeros say that nothing more comes of a block."""
        first = sum(self.details.symbols[:1])
        return self.details.ends_blocks or (first & 15 > 0 and first >> 4 == self.others)

    @property
    def bits(self) -> int:
        """Of zeros, that send a block: the code of the mean, its value, and the end of the block."""
        return self.means.shortest + sum(self.means.symbols[:1]) + self.details.shortest


def read_codes(segment: Part) -> dict[int, Codes]:
    """Each table of codes in a segment DHT, by class and number; Odd unless it is whole."""
    found, at = {}, 4
    while at < len(segment):
        name, counts = cut(segment, at, 1)[0], bytes(cut(segment, at + 1, 16))
        symbols = bytes(cut(segment, at + 17, sum(counts)))
        found[name] = Codes(next((n for n, count in enumerate(counts, 1) if count), 0), symbols)
        at += 17 + len(symbols)
    return found


def read_divisors(segment: Part) -> dict[int, int]:
    """What the means are divided by, for each table in a segment DQT; Odd unless it is whole."""
    found, at = {}, 4
    while at < len(segment):
        name = cut(segment, at, 1)[0]
        size = 1 + (name >> 4)
        found[name & 15] = number(segment, at + 1, size)
        at += 1 + 64 * size
    return found


def most_zeros(components: list[Component]) -> int | None:
    """The most zero bytes in a row that a scan's data hold if they are whole; None if any number.

    Args:
        components: those that the scan sends; with no codes for what it does not send.
    """
    if not all(it.ends_blocks for it in components):
        return _LEAST
    gradients = [it for it in components if any(it.means.symbols[:1])]
    if not gradients:
        return None
    units = min(_units(it) for it in gradients)
    return max(_LEAST, units * sum(it.blocks * it.bits for it in components) // 8 + _SPARE)


def _units(gradient: Component) -> int:
    """After how many groups of blocks a gradient has come from white to black."""
    step = (1 << min(gradient.means.symbols[0], 11)) - 1
    return _MEANS // (max(1, gradient.divisor) * step * gradient.blocks) + 1
