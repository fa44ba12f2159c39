"""The closed-form part of a model: principal directions of pooled features, and a kernel head on them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generic.seeds import stream

Array = NDArray[np.float64]
NARROWEST = 1e-3
"""Width of a direction beside the widest; whitened, what is narrower would be mostly rounding."""


@dataclass(frozen=True, kw_only=True)
class Directions:
    """The embedding: principal directions of t pooled features."""

    mean: Array
    """Shape (t,), taken off the features."""
    project: Array
    """Shape (d, t); embeddings of training photos have mean squared length 1."""
    whiten: Array
    """Shape (d,): what brings each direction to unit variance over the training photos."""

    def embed(self, taps: NDArray[Any]) -> Array:
        """Embeddings, not whitened, shape (n, d), of pooled features (n, t)."""
        return np.asarray((taps - self.mean) @ self.project.T)


@dataclass(frozen=True, kw_only=True)
class Pooled(Directions):
    """Embedding and kernel head."""

    centres: Array
    """Shape (s, d)."""
    weights: Array
    """Shape (s,)."""
    gamma: float
    offset: float

    def score(self, taps: NDArray[Any]) -> Array:
        """Scores of the kernel head, shape (n,)."""
        return self.score_embedded(self.embed(taps))

    def score_embedded(self, embedded: Array) -> Array:
        """The same of embeddings, not whitened, shape (n, d)."""
        return gaussian(embedded, self.centres, self.gamma) @ self.weights + self.offset


def gaussian(a: Array, b: Array, gamma: float) -> Array:
    """exp(-gamma |a_i - b_j|^2), shape (n, m), of points (n, d) and (m, d)."""
    squares = (a**2).sum(1)[:, None] + (b**2).sum(1) - 2 * a @ b.T
    return np.asarray(np.exp(-gamma * np.maximum(squares, 0.0)))


def find_directions(taps: NDArray[Any], n_embedding: int, shares: Array | None = None) -> Directions:
    """Principal directions of pooled features, the widest first.

    Args:
        taps: pooled features of photos, mirror images averaged, shape (n, taps).
        n_embedding: how many at most; there are no more than photos or features, and none too narrow.
        shares: of each feature's standard deviation, shape (taps,): those of a small share count less.
    """
    mean, deviation = taps.mean(0), taps.std(0) + 1e-6
    if shares is not None:
        deviation = deviation / shares
    z = (taps - mean) / deviation
    length = np.sqrt((z**2).sum(1).mean())
    _, values, vectors = np.linalg.svd(z, full_matrices=False)
    d = min(n_embedding, int((values > NARROWEST * values[0]).sum()))
    # The sign of a singular vector is arbitrary and differs between libraries: fix it.
    signs = np.sign(vectors[np.arange(d), np.abs(vectors[:d]).argmax(1)])
    directions = vectors[:d] * signs[:, None]
    return Directions(
        mean=mean,
        project=directions / deviation / length,
        whiten=length * np.sqrt(len(taps)) / values[:d],
    )


def fit_head(directions: Directions, centres: Array, scores: Array, *, gamma: float, alpha: float) -> Pooled:
    """Kernel ridge regression on embeddings.

    Args:
        directions: what gave the embeddings.
        centres: embeddings of the photos, not whitened, shape (n, d).
        scores: mean unit scores, shape (n,).
        gamma: kernel width, in units of the mean squared length of training embeddings.
        alpha: penalty.
    """
    offset = float(scores.mean())
    penalised = gaussian(centres, centres, gamma) + alpha * np.eye(len(centres))
    weights = np.asarray(np.linalg.solve(penalised, scores - offset), np.float64)
    return Pooled(
        mean=directions.mean,
        project=directions.project,
        whiten=directions.whiten,
        centres=centres,
        weights=weights,
        gamma=gamma,
        offset=offset,
    )


def random_folds(n: int, folds: int, seed: int) -> list[NDArray[np.intp]]:
    """Photos in random folds: each entry is one fold's held-out rows."""
    order = stream(seed, "lite", "folds", n).permutation(n)
    return [np.sort(part) for part in np.array_split(order, folds)]
