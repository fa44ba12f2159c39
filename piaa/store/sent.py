"""Photos sent to one server of a store are known to all: which picture a file holds, and its vector.

It is a cache. What is here may go at any time, and is then sent, or computed, once more.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from generic.cache.contents import Content
from piaa.store.sql import Database, Sql, insert_many, run_in
from piaa.store.states import checksum

Vector = NDArray[np.float32]
_ROW = 400
"""Bytes that a row takes beside its vector, roughly, with its indexes."""
_OWNED, _OWN = "user", 40
_RENEWED_S = 86400.0
"""How long a file is as good as sent just now, in seconds: what is sent often is seldom written."""
_AT_ONCE = 2000
"""Rows that are deleted in one transaction: nobody is to wait long for it."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Sent:
    """One file that was sent."""

    content: Content
    """Its ``sha256`` is what the file is called: by its hash, or by a name that is its owner's alone."""
    owner: str
    """How all names of its owner's files begin; empty if it is called by its hash."""
    vector: Vector
    """What the network gave for the picture, shape (1 + d,)."""


class SentStore:
    """The photos that were sent to the servers of a store; every method is one transaction.

    Args:
        database: where it lies.
    """

    def __init__(self, database: Database) -> None:
        self.database = database

    def keep(self, sent: Sequence[Sent], network: str) -> None:
        """Keep what was sent, and what a network gave for it.

        Args:
            sent: files.
            network: the network's hash.
        """
        at = time.time()
        files, vectors = {}, {}
        for one in sent:
            name, identity, anew = one.content
            files[name] = {
                "name": name,
                "owner": one.owner,
                "identity": identity,
                "decoded_anew": int(anew),
                "at": at,
            }
            packed = np.ascontiguousarray(one.vector, "<f4").tobytes()
            vectors[one.content.key] = {
                "picture": one.content.key,
                "network": network,
                "vector": packed,
                "checksum": checksum(packed),
                "at": at,
            }
        # In one order for all: two servers that wait for each other's rows would never end.
        with self.database.writing() as sql:
            insert_many(
                sql,
                "sent_files",
                [files[name] for name in sorted(files)],
                "ON CONFLICT (name) DO UPDATE SET identity = excluded.identity,"
                " decoded_anew = excluded.decoded_anew, at = excluded.at",
            )
            insert_many(
                sql,
                "sent_vectors",
                [vectors[key] for key in sorted(vectors)],
                "ON CONFLICT (picture, network) DO UPDATE SET vector = excluded.vector,"
                " checksum = excluded.checksum, at = excluded.at",
            )

    def lacking(self, sent: Sequence[Sent], network: str) -> list[Sent]:
        """Of files those that are not here, whole and with their vector, or were last sent over a day ago.

        Args:
            sent: files.
            network: the network's hash.
        """
        since = time.time() - _RENEWED_S
        known = "SELECT name FROM sent_files WHERE at > :since AND name IN {chosen}"
        with self.database.reading() as sql:
            names = sorted({one.content.sha256 for one in sent})
            files = {name for (name,) in run_in(sql, known, names, since=since)}
            vectors = _vectors(sql, {one.content.key for one in sent}, network, since)
        return [one for one in sent if one.content.sha256 not in files or one.content.key not in vectors]

    def find(self, names: Sequence[str], network: str) -> dict[str, tuple[Content, Vector]]:
        """Of files that are called so, and whose picture the network has seen: what they hold, the vector."""
        with self.database.reading() as sql:
            rows = run_in(
                sql, "SELECT name, identity, decoded_anew FROM sent_files WHERE name IN {chosen}", names
            )
            contents = {name: Content(name, identity, bool(anew)) for name, identity, anew in rows}
            vectors = _vectors(sql, {one.key for one in contents.values()}, network)
        return {name: (one, vectors[one.key]) for name, one in contents.items() if one.key in vectors}

    def vector(self, picture: str, network: str) -> Vector | None:
        """What a network gave for a picture, by its key; None if that is not known."""
        with self.database.reading() as sql:
            return _vectors(sql, [picture], network).get(picture)

    def trim(self, n_bytes: int, since: float) -> int:
        """Forget what was sent longest ago, until the rest takes no more than so many bytes.

        Args:
            n_bytes: about how much may stay.
            since: whatever was sent before this goes as well, in seconds since 1970.

        Returns:
            how many rows went.
        """
        before = max(since, self._oldest_that_fits(n_bytes))
        return sum(
            self._delete_before(table, key, before)
            for table, key in (("sent_files", "name"), ("sent_vectors", "picture"))
        )

    def _oldest_that_fits(self, n_bytes: int) -> float:
        """When the oldest vector was sent of those that may stay."""
        with self.database.reading() as sql:
            n, taken = sql.run("SELECT count(*), coalesce(sum(length(vector)), 0) FROM sent_vectors")[0]
            files = sql.run("SELECT count(*) FROM sent_files")[0][0]
            taken = int(taken) + _ROW * (n + files)
            if taken <= n_bytes:
                return 0.0
            newest = "SELECT at FROM sent_vectors ORDER BY at DESC LIMIT 1 OFFSET :n"
            rows = sql.run(newest, n=int(n * n_bytes / taken))
        return float(rows[0][0]) + 1e-6 if rows else time.time()

    def _delete_before(self, table: str, key: str, before: float) -> int:
        total = 0
        while True:
            with self.database.writing() as sql:
                some = f"SELECT {key} FROM {table} WHERE at < :before ORDER BY at LIMIT :n"  # noqa: S608
                rows = sql.run(
                    f"DELETE FROM {table} WHERE at < :before AND {key} IN ({some}) RETURNING 1",  # noqa: S608
                    before=before,
                    n=_AT_ONCE,
                )
            total += len(rows)
            if len(rows) < _AT_ONCE:
                return total


