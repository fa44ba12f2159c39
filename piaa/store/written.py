"""The stars that piaa wrote itself, so that it never learns from them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from piaa.store.clock import now
from piaa.store.photos import keep_photos
from piaa.store.records import SeenPhoto
from piaa.store.sql import Sql, insert_many, run_in


@dataclass(frozen=True, kw_only=True)
class WrittenStar:
    """A star in a file."""

    photo: SeenPhoto
    file: str
    """Where the file lies: an absolute path."""
    star: int
    """1 to 5."""


def keep_written(sql: Sql, user: int, stars: Sequence[WrittenStar]) -> None:
    """Note stars that are about to be written for a user; of one file the newest."""
    numbers = keep_photos(sql, user, [one.photo for one in stars], "")
    at = now()
    rows = {
        (numbers[one.photo.identity], one.file): {
            "user_id": user,
            "photo_id": numbers[one.photo.identity],
            "file": one.file,
            "star": one.star,
            "at": at,
        }
        for one in stars
    }
    newest = "ON CONFLICT (user_id, photo_id, file) DO UPDATE SET star = excluded.star, at = excluded.at"
    insert_many(sql, "written", list(rows.values()), newest)


def written_stars(sql: Sql, photos: Sequence[str]) -> dict[str, frozenset[int]]:
    """The stars that were written of photos, by identity, for whomever."""
    rows = run_in(
        sql,
        "SELECT identity, star FROM written JOIN photos ON photos.id = photo_id WHERE identity IN {chosen}",
        sorted(set(photos)),
    )
    found: dict[str, set[int]] = defaultdict(set)
    for identity, star in rows:
        found[identity].add(int(star))
    return {identity: frozenset(stars) for identity, stars in found.items()}


def forget_written(sql: Sql, user: int, files: Sequence[str]) -> None:
    """Forget the stars in files which have them no more, as if they had never been written."""
    statement = "DELETE FROM written WHERE user_id = :user AND file IN {chosen}"
    run_in(sql, statement, sorted(set(files)), user=user)
