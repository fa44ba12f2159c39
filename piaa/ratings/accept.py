"""One person's ratings, in whatever form they are given."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, cast

from generic.errors import RatingsError, TooFewRatings
from piaa.ratings.scale import Scale
from piaa.ratings.table import Ratings, read_ratings

if TYPE_CHECKING:
    import pandas as pd

RatingsLike: TypeAlias = (
    "Ratings | str | Path | Mapping[str, float] | Iterable[tuple[str, float]] | pd.DataFrame"
)
"""Every form in which one person's ratings can be given; see :meth:`piaa.people.model.Model.fit_user`."""


def as_ratings(ratings: RatingsLike, scale: Scale | tuple[float, float], user: str) -> Ratings:
    """One person's ratings from any of the forms that :meth:`piaa.people.model.Model.fit_user` takes.

    Raises:
        RatingsError: a row is bad, or the table has no such user.
    """
    span = scale if isinstance(scale, Scale) else Scale(*scale)
    if isinstance(ratings, str | os.PathLike):
        ratings = read_ratings(Path(ratings), scale=span, user=user)
    elif isinstance(ratings, Mapping):
        ratings = Ratings.from_rows([(user, name, score) for name, score in ratings.items()], scale=span)
    elif hasattr(ratings, "columns"):
        ratings = Ratings.from_frame(cast("pd.DataFrame", ratings), scale=span, user=user)
    elif not isinstance(ratings, Ratings):
        try:
            rows = [(user, name, score) for name, score in ratings]
        except (TypeError, ValueError) as error:
            raise RatingsError(
                f"ratings of type {type(ratings).__name__} are not understood; pass a file, a frame with "
                f"columns image and score, a mapping image -> score, or pairs (image, score)"
            ) from error
        ratings = Ratings.from_rows(rows, scale=span)
    if not len(ratings):
        raise TooFewRatings(f"user {user!r} has 0 ratings, but at least 1 is needed; rate some photos first")
    mine: Ratings = ratings.for_user(user)
    return mine
