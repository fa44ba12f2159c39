"""The adapter store: every user's fitted adapters, in versions, in one SQLite file.

Each operation opens the file, does its work in one transaction and closes it again: a store object
holds nothing open, and may be used from any thread and process.
"""

from __future__ import annotations

import datetime
import difflib
import json
import shlex
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from generic.errors import ModelMismatch, StoreError, UnknownUser
from piaa.store_file import StoreFile, default_store_path
from piaa.stored import (
    AdapterRecord,
    StoredAdapter,
    StoredRating,
    UserSummary,
    VersionSummary,
    check_user,
)
from piaa.user_file import read_user_file, write_user_file

_SUMMARY = (
    "version, adapters.created, adapter, model_name, model_hash, scale_low, scale_high, n_ratings, extra,"
    " length(state)"
)
_MAX_NAMES = 5_000  # how many names are compared to find the one that was meant


class AdapterStore:
    """Users and the versions of their adapters in one file.

    Every method raises StoreError, with one line that names the file and the cure, if the file cannot
    be used; the file is then as it was before. Only ``save`` and ``import_`` create it, its folder
    included. User names are any text of 1 to 200 characters without control characters.

    Args:
        path: the store's file; None means ``default_store_path()``.
        timeout_s: how long to wait for another process's lock, in seconds.
    """

    def __init__(self, path: Path | None = None, *, timeout_s: float = 10.0) -> None:
        self.path = default_store_path() if path is None else Path(path)
        self._file = StoreFile(self.path, timeout_s)

    def save(
        self,
        user: str,
        record: AdapterRecord,
        *,
        after: int | None = None,
        withdrawn: Sequence[StoredRating] = (),
    ) -> int:
        """Store an adapter as the user's newest version; the user is created if new.

        Args:
            user: whose taste it is.
            record: the fitted adapter. A StoredAdapter will do; its user, version and date are ignored.
            after: the version that it was made from, which must still be the newest; None does not ask.
            withdrawn: ratings that the user takes back: earlier versions fitted on one of these photos are
                deleted in the same transaction, and overwritten in the file.

        Returns:
            the new version, 1 for a new user.

        Raises:
            StoreError: there is a newer version than ``after``.
        """
        check_user(user)
        with self._file.writing() as connection:
            user_id = _user_id(connection, user, create=True)
            newest = connection.execute("SELECT max(version) FROM adapters WHERE user_id = ?", (user_id,))
            version = int(newest.fetchone()[0] or 0) + 1
            if after is not None and version != after + 1:
                raise StoreError(
                    f"user {user!r} in store {str(self.path)!r} has version {version - 1} by now, and "
                    f"this change was made from version {after}; run the command again"
                )
            connection.executemany(
                "DELETE FROM adapters WHERE user_id = ? AND id IN"
                " (SELECT adapter_id FROM ratings WHERE image = ? OR sha256 = ?)",
                [(user_id, rating.image, rating.sha256) for rating in withdrawn],
            )
            _insert(connection, user_id, version, _now(), record)
        return version

    def load(self, user: str, version: int | None = None) -> StoredAdapter:
        """A user's adapter with its state and ratings.

        Args:
            user: whose adapter.
            version: which one; None means the newest.

        Raises:
            UnknownUser: the store, or the file itself, has no such user.
            StoreError: the user has no such version, or the file cannot be used.
        """
        with self._reading(user) as connection:
            found = self._versions(connection, user)
            if version is None:
                version = found[-1].version
            elif version not in [summary.version for summary in found]:
                known = ", ".join(str(summary.version) for summary in found)
                raise StoreError(
                    f"user {user!r} in store {str(self.path)!r} has no version {version}, "
                    f"but: {known}; name one of these or leave it out for the newest"
                )
            return _load(connection, user, version)

    def users(self) -> list[UserSummary]:
        """All users with their newest version, by name."""
        with self._reading() as connection:
            rows = connection.execute(
                f"SELECT name, (SELECT count(*) FROM adapters WHERE user_id = users.id), {_SUMMARY}"  # noqa: S608
                " FROM users JOIN adapters ON adapters.user_id = users.id"
                " WHERE version = (SELECT max(version) FROM adapters WHERE user_id = users.id) ORDER BY name"
            )
            return [
                UserSummary(user=name, n_versions=n, latest=_summary(values)) for name, n, *values in rows
            ]

    def show(self, user: str) -> list[VersionSummary]:
        """All versions of a user's adapter, oldest first.

        Raises:
            UnknownUser: the store, or the file itself, has no such user.
        """
        with self._reading(user) as connection:
            return self._versions(connection, user)

    def delete(self, user: str) -> int:
        """Remove a user with all versions and ratings; what they held is overwritten in the file.

        Returns:
            the number of versions removed.

        Raises:
            UnknownUser: the store, or the file itself, has no such user.
        """
        self._require_file(user)
        with self._file.writing() as connection:
            n_versions = len(self._versions(connection, user))
            connection.execute("DELETE FROM users WHERE name = ?", (user,))
        return n_versions

    def export(self, user: str, path: Path, *, all_versions: bool = False) -> int:
        """Write a user's newest adapter, or all versions, to one file that ``import_`` reads.

        Args:
            user: whose adapter.
            path: the file to create or to replace.
            all_versions: write the whole history instead of the newest version.

        Returns:
            the number of versions written.

        Raises:
            UnknownUser: the store, or the file itself, has no such user.
            OutputError: the file cannot be written; what was there is untouched.
        """
        with self._reading(user) as connection:
            found = self._versions(connection, user)
            chosen = found if all_versions else found[-1:]
            adapters = [_load(connection, user, summary.version) for summary in chosen]
        write_user_file(path, adapters)
        return len(adapters)

    def import_(self, path: Path, *, user: str | None = None, replace: bool = False) -> UserSummary:
        """Add a user from an exported file; version numbers and dates stay as they are in the file.

        Args:
            path: a file that ``export`` wrote. It is checked in full before the store is touched.
            user: the name to give the user; None keeps the one in the file.
            replace: remove a user of that name, with all versions, instead of refusing.

        Returns:
            the user as now stored.

        Raises:
            StoreError: the file is not in order, or there is such a user already and ``replace`` is false.
        """
        if user is not None:
            check_user(user)
        adapters = read_user_file(path, user=user)
        name = adapters[0].user
        with self._file.writing() as connection:
            if replace:
                connection.execute("DELETE FROM users WHERE name = ?", (name,))
            elif _user_id(connection, name) is not None:
                raise StoreError(
                    f"store {str(self.path)!r} already has a user {name!r}; import under another name "
                    "with --user NAME, or replace the user and all versions with --replace"
                )
            user_id = _user_id(connection, name, create=True)
            for adapter in adapters:
                _insert(connection, user_id, adapter.version, adapter.created, adapter)
            found = self._versions(connection, name)
        return UserSummary(user=name, n_versions=len(found), latest=found[-1])

    def _versions(self, connection: sqlite3.Connection, user: str) -> list[VersionSummary]:
        """At least one version, oldest first; UnknownUser if there is none."""
        rows = connection.execute(
            f"SELECT {_SUMMARY} FROM adapters JOIN users ON users.id = user_id"  # noqa: S608
            " WHERE name = ? ORDER BY version",
            (user,),
        ).fetchall()
        if not rows:
            raise self._unknown(connection, user)
        return [_summary(row) for row in rows]

    def _unknown(self, connection: sqlite3.Connection, user: str) -> UnknownUser:
        names = [name for (name,) in connection.execute("SELECT name FROM users LIMIT ?", (_MAX_NAMES,))]
        close = difflib.get_close_matches(user, names, n=3)
        meant = f"did you mean {' or '.join(map(repr, close))}? " if close else ""
        return UnknownUser(
            f"store {str(self.path)!r} has no user {user!r}; {meant}see all users with: "
            f"piaa users list{self._file.option()}"
        )

    def _require_file(self, user: str | None) -> None:
        """Reading must not leave an empty store behind."""
        if user is not None:
            check_user(user)
        if self._file.exists():
            return
        message = (
            f"there is no store {str(self.path)!r}, so it has no users; name another file with --store, "
            f"or fit a user first: piaa fit-user --user {shlex.quote(user or 'NAME')} --ratings FILE "
            f"--images DIR{self._file.option()}"
        )
        raise StoreError(message) if user is None else UnknownUser(message)

    @contextmanager
    def _reading(self, user: str | None = None) -> Iterator[sqlite3.Connection]:
        self._require_file(user)
        with self._file.reading() as connection:
            yield connection


