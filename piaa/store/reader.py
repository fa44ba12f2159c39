"""What a store can be asked: what every person said, and the versions that were learned from it.

Nothing here changes a store. Each call is one transaction, whoever asks.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from generic.errors import NotFitted, StoreError, UnknownUser
from piaa.store.changes import Change, history
from piaa.store.place import Place, open_database
from piaa.store.quotas import Quota
from piaa.store.records import StoredAdapter, StoredFlag, StoredRating, VersionSummary, check_user
from piaa.store.said import Said, all_ratings, flags_of, read_said
from piaa.store.sql import Database, Sql
from piaa.store.user_content import UserContent, read_content
from piaa.store.user_file import write_user_file
from piaa.store.users import UsedModel, UserSummary, find_user, list_models, list_users
from piaa.store.versions import FROM, SUMMARY, active_number, load_version, matching, summary_of


class StoreReader:
    """The half of :class:`piaa.store.store.Store` that reads; open that one.

    Args:
        place: a SQLite file or a PostgreSQL URL; None is ``PIAA_STORE`` or the user's own file.
        timeout_s: how long to wait for another process's lock, in seconds.
        database: where the store lies, instead of a place.
    """

    def __init__(
        self, place: Place = None, *, timeout_s: float = 10.0, database: Database | None = None
    ) -> None:
        self.database = database or open_database(place, timeout_s=timeout_s)
        self.name = self.database.name

    def close(self) -> None:
        """Let go of what is open, if anything is."""
        self.database.close()

    # ---- what a person said ----

    def said(self, user: str, model_hash: str) -> Said:
        """What a person said that counts, with the vectors that one model has of the photos.

        Raises:
            UnknownUser: the store, or the file itself, has no such user.
        """
        with self._reading(user) as (sql, number):
            return read_said(sql, number, model_hash)

    def rated(self, user: str) -> list[StoredRating]:
        """Everything that a person ever rated and did not withdraw, oldest first.

        Raises:
            UnknownUser: the store, or the file itself, has no such user.
        """
        with self._reading(user) as (sql, number):
            return [rating for _, rating in all_ratings(sql, number)]

    def flags(self, user: str) -> list[StoredFlag]:
        """The photos that a person picked or rejected.

        Raises:
            UnknownUser: the store, or the file itself, has no such user.
        """
        with self._reading(user) as (sql, number):
            return flags_of(sql, number)

    def history(self, user: str) -> list[Change]:
        """All changes of what a person said, oldest first.

        Raises:
            UnknownUser: the store, or the file itself, has no such user.
        """
        with self._reading(user) as (sql, number):
            return history(sql, number)

    # ---- versions ----

    def load(self, user: str, version: int | None = None, *, model_hash: str | None = None) -> StoredAdapter:
        """A person's adapter with its state and what it was learned from.

        Args:
            user: whose.
            version: which one; None is the one that counts.
            model_hash: for this model, if she has a version of it; None is the model that she used last.

        Raises:
            UnknownUser: the store, or the file itself, has no such user.
            NotFitted: nothing was learned from her yet.
            StoreError: there is no such version, or it is damaged.
        """
        with self._reading(user) as (sql, number):
            if version is None:
                version = active_number(sql, number, model_hash)
                if not version:
                    raise NotFitted(
                        f"nothing was learned yet from what user {user!r} in store {self.name!r} said; "
                        f"learn: piaa fit-user --user {shlex.quote(user)}{self.database.option()}"
                    )
            else:
                self._known(self._versions(sql, number), user, version)
            return load_version(sql, user, version, self.name)

    def versions(self, user: str) -> list[VersionSummary]:
        """All versions of a person, oldest first; none if nothing was learned from her yet.

        Raises:
            UnknownUser: the store, or the file itself, has no such user.
        """
        with self._reading(user) as (sql, number):
            return self._versions(sql, number)

    def check_quota(self, user: str, quota: Quota) -> None:
        """Raises OverQuota unless a person takes no more of the store than she may.

        Raises:
            UnknownUser: the store, or the file itself, has no such user.
            OverQuota: she takes more.
        """
        with self._reading(user) as (sql, number):
            quota.check(sql, number, user)

    def knows_all(self, user: str, model_hash: str) -> bool:
        """Whether a person has a version of a model that was learned from all that she said.

        Raises:
            UnknownUser: the store, or the file itself, has no such user.
        """
        with self._reading(user) as (sql, number):
            newest = matching(sql, number)
            return any(
                one.model_hash == model_hash for one in self._versions(sql, number) if one.version in newest
            )

    def active(self, user: str) -> int | None:
        """The version that was made to count last; None if there is none.

        Raises:
            UnknownUser: the store, or the file itself, has no such user.
        """
        with self._reading(user) as (sql, number):
            return active_number(sql, number) or None

    # ---- people ----

    def users(self) -> list[UserSummary]:
        """Everybody, by name."""
        self._require_file(None)
        with self.database.reading() as sql:
            return list_users(sql)

    def models(self) -> list[UsedModel]:
        """The models that people were learned on."""
        self._require_file(None)
        with self.database.reading() as sql:
            return list_models(sql)

    def content(self, user: str, *, all_versions: bool = True) -> UserContent:
        """All that is kept of a person; see :mod:`piaa.store.user_file`.

        Raises:
            UnknownUser: the store, or the file itself, has no such user.
        """
        with self._reading(user) as (sql, number):
            active = active_number(sql, number)
            found = [one.version for one in self._versions(sql, number)]
            chosen = [one for one in found if all_versions or one == active]
            versions, skipped = [], []
            for one in chosen:
                try:
                    versions.append(load_version(sql, user, one, self.name))
                except StoreError as error:  # one damaged row must not keep the others from being saved
                    skipped.append(str(error))
            return replace(read_content(sql, number, user, versions), skipped=tuple(skipped))

    def export(self, user: str, path: Path, *, all_versions: bool = False) -> UserContent:
        """Write all that a person said and the version that counts, or all, to a file that ``import_`` reads.

        Args:
            user: who.
            path: the file to create or to replace.
            all_versions: write every version instead of the one that counts.

        Returns:
            what was written; damaged versions are not, and named.

        Raises:
            UnknownUser: the store, or the file itself, has no such user.
            OutputError: the file cannot be written; what was there is untouched.
        """
        content = self.content(user, all_versions=all_versions)
        write_user_file(path, content)
        return content

    def _known(self, found: Sequence[VersionSummary], user: str, version: int) -> None:
        """Raises StoreError unless the version is among those found."""
        if version not in [summary.version for summary in found]:
            known = ", ".join(str(summary.version) for summary in found) or "none yet"
            raise StoreError(
                f"user {user!r} in store {self.name!r} has no version {version}, "
                f"but: {known}; name one of these"
            )

    def _versions(self, sql: Sql, number: int) -> list[VersionSummary]:
        rows = sql.run(f"SELECT {SUMMARY} {FROM} WHERE users.id = :id ORDER BY number", id=number)
        return [summary_of(row) for row in rows]

    def _require_file(self, user: str | None) -> None:
        """Reading must not leave an empty store behind."""
        if user is not None:
            check_user(user)
        if self.database.exists():
            return
        message = (
            f"there is no store {self.name!r}, so it has no users; name another file with --store, "
            f"or fit a user first: piaa fit-user --user {shlex.quote(user or 'NAME')} --ratings FILE "
            f"--images DIR{self.database.option()}"
        )
        raise StoreError(message) if user is None else UnknownUser(message)

    @contextmanager
    def _reading(self, user: str) -> Iterator[tuple[Sql, int]]:
        self._require_file(user)
        with self.database.reading() as sql:
            yield sql, find_user(sql, user, self.database)
