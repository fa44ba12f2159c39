"""How much a group's head would gain for people and photos that it was not learned from.

Each pair of a fold of people and a fold of photos is held out in turn: a head is learned from the other
people's ratings of the other photos. A person held out then rates a few of those other photos, whose scores
are as if left out, and is learned by ``auto`` on the model as it is and on the head; both rank her photos
of the fold.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from generic.metrics import average_ranks
from generic.parts import Parts
from generic.progress import Progress, no_progress
from generic.seeds import stream
from piaa.adapters.auto import AutoAdapter
from piaa.adapters.prior import Prior
from piaa.calibrate.cells import Array
from piaa.calibrate.folds import FEWEST_SEEN, Fold, folds
from piaa.calibrate.head import learn_head
from piaa.calibrate.people import of_the_group
from piaa.calibrate.raters import Table, agree

K = 10
"""Ratings of her own that a person is learned from."""
MOST_TESTED = 40
"""People of a fold who are tested: more take long and add little."""
FEWEST_TAUGHT = 8
"""Photos that a head is learned from."""


@dataclass(frozen=True, kw_only=True)
class Trial:
    """SRCC of people and photos held out, as what each photo adds to it: see :func:`of_each_photo`."""

    before: Array
    """With the model as it is, shape (people tested, n); nan where a photo was not tested with a person."""
    after: Array
    """With the head."""

    @property
    def gains(self) -> Array:
        """Shape (people, photos), of the people who were tested at all."""
        gains = self.after - self.before
        return np.asarray(gains[~np.isnan(gains).all(axis=1)])


def try_out(
    table: Table,
    vectors: Array,
    parts: Parts,
    prior: Prior | None,
    *,
    k: int = K,
    progress: Progress = no_progress,
) -> Trial:
    """What people and photos held out gain.

    Args:
        table: ratings.
        vectors: of its photos, shape (n, 1 + d).
        parts: of the vectors.
        prior: the model's.
        k: ratings that each person is learned from, or as many as she has; 0: ranked by the score alone.
        progress: called with 1 for each pair of folds.
    """
    found: dict[int, tuple[Array, Array]] = {}  # of those who are tested alone: people may be many
    for fold in folds(table):
        taught = fold.taught(table)
        changed = as_calibrated(taught, vectors, parts)
        if changed is not None:
            theirs = prior and of_the_group(prior, changed, taught)
            for person in _tested(table, fold).tolist():
                own = table.where(table.people == person)
                query = own.rows[fold.photos[own.rows]]
                known = found.setdefault(person, (_nothing(table), _nothing(table)))
                for values, x, known_prior in zip(known, (vectors, changed), (prior, theirs), strict=True):
                    values[query] = _ranked(own, fold, x, known_prior, k, person)
        progress(1)
    before, after = (np.array([both[way] for both in found.values()]) for way in (0, 1))
    return Trial(before=before.reshape(-1, table.n_photos), after=after.reshape(-1, table.n_photos))


def _nothing(table: Table) -> Array:
    return np.full(table.n_photos, np.nan)


def as_calibrated(table: Table, vectors: Array, parts: Parts) -> Array | None:
    """The vectors with the scores of a head; None where there are too few photos to learn one."""
    agreed = agree(table)
    known = np.flatnonzero(agreed.precision > 0)
    if len(known) < FEWEST_TAUGHT:
        return None
    head = learn_head(vectors[known], agreed.means[known], agreed.precision[known], parts)
    changed = vectors.copy()
    changed[:, 0] = head.scores(vectors)
    changed[known, 0] = head.left_out
    return changed


def _tested(table: Table, fold: Fold) -> NDArray[np.intp]:
    """People held out who rated enough of the photos held out."""
    seen = np.bincount(table.people, fold.photos[table.rows], table.n_people)
    able = np.flatnonzero(fold.people & (seen >= FEWEST_SEEN))
    return np.sort(stream(0, "calibrate", "tested", len(able)).permutation(able)[:MOST_TESTED])


def _ranked(own: Table, fold: Fold, vectors: Array, prior: Prior | None, k: int, person: int) -> Array:
    """What each photo of a fold adds to the SRCC of one person who is learned from photos of the others."""
    held = fold.photos[own.rows]
    query, asked = vectors[own.rows[held]], own.scores[held]
    support = stream(0, "calibrate", "support", person).permutation(np.flatnonzero(~held))[:k]
    if len(support) == 0:
        return of_each_photo(query[:, 0], asked)
    fitted = AutoAdapter(prior).fit(vectors[own.rows[support]], own.scores[support])
    return of_each_photo(fitted.predict(query).score, asked)


def of_each_photo(predicted: Array, rated: Array) -> Array:
    """Values of which the mean is the SRCC, and their spread how far other photos would change it.

    Of ranks a and b, brought to mean 0 and variance 1, a correlation r has the influence function
    a b - r (a^2 + b^2) / 2 (Devlin et al. 1975); r is added.

    Args:
        predicted: shape (q,).
        rated: shape (q,).

    Returns:
        shape (q,); nan where a side is constant.

    Example:
        >>> of_each_photo(np.array([1.0, 2.0, 3.0]), np.array([2.0, 4.0, 9.0])).round(6).tolist()
        [1.0, 1.0, 1.0]
    """
    a, b = average_ranks(predicted), average_ranks(rated)
    if a.std() == 0 or b.std() == 0:
        return np.full(len(a), np.nan)
    a, b = (a - a.mean()) / a.std(), (b - b.mean()) / b.std()
    r = float((a * b).mean())
    return np.asarray(r + a * b - r * (a**2 + b**2) / 2)
