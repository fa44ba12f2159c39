"""Who and what is held out together: each fold of people with each fold of photos, once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from generic.seeds import stream
from piaa.calibrate.raters import Table

PHOTO_FOLDS, PEOPLE_FOLDS = 5, 3
FEWEST_SEEN = 5
"""Ratings of a fold's photos by a person, to say how well they are ranked."""


@dataclass(frozen=True, kw_only=True)
class Fold:
    """Some people and some photos, neither of which the others know."""

    number: int
    """Of the photos' fold."""
    photos: NDArray[np.bool_]
    """Those held out, shape (n,)."""
    people: NDArray[np.bool_]
    """Likewise, shape (u,)."""

    def taught(self, table: Table) -> Table:
        """Ratings of the other photos by the other people."""
        return table.where(~self.photos[table.rows] & ~self.people[table.people])


def folds(table: Table, seed: int = 0) -> Iterator[Fold]:
    """Each pair of folds once, by chance that hangs on the seed alone."""
    photos = _numbered(table.n_photos, PHOTO_FOLDS, seed, "photos")
    people = _numbered(table.n_people, PEOPLE_FOLDS, seed, "people")
    for number in range(PHOTO_FOLDS):
        for group in range(PEOPLE_FOLDS):
            yield Fold(number=number, photos=photos == number, people=people == group)


def _numbered(n: int, k: int, seed: int, what: str) -> NDArray[np.intp]:
    """A fold for each of n, all of nearly one size."""
    return np.asarray(stream(seed, "calibrate", what, n).permutation(n) % k, np.intp)
