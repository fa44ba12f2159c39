"""The exact posterior of Gaussian models, averaged by their evidence; many people at once.

A person's ratings are y = basis w + f + noise with w ~ N(mean, C) and f a sum of m functions of the photo,
Gaussian processes of variances s. Each cell of a grid of covariances C, sizes s and noise variances has a
Gaussian posterior and an evidence in closed form (Rasmussen & Williams, Gaussian Processes for Machine
Learning, 2006, section 2.7 and chapter 5); the cells are averaged by it (Hoeting et al., "Bayesian model
averaging", Statistical Science 1999). One decomposition serves every noise variance: of the ratings'
covariance (k x k), or where there are few weights and no function beside them of its factor (k x p).

Notation: u people, k ratings each, p weights, m functions; c covariances, s rows of sizes, v noise variances;
r directions in which the ratings vary beyond their noise, k or p.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from piaa.adapters.many import Summary
from piaa.adapters.prediction import Array, State

_NOTHING = 1e-12
"""Weight below which a cell takes nothing from a variance."""


@dataclass(frozen=True, kw_only=True)
class Mixture:
    """A grid of Gaussian models, before any rating."""

    mean: Array
    """Of the weights, shape (p,)."""
    covariances: Array
    """Shape (c, p, p)."""
    noise: Array
    """Variances, shape (v,)."""
    log_weights: Array
    """Log of each cell's weight before the ratings, shape (c, s, v); -inf where there is no such cell."""
    sizes: Array = field(default_factory=lambda: np.zeros((1, 0)))
    """Variances of the functions, shape (s, m)."""
    n_for_mean: int | None = None
    """How many of the noise variances, the first ones, have a say in the mean; None: all. The others widen
    the covariance and the noise alone, see :mod:`piaa.adapters.strangers`."""

    def posterior(self, basis: Array, y: Array, kernels: Array | None = None) -> list[State]:
        """What the ratings of u people leave of it.

        Args:
            basis: shape (u, k, p).
            y: shape (u, k).
            kernels: covariances of the functions between the rated photos, at size 1, shape (u, m, k, k);
                None is for a grid without any.

        Returns:
            for each person the average over the cells. ``mean`` (q,) and ``covariance`` (q, q), which holds
            what differs between the cells, are of the weights of (basis, each function's kernel with the
            rated photos), q = p + m k. ``noise`` () and ``size`` (m,) are variances.
        """
        cells, logs = self._cells(basis, y, kernels)
        return self._average(cells, *self._weights(cells, logs))

    def evidence(self, basis: Array, y: Array, kernels: Array | None = None) -> Array:
        """Log density of each person's ratings under the whole grid, shape (u,); see :meth:`posterior`."""
        cells, logs = self._cells(basis, y, kernels)
        every = np.stack([cell.evidence for cell in cells], axis=1) + logs
        return np.asarray(np.logaddexp.reduce(every.reshape(len(y), -1), axis=1))

    def posterior_of(self, summary: Summary) -> State:
        """As :meth:`posterior`, of one person's many ratings; over kernels with the stand-ins."""
        cells, logs = self._cells_of(summary), self.log_weights[self.there]
        return self._average(cells, *self._weights(cells, logs))[0]

    def evidence_of(self, summary: Summary) -> float:
        """Log density of one person's many ratings under the whole grid."""
        every = np.stack([cell.evidence[0] for cell in self._cells_of(summary)])
        return float(np.logaddexp.reduce(every + self.log_weights[self.there], axis=None))

    def _weights(self, cells: list[_Cell], logs: Array) -> tuple[Array, Array]:
        """Weights of the cells by their evidence, (u, cells, v): for all, and for the mean."""
        every = np.stack([cell.evidence for cell in cells], axis=1) + logs
        for_mean = every.copy()
        for_mean[..., slice(self.n_for_mean, None) if self.n_for_mean else slice(0)] = -np.inf
        return _normalised(every), _normalised(for_mean)

    @property
    def there(self) -> NDArray[np.bool_]:
        """Which covariances and sizes have a cell, shape (c, s)."""
        return np.asarray(np.isfinite(self.log_weights).any(axis=2))

    def _cells(self, basis: Array, y: Array, kernels: Array | None) -> tuple[list[_Cell], Array]:
        """The cells and the logs of their weights, shape (cells, v)."""
        residual = y - basis @ self.mean
        cells = [
            _Cell.of(basis, residual, self.covariances[c], self.sizes[s], self.noise, kernels)
            for c, s in np.argwhere(self.there)
        ]
        return cells, self.log_weights[self.there]

    def _cells_of(self, summary: Summary) -> list[_Cell]:
        there = np.argwhere(self.there)
        return [_Cell.of_many(summary, self, self.covariances[c], self.sizes[s]) for c, s in there]

    def _grid(self, weights: Array) -> Array:
        """Weights of cells (u, cells, v) at their places, shape (u, c, s, v)."""
        grid = np.zeros((len(weights), *self.log_weights.shape))
        grid[:, self.there] = weights
        return grid

    def _average(self, cells: list[_Cell], weights: Array, for_mean: Array) -> list[State]:
        """See :meth:`posterior`; weights of shape (u, cells, v)."""
        grid, (u, p, q) = self._grid(weights), (len(weights), len(self.mean), cells[0].reach.shape[1])
        spread = np.zeros((u, q, q))
        spread[:, :p, :p] = np.einsum("uc,cpq->upq", grid.sum(axis=(2, 3)), self.covariances)
        for cell, row in zip(cells, weights.transpose(1, 0, 2), strict=True):
            # Person by person: what one is spared must not depend on who is fitted with her.
            heard = row.sum(axis=1) >= _NOTHING
            if not heard.any():
                continue
            shrink = np.einsum("ukv,uv->uk", 1.0 / cell.total, row) * heard[:, None]
            spread -= (cell.reach * shrink[:, None, :]) @ cell.reach.transpose(0, 2, 1)
        flat = weights.reshape(u, -1)
        every = np.concatenate([cell.reach @ (cell.along / cell.total) for cell in cells], axis=2)
        shift = np.einsum("uqc,uc->uq", every, for_mean.reshape(u, -1))
        apart = every - shift[:, :, None]
        spread += (apart * flat[:, None, :]) @ apart.transpose(0, 2, 1)
        shift[:, :p] += self.mean
        noise = _averages(grid.sum(axis=(1, 2)), self.noise)
        size = _averages(grid.sum(axis=(1, 3)), self.sizes)
        return [
            {"mean": m, "covariance": c, "noise": np.array(n), "size": np.array(s)}
            for m, c, n, s in zip(shift, spread, noise, size, strict=True)
        ]

    def before(self) -> State:
        """The average over the cells before any rating, as :meth:`posterior` gives it after some."""
        weights = np.exp(self.log_weights - np.logaddexp.reduce(self.log_weights, axis=None))
        return {
            "mean": self.mean,
            "covariance": np.einsum("c,cpq->pq", weights.sum(axis=(1, 2)), self.covariances),
            "noise": np.array(weights.sum(axis=(0, 1)) @ self.noise),
            "size": np.array(weights.sum(axis=(0, 2)) @ self.sizes),
        }


