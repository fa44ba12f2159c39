"""What ``auto`` makes of a vector's richer part, for models whose vectors have one.

The directions of a few hundred training photos throw away what other photos need. So beside the smooth
function of the places in the directions in which people differ there is a linear one of the richer part (a
Gaussian process whose posterior mean is ridge regression); which of them speaks, if any, the evidence of a
person's ratings says. It has the interface of :class:`piaa.adapters.likeness.Likeness`, of which it is two.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from piaa.adapters.kernel import places, richer_places
from piaa.adapters.likeness import Likeness
from piaa.adapters.linear_form import LinearForm
from piaa.adapters.prediction import Array
from piaa.adapters.prior import Prior

SIZES = (0.1, 0.4)
"""Variances of the function, in those of a person's ratings around the generic score."""
WEIGHT = 0.3
"""Before the ratings: of there being such a function."""
LEAST = 0.5
"""Distance that rated photos count with at least: one scene does not say how far others lie."""


def wide_places(x: Array, prior: Prior) -> Array:
    """Where photos lie in the directions, and behind that in the richer part, shape (n, m + r).

    Args:
        x: vectors, shape (n, 1 + d).
        prior: the model's; that it knows of a richer part.
    """
    return np.concatenate([places(x, prior), richer_places(x, prior)], axis=1)


@dataclass(frozen=True, kw_only=True)
class TwoKinds:
    """How alike photos are to the rated ones of one person, in two ways."""

    places: Array
    """Of the k rated photos, see :func:`wide_places`, shape (k, m + r)."""
    n_richer: int
    """r."""

    def smooth(self, z: Array) -> Array:
        """Covariances of the smooth function between places z (n, m + r) and the rated photos, (n, k)."""
        return self._near.smooth(z[:, : -self.n_richer])

    def linear(self, z: Array) -> Array:
        """Those of the linear function of the richer part, shape (n, k)."""
        return self._rich.linear(z[:, -self.n_richer :])

    def smooth_at(self, squares: Array) -> Array:
        """Those of the smooth function at squared distances from the rated photos, both of shape (n, k)."""
        return self._near.smooth_at(squares)

    def among(self) -> tuple[Array, Array]:
        """Covariances of either function between the rated photos, shape (k, k) each."""
        return self._near.smooth_among(), self._rich.linear_among()

    def both(self, z: Array) -> Array:
        """Both side by side, shape (n, 2 k)."""
        return np.concatenate([self.smooth(z), self.linear(z)], axis=1)

    def own(self, z: Array) -> Array:
        """Each function's variance at places z, shape (n, 2)."""
        return self._rich.own(z[:, -self.n_richer :])

    def apart(self, one: Array, other: Array) -> Array:
        """Variance of the difference of each function between places (n, m + r), shape (n, 2)."""
        n = self.n_richer
        smooth = self._near.apart(one[:, :-n], other[:, :-n])[:, :1]
        return np.column_stack([smooth, self._rich.apart(one[:, -n:], other[:, -n:])[:, 1]])

    def linear_form(self, line: Array, weights: Array) -> LinearForm:
        """The functions with weights (2 k,), beside a line: coefficients (2 + d,) on (1, model vector)."""
        smooth, linear = np.split(weights, 2)
        rich = self._rich
        slopes = rich.scale * linear @ (rich.places - rich.center)
        coefficients = line.copy()
        coefficients[0] -= slopes @ rich.center
        coefficients[-self.n_richer :] += slopes / np.sqrt(2 * self.n_richer)  # as places are made
        return LinearForm(coefficients=coefficients, weights=smooth, places=self._near.places)

    @property
    def _near(self) -> Likeness:
        return Likeness(places=self.places[:, : -self.n_richer], width=1.0)

    @property
    def _rich(self) -> Likeness:
        return Likeness(places=self.places[:, -self.n_richer :], width=1.0, least=LEAST)


def with_richer(weights: Array, sizes: Array, tastes: Array, unit: float) -> tuple[Array, Array]:
    """The grid's weights (c, s, v) and sizes (s, 1) with the sizes of a second function beside them.

    Args:
        weights: logs, without it.
        sizes: of the smooth function.
        tastes: logs of the weights of the first covariances, shape (t, v), t at most c.
        unit: variance of a person's ratings around the generic score.
    """
    added = np.full((len(weights), len(SIZES), weights.shape[2]), -np.inf)
    added[: len(tastes)] = tastes[:, None] + np.log(WEIGHT / len(SIZES))
    smooth = np.column_stack([sizes, np.zeros(len(sizes))])
    second = np.column_stack([np.zeros(len(SIZES)), unit * np.array(SIZES)])
    kept = weights.copy()
    kept[: len(tastes)] += np.log(1 - WEIGHT)
    return np.concatenate([kept, added], axis=1), np.concatenate([smooth, second])