def check_model(stored: StoredAdapter, model_hash: str, model_name: str) -> None:
    """Nothing, if the adapter was fitted on this model: features of another model mean something else.

    Args:
        stored: an adapter from the store.
        model_hash: hash of the loaded model, which decides.
        model_name: name of the loaded model, for the message.

    Raises:
        ModelMismatch: it was fitted on another model; the message says how to go on.
    """
    if stored.model_hash == model_hash:
        return
    n = 8  # enough to tell two models apart, unless these two agree in it
    while stored.model_hash[:n] == model_hash[:n]:
        n += 8
    raise ModelMismatch(
        f"adapter of user {stored.user!r} (version {stored.version}) was fitted on model {stored.model_name} "
        f"{stored.model_hash[:n]}, but the loaded model is {model_name} {model_hash[:n]}; "
        f"fit it again: piaa fit-user --user {shlex.quote(stored.user)} --ratings FILE --images DIR, "
        "or pass the old model with --model"
    )


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def _user_id(connection: sqlite3.Connection, user: str, *, create: bool = False) -> int | None:
    if create:
        connection.execute("INSERT OR IGNORE INTO users (name, created) VALUES (?, ?)", (user, _now()))
    row = connection.execute("SELECT id FROM users WHERE name = ?", (user,)).fetchone()
    return None if row is None else int(row[0])


