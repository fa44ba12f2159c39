"""What a model's vector is made of: named parts, one after the other, as the file's architecture says.

``generic`` is the generic score and always the first number. ``ava`` is the score of a network that learned
from AVA. ``directions`` are those in which tastes are looked for. ``richer`` says more of a photo than those
directions keep, for whom it helps. In a file that declares nothing all of the embedding is directions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from generic.errors import CheckpointError

GENERIC, AVA, DIRECTIONS, RICHER = "generic", "ava", "directions", "richer"
ORDER = (GENERIC, AVA, DIRECTIONS, RICHER)
KEY = "parts"
"""Under which an architecture declares them, without the generic score."""


@dataclass(frozen=True)
class Parts:
    """Parts of a vector of shape (1 + d,)."""

    widths: Mapping[str, int]
    """How many numbers each part has, by its name, in their order."""

    @classmethod
    def declared(cls, architecture: Mapping[str, Any], d: int) -> Parts:
        """Those of a model whose embedding has d numbers.

        Raises:
            CheckpointError: the declaration is not one, or is of another width.

        Example:
            >>> Parts.declared({"parts": {"ava": 1, "directions": 2, "richer": 4}}, 7).place("directions")
            slice(2, 4, None)
            >>> Parts.declared({}, 7).widths
            {'generic': 1, 'directions': 7}
        """
        given = architecture.get(KEY, {DIRECTIONS: d})
        known = [name for name in ORDER[1:] if name in given]
        if list(given) != known or sum(given.values()) != d or min(given.values()) < 1:
            raise CheckpointError(
                f"the model file declares vectors of the parts {given}, expected {d} numbers in parts of the "
                f"names {', '.join(ORDER[1:])}, in this order; train or build the model again"
            )
        return cls({GENERIC: 1, **given})

    def place(self, name: str) -> slice:
        """Where a part is in a vector; of one that the model has not, nowhere."""
        ends = dict(zip(self.widths, accumulate(self.widths.values()), strict=True))
        return slice(ends[name] - self.widths[name], ends[name]) if name in ends else slice(0, 0)

    @classmethod
    def small_of(cls, architecture: Mapping[str, Any]) -> int | None:
        """As :attr:`small`, of a model that was not run; None: its vectors have no richer part.

        Raises:
            CheckpointError: see :meth:`declared`.

        Example:
            >>> Parts.small_of({"parts": {"ava": 1, "directions": 2, "richer": 4}}), Parts.small_of({})
            (4, None)
        """
        given = architecture.get(KEY, {})
        return cls.declared(architecture, sum(given.values())).small if RICHER in given else None

    @property
    def small(self) -> int:
        """How many numbers the vector has without its richer part, which is the last one."""
        return sum(width for name, width in self.widths.items() if name != RICHER)
