"""The average over a mixture for one person whose answers are few rows of a Gaussian model, soon after each.

The formulas are those of :mod:`piaa.adapters.posterior`. There one decomposition of a cell serves all noise
variances and many people; here a person waits, and most noises and many cells of the grid take no part in the
average. So each cell is only brought to a tridiagonal matrix, which tells its evidence at every noise for a
fifth of the work (Golub & Van Loan, "Matrix Computations", section 8.3), and what takes part is inverted.

Notation: r rows, p weights, m functions, q = p + m r; c covariances, s rows of sizes, v noise variances; A
the covariance of the rows in a cell, noise included.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from piaa.adapters.posterior import Mixture
from piaa.adapters.prediction import Array, State

_NOTHING = 1e-7
"""Weight of a cell at one noise below which it takes no part."""
_BLOCK = 64
"""Columns that LAPACK may work on at once."""


@dataclass(frozen=True, kw_only=True)
class Rows:
    """What one person said, see :mod:`piaa.adapters.joint`."""

    basis: Array
    """Shape (r, p)."""
    residual: Array
    """What the weights' mean leaves of the answers, for each noise variance, shape (r, v)."""
    kernels: Array
    """Covariances of the functions at size 1, shape (m, r, r)."""
    constant: Array
    """What is added to the log evidence of each noise variance, shape (v,)."""
    turn: Array
    """What makes the rows of the n photos: kernels to these, times it, shape (n, r)."""

    def evidence(self, mixture: Mixture) -> float:
        """Log probability of the answers under the whole grid."""
        logs = self._logs(mixture, [cell.gram for cell in self._cells(mixture)])
        return float(np.logaddexp.reduce(logs, axis=None))

    def posterior(self, mixture: Mixture) -> State:
        """The average over the grid, as :meth:`Mixture.posterior` gives it; kernels are with the rows."""
        cells = list(self._cells(mixture))
        logs = self._logs(mixture, [cell.gram for cell in cells])
        weights, for_mean = _normalised(logs), _normalised(logs[:, : mixture.n_for_mean])
        for_mean = np.pad(for_mean, ((0, 0), (0, logs.shape[1] - for_mean.shape[1])))
        taking_part = np.maximum(weights, for_mean) > _NOTHING
        spread, every = self._within(mixture, cells, weights, taking_part)
        shift = every @ for_mean[taking_part]
        apart = every - shift[:, None]
        spread += (apart * weights[taking_part]) @ apart.T
        shift[: len(mixture.mean)] += mixture.mean
        sizes = np.stack([cell.sizes for cell in cells])
        return {
            "mean": shift,
            "covariance": spread,
            "noise": np.array(weights.sum(axis=0) @ mixture.noise),
            "size": weights.sum(axis=1) @ sizes,
        }

    def _cells(self, mixture: Mixture) -> Iterator[_Cell]:
        """Those of the grid, one covariance after the other."""
        for c, there in enumerate(mixture.there):
            reach = mixture.covariances[c] @ self.basis.T
            gram = self.basis @ reach
            for s in np.flatnonzero(there):
                sizes = mixture.sizes[s]
                own = gram + np.einsum("m,mij->ij", sizes, self.kernels) if sizes.any() else gram
                yield _Cell(c=c, sizes=sizes, reach=reach, gram=own)

    def _logs(self, mixture: Mixture, grams: list[Array]) -> Array:
        """Log of each cell's weight and of its evidence, summed, shape (cells, v)."""
        evidence = log_densities(grams, self.residual, mixture.noise)
        return np.asarray(evidence + mixture.log_weights[mixture.there] + self.constant)

    def _within(
        self, mixture: Mixture, cells: list[_Cell], weights: Array, taking_part: NDArray[np.bool_]
    ) -> tuple[Array, Array]:
        """The average of the cells' covariances, shape (q, q), and what each adds to the weights' mean.

        These are of shape (q, n): of each cell and noise that takes part, one cell after the other.
        """
        p, (m, r, _) = len(mixture.mean), self.kernels.shape
        spread, means = np.zeros((p + m * r, p + m * r)), []
        functions = np.zeros((m, m, r, r))
        for c, some in groupby(np.flatnonzero(taking_part.any(axis=1)), key=lambda place: cells[place].c):
            known, heard = np.zeros((1 + m, r, r)), 0.0  # of the weights with each
            for place in some:
                cell, inverse, answers = cells[place], np.zeros((r, r)), []
                for v in np.flatnonzero(taking_part[place]):
                    lower, answer = _inverse(cell.gram, mixture.noise[v], self.residual[:, v])
                    inverse += weights[place, v] * lower
                    answers.append(answer)
                means.append(cell.means(np.stack(answers, axis=1)))
                known += np.multiply.outer(np.append(1.0, cell.sizes), inverse)
                functions += np.multiply.outer(np.outer(cell.sizes, cell.sizes), inverse)
                heard += weights[place].sum()
            spread[:p] -= _told(cell.reach, known)
            spread[:p, :p] += heard * mixture.covariances[c]
        spread[p:, :p] = spread[:p, p:].T
        spread[p:, p:] = -_whole(functions).swapaxes(1, 2).reshape(m * r, m * r)
        return spread, np.concatenate(means, axis=1)


