"""The best photos of many people, exactly, in a memory that the number of photos does not change.

A score is the linear form's sum, in float64, in the order of the vector's numbers: the same whatever else is
scored. Products of matrices in float32, whose error has a bound, only say which photos cannot be among the
best. Of two photos with one score the one that comes first in the manifest is the better one.

Of a burst's photos each person's best ones alone may be kept: a burst is named by a number, and whoever has
better ones of it does without the others.

Notation: u people, n photos, p numbers of a form: one, the generic score, the embedding.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

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


class _Photos(NamedTuple):
    """Photos that are looked at together."""

    x: NDArray[np.float32]
    """Shape (n, p)."""
    places: NDArray[np.int64]
    bursts: NDArray[np.int64]


class Best:
    """The best photos of u people.

    Args:
        coefficients: of their linear forms, shape (u, p).
        top: how many photos of each.
        of_burst: at most so many photos of one burst; None: as many as there are.
    """

    def __init__(self, coefficients: Array, top: int, of_burst: int | None = None) -> None:
        self.scores = np.full((len(coefficients), top), -np.inf)
        """Unbounded unit scores, falling, shape (u, top); minus infinity where there is no photo."""
        self.places = np.full((len(coefficients), top), NOWHERE)
        """The photos, by the number of each in the order of the manifest, shape (u, top)."""
        self.bursts = np.full((len(coefficients), top), NOWHERE)
        """Whatever number :meth:`offer` was given of each photo's burst, shape (u, top)."""
        self._of_burst = of_burst
        self._exact = np.ascontiguousarray(coefficients, np.float64)
        self._quick = self._exact.astype(np.float32)
        self._lengths = np.linalg.norm(self._exact, axis=1)

    @staticmethod
    def n_bytes(p: int, top: int) -> int:
        """Memory that one person takes."""
        return 12 * p + 8 + 3 * 24 * top

    def offer(
        self, vectors: NDArray[np.float32], first: int, bursts: NDArray[np.int64] | None = None
    ) -> None:
        """Look whether photos are among the best.

        Args:
            vectors: shape (n, p - 1).
            first: the place of the first one; the others follow it.
            bursts: the number of each one's burst, shape (n,); None: each is alone.
        """
        places = np.arange(first, first + len(vectors))
        numbers = places if bursts is None else bursts
        chunks = [slice(at, at + _PEOPLE) for at in range(0, len(self._exact), _PEOPLE)]
        with one_blas_thread(), ThreadPoolExecutor(usable_cores()) as pool:
            for at in range(0, len(vectors), _PHOTOS):
                some = vectors[at : at + _PHOTOS]
                mine = slice(at, at + len(some))
                photos = _Photos(x=_with_one(some), places=places[mine], bursts=numbers[mine])
                list(pool.map(lambda chunk, photos=photos: self._offer(chunk, photos), chunks))

    def offer_pairs(
        self,
        rows: NDArray[np.intp],
        columns: NDArray[np.intp],
        vectors: NDArray[np.float32],
        first: int,
        bursts: NDArray[np.int64] | None = None,
    ) -> None:
        """As :meth:`offer`, of some photos for some people.

        Args:
            rows: the people, shape (m,).
            columns: for each the photo, a row of ``vectors``, shape (m,).
            vectors: shape (n, p - 1).
            first: the place of the first photo.
            bursts: the number of each photo's burst, shape (n,); None: each is alone.
        """
        places = np.arange(first, first + len(vectors))
        photos = _Photos(_with_one(vectors), places, places if bursts is None else bursts)
        for at in range(0, len(rows), _PAIRS):
            self._score(rows[at : at + _PAIRS], columns[at : at + _PAIRS], photos)

    def _offer(self, people: slice, photos: _Photos) -> None:
        """As :meth:`offer`, for some people."""
        quick = self._quick[people] @ photos.x.T
        possible = quick >= self._floor(people, quick, photos)[:, None]
        for rows, columns in _pairs(possible):
            self._score(people.start + rows, columns, photos)

    def _score(self, rows: NDArray[np.intp], columns: NDArray[np.intp], photos: _Photos) -> None:
        products = self._exact[rows] * photos.x[columns]
        self._take(rows, products.sum(axis=1), photos.places[columns], photos.bursts[columns])

    def _floor(self, people: slice, quick: NDArray[np.float32], photos: _Photos) -> NDArray[np.float32]:
        """Products below which a photo is not among the best, shape (u,)."""
        x, top = photos.x, self.scores.shape[1]
        floor = self.scores[people, -1].copy()
        if (unknown := np.isinf(floor)).any():
            some = quick[unknown] if self._of_burst is None else _best_of_each(quick[unknown], photos.bursts)
            if some.shape[1] >= top:
                floor[unknown] = np.partition(some, -top, axis=1)[:, -top]
        longest = float(np.sqrt(np.einsum("np,np->n", x, x, dtype=np.float64).max()))
        # Of p products and their sum, and of the form's rounding to float32 (Higham, "Accuracy and
        # stability of numerical algorithms", 2002, section 3.1); doubled for the rounding of the bound.
        wrong = 2 * (x.shape[1] + 2) * _ROUNDING * self._lengths[people] * longest
        return np.asarray(np.nextafter((floor - 2 * wrong).astype(np.float32), np.float32(-np.inf)))

    def _take(
        self,
        rows: NDArray[np.intp],
        scores: Array,
        places: NDArray[np.int64],
        bursts: NDArray[np.int64],
    ) -> None:
        """Merge candidates into the best of their people."""
        people, which = np.unique(rows, return_inverse=True)
        top = self.scores.shape[1]
        owner = np.concatenate((np.repeat(np.arange(len(people)), top), which))
        score = np.concatenate((self.scores[people].ravel(), scores))
        place = np.concatenate((self.places[people].ravel(), places))
        burst = np.concatenate((self.bursts[people].ravel(), bursts))
        order = np.lexsort((place, -score, owner))
        if self._of_burst is not None:
            order = order[_first_of_each(owner[order], burst[order], self._of_burst)]
        starts = np.searchsorted(owner[order], np.arange(len(people)))
        kept = order[(starts[:, None] + np.arange(top)).ravel()]
        self.scores[people] = score[kept].reshape(-1, top)
        self.places[people] = place[kept].reshape(-1, top)
        self.bursts[people] = burst[kept].reshape(-1, top)


