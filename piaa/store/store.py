"""The store: what every person said, and the versions that were learned from it.

Each call is one transaction, whoever asks.

With a file it opens the file and closes it again: such a store object holds nothing open, and may be used
from any thread and process.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from generic.errors import ModelMismatch, StoreError
from piaa.store import saying
from piaa.store.audit import forget_name, note
from piaa.store.changes import Change, undo
from piaa.store.keys import revoke_keys_of
from piaa.store.photos import drop_unused, keep_photos, photos_of_user
from piaa.store.quotas import Quota
from piaa.store.reader import StoreReader
from piaa.store.records import AdapterRecord, SeenPhoto, StoredAdapter, check_user
from piaa.store.said import Said, judged
from piaa.store.saying import Saying, say
from piaa.store.sent import forget_sent
from piaa.store.sql import Sql
from piaa.store.user_content import import_user
from piaa.store.user_file import read_user_file
from piaa.store.users import Erased, UserSummary, count_all, find_user, list_users
from piaa.store.versions import activate, add_version, matching, restore, user_id
from piaa.store.written import WrittenStar, forget_written, keep_written, written_stars


class Store(StoreReader):
    """People, what they said, and the versions that were learned from it.

    Every method raises StoreError, with one line that names the store and the cure, if it cannot be used; it
    is then as it was before. Only ``say``, ``keep`` and ``import_`` create a file, its folder included. For
    each model one version of a user counts: the last one learned, unless ``restore`` chose another.
    User names are any text of 1 to 200 characters without control characters.
    """

    # ---- what a person said ----

    def say(
        self,
        user: str,
        what: Saying,
        *,
        replace: bool = False,
        withdrawn: Sequence[str] = (),
        quota: Quota | None = None,
    ) -> int:
        """Keep what a person says; she is created if new. Of a photo rated again the new score counts.

        Args:
            user: who says it.
            what: ratings, comparisons, flags.
            replace: whether it takes the place of all ratings, or comparisons, of before: history then.
            withdrawn: identities of photos of which she takes back everything first, see :meth:`withdraw`.
            quota: what she may take of the store.

        Returns:
            how many ratings of hers count now.

        Raises:
            ScaleError: the scale is not that of her ratings before, or a score lies outside of it.
            OverQuota: she would take more than she may; nothing is kept.
        """
        check_user(user)
        with self.database.writing() as sql:
            number = user_id(sql, user)
            if withdrawn:
                sql.hold_photos()
            gone = photos_of_user(sql, number, withdrawn)
            if gone:
                saying.withdraw(sql, number, gone, what.source)
                forget_sent(sql, user, withdrawn)
            say(sql, number, user, what, replace=replace)
            if quota is not None:
                quota.check(sql, number, user)
            counts = "SELECT count(*) FROM ratings WHERE user_id = :id AND ended_by IS NULL"
            n_ratings = int(sql.run(counts, id=number)[0][0])
        if gone:
            self.database.scrub()
        return n_ratings

    def see(self, user: str, photos: Sequence[SeenPhoto], model_hash: str) -> None:
        """Keep the vectors that a model has of photos that a person judged; nothing that she said changes.

        Of a photo that she withdrew meanwhile, and nobody else judged, nothing is kept.

        Raises:
            UnknownUser: the store, or the file itself, has no such user.
        """
        with self._writing(user) as (sql, number):
            drop_unused(sql, keep_photos(sql, number, photos, model_hash).values())

    def withdraw(
        self, user: str, images: Sequence[str], choose: Choose, *, source: str, who: str | None = None
    ) -> list[int]:
        """Delete all that a person ever said of photos, and every version that was learned with it.

        Args:
            user: who takes it back.
            images: names, identities or sha256 of photos.
            choose: which photos these are, of all that she judged; see :data:`Choose`.
            source: where she takes it back.
            who: a key's id, for the audit; None is the source.

        Returns:
            the numbers of the versions that went; what they held is overwritten in a file.

        Raises:
            UnknownUser: the store, or the file itself, has no such user.
        """

        def withdraw() -> list[int]:
            with self._writing(user) as (sql, number):
                sql.hold_photos()  # before they are looked up: somebody else may make two of them one
                photos, names = judged(sql, number)
                chosen = choose(user, images, names)
                gone = saying.withdraw(sql, number, sorted({photos[one] for one in chosen}), source)
                forget_sent(sql, user, chosen)
                note(sql, who or source, "withdraw", user)
                return gone

        gone = self.database.with_room(withdraw)
        self.database.scrub()
        return gone

    def undo(self, user: str, *, source: str) -> tuple[Change, list[int]]:
        """Take back the last change of what a person said, whoever made it.

        Returns:
            the change, and the versions that were learned from what counts now: for each model the newest,
            which counts from now on. None of them if nothing was ever learned from it.

        Raises:
            UnknownUser: the store, or the file itself, has no such user.
            StoreError: there is no change left, or the last one withdrew something.
        """
        with self._writing(user) as (sql, number):
            change, before = undo(sql, number, user, source)
            found = matching(sql, number)
            if before is not None:
                known = "SELECT 1 FROM versions WHERE user_id = :id AND number = :number"
                found = [before[1]] if sql.run(known, id=number, number=before[1]) else found
            for one in found:
                activate(sql, number, one)
            return change, found

    # ---- stars that piaa wrote ----

    def note_written(self, user: str, stars: Sequence[WrittenStar]) -> None:
        """Note stars before they are written into files, so that they are never taken for hers.

        Raises:
            UnknownUser: the store, or the file itself, has no such user.
        """
        with self._writing(user) as (sql, number):
            keep_written(sql, number, stars)

    def written(self, photos: Sequence[str]) -> dict[str, frozenset[int]]:
        """The stars that were ever written of photos, for whomever, by identity of the photo."""
        if not self.database.exists():
            return {}
        with self.database.reading() as sql:
            return written_stars(sql, photos)

    def forget_written(self, user: str, files: Sequence[str]) -> None:
        """Forget the stars in files that are again as they were before.

        Raises:
            UnknownUser: the store, or the file itself, has no such user.
        """
        with self._writing(user) as (sql, number):
            forget_written(sql, number, files)

    # ---- versions ----

    def keep(
        self, user: str, record: AdapterRecord, learned: Said, *, linear_form: bytes | None = None
    ) -> int | None:
        """Store what was learned from a person as her newest version, which counts from now on.

        Args:
            user: whose taste it is.
            record: the fitted adapter; its ratings and comparisons are some of ``learned``.
            learned: what :meth:`said` gave for the model.
            linear_form: the adapter's, packed, if it has one.

        Returns:
            the version's number, 1 for the first; None if she withdrew something of it meanwhile, a version
            was restored or a change undone, or she was deleted: learn again.
        """
        with self._writing(user) as (sql, number):
            if not still_said(sql, number, record, learned):
                return None
            return add_version(sql, number, record, learned.digest, linear_form)

    def restore(self, user: str, version: int, *, source: str, who: str | None = None) -> None:
        """Have an earlier version count, with what she had said by then; what she said since is history.

        Args:
            user: whose version.
            version: its number.
            source: where it is asked for.
            who: a key's id, for the audit; None is the source.

        Raises:
            UnknownUser: the store, or the file itself, has no such user.
            StoreError: there is no such version.
        """
        with self._writing(user) as (sql, number):
            self._known(self._versions(sql, number), user, version)
            restore(sql, number, version, source)
            note(sql, who or source, f"restore version {version}", user)

    # ---- people ----

    def delete(self, user: str, *, source: str) -> Erased:
        """Remove a person with all that she said and all versions; what it was is overwritten in a file.

        Her API keys are refused from now on, also if somebody of her name comes later.

        Raises:
            UnknownUser: the store, or the file itself, has no such user.
        """

        def delete() -> dict[str, Any]:
            with self._writing(user) as (sql, number):
                counts, instead = count_all(sql, number), f"user {number}"
                photos = _delete(sql, number)
                sent = forget_sent(sql, user, photos, all_files=True)
                forget_name(sql, user, instead)
                note(sql, source, "erase", instead)
                n_keys = revoke_keys_of(sql, user, instead, source)
            return {**counts, "n_keys": n_keys, "photos": tuple(photos), "sent": sent}

        gone = self.database.with_room(delete)
        return Erased(**gone, overwritten=self.database.scrub())

    def import_(self, path: Path, *, user: str | None = None, replace: bool = False) -> UserSummary:
        """Add a person from an exported file; version numbers and dates stay as they are in the file.

        Args:
            path: a file that ``export`` wrote. It is checked in full before the store is touched.
            user: the name to give her; None keeps the one in the file.
            replace: remove a person of that name, with all versions, instead of refusing.

        Returns:
            the person as now stored.

        Raises:
            StoreError: the file is not in order, or there is such a person already and ``replace`` is false.
        """
        if user is not None:
            check_user(user)
        content = read_user_file(path, user=user)
        with self.database.writing() as sql:
            if sql.run("SELECT 1 FROM users WHERE name = :name", name=content.user):
                if not replace:
                    raise StoreError(
                        f"store {self.name!r} already has a user {content.user!r}; import under another name "
                        "with --user NAME, or replace the user and all versions with --replace"
                    )
                _delete(sql, user_id(sql, content.user))
            import_user(sql, content)
            (found,) = list_users(sql, content.user)
        self.database.scrub()
        return found

    @contextmanager
    def _writing(self, user: str) -> Iterator[tuple[Sql, int]]:
        self._require_file(user)
        with self.database.writing() as sql:
            number = find_user(sql, user, self.database, lock=True)
            yield sql, number


Choose = Callable[[str, Sequence[str], Sequence[tuple[str, str, str | None]]], set[str]]
"""Given a user, what she names, and (name, identity, sha256) of all that she judged: identities of photos."""


def _delete(sql: Sql, number: int) -> list[str]:
    """Remove a user, and the photos that were hers alone; their identities."""
    sql.hold_photos()
    photos = photos_of_user(sql, number)
    sql.run("DELETE FROM users WHERE id = :id", id=number)
    return drop_unused(sql, photos)


def still_said(sql: Sql, user: int, record: AdapterRecord, learned: Said) -> bool:
    """Whether none of what a version was learned from was withdrawn meanwhile, and nothing was taken back.

    Whoever restores a version, or undoes a change, chose what counts: nothing learned before takes its place.
    """
    taken_back = (
        "SELECT 1 FROM changes WHERE user_id = :id AND id > :last AND what IN ('restore', 'undo') LIMIT 1"
    )
    if sql.run(taken_back, id=user, last=learned.change):
        return False
    ratings, comparisons = {one.id for one in record.ratings}, {one.id for one in record.comparisons}
    left = {row for (row,) in sql.run("SELECT id FROM ratings WHERE user_id = :id", id=user)}
    compared = {row for (row,) in sql.run("SELECT id FROM comparisons WHERE user_id = :id", id=user)}
    return ratings <= left and comparisons <= compared


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
        f"learn from the same ratings on this one: piaa users refit {shlex.quote(stored.user)} --images DIR, "
        "or pass the old model with --model"
    )
