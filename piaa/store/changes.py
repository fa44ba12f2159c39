"""The journal of what changed in what a person said, and how the last change is taken back.

A rating, comparison or flag is a row that one change added and a later one may end. Undoing a change is a
change as well: it ends what the other added and adds again what it ended. What was withdrawn is deleted,
and no undo brings it back.
"""

from __future__ import annotations

from dataclasses import dataclass

from generic.errors import StoreError
from piaa.store.clock import now
from piaa.store.sql import Sql, insert

SAID = {
    "ratings": "photo_id, image, sha256, score, scale_low, scale_high, given, source",
    "comparisons": "photo_id, image, other_id, other_image, outcome, given, source",
    "flags": "photo_id, image, sha256, flag, given, source",
}
"""The tables of what a person said, each with what a row says."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """One change of what a person said."""

    id: int
    at: str
    """ISO 8601, UTC."""
    what: str
    """``rate``, ``replace``, ``compare``, ``flag``, ``withdraw``, ``restore`` or ``undo``."""
    source: str
    """Where it came from: one of :data:`piaa.store.records.SOURCES`."""
    n_added: int
    """Rows that it added."""
    n_ended: int
    """Rows that it ended, which stay as history."""
    n_withdrawn: int
    """Ratings, comparisons and flags that counted and that it deleted."""
    version: int | None
    """The version that counts because of it, if it chose one."""
    undone: bool


def begin(sql: Sql, user: int, what: str, source: str) -> int:
    """Note a change; its number."""
    return insert(sql, "changes", {"user_id": user, "at": now(), "what": what, "source": source})


def end(sql: Sql, table: str, user: int, change: int) -> None:
    """End the rows of a user that count."""
    sql.run(
        f"UPDATE {table} SET ended_by = :change"  # noqa: S608  (our own names)
        f" WHERE user_id = :user AND ended_by IS NULL",
        change=change,
        user=user,
    )


def history(sql: Sql, user: int) -> list[Change]:
    """All changes of a user, oldest first."""
    added, ended = (
        " + ".join(f"(SELECT count(*) FROM {table} WHERE {column} = changes.id)" for table in SAID)  # noqa: S608
        for column in ("added_by", "ended_by")
    )
    rows = sql.run(
        "SELECT id, at, what, source, n_withdrawn, version_after, undone_by,"  # noqa: S608  (our own names)
        f" {added}, {ended} FROM changes WHERE user_id = :user ORDER BY id",
        user=user,
    )
    return [
        Change(
            id=number,
            at=at,
            what=what,
            source=source,
            n_added=n_added,
            n_ended=n_ended,
            n_withdrawn=withdrawn,
            version=version,
            undone=undone is not None,
        )
        for number, at, what, source, withdrawn, version, undone, n_added, n_ended in rows
    ]


def undo(sql: Sql, user: int, name: str, source: str) -> tuple[Change, tuple[int, int] | None]:
    """Take back the last change that was not taken back yet.

    Args:
        sql: a transaction that holds the user's rows.
        user: the user's number.
        name: what the user is called, for messages.
        source: who takes it back.

    Returns:
        the change, and if it chose a version the model and the version that counted before it.

    Raises:
        StoreError: there is none, or it withdrew something, which is gone.
    """
    left = [one for one in history(sql, user) if not one.undone and one.what != "undo"]
    if not left:
        raise StoreError(f"user {name!r} has no change that could be taken back; see: piaa users history")
    last = left[-1]
    if last.what == "withdraw":
        raise StoreError(
            f"the last change of user {name!r}, of {last.at}, withdrew what she said of some photos, "
            "which was deleted for good; rate these photos again instead"
        )
    change = begin(sql, user, "undo", source)
    for table, columns in SAID.items():
        sql.run(
            f"UPDATE {table} SET ended_by = :change WHERE added_by = :last AND ended_by IS NULL",  # noqa: S608
            change=change,
            last=last.id,
        )
        sql.run(
            f"INSERT INTO {table} (user_id, {columns}, added_by)"  # noqa: S608  (our own names)
            f" SELECT user_id, {columns}, CAST(:change AS BIGINT) FROM {table}"
            f" WHERE ended_by = :last{none_counts(table)}",
            change=change,
            last=last.id,
        )
    sql.run("UPDATE changes SET undone_by = :change WHERE id = :last", change=change, last=last.id)
    before = sql.run("SELECT model_id, version_before FROM changes WHERE id = :id", id=last.id)[0]
    return last, (None if before[0] is None or before[1] is None else (int(before[0]), int(before[1])))


def none_counts(table: str) -> str:
    """Of a photo one rating counts; whatever was merged since, there are never two."""
    if table == "comparisons":
        return ""
    return (
        f" AND NOT EXISTS (SELECT 1 FROM {table} AS other WHERE other.user_id = {table}.user_id"  # noqa: S608
        f" AND other.photo_id = {table}.photo_id AND other.ended_by IS NULL)"
    )
