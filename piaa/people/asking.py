"""A batch of questions to a person as it grows: see :mod:`piaa.people.suggest`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from piaa.adapters.prediction import Array
from piaa.adapters.preference import expected_information

_PAIRED = 200
"""Photos of which all pairs are looked at."""


@dataclass(frozen=True, kw_only=True)
class Seconds:
    """What an answer costs a person; None: it is not asked for."""

    rating: float | None = 5.0
    comparison: float | None = 2.0
    """40 % of a rating, as people were measured to take."""


def asking_for(what: str, rating: float, comparison: float) -> Seconds:
    """What ``ratings``, ``comparisons`` or ``both`` cost; what is not asked for costs None."""
    return Seconds(
        rating=None if what == "comparisons" else rating,
        comparison=None if what == "ratings" else comparison,
    )


RATINGS = Seconds(comparison=None)
COMPARISONS = Seconds(rating=None)
BOTH = Seconds()


@dataclass(frozen=True, kw_only=True)
class Suggestion:
    """One photo to rate, or two to compare, and what the answer is expected to teach."""

    row: int
    """Which of the album's rows."""
    other: int | None = None
    """The photo to compare it with; None is a photo to rate."""
    before: float
    """Standard deviation of what the person would give the album's photos, level aside, in unit scores,
    before this answer and after those above."""
    after: float
    """The same after it."""
    gain: float
    """What the answer is expected to add to the SRCC of the album's ranking with her own ratings."""


@dataclass(kw_only=True)
class Asking:
    """A batch of questions as it grows."""

    basis: Array
    """Of the candidates, shape (n, p)."""
    scene: NDArray[np.intp]
    scatter: Array
    mean: Array
    noise: float
    seconds: Seconds
    covariance: Array
    """Of the weights, after the questions that were picked."""
    left: NDArray[np.bool_]
    """Candidates of bursts that were not asked about yet."""

    def picks(self, n: int) -> list[Suggestion]:
        """The next n questions; fewer if there are no more."""
        found: list[Suggestion] = []
        told, open_before = float(self.mean @ self.scatter @ self.mean), self._open
        while len(found) < n and (best := self._best()) is not None:
            before, (row, other, worth) = self._open, best
            self._ask(row, other, worth)
            ranks = [self._srcc(told + open_before, now) for now in (before, self._open)]
            found.append(
                Suggestion(
                    row=row,
                    other=other,
                    before=float(np.sqrt(before)),
                    after=float(np.sqrt(self._open)),
                    gain=ranks[1] - ranks[0],
                )
            )
        return found

    @property
    def _open(self) -> float:
        """Mean variance of the album's scores, level aside."""
        return max(float(np.sum(self.covariance * self.scatter)), 0.0)

    def _srcc(self, spread: float, unknown: float) -> float:
        """Expected SRCC with her ratings, if of the variance of her scores so much is not known."""
        correlation = np.sqrt(max(spread - unknown, 0.0) / (spread + self.noise))
        return float(6 / np.pi * np.arcsin(correlation / 2))

    def _best(self) -> tuple[int, int | None, float] | None:
        """The question of the largest fall for a second, and its precision; None if there is none."""
        both = self.covariance @ self.scatter @ self.covariance
        found: list[tuple[float, int, int | None, float]] = []
        if self.seconds.rating is not None and self.left.any():
            found.append(self._best_rating(both, self.seconds.rating))
        if self.seconds.comparison is not None and len(set(self.scene[self.left].tolist())) > 1:
            found.append(self._best_pair(both, self.seconds.comparison))
        return max(found, key=lambda one: one[0])[1:] if found else None

    def _best_rating(self, both: Array, seconds: float) -> tuple[float, int, None, float]:
        """The fall for a second, the photo, none to compare it with, and the precision of its rating.

        With C' = C - C phi phi^T C / (phi^T C phi + noise) the trace of C scatter falls by
        phi^T C scatter C phi / (phi^T C phi + noise).
        """
        rows = np.flatnonzero(self.left)
        basis = self.basis[rows]
        worth = 1 / (np.einsum("np,np->n", basis @ self.covariance, basis) + self.noise)
        falls = np.einsum("np,np->n", basis @ both, basis) * worth
        place = int(np.argmax(falls))
        return float(falls[place]) / seconds, int(rows[place]), None, float(worth[place])

    def _best_pair(self, both: Array, seconds: float) -> tuple[float, int, int, float]:
        """As of ratings, with phi(one) - phi(other), and a precision that is expected of her answer."""
        rows = np.flatnonzero(self.left)
        apart = self.basis[rows] - self.basis[rows].mean(axis=0)
        far = np.argsort(-np.einsum("np,np->n", apart @ both, apart), kind="stable")[:_PAIRED]
        rows, apart = rows[np.sort(far)], apart[np.sort(far)]
        worth = expected_information(_gaps(apart @ self.mean), _spreads(apart, self.covariance), self.noise)
        falls = _spreads(apart, both) * worth
        falls[self.scene[rows][:, None] == self.scene[rows]] = -np.inf
        one, other = np.unravel_index(int(np.argmax(falls)), falls.shape)
        fall, precision = float(falls[one, other]), float(worth[one, other])
        return fall / seconds, int(rows[one]), int(rows[other]), precision

    def _ask(self, row: int, other: int | None, worth: float) -> None:
        phi = self.basis[row] if other is None else self.basis[row] - self.basis[other]
        reach = self.covariance @ phi
        self.covariance = self.covariance - worth * np.outer(reach, reach)
        for asked in (row,) if other is None else (row, other):
            self.left = self.left & (self.scene != self.scene[asked])


def _gaps(values: Array) -> Array:
    """Differences of n values, shape (n, n)."""
    return np.asarray(values[:, None] - values)


def _spreads(basis: Array, covariance: Array) -> Array:
    """Variances of the differences of n photos, shape (n, n)."""
    gram = basis @ covariance @ basis.T
    alone = np.diag(gram)
    return np.asarray(np.maximum(alone[:, None] + alone - 2 * gram, 0.0))
