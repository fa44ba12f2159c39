"""Many ratings: a few hundred of the rated photos stand for all, so that a fit grows only linearly with k.

A function of the photo is seen through its values at the photos that stand in (Quiñonero-Candela & Rasmussen,
"A unifying view of sparse approximate Gaussian process regression", JMLR 2005). What these leave open of it
at the other rated photos counts as noise, of its mean variance over all ratings (after Snelson & Ghahramani,
"Sparse Gaussian processes using pseudo-inputs", NIPS 2006, who tell the photos apart), so that a function is
given no credit for what it cannot show. All ratings count, by sums over them; weights are learned as exactly
as from few.

Notation: k ratings, p weights, m functions, r stand-ins; f features of a function, r at most.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from piaa.adapters.prediction import Array

MOST = 512
"""So many ratings are taken as they are; of more, so many stand for all."""
_AT_ONCE = 2048
"""Ratings of which the features are in memory at once."""
_NOTHING = 1e-10
"""Share of the largest eigenvalue below which another is rounding."""

Covariance = Callable[[NDArray[np.intp]], Array]
"""From rows (n,) of the rated photos to a function's covariances between them and the stand-ins, (n, r)."""


def stand_ins(z: Array, r: int) -> tuple[NDArray[np.intp], Array]:
    """Those r of k photos that stand for all: none lies far from all of them, and no two do side by side.

    From the photo in the middle on, each next one is the farthest from those before (Gonzalez, "Clustering to
    minimize the maximum intercluster distance", Theoretical Computer Science 1985).

    Args:
        z: places of the photos, in canonical order, shape (k, d).
        r: how many.

    Returns:
        their rows, shape (r,), and squared distances of all photos from them, shape (k, r).
    """
    lengths = np.einsum("kd,kd->k", z, z)
    squares, rows = np.empty((len(z), r), order="F"), np.empty(r, np.intp)
    nearest, chosen = np.full(len(z), np.inf), int(((z - z.mean(axis=0)) ** 2).sum(axis=1).argmin())
    for place in range(r):
        rows[place] = chosen
        squares[:, place] = np.maximum(lengths + lengths[chosen] - 2 * (z @ z[chosen]), 0.0)
        np.minimum(nearest, squares[:, place], out=nearest)
        nearest[chosen] = -1.0  # copies of a photo are at no distance either
        chosen = int(nearest.argmax())
    return rows, squares


