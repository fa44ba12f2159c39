"""Ratings of many people from Parquet, person by person: in memory is one block of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from generic.errors import RatingsError
from generic.photos.find import printable

COLUMNS = ("user", "image", "score")
_ROWS = 65_536


@dataclass
class Rater:
    """What one person said."""

    user: str
    uris: list[str] = field(default_factory=list)
    """As the manifest calls the photos."""
    scores: list[float] = field(default_factory=list)
    """In her scale's units."""


def read_raters(path: Path) -> Iterator[Rater]:
    """Everybody in a Parquet file, or in a folder of such files taken by their names.

    Args:
        path: the rows of one person follow one another; columns ``user``, ``image``, ``score``.

    Raises:
        RatingsError: there is no such file, a column is missing, a value is, or a person comes twice.
    """
    one: Rater | None = None
    seen: set[str] = set()
    for user, uri, score in _rows(path):
        if one is None or user != one.user:
            if one is not None:
                yield one
            if user in seen:
                raise RatingsError(
                    f"user {user!r} comes twice in {printable(str(path))}; sort the ratings by user"
                )
            seen.add(user)
            one = Rater(user)
        one.uris.append(uri)
        one.scores.append(score)
    if one is not None:
        yield one


def _rows(path: Path) -> Iterator[tuple[str, str, float]]:
    import pyarrow
    import pyarrow.parquet

    files = sorted(path.glob("**/*.parquet")) if path.is_dir() else [path]
    if not files:
        raise RatingsError(f"the folder {printable(str(path))} holds no .parquet file; name one that does")
    for file in files:
        try:
            with pyarrow.parquet.ParquetFile(file) as table:
                for batch in table.iter_batches(_ROWS, columns=list(COLUMNS)):
                    yield from _checked(batch, file)
        except (pyarrow.ArrowException, OSError) as error:
            reason = " ".join(str(error).split())[:200]
            raise RatingsError(
                f"{printable(str(file))} cannot be read as Parquet: {reason}; name a file of ratings"
            ) from None


def _checked(batch: Any, file: Path) -> Iterator[tuple[str, str, float]]:  # noqa: ANN401 - of pyarrow
    missing = [name for name in COLUMNS if name not in batch.schema.names]
    if missing:
        raise RatingsError(
            f"{printable(str(file))} has no column {missing[0]!r}, expected {', '.join(COLUMNS)}; "
            "rename its columns"
        )
    users, uris, scores = (batch[name].to_pylist() for name in COLUMNS)
    numbers = np.array([np.nan if it is None else it for it in scores], np.float64)
    bad = [None in row or not fine for *row, fine in zip(users, uris, np.isfinite(numbers), strict=True)]
    if any(bad):
        row = bad.index(True)
        raise RatingsError(
            f"{printable(str(file))} has the row user {users[row]!r}, image {uris[row]!r}, score "
            f"{scores[row]!r}, "
            "expected a value in each column and a finite score; take the row out"
        )
    yield from zip(map(str, users), map(str, uris), numbers.tolist(), strict=True)
