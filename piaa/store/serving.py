"""The store as a server asks it for many people at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from piaa.store.sql import Database, run_in
from piaa.store.states import checksum

_ACTIVE = (
    "FROM users JOIN active ON active.user_id = users.id JOIN versions ON versions.id = active.version_id"
    " JOIN models ON models.id = active.model_id WHERE name IN {chosen}"
)


@dataclass(frozen=True, kw_only=True)
class Active:
    """Which version counts for a user now."""

    user: str
    version: int
    adapter: str
    model_hash: str
    scale: tuple[float, float]
    digest: str
    """Hash of the adapter's state: what was computed from the same digest is still right."""


@dataclass(frozen=True, kw_only=True)
class UserRow:
    """One user in a list."""

    number: int
    user: str
    active: int | None
    """The version that was made to count last."""
    n_ratings: int
    """How many ratings of hers count."""


class ServingStore:
    """What scoring many users asks; every method is one transaction.

    Args:
        database: where it lies.
    """

    def __init__(self, database: Database) -> None:
        self.database = database

    def page(self, after: int, n: int) -> list[UserRow]:
        """Up to n users with numbers above ``after``, in the order in which they came."""
        with self.database.reading() as sql:
            rows = sql.run(
                "SELECT id, name, (SELECT number FROM active JOIN versions ON versions.id = version_id"
                " WHERE active.user_id = users.id ORDER BY at DESC, number DESC LIMIT 1),"
                " (SELECT count(*) FROM ratings WHERE user_id = users.id AND ended_by IS NULL)"
                " FROM users WHERE id > :after ORDER BY id LIMIT :n",
                after=after,
                n=n,
            )
        return [
            UserRow(number=number, user=name, active=active, n_ratings=k) for number, name, active, k in rows
        ]

    def active(self, users: Sequence[str], model_hash: str) -> dict[str, Active]:
        """The version that counts for each of these users that has one: of this model, or else of another."""
        columns = "name, number, adapter, hash, versions.scale_low, versions.scale_high, digest"
        found: dict[str, Active] = {}
        with self.database.reading() as sql:
            rows = run_in(sql, f"SELECT {columns} {_ACTIVE}", users)
        for name, version, adapter, model, low, high, digest in rows:
            if name not in found or model == model_hash:
                found[name] = Active(
                    user=name,
                    version=version,
                    adapter=adapter,
                    model_hash=model,
                    scale=(low, high),
                    digest=digest,
                )
        return found

    def linear_forms(self, users: Sequence[str], model_hash: str) -> dict[str, tuple[str, bytes | None]]:
        """Digest and linear form, unless it is damaged, of these users' versions of a model that count."""
        with self.database.reading() as sql:
            rows = run_in(
                sql,
                f"SELECT name, digest, linear_form, form_checksum {_ACTIVE} AND hash = :hash",
                users,
                hash=model_hash,
            )
        return {
            name: (digest, form if form and checksum(form) == kept else None)
            for name, digest, form, kept in rows
        }
