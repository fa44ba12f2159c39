"""How well predicted scores agree with given ones.

They live in the lowest layer because pretraining, fitting one person and the protocols all
report them. One policy throughout: ties get average ranks, arithmetic is float64, and a
constant side has no correlation (NaN), which the caller must count rather than average away.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from generic.errors import ShapeError

Vector = NDArray[np.float64]


def average_ranks(values: ArrayLike) -> Vector:
    """Ranks from 1, ties sharing the average of their places.

    Args:
        values: shape (q,).

    Returns:
        shape (q,), float64.

    Example:
        >>> average_ranks([10, 20, 20, 5]).tolist()
        [2.0, 3.5, 3.5, 1.0]
    """
    _, inverse, counts = np.unique(np.asarray(values), return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2)[inverse], dtype=np.float64)


def pearson(predicted: ArrayLike, rated: ArrayLike) -> float:
    """Linear correlation (PLCC), in [-1, 1]; NaN if a side is constant or q < 2.

    Args:
        predicted: shape (q,).
        rated: shape (q,).

    Raises:
        ShapeError: the two lengths differ.
    """
    a, b = np.asarray(predicted, dtype=np.float64), np.asarray(rated, dtype=np.float64)
    if a.shape != b.shape or a.ndim != 1:
        raise ShapeError(f"correlation of arrays of shape {a.shape} and {b.shape}; give two of one length")
    if len(a) < 2 or (a == a[0]).all() or (b == b[0]).all():
        return float("nan")
    a, b = a - a.mean(), b - b.mean()
    # Normalised one by one: the product of two tiny squared norms would underflow.
    return float(np.clip((a / np.linalg.norm(a)) @ (b / np.linalg.norm(b)), -1.0, 1.0))


def spearman(predicted: ArrayLike, rated: ArrayLike) -> float:
    """Rank correlation (SRCC), in [-1, 1]; NaN if a side is constant or q < 2.

    Args:
        predicted: shape (q,).
        rated: shape (q,).

    Raises:
        ShapeError: the two lengths differ.

    Example:
        >>> round(spearman([1.0, 2.0, 3.0, 4.0], [2.0, 4.0, 4.0, 9.0]), 3)
        0.949
    """
    a, b = np.asarray(predicted), np.asarray(rated)
    if a.shape != b.shape or a.ndim != 1:
        raise ShapeError(f"correlation of arrays of shape {a.shape} and {b.shape}; give two of one length")
    return pearson(average_ranks(a), average_ranks(b)) if len(a) else float("nan")


def coverage(low: ArrayLike, high: ArrayLike, rated: ArrayLike) -> float:
    """Share of given scores that lie within their interval, ends included, in [0, 1].

    Args:
        low: shape (q,).
        high: shape (q,).
        rated: shape (q,), same units.
    """
    scores = np.asarray(rated)
    return float(np.mean((np.asarray(low) <= scores) & (scores <= np.asarray(high))))