def forget_sent(
    sql: Sql, user: str, identities: Collection[str], *, all_files: bool = False
) -> tuple[str, ...]:
    """Forget a user's files of pictures, and pictures that nobody else sent or said anything of.

    Args:
        sql: a transaction, in which what she said of them is deleted.
        user: her name.
        identities: the pictures.
        all_files: whether all others that she sent go as well.

    Returns:
        what the files were called.
    """
    own = "SELECT name, identity FROM sent_files WHERE owner = :owner"
    hers = [row for row in sql.run(own, owner=owner_of(user)) if all_files or row[1] in set(identities)]
    run_in(sql, "DELETE FROM sent_files WHERE name IN {chosen}", [name for name, _ in hers])
    pictures = sorted({identity for _, identity in hers} | set(identities))
    held = (
        "SELECT identity FROM sent_files WHERE owner <> '' AND identity IN {chosen}",
        "SELECT identity FROM photos WHERE identity IN {chosen}",
    )
    kept = {identity for statement in held for (identity,) in run_in(sql, statement, pictures)}
    gone = [one for one in pictures if one not in kept]
    rows = run_in(sql, "DELETE FROM sent_files WHERE identity IN {chosen} RETURNING name", gone)
    keys = sorted({Content("", one, anew).key for one in gone for anew in (False, True)})
    run_in(sql, "DELETE FROM sent_vectors WHERE picture IN {chosen}", keys)
    return tuple(name for name, *_ in hers + rows)


def owner_of(user: str) -> str:
    """How all names of a user's files begin; it is no sha256, and tells not who she is."""
    return _OWNED + hashlib.sha256(user.encode()).hexdigest()[: 64 - _OWN - len(_OWNED)]


def name_of(digest: str, user: str | None) -> str:
    """What a file is called; by its owner, so that nobody else's hash means anything: 64 characters."""
    if user is None:
        return digest
    return owner_of(user) + hashlib.sha256(f"{user}\0{digest}".encode()).hexdigest()[:_OWN]


def is_owned(name: str) -> bool:
    """Whether a file is called so by its owner alone."""
    return name.startswith(_OWNED)


def _vectors(sql: Sql, pictures: Collection[str], network: str, since: float = 0.0) -> dict[str, Vector]:
    rows = run_in(
        sql,
        "SELECT picture, vector, checksum FROM sent_vectors"
        " WHERE network = :network AND at > :since AND picture IN {chosen}",
        sorted(pictures),
        network=network,
        since=since,
    )
    return {
        picture: np.frombuffer(vector, "<f4") for picture, vector, kept in rows if checksum(vector) == kept
    }
