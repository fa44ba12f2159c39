"""Who meta-training learns from, and how their ratings are cut into supports and queries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from generic.errors import TooFewRatings
from generic.seeds import stream
from generic.words import counted
from piaa.meta.head import Array

MIN_QUERY = 2
"""Ratings beyond the support that an episode needs."""
N_HELD = 2
"""Fewest held-out users, and fewest that are left to learn from."""


@dataclass(frozen=True, kw_only=True)
class Rater:
    """One training user."""

    name: str
    rows: NDArray[np.intp]
    """Photos that she rated, as rows of the vectors, shape (n,)."""
    targets: Array
    """Her unit scores minus the generic scores of these photos, shape (n,)."""

    def take(self, chosen: NDArray[np.bool_]) -> Rater:
        """Some of her ratings."""
        return Rater(name=self.name, rows=self.rows[chosen], targets=self.targets[chosen])


@dataclass(frozen=True, kw_only=True)
class Episode:
    """One user's support and query: rows of the vectors, and targets."""

    support: tuple[NDArray[np.intp], Array]
    query: tuple[NDArray[np.intp], Array]


@dataclass(frozen=True, kw_only=True)
class Held:
    """Users who learn nothing to us, and predict photos that taught nothing to us."""

    rater: Rater
    """Ratings of photos that are trained on: supports are drawn from these."""
    query: Rater
    """Ratings of held-out photos."""


def check_shots(n_ratings: Mapping[str, int], shots: tuple[int, int]) -> None:
    """Everybody has enough ratings for the smallest support.

    Args:
        n_ratings: of each user.
        shots: fewest and most ratings of a support.

    Raises:
        TooFewRatings: somebody has not, or there are too few users.
    """
    needed = 2 * N_HELD
    if len(n_ratings) < needed:
        raise TooFewRatings(
            f"meta-training has {counted(len(n_ratings), 'training user')}, but needs at "
            f"least {needed}: {N_HELD} to learn from, {N_HELD} to stop by; give more people's ratings"
        )
    needed = shots[0] + MIN_QUERY
    few = sorted(user for user, n in n_ratings.items() if n < needed)
    if few:
        more = f" (so have {len(few) - 1} more)" if few[1:] else ""
        raise TooFewRatings(
            f"training user {few[0]!r} has {counted(n_ratings[few[0]], 'rating')}, but k={shots[0]} support "
            f"+ {MIN_QUERY} query need {needed}{more}; lower --shots or leave such users out with "
            f"--min-ratings {needed}"
        )


def hold_out(
    raters: Sequence[Rater], n_photos: int, *, users: float, photos: float, shots: int, seed: int
) -> tuple[list[Rater], list[Held]]:
    """Part of the users, and part of the photos, to see how new people rate new photos.

    Args:
        raters: all training users.
        n_photos: rows of the vectors.
        users: share of users to hold out, at least ``N_HELD``.
        photos: share of photos to hold out.
        shots: fewest ratings of a support.
        seed: names the random streams.

    Returns:
        the users to train on, without their ratings of held-out photos; and the held-out users. Who is
        left with too little for an episode is in neither.
    """
    count = min(max(N_HELD, round(users * len(raters))), len(raters) - N_HELD)
    order = stream(seed, "meta", "held users", len(raters)).permutation(len(raters))
    hidden = np.zeros(n_photos, dtype=bool)
    hidden[
        stream(seed, "meta", "held photos", n_photos).permutation(n_photos)[: round(photos * n_photos)]
    ] = True
    training, held = [], []
    for place in sorted(order[count:].tolist()):
        rater = raters[place].take(~hidden[raters[place].rows])
        if len(rater.rows) >= shots + MIN_QUERY:
            training.append(rater)
    for place in sorted(order[:count].tolist()):
        away = hidden[raters[place].rows]
        if away.sum() >= MIN_QUERY and (~away).sum() >= shots:
            held.append(Held(rater=raters[place].take(~away), query=raters[place].take(away)))
    return training, held


def draw(rater: Rater, shots: tuple[int, int], rng: np.random.Generator) -> Episode:
    """A support of k ratings, k log-uniform within ``shots`` as far as she has them; the rest is query."""
    low, high = shots[0], min(shots[1], len(rater.rows) - MIN_QUERY)
    # Log-uniform over whole numbers: floor of exp of a uniform between log(low) and log(high + 1).
    k = int(np.exp(rng.uniform(np.log(low), np.log(high + 1))))
    order = rng.permutation(len(rater.rows))
    support, query = order[: min(k, high)], order[min(k, high) :]
    return Episode(
        support=(rater.rows[support], rater.targets[support]), query=(rater.rows[query], rater.targets[query])
    )
