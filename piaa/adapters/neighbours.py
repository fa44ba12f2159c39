"""``neighbours``: a Gaussian process on the embedding; a photo is liked as the rated ones like it are.

Rasmussen & Williams, Gaussian Processes for Machine Learning, 2006, chapters 2 and 5: the residual to the
generic score is a level, a slope and a smooth function of the embedding. Its size, its width and the noise
are those of the highest marginal likelihood on the support, among a grid whose weights favour small sizes: no
taste before there is evidence for one. Distances are in the directions in which people differ, if the model
has a prior, or by the vectors' richer part, if they have one and it has the higher evidence. Costs one
eigendecomposition of k x k for each width and size; its state keeps k x k numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from piaa.adapters.kernel import places, richer_places, squared_distances
from piaa.adapters.prediction import Array, State
from piaa.adapters.spread import own_spread
from piaa.adapters.vectors import VectorAdapter

WIDTHS = (0.5, 1.0, 2.0)
"""Length scales, in root mean squared distances between two photos."""
SIZES = (0.0, 0.1, 0.3, 1.0)
"""Variances of the smooth function, in those of a person's ratings around the generic score."""
NOISES = (0.35, 0.6, 1.0, 1.7)
"""Noise variances, likewise."""
LEVEL, SLOPE = 0.15, 0.3
"""Standard deviations of a person's level, in unit scores, and of the slope on the generic score."""
_CONFIDENCE = 10.0
"""How many ratings the grid's centre counts for: training users had ratings of this noise."""


class NeighboursAdapter(VectorAdapter):
    """Gaussian process regression with a radial-basis kernel, hyper-parameters by marginal likelihood.

    Args:
        prior: says how far ratings lie from the generic score and which directions matter; without one,
            typical values and all directions alike.
    """

    name: ClassVar[str] = "neighbours"
    most: ClassVar[int | None] = 3_000

    def _learn(self, x: Array, y: Array) -> list[State]:
        return [self._learn_one(*person) for person in zip(x, y, strict=True)]

    def _learn_one(self, x: Array, y: Array) -> State:
        unit, line = own_spread(self._prior) ** 2, _line(x, x)
        grid: list[tuple[float, Array, Array, float, float, float, bool]] = []
        for width, richer, kernel in self._kernels(x):
            for size in SIZES:
                values, vectors = np.linalg.eigh(line + size * unit * kernel)
                along = vectors.T @ (y - x[:, 0])
                for noise in NOISES:
                    total = np.maximum(values, 0.0) + noise * unit
                    evidence = -0.5 * float((np.log(total) + along**2 / total).sum())
                    evidence -= _CONFIDENCE / 2 * (np.log(noise) + 1 / noise)  # inverse chi-square
                    evidence -= 2 * size
                    grid.append((evidence, vectors, total, width, size * unit, noise * unit, richer))
        best = grid[0]
        for one in grid[1:]:
            best = one if one[0] > best[0] + 1e-9 else best  # of equals the simpler, which comes first
        _, vectors, total, width, size, noise, richer = best
        inverse = (vectors / total) @ vectors.T
        return {
            "rated": np.column_stack((x[:, :1], self._places(x, richer=richer))),
            "weights": inverse @ (y - x[:, 0]),
            "inverse": inverse,
            "kernel": np.array([width, size, noise, *[1.0] * richer]),
        }

    def _kernels(self, x: Array) -> Iterator[tuple[float, bool, Array]]:
        """Of each width, in the directions, and by the richer part of vectors that have one."""
        has_richer = self._prior is not None and self._prior.knows_richer(x.shape[1])
        for richer in (False, True)[: 1 + has_richer]:
            z = self._places(x, richer=richer)
            squares = squared_distances(z, z)
            for width in WIDTHS:
                yield width, richer, np.exp(-squares / (2 * width**2))

    def _places(self, x: Array, *, richer: bool) -> Array:
        if richer and self._prior is not None:
            return richer_places(x, self._prior)
        return places(x, self._prior)

    def _normal(self, learned: State, x: Array) -> tuple[Array, Array]:
        width, size, noise, *richer = learned["kernel"]
        z, rated = self._places(x, richer=bool(richer)), learned["rated"]
        cross = size * np.exp(-squared_distances(z, rated[:, 1:]) / (2 * width**2)) + _line(x, rated)
        mean = x[:, 0] + np.einsum("nk,k->n", cross, learned["weights"])
        known = np.einsum("nk,nk->n", np.einsum("nk,kj->nj", cross, learned["inverse"]), cross)
        before = size + LEVEL**2 + SLOPE**2 * (x[:, 0] - 0.5) ** 2
        return mean, np.sqrt(np.maximum(before - known, 0.0) + noise)


def _line(a: Array, b: Array) -> Array:
    """Covariance of a level and a slope on the generic score, shape (n, m)."""
    return np.asarray(LEVEL**2 + SLOPE**2 * (a[:, :1] - 0.5) * (b[:, 0] - 0.5))
