"""A group that teaches a model what most of it likes, for ``benchmarks/lite3_study.py``."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from generic.metrics import spearman

Array = NDArray[np.float64]
TEACHERS, TESTED = 31, 60
"""People who teach, and of the others those who are tested."""
TAUGHT = 0.7
"""Share of the photos that teach."""
PENALTIES = np.logspace(-2.5, 2, 13)
"""Of kernel ridge regression, beside a kernel of mean variance 1."""


class Group:
    """One draw of teachers and of photos that teach.

    Args:
        rng: draws.
        generic: scores of the photos, shape (n,).
        rated: unit scores, shape (people, n); whoever did not rate these photos is left out.
    """

    def __init__(self, rng: np.random.Generator, generic: Array, rated: Array) -> None:
        order = rng.permutation(len(generic))
        n = int(TAUGHT * len(generic))
        self._taught, self._tested = np.sort(order[:n]), np.sort(order[n:])
        people = rng.permutation(np.flatnonzero(~np.isnan(rated).any(axis=1)))
        self._means = rated[people[:TEACHERS]].mean(axis=0)[self._taught]
        self._others = rated[people[TEACHERS : TEACHERS + TESTED]][:, self._tested]
        basis = np.column_stack([np.ones(len(generic)), generic])
        weights = np.linalg.lstsq(basis[self._taught], self._means, rcond=None)[0]
        self._all_line: Array = basis @ weights

    @property
    def line(self) -> Array:
        """What most of them like of the tested photos, by the generic score alone."""
        return self._all_line[self._tested]

    def learned(self, products: Array) -> Array:
        """The same and kernel ridge regression on what is left, by the least leave-one-out error."""
        kernel, across = (products[np.ix_(rows, self._taught)] for rows in (self._taught, self._tested))
        column, whole = kernel.mean(axis=0), kernel.mean()
        kernel = kernel - column - column[:, None] + whole
        across = across - across.mean(axis=1, keepdims=True) - column + whole
        values, vectors = np.linalg.eigh(kernel * len(kernel) / np.trace(kernel))
        values, left = np.maximum(values, 0.0), self._means - self._all_line[self._taught]
        along = vectors.T @ left
        errors = [_left_out(values / (values + a), vectors, along, left) for a in PENALTIES]
        best = PENALTIES[int(np.argmin(errors))]
        return self.line + across * len(kernel) / np.trace(kernel) @ (vectors @ (along / (values + best)))

    def test(self, scores: Array) -> float:
        """Mean SRCC of the other people on the other photos."""
        return float(np.nanmean([spearman(scores, own) for own in self._others]))


def _left_out(kept: Array, vectors: Array, along: Array, left: Array) -> float:
    """Mean squared leave-one-out error of ridge regression."""
    return float((((left - vectors @ (kept * along)) / (1 - vectors**2 @ kept)) ** 2).mean())
