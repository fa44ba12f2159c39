"""Few-shot episodes: which of a user's ratings are learned from and which are predicted.

One permutation of a user's ratings per repeat, from a random stream named by dataset, user and
repeat, gives every k: its first k ratings are the support, so supports are nested. The ratings are
put in the order of their image names before, so that neither the rows of the file nor other users
have any part in it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from generic.errors import PiaaError, TooFewRatings
from generic.seeds import stream
from generic.words import counted
from piaa.ratings.table import Ratings

Query = Literal["rest", "common"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Episode:
    """One user, k ratings to learn from, the others to predict."""

    user: str
    k: int
    """Number of ratings in the support."""

    repeat: int
    """From 0."""

    support: NDArray[np.intp]
    """Shape (k,): row numbers into ``ratings.for_user(user)``, in the order drawn; read-only."""

    query: NDArray[np.intp]
    """Shape (q,): row numbers likewise, none of them in the support; read-only."""


@dataclass(frozen=True, kw_only=True, eq=False)
class EpisodePlan:
    """All episodes of an evaluation, by user, then repeat, then k, and who had too few ratings for them."""

    episodes: tuple[Episode, ...]
    skipped: dict[str, str]
    """User -> why there is no episode of that user; empty unless skipping was asked for."""


def episodes(
    ratings: Ratings,
    *,
    users: Iterable[str],
    shots: Sequence[int],
    repeats: int,
    seed: int,
    dataset: str,
    query: Query = "rest",
    min_query: int = 2,
    skip: bool = False,
    without: Collection[str] = (),
) -> EpisodePlan:
    """Draw every episode before anything is computed.

    Args:
        ratings: the ratings that may be used, such as ``split.test_ratings(dataset.ratings)``.
        users: whom to test, in this order; a repeated name counts once.
        shots: the numbers k of ratings to learn from, each once.
        repeats: how many permutations per user.
        seed: the experiment's seed.
        dataset: names the random streams, with user and repeat.
        query: ``rest``, all beyond the support, as the literature does; or ``common``, all beyond the
            largest support, the same for every k of a repeat, so that different k can be compared.
        min_query: ratings that must be left to predict at the largest k; a correlation needs 2.
        skip: leave out a user who has too few ratings for the largest k, at every k, and say so in
            ``skipped``: all columns of a table are then about the same people.
        without: users known to have no rating that may be used, which are too few as any others.

    Raises:
        TooFewRatings: a user has too few ratings for the largest k, and skip is False.
        RatingsError: any other user has no ratings at all: the name is misspelt.
        PiaaError: a number of shots, repeats or queries is impossible.
    """
    _check_numbers(shots, repeats=repeats, min_query=min_query, query=query)
    largest = max(shots)
    rows = _rows_by_user(ratings, users, without)
    problems = {
        user: _too_few(user, len(own), largest, min_query)
        for user, own in rows.items()
        if len(own) < largest + min_query
    }
    if problems and not skip:
        raise TooFewRatings(_first_of(problems, largest + min_query))
    drawn: list[Episode] = []
    for user, own in rows.items():
        if user in problems:
            continue
        for repeat in range(repeats):
            order = stream(seed, "kshot", dataset, user, repeat).permutation(own)
            order.setflags(write=False)
            drawn += [
                Episode(
                    user=user,
                    k=k,
                    repeat=repeat,
                    support=order[:k],
                    query=order[k if query == "rest" else largest :],
                )
                for k in shots
            ]
    return EpisodePlan(
        episodes=tuple(drawn), skipped={user: f"user {text}" for user, text in problems.items()}
    )


def _rows_by_user(
    ratings: Ratings, users: Iterable[str], without: Collection[str]
) -> dict[str, NDArray[np.intp]]:
    """Row numbers of each user's own table, sorted by image name; one pass over all ratings."""
    wanted: dict[str, list[str]] = {user: [] for user in users}
    for user, image in zip(ratings.users, ratings.images, strict=True):
        if user in wanted:
            wanted[user].append(image)
    for user, images in wanted.items():
        if not images and user not in without:
            ratings.for_user(user)  # Raises the error that names similar users.
    return {
        user: np.array(sorted(range(len(images)), key=images.__getitem__), dtype=np.intp)
        for user, images in wanted.items()
    }


def _too_few(user: str, n: int, k: int, min_query: int) -> str:
    return f"{user!r} has {counted(n, 'rating')}, but k={k} support + {min_query} query need {k + min_query}"


def _first_of(problems: dict[str, str], needed: int) -> str:
    first, others = next(iter(problems.values())), len(problems) - 1
    more = f" (so have {others} more users)" if others > 1 else " (so has 1 more user)" if others else ""
    return f"user {first}{more}; lower --shots or drop the user with --min-ratings {needed}"


def _check_numbers(shots: Sequence[int], *, repeats: int, min_query: int, query: str) -> None:
    if not shots or min(shots) < 1 or len(set(shots)) < len(shots):
        raise PiaaError(
            f"the shots are {list(shots)}, expected one or more different whole numbers from 1; "
            "give them as --shots 10,100"
        )
    for name, value in (("repeats", repeats), ("min_query", min_query)):
        if value < 1:
            raise PiaaError(f"{name} is {value}, expected a whole number from 1; give such a number")
    if query not in ("rest", "common"):
        raise PiaaError(f"the query is {query!r}, expected 'rest' or 'common'; name one of the two")
