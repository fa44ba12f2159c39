"""What a person answers goes into the store before she is told that it did; undone and redone from there."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace

from generic.errors import PiaaError, UnknownUser
from piaa.page.album import Album
from piaa.page.taste import STARS
from piaa.store.changes import Change
from piaa.store.records import FLAGS, OUTCOMES, SeenPhoto, check_user
from piaa.store.said import Said
from piaa.store.saying import Saying
from piaa.store.store import Store

SOURCE = "page"
OF_FILES = ("xmp", "lightroom")
"""Sources of what her files say."""
_MOST_REDONE = 500


@dataclass(frozen=True, kw_only=True)
class _Known:
    """All that counts of what somebody said, at one moment."""

    said: Said
    flags: dict[str, str]


class Answers:
    """Ratings, flags and comparisons of one album.

    Args:
        album: whose photos.
        store: where they go.
        model_hash: of the model that made the album's vectors.
    """

    def __init__(self, album: Album, store: Store, model_hash: str) -> None:
        self._album, self._store, self._model_hash = album, store, model_hash
        self._undone: dict[str, list[Saying]] = {}
        self._taken: dict[str, list[set[int]]] = {}  # changes by what the files say, taken over here at once

    def rate(self, user: str, row: int, stars: int | None) -> None:
        """Give a photo stars; None takes hers off.

        Raises:
            PiaaError: the photo was not read, or the stars are none of 1 to 5.
            ScaleError: she rated on another scale before.
        """
        photo = self._album.seen(row)
        if stars is None:
            self._say(user, self._saying(cleared=[photo.identity]))
            return
        if stars not in range(int(STARS[0]), int(STARS[1]) + 1):
            raise PiaaError(f"{stars} is no number of stars, expected 1 to 5, or none")
        self._say(user, self._saying(ratings=[(photo, float(stars))]))

    def flag(self, user: str, rows: Sequence[int], flag: str | None) -> None:
        """Pick or reject photos, as one change; None takes their flags off.

        Raises:
            PiaaError: a photo was not read, or the flag is none.
        """
        photos = _each_once([self._album.seen(row) for row in rows])
        if flag is None:
            self._say(user, self._saying(unflagged=[photo.identity for photo in photos]))
            return
        if flag not in FLAGS:
            raise PiaaError(f"{flag!r} is no flag, expected one of {', '.join(FLAGS)}, or none")
        self._say(user, self._saying(flags=[(photo, flag) for photo in photos]))

    def compare(self, user: str, a: int, b: int, outcome: str) -> None:
        """Say which of two photos is the better one.

        Raises:
            PiaaError: one was not read, they are the same picture, or the outcome is none.
        """
        one, other = self._album.seen(a), self._album.seen(b)
        if one.identity == other.identity:
            raise PiaaError(f"{one.image!r} and {other.image!r} are the same picture; compare two others")
        if outcome not in OUTCOMES:
            raise PiaaError(f"{outcome!r} is no outcome, expected one of {', '.join(OUTCOMES)}")
        self._say(user, self._saying(comparisons=[(one, other, outcome)]))

    def undo(self, user: str) -> str:
        """Take back the last thing that she said at a page, also one of yesterday; what it was.

        Raises:
            PiaaError: there is none, or something was said elsewhere since.
        """
        last = self._last(user)
        before = self._known(user)
        for _ in last:
            self._store.undo(user, source=SOURCE)
        again = replace(self._between(self._known(user), before), source=last[-1].source)
        self._undone.setdefault(user, []).append(again)
        del self._undone[user][:-_MOST_REDONE]
        return last[-1].what

    def redo(self, user: str) -> None:
        """Say again what was undone last, since this page was started.

        Raises:
            PiaaError: there is nothing.
        """
        if not self._undone.get(user):
            raise PiaaError("there is nothing to redo: nothing was undone since the last answer")
        left = self._undone[user]
        with self.taking_over(user):
            self._store.say(user, left[-1])
        self._undone[user] = left[:-1]

    @contextmanager
    def taking_over(self, user: str) -> Iterator[None]:
        """What is said meanwhile by her files is said here, at once: one undo takes it back."""
        known = {one.id for one in self._changes(user)}
        yield
        new = {one.id for one in self._changes(user) if one.id not in known and one.source in OF_FILES}
        if new:
            self._taken.setdefault(user, []).append(new)
            self._undone.pop(user, None)

    def can(self, user: str) -> tuple[bool, bool]:
        """Whether something can be undone, and redone."""
        with suppress(PiaaError):
            self._last(user)
            return True, bool(self._undone.get(user))
        return False, bool(self._undone.get(user))

    def _changes(self, user: str) -> list[Change]:
        """What was not taken back of all that she said, oldest first."""
        try:
            changes = self._store.history(user)
        except UnknownUser:
            return []
        return [one for one in changes if not one.undone and one.what != "undo"]

    def _last(self, user: str) -> list[Change]:
        """The last change that was made here, or the last few if they were made at once."""
        left = self._changes(user)
        if not left:
            raise PiaaError("there is nothing to undo: nothing was said yet")
        if left[-1].source == SOURCE:
            return left[-1:]
        for taken in self._taken.get(user, []):
            if left[-1].id in taken:
                return [one for one in left if one.id in taken]
        raise PiaaError(
            f"the last change ({left[-1].what}) was not made here but by {left[-1].source!r}; take it "
            f"back with: piaa users undo {shlex.quote(user)}"
        )

    def _say(self, user: str, saying: Saying) -> None:
        check_user(user)
        self._store.say(user, saying)
        self._undone.pop(user, None)

    def _saying(self, **what: object) -> Saying:
        scale = STARS if what.get("ratings") else None
        return Saying(**what, model_hash=self._model_hash, source=SOURCE, scale=scale)  # type: ignore[arg-type]

    def _known(self, user: str) -> _Known:
        flags = {one.photo: one.flag for one in self._store.flags(user)}
        return _Known(said=self._store.said(user, self._model_hash), flags=flags)

    def _between(self, now: _Known, then: _Known) -> Saying:
        """What to say to get from one to the other, of what one change of the page can be."""
        old = {one.photo: one for one in now.said.ratings}
        new = {one.photo: one for one in then.said.ratings}
        compared = {one.id for one in now.said.comparisons}
        vectors = then.said.vectors
        names = {one.photo: one.image for one in then.said.ratings}
        return self._saying(
            ratings=[
                (_photo(one.photo, one.image, one.sha256, vectors.get(one.photo)), one.score)
                for photo, one in new.items()
                if photo not in old or old[photo].score != one.score
            ],
            cleared=[photo for photo in old if photo not in new],
            flags=[
                (self._seen(photo, names), flag)
                for photo, flag in then.flags.items()
                if now.flags.get(photo) != flag
            ],
            unflagged=[photo for photo in now.flags if photo not in then.flags],
            comparisons=[
                (_photo(one.a_photo, one.a, None, None), _photo(one.b_photo, one.b, None, None), one.outcome)
                for one in then.said.comparisons
                if one.id not in compared
            ],
        )

    def _seen(self, identity: str, names: dict[str, str]) -> SeenPhoto:
        for row in self._album.rows_of(identity):
            return self._album.seen(row)
        return _photo(identity, names.get(identity, identity), None, None)


def _photo(identity: str, image: str, sha256: str | None, vector: object) -> SeenPhoto:
    return SeenPhoto(identity=identity, sha256=sha256, image=image, vector=vector)  # type: ignore[arg-type]


def _each_once(photos: Sequence[SeenPhoto]) -> list[SeenPhoto]:
    return list({photo.identity: photo for photo in photos}.values())