@dataclass(frozen=True, kw_only=True)
class _Cell:
    """One covariance and one row of sizes, with every noise."""

    c: int
    """Which covariance."""
    sizes: Array
    """Shape (m,)."""
    reach: Array
    """Covariance of the weights with the rows, shape (p, r)."""
    gram: Array
    """That of the rows, noise left out, shape (r, r)."""

    def means(self, answers: Array) -> Array:
        """What weights and functions are beyond their mean before, (q, n), of A^-1 residual (r, n)."""
        return np.concatenate([self.reach @ answers, *(size * answers for size in self.sizes)])


def log_densities(grams: list[Array], residual: Array, noise: Array) -> Array:
    """Log density of the rows at every noise.

    Args:
        grams: covariances of the rows without noise, (r, r) each.
        residual: shape (r, v).
        noise: variances, shape (v,).

    Returns:
        shape (len(grams), v).
    """
    turned = [_tridiagonal(gram, residual) for gram in grams]
    diagonal, beside, along = (np.stack(some, axis=1) for some in zip(*turned, strict=True))
    total, along = diagonal[:, :, None] + noise, along.copy()
    for row in range(1, len(total)):
        factor = beside[row - 1][:, None] / total[row - 1]
        total[row] -= factor * beside[row - 1][:, None]
        along[row] -= factor * along[row - 1]
    return np.asarray(-0.5 * (np.log(2 * np.pi * total) + along**2 / total).sum(axis=0))


def _tridiagonal(gram: Array, residual: Array) -> tuple[Array, Array, Array]:
    """Diagonal (r,) and what stands beside it (r - 1,) of T, and Q^T residual, with gram = Q T Q^T."""
    from scipy.linalg.lapack import dormqr, dsytrd

    r = len(gram)
    if r == 1:
        return gram[0], gram[0, :0], residual
    packed, diagonal, beside, scales, _ = dsytrd(gram, lower=1, lwork=_BLOCK * r)
    below, _, _ = dormqr("L", "T", packed[1:, :-1], scales, residual[1:], _BLOCK * r)
    return diagonal, beside, np.concatenate([residual[:1], below])


def _inverse(gram: Array, noise: float, residual: Array) -> tuple[Array, Array]:
    """Lower triangle of A^-1, beside zeros, and A^-1 residual."""
    from scipy.linalg.lapack import dpotrf, dpotri, dpotrs

    total = gram.copy()
    total.ravel()[:: len(gram) + 1] += noise
    root, _ = dpotrf(total, lower=1)
    answer, _ = dpotrs(root, residual, lower=1)
    return dpotri(root, lower=1)[0], answer


def _whole(lower: Array) -> Array:
    """Symmetric matrices of their lower triangles, shape (..., r, r)."""
    whole = lower + lower.swapaxes(-1, -2)
    diagonal = np.arange(lower.shape[-1])
    whole[..., diagonal, diagonal] /= 2
    return np.asarray(whole)


def _told(reach: Array, inverses: Array) -> Array:
    """What the rows tell of the weights, and of them with each function, shape (p, p + m r).

    Args:
        reach: shape (p, r).
        inverses: lower triangles, shape (1 + m, r, r).
    """
    known = reach @ _whole(inverses)
    return np.concatenate([known[0] @ reach.T, *known[1:]], axis=1)


def _normalised(logs: Array) -> Array:
    """Weights that sum to 1, of their logarithms."""
    return np.asarray(np.exp(logs - np.logaddexp.reduce(logs, axis=None)))
