"""The store as a server asks it for many people at once."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from piaa.store.photos import keep_vectors
from piaa.store.recent import Recent
from piaa.store.sql import Database, run_in
from piaa.store.states import checksum

_COUNTING = (
    "SELECT name, version_id, at FROM users JOIN active ON active.user_id = users.id WHERE name IN {chosen}"
)
_VERSIONS = (
    "SELECT versions.id, name, number, adapter, hash, versions.scale_low, versions.scale_high, digest"
    " FROM versions JOIN users ON users.id = versions.user_id JOIN models ON models.id = versions.model_id"
    " WHERE versions.id IN {chosen}"
)
_VERSION, _REMEMBERED = 1000, 2**26
"""Bytes that one version takes in memory, roughly, and all that are remembered."""
_ACTIVE = (
    "FROM users JOIN active ON active.user_id = users.id JOIN versions ON versions.id = active.version_id"
    " JOIN models ON models.id = active.model_id WHERE name IN {chosen}"
)

_OWN = (
    "SELECT sha256, identity, vector, checksum FROM file_digests"
    " JOIN photos ON photos.id = file_digests.photo_id"
    " JOIN vectors ON vectors.photo_id = photos.id JOIN models ON models.id = model_id"
    " WHERE hash = :hash AND mapped = 0 AND sha256 IN {chosen} AND photos.id IN"
    " (SELECT photo_id FROM ratings WHERE user_id = :user"
    " UNION SELECT photo_id FROM flags WHERE user_id = :user"
    " UNION SELECT photo_id FROM comparisons WHERE user_id = :user"
    " UNION SELECT other_id FROM comparisons WHERE user_id = :user)"
)

_LEFT = (
    "FROM active JOIN models AS old ON old.id = active.model_id JOIN users ON users.id = active.user_id"
    " JOIN versions ON versions.id = active.version_id WHERE old.hash = :before AND NOT EXISTS"
    " (SELECT 1 FROM active AS other JOIN models AS new ON new.id = other.model_id"
    " WHERE new.hash = :now AND other.user_id = active.user_id)"
)
_SAID = (
    "SELECT user_id, photo_id FROM ratings WHERE ended_by IS NULL"
    " UNION ALL SELECT user_id, photo_id FROM comparisons WHERE ended_by IS NULL"
    " UNION ALL SELECT user_id, other_id FROM comparisons WHERE ended_by IS NULL"
)

_READY = (
    f"SELECT name, adapter {_LEFT} AND NOT EXISTS (SELECT 1 FROM jobs WHERE"  # noqa: S608  (our own words)
    " jobs.user_id = active.user_id AND state IN ('queued', 'running'))"
    f" AND NOT EXISTS (SELECT 1 FROM ({_SAID}) AS said WHERE said.user_id = active.user_id"
    " AND NOT EXISTS (SELECT 1 FROM vectors JOIN models ON models.id = vectors.model_id"
    " WHERE vectors.photo_id = said.photo_id AND hash = :now))"
)


_LACKING = (
    f"SELECT said.id, identity, vector, checksum FROM (SELECT id, identity FROM photos WHERE id > :after"  # noqa: S608  (our own words)
    f" AND id IN (SELECT photo_id FROM ({_SAID}) AS judged)) AS said"
    " LEFT JOIN vectors ON photo_id = said.id AND mapped = 0"
    " AND model_id = (SELECT id FROM models WHERE hash = :before)"
    " WHERE NOT EXISTS (SELECT 1 FROM vectors AS other JOIN models ON models.id = other.model_id"
    " WHERE other.photo_id = said.id AND other.mapped = 0 AND hash = :now) ORDER BY said.id LIMIT :n"
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

    @cached_property
    def key(self) -> str:
        """Of what is computed from it."""
        return f"{self.adapter} {self.model_hash} {self.digest}"


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
        self._known = Recent(_REMEMBERED)

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

    def active(self, users: Sequence[str], models: Sequence[str]) -> dict[str, Active]:
        """The version that counts for each of these users that has one.

        Args:
            users: who.
            models: hashes; one of the first of them that the user has, or else of another model.
        """
        order = {model: place for place, model in enumerate(models)}
        found: dict[str, Active] = {}
        for one in self._counting(users):
            known = found.get(one.user)
            if known is None or order.get(one.model_hash, len(order)) < order.get(
                known.model_hash, len(order)
            ):
                found[one.user] = one
        return found

    def _counting(self, users: Sequence[str]) -> list[Active]:
        """All versions that count of these users, one for each model.

        What a version is never changes, and lies in the row behind its state, where reading takes long.
        A row's number may be given to a later version, but that is made to count at another time.
        """
        with self.database.reading() as sql:
            rows = run_in(sql, _COUNTING, users)
            known = self._known.get_all(rows)
            missing = {row[1]: row for row in rows if row not in known}
            for number, *facts in run_in(sql, _VERSIONS, list(missing)):
                name, version, adapter, model, low, high, digest = facts
                known[missing[number]] = Active(
                    user=name,
                    version=version,
                    adapter=adapter,
                    model_hash=model,
                    scale=(low, high),
                    digest=digest,
                )
        for row in missing.values():
            self._known.put(row, known[row], _VERSION)
        return [known[row] for row in rows]

    def photos_of(
        self, user: str, digests: Sequence[str], model_hash: str
    ) -> dict[str, tuple[str, NDArray[np.float32]]]:
        """Of these hashes of files those of photos that a user judged: identity and vector."""
        with self.database.reading() as sql:
            number = sql.run("SELECT id FROM users WHERE name = :name", name=user)
            rows = run_in(sql, _OWN, digests, user=number[0][0], hash=model_hash) if number else []
        return {
            sha256: (identity, np.frombuffer(vector, "<f4"))
            for sha256, identity, vector, kept in rows
            if checksum(vector) == kept
        }

    def complete(self, vectors: Mapping[str, NDArray[np.float32]], model_hash: str) -> int:
        """Keep a model's vectors of those photos, by identity, that somebody rated and that have none of it.

        Returns:
            how many there were.
        """
        missing = (
            "SELECT id, identity FROM photos WHERE identity IN {chosen} AND NOT EXISTS (SELECT 1 FROM vectors"
            " JOIN models ON models.id = model_id WHERE photo_id = photos.id AND hash = :hash"
            " AND mapped = 0)"
        )
        with self.database.reading() as sql:
            if not run_in(sql, missing, sorted(vectors), hash=model_hash):
                return 0
        with self.database.writing() as sql:
            sql.hold_photos()
            rows = run_in(sql, missing, sorted(vectors), hash=model_hash)
            keep_vectors(sql, {number: vectors[identity] for number, identity in rows}, model_hash)
        return len(rows)

    def lacking(
        self, now: str, before: str, after: int, n: int
    ) -> list[tuple[int, str, NDArray[np.float32] | None]]:
        """Photos that somebody judged without a vector of now: number, identity, vector of before.

        Args:
            now: hash of a model.
            before: likewise; a photo has none of its own vectors, or a damaged one, where there is None.
            after: only photos of higher numbers, in their order.
            n: at most so many.
        """
        with self.database.reading() as sql:
            rows = sql.run(_LACKING, now=now, before=before, after=after, n=n)
        return [
            (number, identity, np.frombuffer(vector, "<f4") if vector and checksum(vector) == kept else None)
            for number, identity, vector, kept in rows
        ]

    def n_left(self, now: str, before: str) -> int:
        """How many users have a version that counts of the model of before, and none of the one of now."""
        with self.database.reading() as sql:
            return int(sql.run(f"SELECT count(*) {_LEFT}", now=now, before=before)[0][0])

    def ready_to_move(self, now: str, before: str, tried: Collection[str]) -> list[tuple[str, str]]:
        """Of them those with vectors of now of all that they said and no fit that waits: name, adapter."""
        with self.database.reading() as sql:
            rows = sql.run(_READY, now=now, before=before)
        return [(user, adapter) for user, adapter in rows if user not in tried]

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
