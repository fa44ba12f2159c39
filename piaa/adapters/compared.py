"""Comparisons as an adapter takes them: of each pair of photos which is preferred, or neither."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from generic.errors import ShapeError
from piaa.adapters.checks import check_finite


@dataclass(frozen=True, kw_only=True, eq=False)
class Compared:
    """m comparisons."""

    one: NDArray[Any]
    """Model vectors of the preferred photos, or of one of two equals, shape (m, 1 + d)."""
    other: NDArray[Any]
    """Those of the others, shape (m, 1 + d)."""
    equal: NDArray[np.bool_]
    """Which comparisons prefer neither, shape (m,)."""

    @classmethod
    def preferring(cls, better: NDArray[Any], worse: NDArray[Any]) -> Self:
        """Comparisons that each prefer a photo, of vectors (m, 1 + d) each."""
        return cls(one=better, other=worse, equal=np.zeros(len(better), bool))

    def __len__(self) -> int:
        return len(self.equal)

    @property
    def photos(self) -> NDArray[Any]:
        """All photos, those of one side first, shape (2 m, 1 + d)."""
        return np.concatenate([self.one, self.other])

    def take(self, rows: NDArray[Any]) -> Compared:
        """Some of the comparisons."""
        return Compared(one=self.one[rows], other=self.other[rows], equal=self.equal[rows])

    def without(self, photos: NDArray[Any]) -> Compared:
        """Those with none of these photos, of model vectors (n, 1 + d)."""
        gone = {row.tobytes() for row in np.ascontiguousarray(photos, np.float64)}
        sides = [
            [row.tobytes() in gone for row in np.ascontiguousarray(side, np.float64)]
            for side in (self.one, self.other)
        ]
        return self.take(~np.any(sides, axis=0))

    def in_order(self) -> Compared:
        """In an order, and equals with sides, that do not depend on those given: sums then round alike."""
        turned = self.equal & _after(self.one, self.other)
        one = np.where(turned[:, None], self.other, self.one)
        other = np.where(turned[:, None], self.one, self.other)
        order = np.lexsort((self.equal, *one[:, :3].T, *other[:, :3].T))
        return Compared(one=one[order], other=other[order], equal=self.equal[order])

    def checked(self, width: int | None) -> Compared:
        """The same in double precision.

        Args:
            width: of the ratings' vectors; None if there are no ratings.

        Raises:
            ShapeError: the arrays do not fit together, or a number is not finite.
        """
        one, other = np.asarray(self.one, np.float64), np.asarray(self.other, np.float64)
        if one.ndim != 2 or one.shape != other.shape or self.equal.shape != one.shape[:1]:
            raise ShapeError(
                f"photos compared of shapes {one.shape} and {other.shape}, outcomes of shape "
                f"{self.equal.shape}; expected (m, 1 + d) twice, and (m,)"
            )
        if width is not None and one.shape[1] != width:
            raise ShapeError(
                f"photos compared have {one.shape[1]} numbers each, rated ones {width}; give vectors of one "
                "model"
            )
        check_finite(one, "features")
        check_finite(other, "features")
        return Compared(one=one, other=other, equal=self.equal)


def _after(one: NDArray[Any], other: NDArray[Any]) -> NDArray[np.bool_]:
    """Whether each row of the one comes after that of the other, by the first number that differs."""
    differ = one != other
    first = differ.argmax(axis=1)
    rows = np.arange(len(one))
    return np.asarray(one[rows, first] > other[rows, first])
