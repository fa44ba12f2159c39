"""How well a fitted person will be ranked, estimated from the ratings alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generic.metrics import spearman
from generic.seeds import stream
from piaa.adapters.base import Adapter

ENOUGH = 20
"""Fewest ratings for an estimate: below, its standard error is above 0.23."""
FOLDS, REPEATS = 5, 4


@dataclass(frozen=True, kw_only=True)
class RankEstimate:
    """Cross-validated rank correlation between predictions and the person's own ratings."""

    srcc: float
    """Mean over the repeats, in [-1, 1]."""
    error: float
    """Standard error, 1 / sqrt(k - 1): that of a rank correlation of k independent pairs."""
    generic: float
    """The same of the generic score, which needs no folds."""


def estimate_ranking(
    make: Callable[[], Adapter], features: NDArray[Any], unit_scores: NDArray[np.float64]
) -> RankEstimate | None:
    """Fit on four fifths of the ratings, rank the last fifth, in turn.

    Args:
        make: gives a new adapter.
        features: model vectors of the rated photos, shape (k, 1 + d).
        unit_scores: shape (k,).

    Returns:
        the estimate, or None if k is below ``ENOUGH`` or all ratings are equal.
    """
    k = len(unit_scores)
    if k < ENOUGH or np.ptp(unit_scores) == 0:
        return None
    values = []
    for repeat in range(REPEATS):
        predicted = np.empty(k)
        for held in np.array_split(stream(0, "estimate", k, repeat).permutation(k), FOLDS):
            rest = np.setdiff1d(np.arange(k), held)
            predicted[held] = make().fit(features[rest], unit_scores[rest]).predict(features[held]).score
        values.append(spearman(predicted, unit_scores))
    return RankEstimate(
        srcc=float(np.mean(values)),
        error=float(1 / np.sqrt(k - 1)),
        generic=spearman(features[:, 0], unit_scores),
    )
