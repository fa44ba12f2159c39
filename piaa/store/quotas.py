"""How much of a store one user may take."""

from __future__ import annotations

from dataclasses import dataclass

from generic.errors import StoreError
from piaa.store.photos import photos_of_user
from piaa.store.sql import Sql, run_in

_ROW = 400
"""Bytes that a rating, comparison or flag takes, roughly, with its indexes."""
_SAID = ("ratings", "comparisons", "flags")


class OverQuota(StoreError):
    """A user would take more of a store than she may."""


@dataclass(frozen=True, kw_only=True)
class Quota:
    """What one user may take; 0 is as much as she likes."""

    photos: int = 0
    """Photos of which she said anything."""
    ratings: int = 0
    """Ratings, comparisons and flags, those that are history included."""
    n_bytes: int = 0
    """Of these, of her photos' vectors, and of her versions."""

    def check(self, sql: Sql, user: int, name: str) -> None:
        """Raises OverQuota unless a user takes no more than she may.

        Args:
            sql: a transaction, with what she says in it.
            user: her number.
            name: what she is called, for the message.

        Raises:
            OverQuota: she takes more; the transaction is to be given up.
        """
        for most, what, count in (
            (self.photos, "photos", _photos),
            (self.ratings, "ratings, comparisons and flags, with their history", _said),
            (self.n_bytes, "bytes", _bytes),
        ):
            if most and (n := count(sql, user)) > most:
                raise OverQuota(
                    f"user {name!r} would have {n} {what}, and at most {most} may be; withdraw some ratings, "
                    "or ask whoever runs the server for more"
                )


def _photos(sql: Sql, user: int) -> int:
    return len(photos_of_user(sql, user))


def _said(sql: Sql, user: int) -> int:
    count = "SELECT count(*) FROM {} WHERE user_id = :user"
    return sum(int(sql.run(count.format(table), user=user)[0][0]) for table in _SAID)


def _bytes(sql: Sql, user: int) -> int:
    versions = sql.run(
        "SELECT coalesce(sum(length(state) + coalesce(length(linear_form), 0)), 0) FROM versions"
        " WHERE user_id = :user",
        user=user,
    )
    vectors = run_in(
        sql,
        "SELECT coalesce(sum(length(vector)), 0) FROM vectors WHERE photo_id IN {chosen}",
        photos_of_user(sql, user),
    )
    return int(sum(row[0] for row in versions + vectors)) + _ROW * _said(sql, user)