def _pairs(possible: NDArray[np.bool_]) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """The pairs that are to be scored, so many at once."""
    rows, columns = np.nonzero(possible)
    for at in range(0, len(rows), _PAIRS):
        yield rows[at : at + _PAIRS], columns[at : at + _PAIRS]


def _with_one(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.column_stack((np.ones(len(vectors), np.float32), vectors))


def _best_of_each(quick: NDArray[np.float32], bursts: NDArray[np.int64]) -> NDArray[np.float32]:
    """The highest of each burst's products (u, n), in any order."""
    order = np.argsort(bursts, kind="stable")
    starts = np.flatnonzero(np.diff(bursts[order], prepend=bursts[order[0]] - 1))
    return np.asarray(np.maximum.reduceat(quick[:, order], starts, axis=1))


def _first_of_each(owner: NDArray[np.intp], burst: NDArray[np.int64], n: int) -> NDArray[np.bool_]:
    """Which entries are among the first n of their owner and burst; what is nowhere is in no burst."""
    order = np.lexsort((burst, owner))
    same = (np.diff(owner[order], prepend=-1) == 0) & (np.diff(burst[order], prepend=-1) == 0)
    starts = np.flatnonzero(~same)
    number = np.arange(len(order)) - np.repeat(starts, np.diff(starts, append=len(order)))
    kept = np.empty(len(order), bool)
    kept[order] = number < n
    return np.asarray(kept | (burst == NOWHERE))
