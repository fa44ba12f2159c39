"""A person says something, or takes it back: rows of ratings, comparisons and flags."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from generic.errors import ScaleError
from piaa.store.changes import begin, end
from piaa.store.clock import now
from piaa.store.photos import drop_unused, keep_photos
from piaa.store.records import SeenPhoto, check_image
from piaa.store.sql import Sql, insert_many, run_in


@dataclass(frozen=True, kw_only=True)
class Saying:
    """What a person says at once, of photos that somebody saw.

    Raises:
        StoreError: a photo has a name that cannot be stored.
    """

    ratings: Sequence[tuple[SeenPhoto, float]] = ()
    """Photos, each once, and their scores in the units of the scale."""
    comparisons: Sequence[tuple[SeenPhoto, SeenPhoto, str]] = ()
    """Two photos and the preferred one: ``a``, ``b`` or ``equal``."""
    flags: Sequence[tuple[SeenPhoto, str]] = ()
    """Photos, each once, and ``pick`` or ``reject``."""
    cleared: Sequence[str] = ()
    """Identities of photos whose rating is taken off: it becomes history, and an undo brings it back."""
    unflagged: Sequence[str] = ()
    """Likewise, of flags."""
    model_hash: str
    """Of the model that made the photos' vectors."""
    source: str
    """Where she says it: one of :data:`piaa.store.records.SOURCES`."""
    scale: tuple[float, float] | None = None
    """Lowest and highest score; None is that of her ratings before, and 1 to 5 for somebody new."""

    def __post_init__(self) -> None:
        for photo in self.photos:
            check_image(photo.image)

    @property
    def photos(self) -> list[SeenPhoto]:
        """All that it is about."""
        compared = [side for a, b, _ in self.comparisons for side in (a, b)]
        return [photo for photo, _ in (*self.ratings, *self.flags)] + compared


def say(sql: Sql, user: int, name: str, saying: Saying, *, replace: bool = False) -> None:
    """Keep what a person says; of a photo rated again the new score counts, and the old one is history.

    Args:
        sql: a transaction that holds the user's rows.
        user: the user's number.
        name: what the user is called, for messages.
        saying: what she says.
        replace: whether it takes the place of all that she said in this way before, which is history then.
            A comparison that counts already is not counted twice.

    Raises:
        ScaleError: the scale is not that of the ratings before, or a score lies outside of it.
    """
    photos = keep_photos(sql, user, saying.photos, saying.model_hash)
    what = {"ratings": "rate", "comparisons": "compare"}
    if replace:
        counts = "SELECT 1 FROM {} WHERE user_id = :id AND ended_by IS NULL LIMIT 1"
        what |= {table: "replace" for table in what if sql.run(counts.format(table), id=user)}
    at = now()
    if saying.ratings:
        scale = _scale(sql, user, name, saying, replace=replace)
        change = begin(sql, user, what["ratings"], saying.source)
        rows = [
            {
                **_row(user, photo, photos, at, saying.source, change),
                "sha256": photo.sha256,
                "score": float(score),
            }
            | {"scale_low": scale[0], "scale_high": scale[1]}
            for photo, score in saying.ratings
        ]
        _add(sql, "ratings", user, change, rows, replace=replace)
    if saying.comparisons:
        change = begin(sql, user, what["comparisons"], saying.source)
        if replace:
            end(sql, "comparisons", user, change)
        rows = [
            {**_row(user, a, photos, at, saying.source, change), "other_image": b.image, "outcome": outcome}
            | {"other_id": photos[b.identity]}
            for a, b, outcome in saying.comparisons
        ]
        # A table given twice, or a request sent again, says nothing new.
        known = _compared(sql, user)
        insert_many(sql, "comparisons", [row for row in rows if _what(row) not in known])
    if saying.flags:
        change = begin(sql, user, "flag", saying.source)
        rows = [
            {**_row(user, photo, photos, at, saying.source, change), "sha256": photo.sha256, "flag": flag}
            for photo, flag in saying.flags
        ]
        _add(sql, "flags", user, change, rows, replace=False)
    for table, what_happens, identities in (
        ("ratings", "clear", saying.cleared),
        ("flags", "unflag", saying.unflagged),
    ):
        if identities:
            _take_off(sql, table, user, begin(sql, user, what_happens, saying.source), identities)


def _take_off(sql: Sql, table: str, user: int, change: int, identities: Sequence[str]) -> None:
    """End what counts of some photos: nothing takes its place."""
    sql.run_many(
        f"UPDATE {table} SET ended_by = :change"  # noqa: S608  (our own names)
        " WHERE user_id = :user AND ended_by IS NULL"
        " AND photo_id IN (SELECT id FROM photos WHERE identity = :identity)",
        [{"change": change, "user": user, "identity": identity} for identity in identities],
    )


