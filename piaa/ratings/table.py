"""Ratings, the one table: who gave which image what score, on which scale.

Every dataset and every person becomes this table. A ``Ratings`` object is always clean:
whoever holds one need not check names, scores or repeated pairs again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self, TypeAlias

import numpy as np

from generic.errors import RatingsError, ShapeError
from piaa.ratings.columns import ALIASES as ALIASES
from piaa.ratings.columns import RATINGS
from piaa.ratings.files.problems import BadRowsError as BadRowsError
from piaa.ratings.files.problems import RowProblem as RowProblem
from piaa.ratings.files.read import RawTable, read_table
from piaa.ratings.rows import Duplicates as Duplicates
from piaa.ratings.rows import check_rows
from piaa.ratings.scale import Scale

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray


SameFile: TypeAlias = Callable[[Iterable[str]], Mapping[str, object]]
"""Finds the file of each name, as far as there is one."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Ratings:
    """A clean table of ratings, one row per (user, image) pair.

    Raises:
        ShapeError: the three columns differ in length.
        BadRowsError: a name is empty, a score is not on the scale, or a pair is repeated.

    Example:
        >>> ratings = Ratings.from_rows([("ana", "a.jpg", 4), ("ana", "b.jpg", 1)], scale=Scale(1, 5))
        >>> ratings.unit_scores.tolist()
        [0.75, 0.0]
    """

    users: tuple[str, ...]
    """Who rated, per row."""

    images: tuple[str, ...]
    """What was rated, per row; names as the table gives them, to be found with ``locate_images``."""

    scores: NDArray[np.float64]
    """Shape (n,), in the units of ``scale``, within it; read-only."""

    scale: Scale
    """What the scores could have been."""

    source: str = "the ratings"
    """The table's name for messages; a path where it came from a file. Not part of equality."""

    notes: tuple[str, ...] = ()
    """What to know of how it was read, such as how many photos are unrated. Not part of equality."""

    def __post_init__(self) -> None:
        users, images = tuple(self.users), tuple(self.images)
        scores = np.array(self.scores, dtype=np.float64)
        if scores.shape != (len(users),) or len(images) != len(users):
            raise ShapeError(
                f"{self.source}: {len(users)} users, {len(images)} images and scores of shape "
                f"{scores.shape}, expected as many of each; give one of each per row"
            )
        scores.setflags(write=False)
        for name, value in (("users", users), ("images", images), ("scores", scores)):
            object.__setattr__(self, name, value)
        if not self._is_clean():
            table = _raw_table(self.users, self.images, self.scores.tolist(), source=self.source)
            check_rows(table, scale=self.scale, duplicates="error", strict=True)

    def _is_clean(self) -> bool:
        """The checks of ``check_rows`` without its report, several times faster."""
        names_are_set = all(map(str.strip, self.users)) and all(map(str.strip, self.images))
        n_pairs = len(set(zip(self.users, self.images, strict=True)))
        return names_are_set and n_pairs == self.n and bool(self.scale.contains(self.scores).all())

    @classmethod
    def from_rows(
        cls,
        rows: Iterable[tuple[str, str | Path, float]],
        *,
        scale: Scale,
        duplicates: Duplicates = "error",
        source: str = "the ratings",
        same: SameFile | None = None,
    ) -> Self:
        """Build the table from (user, image, score) rows, scores in the units of ``scale``.

        Args:
            rows: every one with a score.
            scale: the units of the scores.
            duplicates: what to do when a user rated an image twice.
            source: the table's name for messages.
            same: see :func:`read_ratings`.

        Raises:
            BadRowsError: rows are bad; the message counts them from 1.
        """
        # The unpacking names its parts so that a row of another length fails here.
        listed = [(user, image, score) for user, image, score in rows]
        users, images, scores = zip(*listed, strict=True) if listed else ((), (), ())
        table = _raw_table(users, images, scores, source=source)
        return cls._checked(table, scale=scale, duplicates=duplicates, strict=True, same=same)

    @classmethod
    def from_frame(
        cls,
        frame: pd.DataFrame,
        *,
        scale: Scale,
        user: str | None = None,
        duplicates: Duplicates = "error",
        source: str = "the data frame",
        same: SameFile | None = None,
    ) -> Self:
        """Build the table from a data frame with the columns that ``read_ratings`` knows.

        Args:
            frame: one row per photo; its index is ignored, NaN and None count as empty.
            scale: the units of the scores.
            user: to whom all rows belong when there is no user column.
            duplicates: what to do when a user rated an image twice.
            source: the frame's name for messages.
            same: see :func:`read_ratings`.

        Raises:
            RatingsError: columns are missing or ambiguous, or rows are bad (counted from 1).
        """

        def values(place: int) -> Sequence[object]:
            cells = frame.iloc[:, place]
            return [None if empty else cell for cell, empty in zip(cells.tolist(), cells.isna(), strict=True)]

        table = RawTable(
            source=source,
            names=tuple(str(name).strip() for name in frame.columns),
            lines=range(1, len(frame) + 1),
            column=values,
        )
        return cls._checked(table, scale=scale, duplicates=duplicates, user=user, same=same)

    @classmethod
    def _checked(
        cls,
        table: RawTable,
        *,
        scale: Scale,
        duplicates: Duplicates,
        user: str | None = None,
        strict: bool = False,
        same: SameFile | None = None,
    ) -> Self:
        rows = check_rows(table, scale=scale, duplicates=duplicates, user=user, strict=strict, same=same)
        return cls(**rows._asdict(), scale=scale, source=table.source)

    @property
    def n(self) -> int:
        """The number of ratings."""
        return len(self.users)

    def __len__(self) -> int:
        return self.n

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Ratings):
            return NotImplemented
        same_names = self.users == other.users and self.images == other.images and self.scale == other.scale
        return same_names and np.array_equal(self.scores, other.scores)

    @property
    def unit_scores(self) -> NDArray[np.float64]:
        """Shape (n,), in [0, 1]."""
        return self.scale.to_unit(self.scores)

    @cached_property
    def _rows_by_user(self) -> dict[str, list[int]]:
        rows: dict[str, list[int]] = {}
        for row, user in enumerate(self.users):
            rows.setdefault(user, []).append(row)
        return rows

    def user_names(self) -> list[str]:
        """Every user once, in order of first appearance."""
        return list(self._rows_by_user)

    def take(self, rows: Sequence[int] | NDArray[np.intp] | NDArray[np.bool_]) -> Ratings:
        """The table of some rows only.

        Args:
            rows: shape (m,), row numbers from 0, each once, in the order wanted; or a mask of shape (n,).

        Raises:
            IndexError: a row number is not below n, or the mask has another length.
        """
        chosen = np.arange(self.n)[rows if isinstance(rows, np.ndarray) else list(rows)]
        return Ratings(
            users=tuple(self.users[row] for row in chosen),
            images=tuple(self.images[row] for row in chosen),
            scores=self.scores[chosen],
            scale=self.scale,
            source=self.source,
            notes=self.notes,
        )

    def for_user(self, user: str) -> Ratings:
        """The ratings of one user, in the order of the table.

        Raises:
            RatingsError: the table has no such user; the message names similar ones.
        """
        if user not in self._rows_by_user:
            raise RatingsError(self._no_such_user(user))
        return self.take(self._rows_by_user[user])

    def _no_such_user(self, user: str) -> str:
        from difflib import get_close_matches

        names = self.user_names()
        close = get_close_matches(user, names, n=3) or (names if len(names) <= 3 else [])
        users = "user" if len(names) == 1 else "users"
        cure = (
            f"did you mean {' or '.join(map(repr, close))}?"
            if close
            else "check the name's spelling and case"
        )
        return f"{self.source} has no ratings by {user!r} among its {len(names)} {users}; {cure}"

    def to_frame(self) -> pd.DataFrame:
        """A data frame with the columns user, image and score, in the units of the scale."""
        import pandas as pd

        return pd.DataFrame({"user": self.users, "image": self.images, "score": self.scores})


