"""The linear forms of several people held as one matrix, which scores a photo for all of them at once.

Nobody's score depends on who else is asked about, not in its last bit: every row is summed by itself, in
one order (``einsum`` of two operands), where a matrix product sums differently from shape to shape.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from piaa.adapters.kernel import places as places_of
from piaa.adapters.linear_form import LinearForm
from piaa.adapters.prediction import Array, bend
from piaa.adapters.prior import Prior


@dataclass(frozen=True, kw_only=True, eq=False)
class LinearForms:
    """Several people; rows of the smooth functions lie one person after the other."""

    coefficients: Array
    """Of u people, shape (u, 2 + d)."""
    smooth: NDArray[np.intp]
    """Which of them have a smooth function that is held, shape (s,)."""
    starts: NDArray[np.intp]
    """First row of each of those, shape (s,)."""
    weights: Array
    """Of all rows, shape (r,)."""
    places: Array
    """Likewise, shape (r, m)."""
    lengths: Array
    """Squared lengths of the places, shape (r,)."""
    narrow: Array
    """1 / (2 width^2) of each row's person, shape (r,)."""
    exact: NDArray[np.bool_]
    """Whose scores are those of the adapter: False where a smooth function was left out, shape (u,)."""

    @classmethod
    def of(cls, forms: Sequence[LinearForm], *, exact: bool = True) -> LinearForms:
        """These people.

        Args:
            forms: u of them, at least 1.
            exact: with their smooth functions, which take most of the memory and of the time.
        """
        rows = np.array([len(form.weights) for form in forms])
        held = np.flatnonzero(rows) if exact else np.zeros(0, np.intp)
        chosen = [form for form in forms if len(form.weights)] if exact else []
        places = np.concatenate([form.places for form in chosen]) if chosen else np.zeros((0, 0))
        return cls(
            coefficients=np.stack([form.coefficients for form in forms]),
            smooth=held,
            starts=np.cumsum([0, *rows[held]])[:-1],
            weights=np.concatenate([np.zeros(0), *(form.weights for form in chosen)]),
            places=places,
            lengths=np.einsum("rm,rm->r", places, places),
            narrow=np.repeat([1 / (2 * form.width**2) for form in chosen], rows[held]),
            exact=np.ones(len(forms), bool) if exact else rows == 0,
        )

    @property
    def n_bytes(self) -> int:
        """Memory, in bytes."""
        rows = self.weights.nbytes + self.places.nbytes + self.lengths.nbytes + self.narrow.nbytes
        people = self.smooth.nbytes + self.starts.nbytes + self.exact.nbytes
        return self.coefficients.nbytes + rows + people

    def unit_scores(self, features: NDArray[Any], prior: Prior | None) -> Array:
        """Unit scores of u people and n photos, shape (u, n).

        Args:
            features: model vectors, shape (n, 1 + d).
            prior: of the model.
        """
        x = np.asarray(features, dtype=np.float64, order="C")
        means = np.empty((len(self.coefficients), len(x)))
        slopes = self.coefficients[:, 1:]
        for place, photo in enumerate(x):
            means[:, place] = self.coefficients[:, 0] + np.einsum("ud,d->u", slopes, photo)
        if len(self.smooth):
            for place, z in enumerate(places_of(x, prior)):
                means[self.smooth, place] += self._smooth(z)
        return bend(means)

    def _smooth(self, z: Array) -> Array:
        """The smooth functions of those who have one at place z (m,), shape (s,)."""
        across = np.einsum("rm,m->r", self.places, z)
        squares = np.maximum(self.lengths - 2 * across + np.einsum("m,m->", z, z), 0.0)
        return np.asarray(np.add.reduceat(np.exp(-squares * self.narrow) * self.weights, self.starts))
