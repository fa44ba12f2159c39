"""Why a person's score of a photo is what it is: photos that she rated near it, and directions of her taste.

The score of an adapter in linear form is a sum, so that what parts it from the score of the average photo
that she rated can be told apart: the generic score, each direction of the embedding, and photos like it that
she rated. A direction has no name; the photos of hers that lie farthest on either side show what it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from piaa.adapters.kernel import places, squared_distances
from piaa.adapters.linear_form import LinearForm
from piaa.adapters.prediction import Array
from piaa.adapters.prior import Prior
from piaa.store.records import StoredRating

N_NEAREST, N_DIRECTIONS, N_SHOWN = 5, 4, 2


@dataclass(frozen=True, kw_only=True)
class Near:
    """A photo that she rated, near the one asked about."""

    image: str
    score: float
    """What she gave it, in the units of her scale."""
    likeness: float
    """In (0, 1]: 1 for the same photo, 0.61 at the mean distance of two photos."""


@dataclass(frozen=True, kw_only=True)
class Example:
    """A photo that she rated, to show what a direction is."""

    image: str
    score: float
    """What she gave it, in the units of her scale."""


@dataclass(frozen=True, kw_only=True)
class Direction:
    """One direction of the embedding, and what it adds to the score."""

    number: int
    """From 1, in the order of the embedding."""
    adds: float
    """Beside the average photo that she rated; in the units of her scale."""
    towards: tuple[Example, ...]
    """Photos of hers on the side on which the photo lies, the farthest first."""
    away: tuple[Example, ...]
    """Photos of hers on the other side."""


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What parts a score from that of the average photo that she rated, in the units of her scale."""

    generic: float
    """The generic score of the photo, as much as she goes by it."""
    directions: tuple[Direction, ...]
    """The directions that matter most, by size."""
    others: float
    """All other directions together."""
    alike: float
    """Rated photos like it, beyond all directions."""

    @property
    def total(self) -> float:
        """The sum; near the ends of the scale a score differs by less, since it stays within."""
        return self.generic + sum(one.adds for one in self.directions) + self.others + self.alike


def nearest(
    vector: Array, rated: Array, ratings: Sequence[StoredRating], prior: Prior | None, n: int = N_NEAREST
) -> list[Near]:
    """The rated photos nearest to a photo, in the directions in which people differ.

    Args:
        vector: the photo's, shape (1 + d,).
        rated: vectors of the rated photos, shape (k, 1 + d).
        ratings: in the same order.
        prior: of the model.
        n: how many.
    """
    squares = squared_distances(places(vector[None], prior), places(rated, prior))[0]
    return [
        Near(image=ratings[row].image, score=ratings[row].score, likeness=float(np.exp(-squares[row] / 2)))
        for row in np.argsort(squares, kind="stable")[:n]
    ]


def parts_of(
    form: LinearForm,
    vector: Array,
    rated: Array,
    ratings: Sequence[StoredRating],
    prior: Prior | None,
    width: float,
) -> Parts:
    """What parts a photo's score from that of the average rated photo.

    Args:
        form: the person's.
        vector: the photo's, shape (1 + d,).
        rated: vectors of the rated photos, shape (k, 1 + d).
        ratings: of them, in the same order.
        prior: of the model.
        width: of her scale, highest less lowest score.
    """
    mean = rated.mean(axis=0)
    adds = width * form.coefficients[1:] * (vector - mean)
    embedding = adds[1:]
    # Nobody could tell what a single number of a richer part is.
    richer = prior.n_richer if prior is not None and prior.knows_richer(len(vector)) else 0
    told = embedding[: len(embedding) - richer]
    largest = [int(row) for row in np.argsort(-np.abs(told), kind="stable")[:N_DIRECTIONS]]
    largest = [row for row in largest if embedding[row]]
    both = np.stack([vector, mean])
    smooth = form.smooth(places(both, prior))
    return Parts(
        generic=float(adds[0]),
        directions=tuple(
            _direction(row, float(embedding[row]), vector, mean, rated, ratings) for row in largest
        ),
        others=float(embedding.sum() - embedding[largest].sum()),
        alike=float(width * (smooth[0] - smooth[1])),
    )


def _direction(
    row: int, adds: float, vector: Array, mean: Array, rated: Array, ratings: Sequence[StoredRating]
) -> Direction:
    side = np.sign(vector[1 + row] - mean[1 + row])
    order = np.argsort(-side * rated[:, 1 + row], kind="stable")
    return Direction(
        number=row + 1,
        adds=adds,
        towards=_examples(ratings, order[:N_SHOWN]),
        away=_examples(ratings, order[::-1][:N_SHOWN]),
    )


def _examples(ratings: Sequence[StoredRating], rows: NDArray[np.intp]) -> tuple[Example, ...]:
    return tuple(Example(image=ratings[row].image, score=ratings[row].score) for row in rows)
