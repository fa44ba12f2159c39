"""What every adapter is: it learns one person from k rated photos and predicts with an interval.

Adapters see model vectors, shape (n, 1 + d): column 0 is the generic unit score, the rest the
embedding. Fitting may use any library; predicting needs numpy alone, so that a stored person is
scored at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from generic.photos.lazy_pixels import LazyPixels

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


class Adapter(Protocol):
    """One way to learn a person. Implementations are rebuilt from ``state()`` bit for bit."""

    name: ClassVar[str]

    def fit(self, features: NDArray[Any], unit_scores: NDArray[Any]) -> Self:
        """Learn from k photos; forgets earlier fits.

        Args:
            features: model vectors, shape (k, 1 + d).
            unit_scores: shape (k,), in [0, 1].

        Raises:
            TooFewRatings: k is 0.
            ShapeError: the arrays do not fit together.
        """

    def predict(self, features: NDArray[Any]) -> Prediction:
        """Predict the person's unit scores; changes nothing.

        Args:
            features: model vectors, shape (n, 1 + d).

        Raises:
            NotFitted: ``fit`` was not called.
        """

    def state(self) -> State:
        """What was learned, as named arrays."""

    def restore(self, state: Mapping[str, NDArray[Any]]) -> Self:
        """Take over what ``state`` gave."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Photos:
    """What a network adapter is given of n photos."""

    vectors: NDArray[Any]
    """Model vectors, shape (n, 1 + d)."""
    pixels: LazyPixels | NDArray[np.uint8]
    """Shape (n, size, size, 3), RGB in [0, 255], decoded when rows of it are asked for."""

    def __len__(self) -> int:
        return len(self.vectors)

    def take(self, rows: NDArray[np.intp]) -> Photos:
        """Some of the photos."""
        lazy = isinstance(self.pixels, LazyPixels)
        pixels = self.pixels.take(rows) if lazy else self.pixels[rows]
        return Photos(vectors=self.vectors[rows], pixels=pixels)


class NetworkAdapter(Protocol):
    """An adapter that changes the network itself, and so is given photos instead of vectors.

    ``needs`` tells the two kinds apart; an adapter without it takes vectors. Otherwise as
    :class:`Adapter`: refitting forgets, predicting changes nothing, no score depends on what else is
    scored, and ``state`` restores to the bit.
    """

    name: ClassVar[str]
    needs: ClassVar[Literal["pixels"]]

    @property
    def n_bytes(self) -> int:
        """Memory that this person takes beside the generic model, in bytes."""

    def fit(self, features: Photos, unit_scores: NDArray[Any]) -> Self:
        """See :meth:`Adapter.fit`."""

    def predict(self, features: Photos) -> Prediction:
        """See :meth:`Adapter.predict`."""

    def state(self) -> State:
        """See :meth:`Adapter.state`."""

    def restore(self, state: Mapping[str, NDArray[Any]]) -> Self:
        """See :meth:`Adapter.restore`."""


AnyAdapter: TypeAlias = Adapter | NetworkAdapter


def needs_pixels(adapter: AnyAdapter) -> bool:
    """Whether an adapter is to be given :class:`Photos`."""
    return getattr(adapter, "needs", "vectors") == "pixels"