@dataclass(frozen=True, kw_only=True)
class Summary:
    """All that a mixture needs to know of one person's ratings."""

    gram: Array
    """Sums of the products of basis and features, shape (q, q), q = p + the f of all functions."""
    moment: Array
    """Those with the ratings, shape (q,)."""
    square: float
    """Sum of the squares of the ratings."""
    n: int
    """How many ratings there are."""
    roots: tuple[Array, ...]
    """For each function what makes its covariances with the stand-ins into features, shape (r, f)."""
    unseen: Array
    """What the stand-ins leave open of each function: mean variance at the ratings, at size 1, shape (m,)."""

    @classmethod
    def of(
        cls,
        basis: Array,
        y: Array,
        rows: NDArray[np.intp],
        functions: Sequence[Covariance],
        own: Array,
    ) -> Summary:
        """Of k ratings.

        Args:
            basis: shape (k, p).
            y: shape (k,).
            rows: of the stand-ins, shape (r,).
            functions: each function's covariances with them.
            own: each function's variance at the photos, shape (k, m).
        """
        roots = tuple(_root(function(rows)) for function in functions)
        q = basis.shape[1] + sum(root.shape[1] for root in roots)
        gram, moment, unseen = np.zeros((q, q)), np.zeros(q), np.zeros(len(roots))
        for start in range(0, len(y), _AT_ONCE):
            part = np.arange(start, min(start + _AT_ONCE, len(y)))
            features = [function(part) @ root for function, root in zip(functions, roots, strict=True)]
            whole = np.concatenate([basis[part], *features], axis=1)
            gram += whole.T @ whole
            moment += whole.T @ y[part]
            unseen += [(one**2).sum() for one in features]
        unseen = np.maximum(own.mean(axis=0) - unseen / len(y), 0.0)
        square = float(y @ y)
        return cls(gram=gram, moment=moment, square=square, n=len(y), roots=roots, unseen=unseen)

    def cell(
        self, mean: Array, covariance: Array, sizes: Array, noise: Array
    ) -> tuple[Array, Array, Array, Array]:
        """One covariance of the weights and one row of sizes, with every noise.

        Args:
            mean: of the weights, shape (p,).
            covariance: of the weights, shape (p, p).
            sizes: variances of the functions, shape (m,).
            noise: variances, shape (v,).

        Returns:
            what a cell of the mixture holds (:mod:`piaa.adapters.posterior`), over (weights, each function's
            covariances with the stand-ins), without the axis of people.
        """
        factor, (used, deviations) = _factor(covariance), self._used(len(mean), sizes)
        gram = _scaled(self.gram[np.ix_(used, used)], factor, deviations)
        values, turn = np.linalg.eigh(gram)
        there = values > _NOTHING * max(values[-1], _NOTHING)
        turn, root = turn[:, there], np.sqrt(values[there])
        along = turn.T @ self._residual(mean, used, factor, deviations) / root
        noise = noise + sizes @ self.unseen
        total = root[:, None] ** 2 + noise
        evidence = -0.5 * (np.log(2 * np.pi * total) + along[:, None] ** 2 / total).sum(axis=0)
        rest = max(self._squares(mean) - float(along @ along), 0.0)
        evidence -= 0.5 * ((self.n - len(root)) * np.log(2 * np.pi * noise) + rest / noise)
        return self._reach(turn * root, factor, deviations, sizes), total, along, evidence

    def _squares(self, mean: Array) -> float:
        """Sum of the squares of what the weights' mean leaves of the ratings."""
        p = len(mean)
        return float(self.square - 2 * mean @ self.moment[:p] + mean @ self.gram[:p, :p] @ mean)

    def _residual(self, mean: Array, used: NDArray[np.intp], factor: Array, deviations: Array) -> Array:
        """Sums of products of what the mean leaves with basis and features, the prior's factors on them."""
        p = len(mean)
        left = (self.moment - self.gram[:, :p] @ mean)[used]
        return np.concatenate([factor.T @ left[:p], deviations * left[p:]])

    def _used(self, p: int, sizes: Array) -> tuple[NDArray[np.intp], Array]:
        """Columns of the sums that a cell needs, and the deviation of each feature among them."""
        widths = [root.shape[1] for root in self.roots]
        every = np.repeat(np.sqrt(sizes), widths)
        return np.concatenate([np.arange(p), p + np.flatnonzero(every)]), every[every > 0]

    def _reach(self, reach: Array, factor: Array, deviations: Array, sizes: Array) -> Array:
        """Over weights and covariances with the stand-ins, rather than over features, shape (p + m r, n)."""
        p = len(factor)
        found, start = [factor @ reach[:p]], p
        scaled = np.concatenate([reach[:p], deviations[:, None] * reach[p:]])
        for root, size in zip(self.roots, sizes, strict=True):
            width = root.shape[1] if size else 0
            found.append(root[:, :width] @ scaled[start : start + width])
            start += width
        return np.concatenate(found)


def _factor(covariance: Array) -> Array:
    """L with L L^T a covariance (p, p), singular or not."""
    values, directions = np.linalg.eigh(covariance)
    return np.asarray(directions * np.sqrt(np.maximum(values, 0.0)))


def _scaled(gram: Array, factor: Array, deviations: Array) -> Array:
    """Sums of products (q, q) of basis and features, the prior's factors on either side."""
    p = len(factor)
    gram = np.concatenate([factor.T @ gram[:p], deviations[:, None] * gram[p:]])
    return np.concatenate([gram[:, :p] @ factor, gram[:, p:] * deviations], axis=1)


def _root(kernel: Array) -> Array:
    """R with R R^T the inverse of a covariance (r, r), in its directions that are more than rounding."""
    values, vectors = np.linalg.eigh(kernel)
    there = values > _NOTHING * values[-1]
    return np.asarray(vectors[:, there] / np.sqrt(values[there]))
