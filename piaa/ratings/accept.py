"""One person's ratings, in whatever form they are given."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from generic.errors import RatingsError, TooFewRatings
from piaa.ratings.scale import Scale
from piaa.ratings.table import Duplicates, Ratings, SameFile, read_ratings
from piaa.ratings.values import BadValue, parse_name

if TYPE_CHECKING:
    import pandas as pd

RatingsLike: TypeAlias = (
    "Ratings | str | Path | Mapping[str, float] | Mapping[Path, float] | Iterable[tuple[str | Path, float]]"
    " | pd.DataFrame"
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
        told = (
            "a file, a frame with columns image and score, a mapping image -> score, or pairs (image, score)"
        )
        rows = [(user, name, score) for name, score in _in_twos(ratings, "ratings", told)]
        ratings = Ratings.from_rows(rows, scale=span, duplicates=duplicates, same=same)
    if not len(ratings):
        raise TooFewRatings(f"user {user!r} has 0 ratings, but at least 1 is needed; rate some photos first")
    mine: Ratings = ratings.for_user(user)
    return mine


def as_pairs(pairs: Iterable[tuple[str | Path, str | Path]]) -> list[tuple[str, str]]:
    """Names of the preferred photo and of the other, as text.

    Raises:
        RatingsError: these are no pairs of names, or none at all.
    """
    named = [
        (parse_name(a), parse_name(b)) for a, b in _in_twos(pairs, "comparisons", "pairs (better, worse)")
    ]
    for number, pair in enumerate(named, 1):
        for name in pair:
            if isinstance(name, BadValue):
                raise RatingsError(f"comparison {number}: a photo's name {name.reason}; {name.cure}")
    if not named:
        raise RatingsError("there are 0 comparisons, but at least 1 is needed; compare some photos first")
    return cast("list[tuple[str, str]]", named)


def _in_twos(given: Iterable[Any], what: str, expected: str) -> list[tuple[Any, Any]]:
    """Rows of two values; RatingsError for all else, such as a text or a mapping of two letters or keys."""
    try:
        rows = list(given)
        if any(isinstance(row, str | Mapping) for row in rows):
            raise TypeError
        return [(one, other) for one, other in rows]
    except (TypeError, ValueError) as error:
        raise RatingsError(
            f"{what} of type {type(given).__name__} are not understood; pass {expected}"
        ) from error
