"""A head: what a group on average thinks of a photo, learned from the mean scores of its own photos.

The mean is a line in the scores that the model knows (generic, and of AVA where it has one) and a linear
function of the picture: of its directions, or of its richer part. Slopes and function are of unknown size,
also none: all sizes are averaged, each by its evidence (Hoeting et al. 1999). With few photos that gains
more than the one of least leave-one-out error, and a slope without bounds loses. What comes of it is one
linear function of the vector.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from generic.parts import AVA, DIRECTIONS, GENERIC, RICHER, Parts
from piaa.calibrate.cells import PENALTIES, Array, Cell, cells

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


SLOPES = (0.0, 0.1, 1.0)
"""Variances of what the known scores add, in those of the function of the picture beside them."""
HALF = 4
"""How firmly the function is taken to explain half of what photos differ in: imaginary photos either way.

Directions are all of one variance, so that most photos are unlike each other, and how much the function
explains is hardly told by the photos, or falsely by a few of one scene, which are alike in more than it. The
richer part has few long directions, and photos tell it.
"""


def learn_head(vectors: Array, means: Array, precision: Array, parts: Parts) -> Head:
    """The average over all ways to say the means, each by its evidence.

    Args:
        vectors: of the photos, shape (n, 1 + d), n above 4.
        means: unit scores, shape (n,).
        precision: how much each photo counts, shape (n,), positive.
        parts: of the vectors.
    """
    kinds = [name for name in (DIRECTIONS, RICHER) if name in parts.widths]
    origin = precision @ vectors / precision.sum()
    gaps, scores = vectors - origin, _scales(vectors - origin, parts, (GENERIC, AVA))
    found: list[tuple[str, float, Cell, Array]] = []
    ways = [
        (LINE, 1.0, 0.5),
        *((name, slope, 0.5 / len(kinds) / len(SLOPES)) for name in kinds for slope in SLOPES),
    ]
    for name, slope, weight in ways:
        scale = np.sqrt(slope) * scores + _scales(gaps, parts, (name,))
        used = np.flatnonzero(scale)
        known = cells(gaps[:, used] * scale[used], np.ones((len(means), 1)), means, precision)
        for cell, before in zip(known, _before(name), strict=True):
            coefficients = np.zeros(vectors.shape[1])
            coefficients[used] = cell.weights * scale[used]
            found.append((name, np.log(weight * before) + cell.evidence, cell, coefficients))
    weights = np.exp(np.array([log for _, log, _, _ in found]) - max(log for _, log, _, _ in found))
    weights /= weights.sum()
    coefficients = weights @ np.array([own for _, _, _, own in found])
    level = weights @ np.array([cell.line[0] for _, _, cell, _ in found])
    shares = {name: float(sum(weights[[one[0] == name for one in found]])) for name in (LINE, *kinds)}
    return Head(
        coefficients=np.concatenate([[level - origin @ coefficients], coefficients]),
        left_out=np.asarray(weights @ np.array([cell.left_out for _, _, cell, _ in found])),
        shares=shares,
    )


def _before(name: str) -> Array:
    """Weights of the penalties before the photos, shape (len(PENALTIES),)."""
    share = 1 / (1 + PENALTIES)
    weights = np.ones(len(PENALTIES)) if name == RICHER else (share * (1 - share)) ** HALF
    return np.asarray(weights / weights.sum())


def _scales(gaps: Array, parts: Parts, names: tuple[str, ...]) -> Array:
    """By what numbers of a vector are multiplied, so that each part has a mean squared length of 1."""
    scale = np.zeros(gaps.shape[1])
    for name in names:
        place = parts.place(name)
        length = float(np.sqrt((gaps[:, place] ** 2).sum(axis=1).mean()))
        scale[place] = 1 / length if length > 1e-9 else 0.0
    return scale
