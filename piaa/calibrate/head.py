"""A head: what a group on average thinks of a photo, learned from the mean scores of its own photos.

The mean is a line in the scores that the model knows (generic, and of AVA where it has one) and a function
of the picture: of its directions, or of its richer part, of unknown size. All are averaged, each by its
evidence (Hoeting et al. 1999): with few photos that gains more than the one of least leave-one-out error.
What comes of it is one linear function of the vector.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from generic.parts import AVA, DIRECTIONS, RICHER, Parts
from piaa.calibrate.cells import Array, Cell, cells, line_alone

LINE = "line"
"""The way to say a score that needs no picture."""


@dataclass(frozen=True, kw_only=True)
class Head:
    """A linear function of a model's vector."""

    coefficients: Array
    """On (1, vector), shape (1 + 1 + d,)."""
    left_out: Array
    """What each taught photo's score would be had it not been taught, shape (n,)."""
    shares: Mapping[str, float]
    """How much of the average each part of the vector has, by its name; the line's is what it has alone."""

    def scores(self, vectors: Array) -> Array:
        """Unit scores of photos by their vectors (n, 1 + d), shape (n,)."""
        return np.asarray(self.coefficients[0] + vectors @ self.coefficients[1:])


def learn_head(vectors: Array, means: Array, precision: Array, parts: Parts) -> Head:
    """The average over all ways to say the means, each by its evidence.

    Args:
        vectors: of the photos, shape (n, 1 + d), n above 4.
        means: unit scores, shape (n,).
        precision: how much each photo counts, shape (n,), positive.
        parts: of the vectors.
    """
    known = [places for places in (slice(0, 1), parts.place(AVA)) if places.stop]
    numbers = np.concatenate([np.arange(places.start, places.stop) for places in known])
    basis = np.column_stack([np.ones(len(vectors)), vectors[:, numbers]])
    kinds = [name for name in (DIRECTIONS, RICHER) if name in parts.widths]
    found = [(LINE, 0.0, line_alone(basis, means, precision), np.zeros(vectors.shape[1] + 1))]
    for name in kinds:
        found += _of_part(vectors, parts.place(name), basis, means, precision, name, len(kinds))
    logs = np.array([log + cell.evidence for _, log, cell, _ in found])
    weights = np.exp(logs - logs.max())
    weights /= weights.sum()
    coefficients = np.zeros(vectors.shape[1] + 1)
    for weight, (_, _, cell, own) in zip(weights, found, strict=True):
        coefficients += weight * own
        coefficients[np.concatenate([[0], numbers + 1])] += weight * cell.line
    return Head(
        coefficients=coefficients,
        left_out=np.asarray(weights @ np.array([cell.left_out for _, _, cell, _ in found])),
        shares={
            name: float(sum(w for w, one in zip(weights, found, strict=True) if one[0] == name))
            for name in (LINE, *kinds)
        },
    )


def _of_part(
    vectors: Array, place: slice, basis: Array, means: Array, precision: Array, name: str, n_kinds: int
) -> list[tuple[str, float, Cell, Array]]:
    """Name, log of the weight before the ratings, cell, and coefficients beside the line, of each size."""
    part = vectors[:, place]
    origin = precision @ part / precision.sum()
    length = max(float(np.sqrt(((part - origin) ** 2).sum(axis=1).mean())), 1e-12)
    found = cells((part - origin) / length, basis, means, precision)
    log = -np.log(n_kinds * len(found))
    return [
        (name, float(log), cell, _coefficients(cell, place, origin, length, vectors.shape[1]))
        for cell in found
    ]


def _coefficients(cell: Cell, place: slice, origin: Array, length: float, width: int) -> Array:
    coefficients = np.zeros(1 + width)
    coefficients[1:][place] = cell.weights / length
    coefficients[0] = -(cell.weights @ origin) / length
    return coefficients
