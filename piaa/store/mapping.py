"""What it takes to work out a model's vectors of photos that are gone, from those of another model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from piaa.store.photos import keep_vectors
from piaa.store.sql import Database, Rows, Sql, run_in
from piaa.store.states import checksum

Vectors = NDArray[np.float32]
_MOST = 20_000
"""Photos that a map is learned from: a map has some thousand numbers a column at most."""
_BOTH = (
    "FROM vectors AS one JOIN vectors AS two ON two.photo_id = one.photo_id"
    " JOIN models AS old ON old.id = one.model_id JOIN models AS new ON new.id = two.model_id"
    " WHERE old.hash = :old AND new.hash = :new AND one.mapped = 0 AND two.mapped = 0"
)
_SAID = (
    "SELECT photo_id FROM ratings WHERE ended_by IS NULL"
    " UNION SELECT photo_id FROM comparisons WHERE ended_by IS NULL"
    " UNION SELECT other_id FROM comparisons WHERE ended_by IS NULL"
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Pairs:
    """Photos of which two models have a vector."""

    photos: NDArray[np.int64]
    """Their numbers, shape (n,)."""
    old: Vectors
    """Shape (n, 1 + d_old)."""
    new: Vectors
    """Shape (n, 1 + d_new)."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Judge:
    """Somebody's ratings of such photos."""

    user: str
    rows: NDArray[np.int64]
    """Of :class:`Pairs`, shape (k,)."""
    scores: NDArray[np.float64]
    """Unit scores, shape (k,)."""


class MapStore:
    """Vectors of two models in a store; every method is one transaction.

    Args:
        database: where it lies.
    """

    def __init__(self, database: Database) -> None:
        self.database = database

    def model_before(self, new: str) -> str | None:
        """The model with vectors of most photos that somebody said something of and ``new`` has none of."""
        with self.database.reading() as sql:
            rows = sql.run(f"SELECT models.hash, count(*) {_gone(_SAID)} GROUP BY models.hash", new=new)
        return max(((int(n), str(one)) for one, n in rows), default=(0, None))[1]

    def pairs(self, old: str, new: str) -> Pairs:
        """Photos of which both models have a vector, as far as these are whole."""
        with self.database.reading() as sql:
            rows = sql.run(
                f"SELECT one.photo_id, one.vector, one.checksum, two.vector, two.checksum {_BOTH}"
                " ORDER BY one.photo_id LIMIT :most",
                old=old,
                new=new,
                most=_MOST,
            )
        whole = [row for row in rows if (checksum(row[1]), checksum(row[3])) == (row[2], row[4])]
        return Pairs(
            photos=np.array([row[0] for row in whole], np.int64),
            old=_stacked([row[1] for row in whole]),
            new=_stacked([row[3] for row in whole]),
        )

    def judges(self, pairs: Pairs, least: int, most: int) -> list[Judge]:
        """People with ratings of at least so many of these photos, those with most first; at most so many."""
        row_of = {int(photo): row for row, photo in enumerate(pairs.photos)}
        chosen = (
            "SELECT name, photo_id, (score - ratings.scale_low) / (ratings.scale_high - ratings.scale_low)"
            " FROM ratings JOIN users ON users.id = user_id WHERE ended_by IS NULL AND photo_id IN {chosen}"
        )
        by_user: dict[str, list[tuple[int, float]]] = {}
        with self.database.reading() as sql:
            for name, photo, score in run_in(sql, chosen, sorted(row_of)):
                by_user.setdefault(str(name), []).append((row_of[photo], float(score)))
        found = sorted(by_user.items(), key=lambda one: (-len(one[1]), one[0]))
        return [
            Judge(
                user=user,
                rows=np.array([row for row, _ in sorted(rated)], np.int64),
                scores=np.array([score for _, score in sorted(rated)]),
            )
            for user, rated in found[:most]
            if len(rated) >= least
        ]

    def gone(self, old: str, new: str, users: Sequence[str]) -> dict[int, Vectors]:
        """Old vectors of photos that these people said something of and ``new`` has none of, by number."""
        found: dict[int, Vectors] = {}
        with self.database.reading() as sql:
            for user in users:
                for photo, vector, kept in _gone_of(sql, user, old, new):
                    if checksum(vector) == kept:
                        found[int(photo)] = np.frombuffer(vector, "<f4")
        return found

    def keep(self, vectors: Mapping[int, Vectors], new: str) -> None:
        """Keep vectors that were worked out, of photos by number; where the model has its own it stays."""
        with self.database.writing() as sql:
            sql.hold_photos()
            there = {
                photo
                for (photo,) in run_in(sql, "SELECT id FROM photos WHERE id IN {chosen}", sorted(vectors))
            }
            keep_vectors(
                sql, {photo: one for photo, one in vectors.items() if photo in there}, new, mapped=True
            )


def _gone(said: str) -> str:
    """The rest of a query for vectors of photos among those said of which ``:new`` has none."""
    return (
        f"FROM vectors JOIN models ON models.id = model_id WHERE mapped = 0 AND photo_id IN ({said})"  # noqa: S608
        " AND NOT EXISTS (SELECT 1 FROM vectors AS other JOIN models AS new ON new.id = other.model_id"
        " WHERE other.photo_id = vectors.photo_id AND new.hash = :new)"
    )


def _gone_of(sql: Sql, user: str, old: str, new: str) -> Rows:
    own = " AND user_id = (SELECT id FROM users WHERE name = :user)"
    said = _SAID.replace("ended_by IS NULL", f"ended_by IS NULL{own}")
    query = f"SELECT photo_id, vector, checksum {_gone(said)} AND models.hash = :old"
    return sql.run(query, user=user, old=old, new=new)


def _stacked(vectors: Sequence[bytes]) -> Vectors:
    if not vectors:
        return np.zeros((0, 0), np.float32)
    return np.stack([np.frombuffer(one, "<f4") for one in vectors])
