"""What one episode is worth: agreement of predicted with given scores of one user's query photos."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from generic.errors import PiaaError, ShapeError
from generic.metrics import coverage, pearson, spearman
from piaa.adapters.prediction import Prediction

METRICS = ("srcc", "plcc", "pairwise", "mae", "coverage")
"""The columns of a table of results that hold a metric."""

_BLOCK = 1 << 20


def measure(prediction: Prediction, unit_scores: ArrayLike, *, width: float) -> dict[str, float]:
    """The numbers of one episode; NaN where the user's own ratings leave one undefined, for all alike.

    Args:
        prediction: of the q query photos, in unit scores.
        unit_scores: shape (q,), in [0, 1], what the user gave.
        width: of the dataset's scale, its high end minus its low end, in its units.

    Returns:
        one number for each of ``METRICS``:

        - ``srcc``, ``plcc``: rank and linear correlation, in [-1, 1]; NaN if the given scores are
          constant, and 0 if the predicted ones alone are: whoever says the same of every photo has ranked
          none, and would gain by it if such episodes were left out.
        - ``pairwise``: see ``pairwise_accuracy``; NaN if the given scores are constant.
        - ``mae``: mean absolute error in the dataset's units.
        - ``coverage``: share of given scores within [low, high], in [0, 1]; NaN for a method without
          intervals, which gives NaN for their ends.

    Raises:
        ShapeError: not one prediction per score, or none at all.
        PiaaError: a predicted score is not a finite number. It would otherwise pass for an
            undefined correlation and be dropped, in favour of the method that failed.
    """
    predicted = np.asarray(prediction.score, dtype=np.float64)
    rated = np.asarray(unit_scores, dtype=np.float64)
    if predicted.shape != rated.shape or predicted.ndim != 1 or not len(rated):
        raise ShapeError(
            f"predictions of shape {predicted.shape} for scores of shape {rated.shape}; "
            "expected one prediction per score, and at least one"
        )
    n_bad = int(np.count_nonzero(~np.isfinite(predicted)))
    if n_bad:
        raise PiaaError(
            f"{n_bad} of {len(predicted)} predicted scores are not finite numbers; "
            "correct the adapter, or leave it out"
        )
    no_interval = bool(np.isnan(prediction.low).any() or np.isnan(prediction.high).any())
    return {
        "srcc": _correlation(spearman(predicted, rated), rated),
        "plcc": _correlation(pearson(predicted, rated), rated),
        "pairwise": pairwise_accuracy(predicted, rated),
        "mae": float(np.abs(predicted - rated).mean() * width),
        "coverage": float("nan") if no_interval else coverage(prediction.low, prediction.high, rated),
    }


def _correlation(value: float, rated: NDArray[np.float64]) -> float:
    """The correlation, or 0 where it is undefined for another reason than constant ratings."""
    return 0.0 if math.isnan(value) and bool((rated != rated[0]).any()) else value


def pairwise_accuracy(predicted: ArrayLike, rated: ArrayLike) -> float:
    """Share of the pairs with different given scores that are predicted in their order.

    A pair with equal predicted scores counts half. This is (1 + Somers' D) / 2 with the given
    scores as the independent variable.

    Args:
        predicted: shape (q,).
        rated: shape (q,).

    Returns:
        in [0, 1], chance is 0.5; NaN if all given scores are equal.

    Example:
        >>> round(pairwise_accuracy([0.1, 0.5, 0.5, 0.4], [1, 2, 3, 3]), 3)
        0.7
    """
    guess, truth = np.asarray(predicted), np.asarray(rated)
    rows = max(1, _BLOCK // max(1, len(truth)))  # Bounds the memory: q of 10,000 is 10^8 pairs.
    pairs = right = tied = 0
    for start in range(0, len(truth), rows):
        part = slice(start, start + rows)
        # Each pair once: where the one of the row has the higher given score.
        higher = truth[part, None] > truth
        pairs += int(np.count_nonzero(higher))
        right += int(np.count_nonzero(higher & (guess[part, None] > guess)))
        tied += int(np.count_nonzero(higher & (guess[part, None] == guess)))
    return (right + tied / 2) / pairs if pairs else float("nan")
