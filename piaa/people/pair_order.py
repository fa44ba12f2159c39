"""Pairs of photos that two rankings put in one order, counted a part at a time: many photos have many."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

_AT_ONCE = 512
"""Photos that are compared with all later ones at once."""


@dataclass(frozen=True, kw_only=True)
class PairOrder:
    """Counts of pairs; those of several sets of photos may be added."""

    agree: int = 0
    """Pairs in one order, less those in opposite orders."""
    rated: int = 0
    """Pairs that differ in the first ranking."""
    predicted: int = 0
    """Pairs that differ in the second."""

    @classmethod
    def of(cls, rated: NDArray[Any], predicted: NDArray[Any]) -> Self:
        """Of every pair of n photos, with values of shape (n,) each."""
        both = np.stack([rated, predicted]).astype(np.float64)
        counts = np.zeros(3)
        for start in range(0, both.shape[1], _AT_ONCE):
            some, later = both[:, start : start + _AT_ONCE], both[:, start + _AT_ONCE :]
            counts += _counts(np.sign(some[:, :, None] - later[:, None, :]))
            one, other = np.triu_indices(some.shape[1], 1)
            counts += _counts(np.sign(some[:, one] - some[:, other]))
        agree, first, second = (int(count) for count in counts)
        return cls(agree=agree, rated=first, predicted=second)

    def __add__(self, other: PairOrder) -> PairOrder:
        return PairOrder(
            agree=self.agree + other.agree,
            rated=self.rated + other.rated,
            predicted=self.predicted + other.predicted,
        )

    @property
    def tau(self) -> float:
        """Kendall's tau-b, in [-1, 1]; 0 if one of the rankings has ties alone."""
        untied = float(self.rated) * float(self.predicted)
        return float(self.agree / np.sqrt(untied)) if untied else 0.0

    @property
    def share(self) -> float:
        """Of the pairs that differ in the first ranking, those in its order in the second, in [0, 1].

        A tie there is half; 0.5 if no pair differs.

        Example:
            >>> PairOrder.of(np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 2.0])).share
            0.8333333333333333
        """
        return (1 + self.agree / self.rated) / 2 if self.rated else 0.5


def _counts(orders: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sums over pairs whose orders, each -1, 0 or 1, have shape (2, ...)."""
    return np.array([np.sum(orders[0] * orders[1]), *(np.count_nonzero(order) for order in orders)])
