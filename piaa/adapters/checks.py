"""What adapters check of what they are given, and that they were fitted."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from generic.errors import NotFitted, ShapeError, TooFewRatings, TooLarge
from generic.words import counted
from piaa.adapters.prediction import Array, State


def check_support(features: NDArray[Any], unit_scores: NDArray[Any]) -> tuple[Array, Array]:
    """The support as float64, checked.

    Raises:
        TooFewRatings: there is no rating at all.
        ShapeError: the shapes are not (k, 1 + d) and (k,), or a number is not finite.
    """
    x, y = np.asarray(features, dtype=np.float64), np.asarray(unit_scores, dtype=np.float64)
    if x.ndim != 2 or y.shape != x.shape[:1]:
        raise ShapeError(
            f"features of shape {x.shape} and scores of shape {y.shape}; expected (k, 1 + d) and (k,)"
        )
    if not len(y):
        raise TooFewRatings("an adapter was given 0 ratings, but it needs at least 1; rate some photos first")
    check_finite(x, "features")
    check_finite(y[:, None], "scores")
    return x, y


_CURES = {"ratings": "use --adapter auto"}


def check_most(k: int, most: int | None, name: str, what: str = "ratings") -> None:
    """Make sure that an adapter can learn from k ratings within minutes.

    Raises:
        TooLarge: they are more than the most that it takes.
    """
    if most is not None and k > most:
        raise TooLarge(
            f"adapter {name!r} was given {k:,} {what}, but it takes at most {most:,}, as its time and "
            f"memory grow faster than they do; {_CURES.get(what, 'leave out some of them')}"
        )


def check_finite(rows: Array, what: str) -> None:
    """Make sure that every number of every row is finite.

    Raises:
        ShapeError: some are not; the message names the first row.
    """
    bad = np.flatnonzero(~np.isfinite(rows).all(axis=1))
    if len(bad):
        raise ShapeError(
            f"{what} of {len(bad)} of {counted(len(rows), 'photo')} are not finite numbers, the first in row "
            f"{bad[0]}; leave these photos out, or compute them again"
        )


def check_width(x: Array, width: int, name: str) -> None:
    """Make sure that these are vectors of the width that the adapter knows.

    Raises:
        ShapeError: they are not.
    """
    if x.ndim != 2 or x.shape[1] != width:
        raise ShapeError(
            f"features of shape {x.shape}, but adapter {name!r} was fitted on vectors of {width} numbers; "
            f"expected (n, {width}), from the same model"
        )


def fitted(state: State | None, name: str) -> State:
    """The state of a fitted adapter.

    Raises:
        NotFitted: there is none.
    """
    if state is None:
        raise NotFitted(f"adapter {name!r} is not fitted; call fit(features, unit_scores) first")
    return state
