"""Which photos each person is asked about, from Parquet: a part of all, such as last week's, or her own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from generic.errors import RatingsError
from generic.photos.find import printable

COLUMNS = ("user", "image")
_BYTES = 200
"""Memory that one candidate takes, about: a place in a list, and its photo's name."""


class Candidates:
    """The photos that some people are asked about.

    Args:
        path: a Parquet file, or a folder of them, with the columns ``user`` and ``image``; quickest if they
            are sorted by user.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def of(self, users: Sequence[str]) -> dict[str, list[int]]:
        """Of each photo, by its URI, the people who are asked about it, as rows of ``users``.

        Raises:
            RatingsError: there is no such file, or a column is missing.
        """
        import pyarrow
        import pyarrow.parquet

        try:
            table = pyarrow.parquet.read_table(
                self._path, columns=list(COLUMNS), filters=[("user", "in", list(users))]
            )
            names, uris = (table[name].to_pylist() for name in COLUMNS)
        except (pyarrow.ArrowException, OSError, KeyError) as error:
            reason = " ".join(str(error).split())[:200]
            raise RatingsError(
                f"{printable(str(self._path))} cannot be read as Parquet with the columns "
                f"{' and '.join(COLUMNS)}: {reason}; name a file of candidates"
            ) from None
        rows = {user: row for row, user in enumerate(users)}
        asked: dict[str, set[int]] = {}
        for user, uri in zip(names, uris, strict=True):
            asked.setdefault(uri, set()).add(rows[user])
        return {uri: sorted(some) for uri, some in asked.items()}

    def n_bytes(self, n_users: int) -> int:
        """Memory that the candidates of one person take, about.

        Args:
            n_users: how many people there are.

        Raises:
            RatingsError: there is no such file.
        """
        import pyarrow.dataset

        try:
            n = int(pyarrow.dataset.dataset(self._path, format="parquet").count_rows())
        except (pyarrow.ArrowException, OSError) as error:
            reason = " ".join(str(error).split())[:200]
            raise RatingsError(
                f"{printable(str(self._path))} cannot be read as Parquet: {reason}; name a file of candidates"
            ) from None
        return _BYTES * -(-n // max(1, n_users))


def pairs_of(asked: dict[str, list[int]], uris: Sequence[str]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """People and photos of a shard that are to be scored: rows of both, shape (m,) each.

    Example:
        >>> pairs_of({"b": [0, 2]}, ["a", "b"])
        (array([0, 2]), array([1, 1]))
    """
    found = [(row, column) for column, uri in enumerate(uris) for row in asked.get(uri, ())]
    rows, columns = zip(*found, strict=True) if found else ((), ())
    return np.array(rows, np.intp), np.array(columns, np.intp)
