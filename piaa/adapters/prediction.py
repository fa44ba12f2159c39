"""What every adapter gives: scores with intervals, within the scale; and the arrays that it works on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
State = dict[str, NDArray[Any]]

COVERAGE = 0.8
"""Share of a person's ratings that [low, high] is meant to hold."""
Z = 1.2815515655446004
"""Standard normal quantile of (1 + COVERAGE) / 2."""
_EDGE = 0.1


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """Unit scores of n photos, each array of shape (n,) and in [0, 1]; low <= score <= high."""

    score: Array
    low: Array
    high: Array

    @classmethod
    def from_normal(cls, mean: Array, deviation: Array) -> Prediction:
        """Scores and intervals within the scale from unbounded normal predictions.

        The score keeps the order of ``mean``: near the ends of the scale it bends towards them, where
        a clip would make ties of a person's favourites.
        """
        score = bend(mean)
        low = np.minimum(np.clip(mean - Z * deviation, 0.0, 1.0), score)
        high = np.maximum(np.clip(mean + Z * deviation, 0.0, 1.0), score)
        return cls(score=score, low=low, high=high)


def bend(values: NDArray[Any]) -> Array:
    """An increasing map into [0, 1] that is the identity on [0.1, 0.9].

    Strictly so for values within 2 of the scale, and farther out never decreasing: there the
    exponential is lost in rounding.

    Example:
        >>> bend(np.array([0.5, 1.0, 5.0])).round(3).tolist()
        [0.5, 0.963, 1.0]
    """
    values = np.asarray(values, dtype=np.float64)
    above = np.maximum(values - (1 - _EDGE), 0.0)
    below = np.maximum(_EDGE - values, 0.0)
    top = _EDGE * -np.expm1(-above / _EDGE)
    bottom = _EDGE * -np.expm1(-below / _EDGE)
    return np.asarray(np.clip(values, _EDGE, 1 - _EDGE) + top - bottom)
