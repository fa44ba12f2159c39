"""The adapter store: every user's fitted adapters, in versions, in one SQLite file or in a database.

Each operation is one transaction. With a file it opens the file and closes it again: such a store
object holds nothing open, and may be used from any thread and process.
"""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from generic.errors import ModelMismatch, StoreError, UnknownUser
from piaa.store.file import StoreFile, default_store_path
from piaa.store.records import (
    AdapterRecord,
    StoredAdapter,
    StoredRating,
    UserSummary,
    VersionSummary,
    check_user,
)
from piaa.store.transaction import Database, Sql
from piaa.store.user_file import read_user_file, write_user_file
from piaa.store.versions import (
    SUMMARY,
    activate,
    active_version,
    add_version,
    all_ratings,
    exists,
    insert_version,
    load_version,
    summary_of,
    user_id,
    withdraw,
)

_MAX_NAMES = 5_000  # how many names are compared to find the one that was meant


class AdapterStore:
    """Users and the versions of their adapters.

    Every method raises StoreError, with one line that names the file and the cure, if the file cannot
    be used; the file is then as it was before. Only ``save`` and ``import_`` create it, its folder
    included. One version of a user is active: the last one saved, unless ``rollback`` chose another.
    User names are any text of 1 to 200 characters without control characters.

    Args:
        path: the store's file; None means ``default_store_path()``.
        timeout_s: how long to wait for another process's lock, in seconds.
        database: where the store lies, instead of in a file at ``path``.
    """

    def __init__(
        self, path: Path | None = None, *, timeout_s: float = 10.0, database: Database | None = None
    ) -> None:
        self.path = default_store_path() if path is None else Path(path)
        self._database = database or StoreFile(self.path, timeout_s)
        self.name = self._database.name

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
            after: the version that it was made from, which must still be the active one; None does not ask.
            withdrawn: ratings that the user takes back: earlier versions fitted on one of these photos are
                deleted in the same transaction, and overwritten in the file.

        Returns:
            the new version, 1 for a new user.

        Raises:
            StoreError: another version than ``after`` is active.
        """
        check_user(user)
        with self._database.writing() as sql:
            number = user_id(sql, user)
            if after is not None:
                self._check_unchanged(sql, user, after)
            version = add_version(sql, number, record)
            for rating in withdrawn:
                withdraw(sql, number, rating, version)
            return version

    def rated(self, user: str) -> list[StoredRating]:
        """The ratings of all versions of a user's adapter, each once, oldest first.

        Raises:
            UnknownUser: the store, or the file itself, has no such user.
        """
        with self._reading(user) as sql:
            self._versions(sql, user)
            return all_ratings(sql, user)

    def withdraw(self, user: str, ratings: Sequence[StoredRating], *, after: int) -> list[int]:
        """Delete the versions that were fitted on one of these photos, all but the active one.

        Args:
            user: who takes them back.
            ratings: none of them one of the active version.
            after: the version that must still be the active one.

        Returns:
            the versions deleted, which are overwritten in the file.

        Raises:
            UnknownUser: the store, or the file itself, has no such user.
            StoreError: another version than ``after`` is active.
        """
        self._require_file(user)
        with self._database.writing() as sql:
            before = self._versions(sql, user)
            number = user_id(sql, user)
            self._check_unchanged(sql, user, after)
            for rating in ratings:
                withdraw(sql, number, rating, after)
            left = {summary.version for summary in self._versions(sql, user)}
        return [summary.version for summary in before if summary.version not in left]

    def load(self, user: str, version: int | None = None) -> StoredAdapter:
        """A user's adapter with its state and ratings.

        Args:
            user: whose adapter.
            version: which one; None means the active one.

        Raises:
            UnknownUser: the store, or the file itself, has no such user.
            StoreError: the user has no such version, or the file cannot be used.
        """
        with self._reading(user) as sql:
            found = self._versions(sql, user)
            if version is None:
                version = active_version(sql, user)
            else:
                self._known(found, user, version)
            return load_version(sql, user, version)

    def users(self) -> list[UserSummary]:
        """All users that have an adapter, with their active version, by name."""
        with self._reading() as sql:
            rows = sql.run(
                f"SELECT name, (SELECT count(*) FROM adapters WHERE user_id = users.id), {SUMMARY}"  # noqa: S608
                " FROM users JOIN adapters ON adapters.user_id = users.id AND version = active"
            )
        # Not ORDER BY: databases differ in what order text has.
        return [
            UserSummary(user=name, n_versions=n, latest=summary_of(values))
            for name, n, *values in sorted(rows)
        ]

    def show(self, user: str) -> list[VersionSummary]:
        """All versions of a user's adapter, oldest first.

        Raises:
            UnknownUser: the store, or the file itself, has no such user.
        """
        with self._reading(user) as sql:
            return self._versions(sql, user)

    def rollback(self, user: str, version: int) -> None:
        """Make another version the active one; none is lost.

        Raises:
            UnknownUser: the store, or the file itself, has no such user.
            StoreError: the user has no such version.
        """
        self._require_file(user)
        with self._database.writing() as sql:
            self._known(self._versions(sql, user), user, version)
            sql.run("UPDATE users SET active = :version WHERE name = :user", version=version, user=user)

    def delete(self, user: str) -> int:
        """Remove a user with all versions and ratings; what they held is overwritten in the file.

        Returns:
            the number of versions removed.

        Raises:
            UnknownUser: the store, or the file itself, has no such user.
        """
        self._require_file(user)
        with self._database.writing() as sql:
            n_versions = len(self._versions(sql, user))
            sql.run("DELETE FROM users WHERE name = :user", user=user)
        return n_versions

    def export(self, user: str, path: Path, *, all_versions: bool = False) -> int:
        """Write a user's active adapter, or all versions, to one file that ``import_`` reads.

        Args:
            user: whose adapter.
            path: the file to create or to replace.
            all_versions: write the whole history instead of the active version.

        Returns:
            the number of versions written.

        Raises:
            UnknownUser: the store, or the file itself, has no such user.
            OutputError: the file cannot be written; what was there is untouched.
        """
        with self._reading(user) as sql:
            found = self._versions(sql, user)
            active = active_version(sql, user)
            chosen = [summary.version for summary in found] if all_versions else [active]
            adapters = [load_version(sql, user, version) for version in chosen]
        write_user_file(path, adapters)
        return len(adapters)

    def history(self, user: str) -> list[StoredAdapter]:
        """All versions of a user's adapter with states and ratings, oldest first, as they stand together.

        Raises:
            UnknownUser: the store, or the file itself, has no such user.
        """
        with self._reading(user) as sql:
            return [load_version(sql, user, summary.version) for summary in self._versions(sql, user)]

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
        with self._database.writing() as sql:
            if replace:
                sql.run("DELETE FROM users WHERE name = :name", name=name)
            elif exists(sql, name):
                raise StoreError(
                    f"store {self.name!r} already has a user {name!r}; import under another name "
                    "with --user NAME, or replace the user and all versions with --replace"
                )
            number = user_id(sql, name)
            for adapter in adapters:
                insert_version(sql, number, adapter.version, adapter.created, adapter)
            activate(sql, number, adapters[-1].version)
            found = self._versions(sql, name)
        return UserSummary(user=name, n_versions=len(found), latest=found[-1])

    def _check_unchanged(self, sql: Sql, user: str, after: int) -> None:
        """Raises StoreError unless version ``after`` is the active one."""
        active = active_version(sql, user)
        if active != after:
            raise StoreError(
                f"user {user!r} in store {self.name!r} has version {active} by now, and "
                f"this change was made from version {after}; run the command again"
            )

    def _known(self, found: Sequence[VersionSummary], user: str, version: int) -> None:
        """Raises StoreError unless the version is among those found."""
        if version not in [summary.version for summary in found]:
            known = ", ".join(str(summary.version) for summary in found)
            raise StoreError(
                f"user {user!r} in store {self.name!r} has no version {version}, "
                f"but: {known}; name one of these or leave it out for the newest"
            )

    def _versions(self, sql: Sql, user: str) -> list[VersionSummary]:
        """At least one version, oldest first; UnknownUser if there is none."""
        rows = sql.run(
            f"SELECT {SUMMARY} FROM adapters JOIN users ON users.id = user_id"  # noqa: S608
            " WHERE name = :user ORDER BY version",
            user=user,
        )
        if not rows:
            raise self._unknown(sql, user)
        return [summary_of(row) for row in rows]

    def _unknown(self, sql: Sql, user: str) -> UnknownUser:
        names = [name for (name,) in sql.run("SELECT name FROM users LIMIT :n", n=_MAX_NAMES)]
        close = difflib.get_close_matches(user, names, n=3)
        meant = f"did you mean {' or '.join(map(repr, close))}? " if close else ""
        return UnknownUser(
            f"store {self.name!r} has no user {user!r}; {meant}see all users with: "
            f"piaa users list{self._database.option()}"
        )

    def _require_file(self, user: str | None) -> None:
        """Reading must not leave an empty store behind."""
        if user is not None:
            check_user(user)
        if self._database.exists():
            return
        message = (
            f"there is no store {self.name!r}, so it has no users; name another file with --store, "
            f"or fit a user first: piaa fit-user --user {shlex.quote(user or 'NAME')} --ratings FILE "
            f"--images DIR{self._database.option()}"
        )
        raise StoreError(message) if user is None else UnknownUser(message)

    @contextmanager
    def _reading(self, user: str | None = None) -> Iterator[Sql]:
        self._require_file(user)
        with self._database.reading() as sql:
            yield sql


def check_model(stored: StoredAdapter, model_hash: str, model_name: str) -> None:
    """Raises ModelMismatch unless the adapter was fitted on this model: other features mean something else.

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