def read_ratings(
    path: str | Path,
    *,
    scale: Scale,
    user: str | None = None,
    duplicates: Duplicates = "error",
    strict: bool = False,
    same: SameFile | None = None,
) -> Ratings:
    """Read and check a file of ratings; docs/tables.md says what is understood.

    The formats are ``.csv``, ``.tsv``, ``.txt``, ``.json``, ``.jsonl``, ``.ndjson``, ``.xlsx`` and
    ``.parquet``; the columns may have any of the names in ``ALIASES``, in any order and case, among others.

    Args:
        path: the file.
        scale: the units of the scores; a score outside it is an error.
        user: to whom all rows belong when the table has no user column. A table that has one
            is read whole, since validation covers all of it; pick with ``for_user``.
        duplicates: what to do when a user rated an image twice: ``error``, keep the ``last``
            score, or take the ``mean``; the row stays where the pair first appeared.
        strict: whether every row must have a score. Else rows that are blank, or 0 or -1 outside of the
            scale, are photos that nobody rated or that were rejected; they are left out, and the notes count
            them.
        same: finds the file of each name, as far as there is one: names of one file are one image, under the
            first of them. Such as ``lambda names: locate_images(names, folder)[0]``.

    Returns:
        the clean table, in the order of the file.

    Raises:
        RatingsError: the file cannot be read, columns are missing or ambiguous, or its scores are what piaa
            predicted.
        BadRowsError: rows are bad; it lists every one of them.
    """
    if user is not None and not user.strip():
        raise RatingsError("the user's name is empty, expected a name; pass --user NAME")
    table = read_table(Path(path), RATINGS)
    ratings = Ratings._checked(table, scale=scale, duplicates=duplicates, user=user, strict=strict, same=same)
    if not len(ratings):
        if table.n_rows:
            raise RatingsError(f"{ratings.notes[-1]}; rate some of these photos")
        raise RatingsError(table.without_rows("ratings", "add one row per rating"))
    return ratings


def _raw_table(
    users: Sequence[object], images: Sequence[object], scores: Sequence[object], *, source: str
) -> RawTable:
    columns = (users, images, scores)
    return RawTable(
        source=source, names=RATINGS.columns, lines=range(1, len(users) + 1), column=columns.__getitem__
    )
