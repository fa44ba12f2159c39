"""The exact posterior of linear-Gaussian models, averaged by their evidence; many people at once.

A person's ratings are y = basis w + noise with w ~ N(mean, C) and one of several covariances C and noise
variances. Each cell of that grid has a Gaussian posterior and an evidence in closed form (Bishop, Pattern
Recognition and Machine Learning, 2006, sections 3.3 to 3.5); the cells are averaged by it (Hoeting et al.,
"Bayesian model averaging", Statistical Science 1999). One eigendecomposition serves every noise variance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from piaa.adapters.base import Array, State


@dataclass(frozen=True, kw_only=True)
class Mixture:
    """A grid of linear-Gaussian models, before any rating."""

    mean: Array
    """Of the weights, shape (p,)."""
    covariances: Array
    """Shape (c, p, p)."""
    noise: Array
    """Variances, shape (v,)."""
    log_weights: Array
    """Log of each cell's weight before the ratings, shape (c, v)."""

    def posterior(self, basis: Array, y: Array) -> list[State]:
        """What the ratings of u people with k ratings each leave of it.

        Args:
            basis: shape (u, k, p).
            y: shape (u, k).

        Returns:
            for each person the average over the cells: ``mean`` (p,), ``covariance`` (p, p), which holds what
            differs between the cells, and ``noise`` ().
        """
        residual = y - basis @ self.mean
        reaches, spectra, alongs, evidence = [], [], [], []
        for covariance in self.covariances:
            reach = covariance @ basis.transpose(0, 2, 1)  # (u, p, k)
            values, vectors = np.linalg.eigh(basis @ reach)
            total = np.maximum(values, 0.0)[:, :, None] + self.noise  # (u, k, v)
            along = np.einsum("uki,uk->ui", vectors, residual)[:, :, None]
            evidence.append(-0.5 * (np.log(2 * np.pi * total) + along**2 / total).sum(axis=1))
            reaches.append(reach @ vectors)
            spectra.append(total)
            alongs.append(along)
        weights = _normalised(np.stack(evidence, axis=1) + self.log_weights)  # (u, c, v)

        # With B = C basis^T V and s + n the spectrum, the posterior of a cell is
        #   mean + B (1 / (s + n)) V^T residual,   C - B diag(1 / (s + n)) B^T.
        shifts, spreads = [], np.einsum("uc,cpq->upq", weights.sum(axis=2), self.covariances)
        for c, (reach, total, along) in enumerate(zip(reaches, spectra, alongs, strict=True)):
            shifts.append(reach @ (along / total))
            shrink = np.einsum("ukv,uv->uk", 1.0 / total, weights[:, c])
            spreads -= (reach * shrink[:, None, :]) @ reach.transpose(0, 2, 1)
        flat, every = weights.reshape(len(y), -1), np.concatenate(shifts, axis=2)  # (u, cells), (u, p, cells)
        shift = np.einsum("upc,uc->up", every, flat)
        apart = every - shift[:, :, None]
        spreads += (apart * flat[:, None, :]) @ apart.transpose(0, 2, 1)
        noise = weights.sum(axis=1) @ self.noise
        return [
            {"mean": self.mean + s, "covariance": c, "noise": np.array(n)}
            for s, c, n in zip(shift, spreads, noise, strict=True)
        ]

    def before(self) -> State:
        """The average over the cells before any rating, as :meth:`posterior` gives it after some."""
        weights = np.exp(self.log_weights - np.logaddexp.reduce(self.log_weights, axis=None))
        return {
            "mean": self.mean,
            "covariance": np.einsum("c,cpq->pq", weights.sum(axis=1), self.covariances),
            "noise": np.array(weights.sum(axis=0) @ self.noise),
        }


def normal_of(state: State, basis: Array) -> tuple[Array, Array]:
    """Mean and standard deviation of ratings of photos with ``basis`` (n, p), row by row."""
    mean = np.einsum("np,p->n", basis, state["mean"])
    spread = np.einsum("np,pq->nq", basis, state["covariance"])
    variance = np.einsum("nq,nq->n", spread, basis) + state["noise"]
    return mean, np.sqrt(variance)


def _normalised(logs: Array) -> Array:
    """Weights (u, c, v) that sum to 1 for each person, from their logarithms."""
    weights = np.exp(logs - logs.max(axis=(1, 2), keepdims=True))
    return np.asarray(weights / weights.sum(axis=(1, 2), keepdims=True))
