"""One way to say a photo's mean score, in closed form: a line in known scores and a function of the picture.

Gaussian process regression with a linear covariance and a flat prior on the line (universal kriging;
Rasmussen & Williams 2006, section 2.7), its exact leave-one-out errors and its restricted likelihood. A
photo that many raters agree on counts for more than one that few rated. All is done by one decomposition of
the n photos' features (n, d), so that time and memory grow with n alone where n is above d.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

PENALTIES = np.logspace(-1.5, 2.5, 9)
"""Variances of what no function shows, in those of the function."""


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A line of q numbers and a linear function of d features."""

    line: Array
    """Shape (q,)."""
    weights: Array
    """Of the features, shape (d,)."""
    left_out: Array
    """What each taught photo's score would be had it not been taught, shape (n,)."""
    evidence: float
    """Log of the restricted likelihood, up to a constant of the photos."""


def cells(features: Array, basis: Array, means: Array, precision: Array) -> list[Cell]:
    """The line and a function of the features, one cell for each of ``PENALTIES``.

    Args:
        features: shape (n, d); their mean squared length should be 1.
        basis: shape (n, q), of full rank, q < n.
        means: unit scores, shape (n,).
        precision: how much each photo counts, shape (n,), positive.
    """
    seen = _Seen.of(features, basis, means, precision)
    return [seen.cell(penalty) for penalty in PENALTIES]


@dataclass(frozen=True, kw_only=True)
class _Seen:
    """The photos where each counts alike, and the axes of their features; m axes."""

    root: Array
    basis: Array
    means: Array
    left: Array
    """Shape (n, m)."""
    lengths: Array
    """Shape (m,)."""
    right: Array
    """Shape (m, d)."""

    @classmethod
    def of(cls, features: Array, basis: Array, means: Array, precision: Array) -> _Seen:
        root = np.sqrt(precision)
        left, lengths, right = np.linalg.svd(features * root[:, None], full_matrices=False)
        basis, means = basis * root[:, None], means * root
        return cls(root=root, basis=basis, means=means, left=left, lengths=lengths, right=right)

    def cell(self, penalty: float) -> Cell:
        """The function with a variance of ``penalty`` beside it."""
        (n, q), values = self.basis.shape, self.lengths**2
        across = self._solved(self.basis, penalty)
        gram = self.basis.T @ across
        line = np.asarray(np.linalg.solve(gram, across.T @ self.means), np.float64)
        rest = self._solved(self.means - self.basis @ line, penalty)
        kept = values / (values + penalty)
        own = (1 - self.left**2 @ kept) / penalty
        free = own - np.einsum("nq,nq->n", across @ np.linalg.inv(gram), across)
        square = max(float((self.means - self.basis @ line) @ rest), 1e-300)
        size = np.log(values + penalty).sum() + (n - len(values)) * np.log(penalty)
        evidence = -0.5 * ((n - q) * np.log(square) + size + np.linalg.slogdet(gram)[1])
        left_out = (self.means - rest / np.maximum(free, 1e-12 / penalty)) / self.root
        weights = self.right.T @ (self.lengths * (self.left.T @ rest))
        return Cell(line=line, weights=weights, left_out=left_out, evidence=float(evidence))

    def _solved(self, given: Array, penalty: float) -> Array:
        """The inverse of the photos' covariance, times what is given: shape (n,) or (n, q)."""
        kept = self.lengths**2 / (self.lengths**2 + penalty)
        along = self.left.T @ given
        return np.asarray((given - self.left @ (kept * along.T).T) / penalty)
