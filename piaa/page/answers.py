"""What a person answers goes into the store before she is told that it did; undone and redone from there."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from generic.errors import PiaaError, UnknownUser
from piaa.page.album import Album
from piaa.page.taste import STARS
from piaa.store.records import FLAGS, OUTCOMES, SeenPhoto, check_user
from piaa.store.said import Said
from piaa.store.saying import Saying
from piaa.store.store import Store

SOURCE = "page"
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
        self._check_last(user)
        before = self._known(user)
        change, _ = self._store.undo(user, source=SOURCE)
        after = self._known(user)
        self._undone.setdefault(user, []).append(self._between(after, before))
        del self._undone[user][:-_MOST_REDONE]
        return change.what

    def redo(self, user: str) -> None:
        """Say again what was undone last, since this page was started.

        Raises:
            PiaaError: there is nothing.
        """
        if not self._undone.get(user):
            raise PiaaError("there is nothing to redo: nothing was undone since the last answer")
        self._store.say(user, self._undone[user][-1])
        self._undone[user].pop()

    def can(self, user: str) -> tuple[bool, bool]:
        """Whether something can be undone, and redone."""
        with suppress(PiaaError):
            self._check_last(user)
            return True, bool(self._undone.get(user))
        return False, bool(self._undone.get(user))

    def _check_last(self, user: str) -> None:
        try:
            changes = self._store.history(user)
        except UnknownUser:
            changes = []
        left = [one for one in changes if not one.undone and one.what != "undo"]
        if not left:
            raise PiaaError("there is nothing to undo: nothing was said yet")
        if left[-1].source != SOURCE:
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
