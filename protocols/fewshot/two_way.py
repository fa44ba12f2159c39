"""How far a mean SRCC would move with other people *and* other photos: the two-way bootstrap.

All people of a test rate the same photos, so what a model gets wrong on a photo is wrong for all of them at
once. Drawing people anew keeps the photos and misses that; here each draw takes other people and, for all
of them alike, other photos (Owen, *The Pigeonhole Bootstrap*, Annals of Applied Statistics 2007). What
belongs to one person on one photo alone counts up to three times, so the interval is a little too wide
rather than too narrow. Fits stay as they are: a draw changes who and what is tested, not what was learned.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from generic.seeds import stream

DRAWS = 300
_DECIMALS = 6
"""Kept of a draw's mean: far finer than the interval that comes of it."""
_Z = 1.96

Array = NDArray[np.float64]


class TwoWay:
    """Photos and people drawn with replacement, the same draws for every adapter, k and repeat.

    Args:
        images: the photos' names.
        people: user -> the photos that she rated, as rows of ``images``.
        seed: of the draws.
        test: name of what is tested, which names the random stream.
    """

    def __init__(
        self, images: Sequence[str], people: Mapping[str, NDArray[np.intp]], *, seed: int, test: str
    ) -> None:
        generator = stream(seed, "two-way", test)
        rated = np.unique(np.concatenate(list(people.values()))) if people else np.empty(0, dtype=np.intp)
        # By name, so that the order of a file's rows has no part in it.
        by_name = sorted(rated.tolist(), key=images.__getitem__)
        self._photos = np.zeros((DRAWS, len(images)), dtype=np.float32)
        self._photos[:, by_name] = _drawn(generator, len(by_name))
        self._people = dict(zip(sorted(people), _drawn(generator, len(people)).T, strict=True))

    def correlations(self, rows: NDArray[np.intp], predicted: ArrayLike, rated: ArrayLike) -> Array:
        """A person's SRCC in every draw of photos.

        Args:
            rows: her query photos, as rows of ``images``, shape (q,).
            predicted: shape (q,).
            rated: shape (q,).

        Returns:
            shape (DRAWS,); 0 where the predictions drawn are constant, NaN where her ratings are.
        """
        counts = self._photos[:, rows]
        guess, truth = (_centred(np.asarray(side), counts) for side in (predicted, rated))
        products = [np.einsum("dq,dq,dq->d", counts, *pair) for pair in _pairs(guess, truth)]
        both, guesses, truths = (np.asarray(product, dtype=np.float64) for product in products)
        norm = np.sqrt(guesses * truths)
        found = np.divide(both, norm, out=np.zeros(DRAWS), where=norm > 0)
        return np.where(truths > 0, found, math.nan)

    def means(self, users: Sequence[str], correlations: Sequence[Array]) -> list[float]:
        """The mean over the people of each draw; who has no SRCC in it is left out of it.

        Args:
            users: whose the correlations are, of ``people``.
            correlations: for each of them, as :meth:`correlations` gives them.

        Returns:
            DRAWS numbers; NaN for a draw without any.
        """
        values = np.stack(correlations)
        weights = np.stack([self._people[user] for user in users]) * np.isfinite(values)
        counts = weights.sum(axis=0)
        sums = (weights * np.nan_to_num(values)).sum(axis=0)
        found = np.divide(sums, counts, out=np.full(DRAWS, math.nan), where=counts > 0)
        return [float(value) for value in np.round(found, _DECIMALS)]


def two_way_interval(mean: float, draws: ArrayLike) -> tuple[float, float]:
    """95 % interval of a mean SRCC over people and photos: 1.96 standard deviations of the draws around it.

    Args:
        mean: over repeats of the mean over users.
        draws: its values under the draws, shape (n,); NaN is left out.

    Returns:
        low and high; NaN where fewer than two draws have a value, or none differs.

    Example:
        >>> [round(end, 3) for end in two_way_interval(0.5, [0.4, 0.5, 0.6])]
        [0.304, 0.696]
    """
    values = np.asarray(draws, dtype=np.float64)
    values = values[np.isfinite(values)]
    spread = float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
    return (mean - _Z * spread, mean + _Z * spread) if spread > 0 else (math.nan, math.nan)


def _drawn(generator: np.random.Generator, n: int) -> NDArray[np.float32]:
    """How often each of n is drawn when n are drawn with replacement, shape (DRAWS, n)."""
    counts = generator.multinomial(n, np.full(n, 1 / max(n, 1)), size=DRAWS)
    return np.asarray(counts, dtype=np.float32)


def _pairs(guess: Any, truth: Any) -> tuple[tuple[Any, Any], ...]:  # noqa: ANN401 - arrays of one kind
    return (guess, truth), (guess, guess), (truth, truth)


def _centred(values: NDArray[Any], counts: NDArray[np.float32]) -> NDArray[np.float32]:
    """Average ranks within each draw, as distances from the middle one.

    Args:
        values: shape (q,).
        counts: how often each is drawn, shape (DRAWS, q).
    """
    order = np.argsort(values, kind="stable")
    ranked = values[order]
    first = np.flatnonzero(np.concatenate(([True], ranked[1:] != ranked[:-1])))
    tied = np.add.reduceat(counts[:, order], first, axis=1)
    middle = np.cumsum(tied, axis=1) - (tied - 1) / 2
    ranks = np.empty_like(counts)
    ranks[:, order] = np.repeat(middle, np.diff(np.append(first, len(values))), axis=1)
    return np.asarray(ranks - (counts.sum(axis=1, keepdims=True) + 1) / 2, dtype=np.float32)
