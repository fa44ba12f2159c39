"""The best photos of many people, exactly, in a memory that the number of photos does not change.

A score is the linear form's sum, in float64, in the order of the vector's numbers: the same whatever else is
scored. Products of matrices in float32, whose error has a bound, only say which photos cannot be among the
best. Of two photos with one score the one that comes first in the manifest is the better one.

Notation: u people, n photos, p numbers of a form: one, the generic score, the embedding.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from generic.engine.engine import usable_cores
from generic.threads import one_blas_thread
from piaa.adapters.prediction import Array

_PEOPLE, _PHOTOS = 256, 4096
"""Pairs that one thread scores at once: 4 MiB, which a processor's caches hold."""
_PAIRS = 2**14
"""Pairs whose scores are summed at once: 17 MiB for 129 numbers."""
_ROUNDING = 2.0**-24
NOWHERE = np.iinfo(np.int64).max
"""The place of a photo that is missing, where there are fewer photos than asked for."""


class Best:
    """The best photos of u people.

    Args:
        coefficients: of their linear forms, shape (u, p).
        top: how many photos of each.
    """

    def __init__(self, coefficients: Array, top: int) -> None:
        self.scores = np.full((len(coefficients), top), -np.inf)
        """Unbounded unit scores, falling, shape (u, top); minus infinity where there is no photo."""
        self.places = np.full((len(coefficients), top), NOWHERE)
        """The photos, by the number of each in the order of the manifest, shape (u, top)."""
        self._exact = np.ascontiguousarray(coefficients, np.float64)
        self._quick = self._exact.astype(np.float32)
        self._lengths = np.linalg.norm(self._exact, axis=1)

    @staticmethod
    def n_bytes(p: int, top: int) -> int:
        """Memory that one person takes."""
        return 12 * p + 8 + 3 * 16 * top

    def offer(self, vectors: NDArray[np.float32], first: int) -> None:
        """Look whether photos are among the best.

        Args:
            vectors: shape (n, p - 1).
            first: the place of the first one; the others follow it.
        """
        chunks = [slice(at, at + _PEOPLE) for at in range(0, len(self._exact), _PEOPLE)]
        with one_blas_thread(), ThreadPoolExecutor(usable_cores()) as pool:
            for at in range(0, len(vectors), _PHOTOS):
                some = vectors[at : at + _PHOTOS]
                x = np.column_stack((np.ones(len(some), np.float32), some))
                list(pool.map(lambda chunk, x=x, at=at: self._offer(chunk, x, first + at), chunks))

    def _offer(self, people: slice, x: NDArray[np.float32], first: int) -> None:
        """As :meth:`offer`, for some people; photos (n, p)."""
        quick = self._quick[people] @ x.T
        possible = quick >= self._floor(people, quick, x)[:, None]
        for rows, columns in _pairs(possible):
            products = self._exact[people][rows] * x[columns]
            self._take(people.start + rows, products.sum(axis=1), first + columns)

    def _floor(
        self, people: slice, quick: NDArray[np.float32], x: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Products below which a photo is not among the best, shape (u,)."""
        top = self.scores.shape[1]
        floor = self.scores[people, -1].copy()
        if quick.shape[1] >= top and (unknown := np.isinf(floor)).any():
            floor[unknown] = np.partition(quick[unknown], -top, axis=1)[:, -top]
        longest = float(np.sqrt(np.einsum("np,np->n", x, x, dtype=np.float64).max()))
        # Of p products and their sum, and of the form's rounding to float32 (Higham, "Accuracy and
        # stability of numerical algorithms", 2002, section 3.1); doubled for the rounding of the bound.
        wrong = 2 * (x.shape[1] + 2) * _ROUNDING * self._lengths[people] * longest
        return np.asarray(np.nextafter((floor - 2 * wrong).astype(np.float32), np.float32(-np.inf)))

    def _take(self, rows: NDArray[np.intp], scores: Array, places: NDArray[np.int64]) -> None:
        """Merge candidates into the best of their people."""
        people, which = np.unique(rows, return_inverse=True)
        top = self.scores.shape[1]
        owner = np.concatenate((np.repeat(np.arange(len(people)), top), which))
        score = np.concatenate((self.scores[people].ravel(), scores))
        place = np.concatenate((self.places[people].ravel(), places))
        order = np.lexsort((place, -score, owner))
        starts = np.searchsorted(owner[order], np.arange(len(people)))
        kept = order[(starts[:, None] + np.arange(top)).ravel()]
        self.scores[people] = score[kept].reshape(-1, top)
        self.places[people] = place[kept].reshape(-1, top)


def _pairs(possible: NDArray[np.bool_]) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """The pairs that are to be scored, so many at once."""
    rows, columns = np.nonzero(possible)
    for at in range(0, len(rows), _PAIRS):
        yield rows[at : at + _PAIRS], columns[at : at + _PAIRS]