@dataclass(frozen=True, kw_only=True)
class _Cell:
    """One covariance and one row of sizes, with every noise n.

    With V diag(s) V^T the covariance of the ratings before noise and B their covariance with the weights,
    times V, the posterior is

        mean + B (1 / (s + n)) V^T residual,   prior covariance - B diag(1 / (s + n)) B^T.

    V may leave out directions in which s is 0: there B is 0 too, and only the evidence counts their noise.
    """

    reach: Array
    """B, shape (u, q, r)."""
    total: Array
    """s + n, shape (u, r, v)."""
    along: Array
    """V^T residual, shape (u, r, 1)."""
    evidence: Array
    """Log density of the ratings, shape (u, v)."""

    @classmethod
    def of(
        cls,
        basis: Array,
        residual: Array,
        covariance: Array,
        sizes: Array,
        noise: Array,
        kernels: Array | None,
    ) -> _Cell:
        if kernels is None and 2 * len(covariance) <= residual.shape[1]:
            return cls._of_few_weights(basis, residual, covariance, noise)
        reach = covariance @ basis.transpose(0, 2, 1)
        gram = basis @ reach
        if kernels is not None:
            for size, kernel in zip(sizes, kernels.transpose(1, 0, 2, 3), strict=True):
                gram = gram + size * kernel
        values, vectors = np.linalg.eigh(gram)
        total = np.maximum(values, 0.0)[:, :, None] + noise
        along = _along(vectors, residual)
        return cls(
            reach=np.concatenate([reach @ vectors, *(size * vectors for size in sizes)], axis=1),
            total=total,
            along=along,
            evidence=_log_density(along, total),
        )

    @classmethod
    def of_many(cls, summary: Summary, grid: Mixture, covariance: Array, sizes: Array) -> _Cell:
        """Of one person, from sums over her ratings; r is of another length for every cell."""
        reach, total, along, evidence = summary.cell(grid.mean, covariance, sizes, grid.noise)
        return cls(reach=reach[None], total=total[None], along=along[None, :, None], evidence=evidence[None])

    @classmethod
    def _of_few_weights(cls, basis: Array, residual: Array, covariance: Array, noise: Array) -> _Cell:
        """With C = L L^T and basis L = V diag(root) W^T, s is root^2 and B is L W diag(root)."""
        values, directions = np.linalg.eigh(covariance)
        factor = directions * np.sqrt(np.maximum(values, 0.0))
        vectors, root, turn = np.linalg.svd(basis @ factor, full_matrices=False)
        total = root[:, :, None] ** 2 + noise
        along = _along(vectors, residual)
        rest = residual - (vectors @ along)[:, :, 0]
        others = residual.shape[1] - root.shape[1]
        evidence = _log_density(along, total)
        evidence -= 0.5 * (others * np.log(2 * np.pi * noise) + (rest**2).sum(axis=1)[:, None] / noise)
        reach = (factor @ turn.transpose(0, 2, 1)) * root[:, None, :]
        return cls(reach=reach, total=total, along=along, evidence=evidence)


