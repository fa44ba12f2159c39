"""How well a fitted person will be ranked, estimated from the ratings alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generic.metrics import spearman
from generic.seeds import stream
from generic.words import counted
from piaa.adapters.base import Adapter
from piaa.adapters.compared import Compared
from piaa.people.learn import Learned
from piaa.people.pair_order import PairOrder

ENOUGH = 20
"""Fewest ratings for an estimate: below, its standard error is above 0.23."""
FOLDS, REPEATS = 5, 8
"""Parts of the ratings, and most divisions into them; see :func:`repeats_of`."""
_RATINGS = 100
"""Up to so many ratings there are all the repeats: a fit takes milliseconds, and averaging steadies much."""


@dataclass(frozen=True, kw_only=True)
class RankEstimate:
    """Cross-validated rank correlation between predictions and the person's own ratings."""

    srcc: float
    """In [-1, 1]."""
    error: float
    """Standard error, 1 / sqrt(k - 1): that of a rank correlation of k independent pairs."""
    generic: float
    """The same of the generic score, which needs no folds."""
    pairwise: float
    """Share of the pairs of photos with different ratings that are predicted in their order, in [0, 1]."""
    pairwise_generic: float
    """The same of the generic score."""


def repeats_of(k: int) -> int:
    """How often k ratings are divided into folds: ever less, as a fit's time grows with k.

    Many ratings need few: one division of 400 compares as many pairs of photos as sixteen of 100 do.
    """
    return max(1, min(REPEATS, REPEATS * _RATINGS // max(1, k)))


def refits_of(k: int) -> int:
    """How many fits an estimate from k ratings takes."""
    return FOLDS * repeats_of(k)


def estimate_ranking(
    make: Callable[[], Adapter],
    features: NDArray[Any],
    unit_scores: NDArray[np.float64],
    compared: Compared | None = None,
) -> RankEstimate | None:
    """Fit on four fifths of the ratings, rank the last fifth, in turn.

    Only photos that one fit has not seen are compared with each other. Predictions of several fits must not
    be ranked together: a fit from which high ratings were held out predicts them on a lower level, which is
    no mistake in the ranking, and would make learning look harmful. So Kendall's tau over these pairs says
    what is gained over the generic score, in units of SRCC by the relation of the two for normal variables
    (Kruskal, "Ordinal measures of association", JASA 1958).

    Args:
        make: gives a new adapter.
        features: model vectors of the rated photos, shape (k, 1 + d).
        unit_scores: shape (k,).
        compared: what she said beside; comparisons of a photo that is held out are held out with it.

    Returns:
        the estimate, or None if k is below ``ENOUGH`` or all ratings are equal.
    """
    k = len(unit_scores)
    if k < ENOUGH or np.ptp(unit_scores) == 0:
        return None
    own, crowd = PairOrder(), PairOrder()
    for repeat in range(repeats_of(k)):
        for held in np.array_split(stream(0, "estimate", k, repeat).permutation(k), FOLDS):
            rest = np.setdiff1d(np.arange(k), held)
            adapter = _fitted(make(), features[rest], unit_scores[rest], compared, features[held])
            own += PairOrder.of(unit_scores[held], adapter.predict(features[held]).score)
            crowd += PairOrder.of(unit_scores[held], features[held, 0])
    whole = spearman(features[:, 0], unit_scores)
    gain = _as_srcc(own.tau) - _as_srcc(crowd.tau)
    pairs = PairOrder.of(unit_scores, features[:, 0]).share
    return RankEstimate(
        srcc=float(np.clip(whole + gain, -1, 1)),
        error=float(1 / np.sqrt(k - 1)),
        generic=whole,
        pairwise=float(np.clip(pairs + own.share - crowd.share, 0, 1)),
        pairwise_generic=pairs,
    )


def estimate_of(make: Callable[[], Adapter], learned: Learned) -> RankEstimate | None:
    """The estimate for a person who was learned just now; None too if it would take long.

    Args:
        make: gives a new adapter.
        learned: what was learned.
    """
    # Tuning a network once takes long enough; an estimate would take refits_of(k) more.
    if learned.adapter.needs_pixels or not learned.adapter.keeps_support:
        return None
    return estimate_ranking(make, *learned.adapter.support, learned.adapter.compared)


def _fitted(
    adapter: Adapter,
    features: NDArray[Any],
    unit_scores: NDArray[np.float64],
    compared: Compared | None,
    held: NDArray[Any],
) -> Adapter:
    if compared is None:
        return adapter.fit(features, unit_scores)
    return adapter.fit_both(features, unit_scores, compared.without(held))


def describe_estimate(
    estimate: RankEstimate | None, scores: Sequence[float], adapter: str, *, compared: bool
) -> str:
    """The cross-validated estimate in words, or why there is none.

    Args:
        estimate: of a person who was fitted just now.
        scores: those of her ratings, in any units.
        adapter: its name.
        compared: whether she was fitted on comparisons alone.
    """
    k = len(scores)
    if compared:
        return "comparisons give no scores to check it with; rate some photos to get an estimate"
    if estimate:
        return (
            f"SRCC {estimate.srcc:.2f} ± {estimate.error:.2f} with your own ratings "
            f"(cross-validated on {k}; without learning {estimate.generic:.2f})"
        )
    if len(set(scores)) == 1 and k > 1:
        return f"all {k} ratings are equal and say nothing of what you prefer; rate some higher or lower"
    if k >= ENOUGH:
        return f"not estimated, as {adapter} would be fitted {refits_of(k)} more times; piaa evaluate tells"
    return f"too early to tell from {counted(k, 'rating')}; an estimate needs {ENOUGH}"


def _as_srcc(tau: float) -> float:
    """Spearman's correlation of normal variables with this tau."""
    return float(6 / np.pi * np.arcsin(np.sin(np.pi * tau / 2) / 2))
