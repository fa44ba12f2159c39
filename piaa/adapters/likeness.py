"""The functions of a photo that ``auto`` adds where no prior says in which directions people differ.

Two, each a Gaussian process over the embedding: a smooth one (a radial-basis kernel, as of ``neighbours``)
and a linear one (ridge regression is its posterior mean). Distances are in units of those between the rated
photos, so that embeddings of any scale will do. The smooth one has the width of the highest evidence.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from piaa.adapters.kernel import squared_distances, squared_distances_among
from piaa.adapters.linear_form import LinearForm
from piaa.adapters.prediction import Array

WIDTHS = (0.5, 1.0, 2.0)
"""Of the smooth function, in root mean squared distances between two rated photos."""


@dataclass(frozen=True, kw_only=True)
class Likeness:
    """How alike photos are to the rated ones of one person."""

    places: Array
    """Where the k rated photos lie, see :func:`piaa.adapters.kernel.places`, shape (k, d)."""
    width: float
    """Of the smooth function, in units of the places."""
    least: float = 0.0
    """How far apart the rated photos count as at least, where the linear function is scaled."""

    @property
    def center(self) -> Array:
        """Mean place of the rated photos, shape (d,)."""
        return np.asarray(self.places.mean(axis=0))

    @property
    def scale(self) -> float:
        """What makes the linear function as large on average, 1, as the smooth one is everywhere."""
        return 2 / max(length(self.places), self.least) ** 2

    def smooth(self, z: Array) -> Array:
        """Covariances of the smooth function between places z (n, d) and the rated photos, shape (n, k)."""
        return self.smooth_at(squared_distances(z, self.places))

    def smooth_at(self, squares: Array) -> Array:
        """The same at squared distances from them (n, k)."""
        return np.asarray(np.exp(-squares / (2 * self.width**2)))

    def among(self) -> tuple[Array, Array]:
        """Covariances of either function between the rated photos, shape (k, k) each."""
        return self.smooth_among(), self.linear_among()

    def smooth_among(self) -> Array:
        """Covariances of the smooth function between the rated photos, shape (k, k)."""
        return np.asarray(np.exp(-squared_distances_among(self.places) / (2 * self.width**2)))

    def linear_among(self) -> Array:
        """Those of the linear function, shape (k, k)."""
        away = self.places - self.center
        return np.asarray(self.scale * (away @ away.T))

    def linear(self, z: Array) -> Array:
        """Those of the linear function, shape (n, k)."""
        return np.asarray(self.scale * np.einsum("nd,kd->nk", z - self.center, self.places - self.center))

    def both(self, z: Array) -> Array:
        """Both side by side, shape (n, 2 k)."""
        return np.concatenate([self.smooth(z), self.linear(z)], axis=1)

    def own(self, z: Array) -> Array:
        """Each function's variance at places z, shape (n, 2)."""
        away = z - self.center
        return np.column_stack([np.ones(len(z)), self.scale * np.einsum("nd,nd->n", away, away)])

    def apart(self, z: Array, others: Array) -> Array:
        """Each function's variance of the difference between places z and others, (n, d) each: (n, 2)."""
        squares = np.einsum("nd,nd->n", z - others, z - others)
        return np.column_stack([-2 * np.expm1(-squares / (2 * self.width**2)), self.scale * squares])

    def linear_form(self, line: Array, weights: Array) -> LinearForm:
        """The functions with weights (2 k,), beside a line: coefficients (2 + d,) on (1, model vector)."""
        smooth, linear = np.split(weights, 2)
        slopes = self.scale * linear @ (self.places - self.center)
        coefficients = line.copy()
        coefficients[0] -= slopes @ self.center
        coefficients[2:] += slopes / np.sqrt(2 * len(slopes))  # as places are made of the embedding
        return LinearForm(coefficients=coefficients, weights=smooth, places=self.places, width=self.width)


def length(places: Array) -> float:
    """Root mean squared distance between two of k places (k, d); 1 if there are no two."""
    k = len(places)
    away = places - places.mean(axis=0)
    squares = 2 * float((away**2).sum()) / max(k - 1, 1)
    return float(np.sqrt(squares)) if squares > 1e-12 else 1.0


def of_evidence(places: Array, evidence: Callable[[Array], float]) -> Likeness:
    """The one whose smooth function has the width that the ratings speak for.

    Args:
        places: of the rated photos, shape (k, d).
        evidence: log density of the ratings for covariances (k, k) of the smooth function.
    """
    tried = likenesses(places)
    return best_of(tried, [evidence(one.smooth(places)) for one in tried])


def likenesses(places: Array) -> list[Likeness]:
    """To the photos at places (k, d), one of each of ``WIDTHS``."""
    unit = length(places)
    return [Likeness(places=places, width=width * unit) for width in WIDTHS]


def best_of(tried: Sequence[Likeness], logs: Sequence[float]) -> Likeness:
    """That of the highest evidence; of equals the middle one, which is the usual width."""
    return tried[max((1, 0, 2), key=lambda place: logs[place])]