def _compared(sql: Sql, user: int) -> set[tuple[object, ...]]:
    """Comparisons that count, each from either side."""
    rows = sql.run(
        "SELECT photo_id, other_id, outcome FROM comparisons WHERE user_id = :user AND ended_by IS NULL",
        user=user,
    )
    other = {"a": "b", "b": "a", "equal": "equal"}
    return {tuple(row) for row in rows} | {(b, a, other[outcome]) for a, b, outcome in rows}


def _what(row: dict[str, object]) -> tuple[object, ...]:
    return row["photo_id"], row["other_id"], row["outcome"]


def _row(
    user: int, photo: SeenPhoto, photos: dict[str, int], at: str, source: str, change: int
) -> dict[str, object]:
    return {
        "user_id": user,
        "photo_id": photos[photo.identity],
        "image": photo.image,
        "given": at,
        "source": source,
        "added_by": change,
    }


def _add(
    sql: Sql, table: str, user: int, change: int, rows: Sequence[dict[str, object]], *, replace: bool
) -> None:
    if replace:
        end(sql, table, user, change)
    else:
        sql.run_many(
            f"UPDATE {table} SET ended_by = :change"  # noqa: S608  (our own names)
            " WHERE user_id = :user AND photo_id = :photo AND ended_by IS NULL",
            [{"change": change, "user": user, "photo": row["photo_id"]} for row in rows],
        )
    insert_many(sql, table, rows)


def _scale(sql: Sql, user: int, name: str, saying: Saying, *, replace: bool) -> tuple[float, float]:
    """The scale of these ratings, which is the user's from now on."""
    low, high = sql.run("SELECT scale_low, scale_high FROM users WHERE id = :id", id=user)[0]
    rated = sql.run("SELECT 1 FROM ratings WHERE user_id = :id AND ended_by IS NULL LIMIT 1", id=user)
    before = None if low is None or not rated or replace else (float(low), float(high))
    used = saying.scale or before or (1.0, 5.0)
    if before not in (None, used):
        raise ScaleError(
            f"user {name!r} rated on {_span(before)} so far, not on {_span(used)}; rate on the same scale, "
            "or put these in the place of the old ratings: piaa fit-user --replace"
        )
    for photo, score in saying.ratings:
        if not used[0] <= score <= used[1]:
            raise ScaleError(
                f"score {score:g} of image {photo.image!r} lies outside the scale {_span(used)}; "
                f"correct the score or give its real scale"
            )
    sql.run(
        "UPDATE users SET scale_low = :low, scale_high = :high WHERE id = :id",
        low=used[0],
        high=used[1],
        id=user,
    )
    return used


def _span(ends: tuple[float, float]) -> str:
    return f"{ends[0]:g}..{ends[1]:g}"


def withdraw(sql: Sql, user: int, photos: Sequence[int], source: str) -> list[int]:
    """Delete all that a user ever said of photos, and what was learned from it.

    Args:
        sql: a transaction that holds the user's rows, and held the photos before they were looked up.
        user: the user's number.
        photos: their numbers.
        source: where she takes it back.

    Returns:
        the numbers of the versions that went with it.
    """
    change = begin(sql, user, "withdraw", source)
    learned = set()
    for links, link, table, columns in (
        ("version_ratings", "rating_id", "ratings", ("photo_id",)),
        ("version_comparisons", "comparison_id", "comparisons", ("photo_id", "other_id")),
    ):
        for column in columns:
            learned |= {
                row
                for (row,) in run_in(
                    sql,
                    f"SELECT version_id FROM {links} JOIN {table} ON {table}.id = {link}"  # noqa: S608
                    f" WHERE user_id = :user AND {column} IN {{chosen}}",
                    photos,
                    user=user,
                )
            }
    numbers = run_in(sql, "DELETE FROM versions WHERE id IN {chosen} RETURNING number", sorted(learned))
    n_gone = 0
    for table, column in (
        ("ratings", "photo_id"),
        ("flags", "photo_id"),
        ("comparisons", "photo_id"),
        ("comparisons", "other_id"),
    ):
        gone = run_in(
            sql,
            f"DELETE FROM {table} WHERE user_id = :user AND {column} IN {{chosen}} RETURNING ended_by",  # noqa: S608
            photos,
            user=user,
        )
        n_gone += sum(ended is None for (ended,) in gone)
    sql.run("UPDATE changes SET n_withdrawn = :n WHERE id = :id", n=n_gone, id=change)
    drop_unused(sql, photos)
    return sorted(number for (number,) in numbers)