def _averages(weights: Array, values: Array) -> list[Array]:
    """Each person's average of values (n, ...) by her weights, of (u, n)."""
    # One by one: a product of the whole batch may round a row differently in another batch.
    return [(row[None] @ values)[0] for row in weights]


def _along(vectors: Array, residual: Array) -> Array:
    """V^T residual, shape (u, r, 1)."""
    return np.asarray(np.einsum("ukr,uk->ur", vectors, residual)[:, :, None])


def _log_density(along: Array, total: Array) -> Array:
    """Of independent normals of variances (u, r, v) at (u, r, 1), summed: shape (u, v)."""
    return np.asarray(-0.5 * (np.log(2 * np.pi * total) + along**2 / total).sum(axis=1))


def normal_of(state: State, basis: Array, own: Array | None = None) -> tuple[Array, Array]:
    """Mean and standard deviation of ratings of photos, row by row.

    Args:
        state: of :meth:`Mixture.posterior`.
        basis: of the photos, shape (n, q).
        own: each function's variance at a photo, at size 1, shape (n, m); None: 1.
    """
    mean = np.einsum("nq,q->n", basis, state["mean"])
    spread = np.einsum("nq,qr->nr", basis, state["covariance"])
    size = np.atleast_1d(state["size"])
    alone = size.sum() if own is None else np.einsum("nm,m->n", own, size)
    variance = np.einsum("nr,nr->n", spread, basis) + alone
    return mean, np.sqrt(np.maximum(variance, 0.0) + state["noise"])


def _normalised(logs: Array) -> Array:
    """Weights that sum to 1 for each person, from their logarithms, both of shape (u, ..., ...)."""
    weights = np.exp(logs - logs.max(axis=(1, 2), keepdims=True))
    return np.asarray(weights / weights.sum(axis=(1, 2), keepdims=True))