def _insert(
    connection: sqlite3.Connection, user_id: int | None, version: int, created: str, record: AdapterRecord
) -> None:
    adapter_id = connection.execute(
        "INSERT INTO adapters (user_id, version, created, adapter, model_name, model_hash, scale_low,"
        " scale_high, n_ratings, extra, state) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            user_id,
            version,
            created,
            record.adapter,
            record.model_name,
            record.model_hash,
            float(record.scale_low),
            float(record.scale_high),
            record.n_ratings,
            json.dumps(dict(record.extra), ensure_ascii=False, allow_nan=False),
            record.state,
        ),
    ).lastrowid
    connection.executemany(
        "INSERT INTO ratings (adapter_id, position, image, sha256, score) VALUES (?, ?, ?, ?, ?)",
        [
            (adapter_id, position, rating.image, rating.sha256, float(rating.score))
            for position, rating in enumerate(record.ratings)
        ],
    )


def _load(connection: sqlite3.Connection, user: str, version: int) -> StoredAdapter:
    adapter_id, state, *values = connection.execute(
        f"SELECT adapters.id, state, {_SUMMARY} FROM adapters JOIN users ON users.id = user_id"  # noqa: S608
        " WHERE name = ? AND version = ?",
        (user, version),
    ).fetchone()
    ratings = connection.execute(
        "SELECT image, sha256, score FROM ratings WHERE adapter_id = ? ORDER BY position", (adapter_id,)
    )
    summary = _summary(values)
    return StoredAdapter(
        user=user,
        version=version,
        created=summary.created,
        adapter=summary.adapter,
        model_name=summary.model_name,
        model_hash=summary.model_hash,
        scale_low=summary.scale_low,
        scale_high=summary.scale_high,
        state=state,
        ratings=tuple(
            StoredRating(image=image, sha256=sha256, score=score) for image, sha256, score in ratings
        ),
        extra=summary.extra,
    )


def _summary(row: Sequence[Any]) -> VersionSummary:
    version, created, adapter, model_name, model_hash, low, high, n_ratings, extra, n_bytes = row
    return VersionSummary(
        version=version,
        created=created,
        adapter=adapter,
        model_name=model_name,
        model_hash=model_hash,
        scale_low=low,
        scale_high=high,
        n_ratings=n_ratings,
        n_bytes=n_bytes,
        extra=json.loads(extra),
    )
