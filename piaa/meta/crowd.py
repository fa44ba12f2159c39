"""What other people think of the photos that a training user rated."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from piaa.meta.episodes import Rater
from piaa.meta.head import Array


class Crowd:
    """What the raters of each photo have in common beyond its generic score: the best linear prediction.

    A rating minus the generic score is modelled as what the generic model gets wrong on the photo plus what
    is the rater's own. The variances of both are estimated from the training users by the method of moments
    (one-way random effects; Searle, Casella & McCulloch, Variance Components, 1992, chapter 3), so that the
    more raters a photo has, and the worse the generic model is, the more the raters count.

    Args:
        n_photos: rows of the vectors.
        raters: the training users.
    """

    def __init__(self, n_photos: int, raters: Sequence[Rater]) -> None:
        self._total, self._count = np.zeros(n_photos), np.zeros(n_photos)
        squares = 0.0
        for rater in raters:
            np.add.at(self._total, rater.rows, rater.targets)
            np.add.at(self._count, rater.rows, 1.0)
            squares += float(rater.targets @ rater.targets)
        seen = self._count > 0
        n, n_seen = float(self._count.sum()), int(seen.sum())
        between = float((self._total[seen] ** 2 / self._count[seen]).sum())
        within = max(squares - between, 0.0)
        self._own = within / (n - n_seen) if n > n_seen else 1.0
        # Where nobody shares a photo with another, nothing is known of what people have in common.
        self._common = max((between - n_seen * self._own) / n, 0.0) if n > n_seen else 0.0

    def without(self, rows: NDArray[np.intp], targets: Array) -> Array:
        """How far a photo's other raters, as far as they can be trusted, say it lies above the generic score.

        A user's own rating in it would be on both sides of what is learned: with few raters of a photo she
        would seem to agree with the crowd, or to differ from it, because she is the crowd.

        Args:
            rows: photos that one of the raters rated, shape (n,).
            targets: her ratings of them, as in :class:`Rater`, shape (n,).

        Returns:
            shape (n,); 0 where there is no other rater.
        """
        spread = self._own + (self._count[rows] - 1.0) * self._common
        return np.asarray((self._total[rows] - targets) * self._common / np.where(spread > 0, spread, 1.0))
