"""What a group's raters say together of each photo, and how far each of them can be relied on.

Every rater is first brought to the group's scale: her level and her spread, both shrunk to the group's,
more so the fewer ratings she gave. Then she counts by how far she agrees with the others: with a
correlation r, itself shrunk to the group's, by max(r, 0) / (1 - r^2), which is the weight of an item of
that loading in a one-factor model (Bartlett 1937). Who rates at random, or the scale upside down, counts
little or not at all, however much she rated; a photo that one person rated counts for what one person can
say.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Rows = NDArray[np.intp]

LEVEL_RATINGS, SPREAD_RATINGS, AGREEMENT_RATINGS = 1.0, 5.0, 10.0
"""Imaginary ratings of the group's own level, spread and agreement."""
MOST_WEIGHT = 3.0
"""Of a rater, in those of the group's mean weight."""
ROUNDS = 4


@dataclass(frozen=True, kw_only=True)
class Table:
    """m ratings of n photos by u people."""

    rows: Rows
    """Photo of each rating, shape (m,)."""
    people: Rows
    """Who gave it, shape (m,)."""
    scores: Array
    """Unit scores, shape (m,)."""
    n_photos: int
    n_people: int

    def where(self, kept: NDArray[np.bool_]) -> Table:
        """Some of the ratings, of the same photos and people."""
        return replace(self, rows=self.rows[kept], people=self.people[kept], scores=self.scores[kept])


@dataclass(frozen=True, kw_only=True)
class Agreed:
    """What the raters of a table say together."""

    means: Array
    """Unit scores, shape (n,); nan where nobody who counts rated the photo."""
    precision: Array
    """How much of the mean is not chance, in [0, 1), shape (n,)."""
    weights: Array
    """How much each person counts, mean 1 over those who rated, shape (u,)."""
    agreement: Array
    """Correlation of each person with the others, shrunk, shape (u,); nan of who did not rate."""


def agree(table: Table) -> Agreed:
    """Scales, then agreement and means by turns."""
    weights = np.ones(table.n_people)
    scores, agreement = table.scores, np.full(table.n_people, np.nan)
    for _ in range(ROUNDS):
        scores = _on_one_scale(table, weights)
        agreement = _agreement(table, scores, weights)
        weights = _weights(agreement)
    means, effective = _means(table, scores, weights)
    return Agreed(
        means=means,
        precision=_precision(table, scores, means, effective),
        weights=weights,
        agreement=agreement,
    )


def _means(table: Table, scores: Array, weights: Array) -> tuple[Array, Array]:
    """Weighted mean of each photo, and of how many equal raters it is worth."""
    own = weights[table.people]
    total, squares = (np.bincount(table.rows, w, table.n_photos) for w in (own, own**2))
    with np.errstate(invalid="ignore", divide="ignore"):
        means = np.bincount(table.rows, own * scores, table.n_photos) / total
        return means, np.where(total > 0, total * np.minimum(total / squares, 1.0), 0.0)


def _on_one_scale(table: Table, weights: Array) -> Array:
    """Scores with everybody's level and spread brought to the group's."""
    n = np.maximum(np.bincount(table.people, minlength=table.n_people), 1)
    center = float(table.scores.mean())
    level, scores = np.zeros(table.n_people), table.scores - center
    for _ in range(ROUNDS):
        means, _ = _means(table, scores - level[table.people], weights)
        gap = scores - np.nan_to_num(means)[table.rows]
        level = np.bincount(table.people, gap, table.n_people) / (n + LEVEL_RATINGS)
    scores = scores - level[table.people]
    every = max(float((scores**2).mean()), 1e-12)
    own = np.bincount(table.people, scores**2, table.n_people)
    spread = (own + SPREAD_RATINGS * every) / (n + SPREAD_RATINGS)
    return np.asarray(center + scores * np.sqrt(every / spread)[table.people])


def _agreement(table: Table, scores: Array, weights: Array) -> Array:
    """Correlation of each person's scores with the mean of the others', shrunk to the median."""
    own = weights[table.people]
    total = np.bincount(table.rows, own, table.n_photos)[table.rows] - own
    given = np.bincount(table.rows, own * scores, table.n_photos)[table.rows] - own * scores
    with_others = total > 1e-9
    people = table.people[with_others]
    n = np.bincount(people, minlength=table.n_people)
    a, b = scores[with_others], (given / np.where(with_others, total, 1.0))[with_others]
    a, b = (x - (np.bincount(people, x, table.n_people) / np.maximum(n, 1))[people] for x in (a, b))
    ab, aa, bb = (np.bincount(people, x, table.n_people) for x in (a * b, a * a, b * b))
    found = ab / np.sqrt(np.maximum(aa * bb, 1e-24))
    usual = float(np.median(found[n > 2])) if (n > 2).any() else 0.0
    shrunk = (n * found + AGREEMENT_RATINGS * max(usual, 0.0)) / (n + AGREEMENT_RATINGS)
    rated = np.bincount(table.people, minlength=table.n_people) > 0
    return np.where(rated, shrunk, np.nan)


def _weights(agreement: Array) -> Array:
    """Mean 1 over those who rated; where nobody agrees with anybody, all count alike."""
    kept = np.clip(np.nan_to_num(agreement), 0.0, 0.95)
    weights = kept / (1 - kept**2)
    mean = float(weights[~np.isnan(agreement)].mean())
    if mean < 1e-6:
        return np.ones(len(agreement))
    return np.minimum(weights / mean, MOST_WEIGHT)


def _precision(table: Table, scores: Array, means: Array, effective: Array) -> Array:
    """Reliability of each photo's mean, by one-way analysis of variance."""
    rated = effective > 0
    if not rated.any():
        return np.zeros(table.n_photos)
    gap = scores - np.nan_to_num(means)[table.rows]
    counted = np.bincount(table.rows, minlength=table.n_photos)
    freedom = max(int((counted[counted > 1] - 1).sum()), 1)
    within = float((gap**2).sum()) / freedom if (counted > 1).any() else float(np.var(scores))
    between = float(np.var(means[rated])) - within * float((1 / effective[rated]).mean())
    between = max(between, 0.05 * float(np.var(means[rated])), 1e-12)
    return np.asarray(effective / (effective + within / between))
