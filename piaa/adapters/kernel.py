"""How near photos lie to one another in the embedding, for adapters with a kernel."""

from __future__ import annotations

import numpy as np

from piaa.adapters.prediction import Array
from piaa.adapters.prior import Prior


def places(x: Array, prior: Prior | None) -> Array:
    """Where photos lie, shape (n, m), at a root mean squared distance of 1 from one another.

    With a prior, in the directions in which training users differ, each as long as they do; without one, in
    all directions of the embedding alike.

    Args:
        x: features, shape (n, 1 + d).
        prior: the model's.
    """
    if prior is None:
        return np.asarray(x[:, 1:] / np.sqrt(2 * max(x.shape[1] - 1, 1)))
    return np.asarray(np.einsum("nd,dm->nm", prior.directions(x), prior.reach))


def richer_places(x: Array, prior: Prior) -> Array:
    """Likewise by the richer part of vectors that have one, shape (n, prior.n_richer)."""
    return np.asarray(x[:, -prior.n_richer :] / np.sqrt(2 * prior.n_richer))


def squared_distances(a: Array, b: Array) -> Array:
    """Shape (n, m), of places (n, d) and (m, d): row by row, so that none depends on the others."""
    lengths = np.einsum("nd,nd->n", a, a)[:, None] + np.einsum("md,md->m", b, b)
    return np.asarray(np.maximum(lengths - 2 * np.einsum("nd,md->nm", a, b), 0.0))


def squared_distances_among(a: Array) -> Array:
    """Shape (n, n), between places (n, d): all at once, which is quicker where rows need not stand alone."""
    lengths = np.einsum("nd,nd->n", a, a)
    return np.asarray(np.maximum(lengths[:, None] + lengths - 2 * (a @ a.T), 0.0))
