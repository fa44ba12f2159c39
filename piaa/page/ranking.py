"""Scores of a whole album by a linear form, quickly enough to follow each answer.

The same numbers as :class:`piaa.adapters.linear_forms.LinearForms`, up to rounding; what does not change from
answer to answer, where the photos lie, is kept.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from piaa.adapters.base import Adapter
from piaa.adapters.kernel import places
from piaa.adapters.linear_form import LinearForm
from piaa.adapters.prediction import Array, bend
from piaa.adapters.prior import Prior
from piaa.page.album import Album, Rows

_CHUNK = 4096


class Ground:
    """Where the photos of an album lie, kept as they become known.

    Args:
        album: whose photos.
        prior: of the model.
    """

    def __init__(self, album: Album, prior: Prior | None) -> None:
        self._album, self._prior = album, prior
        self._places: NDArray[np.float32] = np.zeros((0, 0), np.float32)
        self._placed = np.zeros(len(album), np.int64)  # at which turn of its vector

    def places(self, rows: Rows) -> NDArray[np.float32]:
        """Places of embedded photos, shape (n, m)."""
        turns = self._album.turns(rows)
        fresh = rows[self._placed[rows] != turns]
        for start in range(0, len(fresh), _CHUNK):
            some = fresh[start : start + _CHUNK]
            at = places(self._album.vectors(some).astype(np.float64), self._prior)
            if not self._places.size:
                self._places = np.zeros((len(self._album), at.shape[1]), np.float32)
            self._places[some] = at
        self._placed[rows] = turns
        return self._places[rows]

    def unit_scores(self, adapter: Adapter, rows: Rows) -> Array:
        """Unit scores of embedded photos by a fitted adapter, shape (n,)."""
        if not len(rows):
            return np.zeros(0)
        if not adapter.has_linear_form:
            return self._predicted(adapter, rows)
        form = adapter.linear_form()
        means = np.empty(len(rows))
        for start in range(0, len(rows), _CHUNK):
            part = slice(start, start + _CHUNK)
            x = self._album.vectors(rows[part]).astype(np.float64)
            means[part] = form.coefficients[0] + x @ form.coefficients[1:]
        if len(form.weights):
            means += smooth_of(form, self.places(rows))
        return bend(means)

    def _predicted(self, adapter: Adapter, rows: Rows) -> Array:
        parts = [
            adapter.predict(self._album.vectors(rows[start : start + _CHUNK])).score
            for start in range(0, len(rows), _CHUNK)
        ]
        return np.concatenate(parts)


def smooth_of(form: LinearForm, at: NDArray[np.float32]) -> Array:
    """The smooth function of a linear form at places (n, m), shape (n,); in single precision."""
    rated = form.places.astype(np.float32)
    weights = form.weights.astype(np.float32)
    lengths = np.einsum("km,km->k", rated, rated)
    narrow = np.float32(1 / (2 * form.width**2))
    found = np.empty(len(at))
    for start in range(0, len(at), _CHUNK):
        z = at[start : start + _CHUNK]
        squares = np.einsum("nm,nm->n", z, z)[:, None] + lengths - 2 * (z @ rated.T)
        found[start : start + _CHUNK] = np.exp(-np.maximum(squares, 0) * narrow) @ weights
    return found
