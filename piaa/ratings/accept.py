"""One person's ratings, in whatever form they are given."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, cast

from generic.errors import RatingsError, TooFewRatings
from piaa.ratings.scale import Scale
from piaa.ratings.table import Duplicates, Ratings, SameFile, read_ratings

if TYPE_CHECKING:
    import pandas as pd

RatingsLike: TypeAlias = (
    "Ratings | str | Path | Mapping[str, float] | Iterable[tuple[str, float]] | pd.DataFrame"
)
"""Every form in which one person's ratings can be given; see :meth:`piaa.people.model.Model.fit_user`."""


def as_ratings(
    ratings: RatingsLike,
    scale: Scale | tuple[float, float],
    user: str,
    *,
    duplicates: Duplicates = "error",
    same: SameFile | None = None,
) -> Ratings:
    """One person's ratings from any of the forms that :meth:`piaa.people.model.Model.fit_user` takes.

    Args:
        ratings: in one of these forms.
        scale: lowest and highest score that could be given.
        user: whose they are; picks her rows if there are several users.
        duplicates: what to do with a photo that is rated twice.
        same: see :func:`piaa.ratings.table.read_ratings`.

    Raises:
        RatingsError: a row is bad, or the table has no such user.
    """
    span = scale if isinstance(scale, Scale) else Scale(*scale)
    if isinstance(ratings, str | os.PathLike):
        ratings = read_ratings(Path(ratings), scale=span, user=user, duplicates=duplicates, same=same)
    elif isinstance(ratings, Mapping):
        rows = [(user, name, score) for name, score in ratings.items()]
        ratings = Ratings.from_rows(rows, scale=span, duplicates=duplicates, same=same)
    elif hasattr(ratings, "columns"):
        frame = cast("pd.DataFrame", ratings)
        ratings = Ratings.from_frame(frame, scale=span, user=user, duplicates=duplicates, same=same)
    elif not isinstance(ratings, Ratings):
        try:
            rows = [(user, name, score) for name, score in ratings]
        except (TypeError, ValueError) as error:
            raise RatingsError(
                f"ratings of type {type(ratings).__name__} are not understood; pass a file, a frame with "
                f"columns image and score, a mapping image -> score, or pairs (image, score)"
            ) from error
        ratings = Ratings.from_rows(rows, scale=span, duplicates=duplicates, same=same)
    if not len(ratings):
        raise TooFewRatings(f"user {user!r} has 0 ratings, but at least 1 is needed; rate some photos first")
    mine: Ratings = ratings.for_user(user)
    return mine
