"""The parts that an evaluation is cut into, and what comes of each: what a run folder keeps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Rows = list[dict[str, Any]]
"""Results with the columns of :data:`protocols.fewshot.results.COLUMNS`."""


@dataclass(frozen=True, kw_only=True)
class Unit:
    """What is computed and kept as a whole."""

    adapter: str
    k: int
    repeat: int

    @property
    def key(self) -> str:
        """A name for files and logs, for example ``ridge-10-0``."""
        return f"{self.adapter}-{self.k}-{self.repeat}"


@dataclass(frozen=True, kw_only=True)
class Found:
    """What came of one unit."""

    rows: Rows
    """One for each user, in the order of the plan."""
    draws: list[float]
    """Their mean SRCC with other people and photos; see :class:`protocols.fewshot.two_way.TwoWay`."""
