"""The crowd oracle: what all other raters of a photo thought of it on average, which no model knows.

It is the best that a perfect generic model could do, and a bar for personal ones: an adapter above it
knows a person's taste better than the crowd does. It sees the query photos' ratings by others, so it is
no adapter and competes with none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generic.errors import DatasetError
from piaa.adapters.prediction import Prediction
from piaa.ratings.table import Ratings

CROWD = "crowd oracle"
"""Stands where an adapter's name does."""

_DECIMALS = 12
"""Of a mean: far finer than any two different ones, far coarser than the rounding of a sum."""

Array = NDArray[np.float64]


class CrowdOracle:
    """The leave-one-out mean of a photo's ratings.

    Args:
        ratings: everybody's; a user's own part is taken out of each mean.
        images: the photos that are asked for.
        own: user -> the photos she rated, as rows of ``images``, and her unit scores, both of shape (n,);
            these are ratings of ``ratings``.

    Raises:
        DatasetError: a photo has no other rater.
    """

    def __init__(
        self,
        ratings: Ratings,
        images: Sequence[str],
        own: Mapping[str, tuple[NDArray[np.intp], NDArray[Any]]],
    ) -> None:
        place = {image: row for row, image in enumerate(images)}
        pairs = [(place[image], row) for row, image in enumerate(ratings.images) if image in place]
        rows, kept = np.array(pairs, dtype=np.intp).reshape(-1, 2).T
        totals = np.bincount(rows, weights=ratings.unit_scores[kept], minlength=len(images))
        counts = np.bincount(rows, minlength=len(images))
        alone = {images[row] for chosen, _ in own.values() for row in chosen[counts[chosen] < 2].tolist()}
        if alone:
            raise DatasetError(
                f"the crowd oracle needs a second rater of every photo, but {len(alone)} of {len(images)} "
                f"have none, such as {min(alone)!r}; leave it out"
            )
        # Photos with the same mean must tie: the last bits of a sum would break the tie by its order.
        self._means: dict[str, Array] = {
            user: np.round((totals[chosen] - scores) / (counts[chosen] - 1), _DECIMALS)
            for user, (chosen, scores) in own.items()
        }

    def predict(self, user: str, chosen: NDArray[np.intp]) -> Prediction:
        """The others' mean unit score of some of the user's photos; an oracle has no interval.

        Args:
            user: one of ``own``.
            chosen: which of the user's photos, shape (q,).
        """
        mean = self._means[user][chosen]
        none = np.full(len(mean), np.nan)
        return Prediction(score=mean, low=none, high=none)
