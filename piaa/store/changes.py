"""The journal of what changed in what a person said, and how the last change is taken back.

A rating, comparison or flag is a row that one change added and a later one may end. Undoing a change is a
change as well: it ends what the other added, and what the other ended counts again. What was withdrawn is
deleted, and no undo brings it back.
"""

from __future__ import annotations

import shlex
from collections import Counter
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
    """``rate``, ``replace``, ``compare``, ``flag``, ``clear``, ``unflag``, ``import``, ``withdraw``,
    ``restore`` or ``undo``."""
    source: str
    """Where it came from: one of :data:`piaa.store.records.SOURCES`."""
    n_added: int
    """Rows that it added."""
    n_ended: int
    """Rows that it ended, which stay as history; none once it is undone, for they count again."""
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
    added, ended = _counts(sql, user, "added_by"), _counts(sql, user, "ended_by")
    rows = sql.run(
        "SELECT id, at, what, source, n_withdrawn, version_after, undone_by FROM changes"
        " WHERE user_id = :user ORDER BY id",
        user=user,
    )
    return [
        Change(
            id=number,
            at=at,
            what=what,
            source=source,
            n_added=added[number],
            n_ended=ended[number],
            n_withdrawn=withdrawn,
            version=version,
            undone=undone is not None,
        )
        for number, at, what, source, withdrawn, version, undone in rows
    ]


def _counts(sql: Sql, user: int, column: str) -> Counter[int]:
    """How many rows of a user each change added, or ended."""
    found: Counter[int] = Counter()
    for table in SAID:
        statement = (
            f"SELECT {column}, count(*) FROM {table}"  # noqa: S608  (our own names)
            f" WHERE user_id = :user AND {column} IS NOT NULL GROUP BY {column}"
        )
        found.update(dict(sql.run(statement, user=user)))
    return found


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
        raise StoreError(
            f"user {name!r} has no change that could be taken back; see: piaa users history "
            f"{shlex.quote(name)}"
        )
    last = left[-1]
    if last.what == "withdraw":
        raise StoreError(
            f"the last change of user {name!r}, of {last.at}, withdrew what she said of some photos, "
            "which was deleted for good; rate these photos again instead"
        )
    change = begin(sql, user, "undo", source)
    for table in SAID:
        _take_back(sql, table, user, last.id, change)
    _use_scale_of_ratings(sql, user)
    sql.run("UPDATE changes SET undone_by = :change WHERE id = :last", change=change, last=last.id)
    before = sql.run("SELECT model_id, version_before FROM changes WHERE id = :id", id=last.id)[0]
    return last, (None if before[0] is None or before[1] is None else (int(before[0]), int(before[1])))


def _take_back(sql: Sql, table: str, user: int, last: int, change: int) -> None:
    sql.run(
        f"UPDATE {table} SET ended_by = :change"  # noqa: S608  (our own names)
        " WHERE user_id = :user AND added_by = :last AND ended_by IS NULL",
        change=change,
        user=user,
        last=last,
    )
    # What an import brought as history stays that.
    ended = "user_id = :user AND ended_by = :last AND added_by <> :last"
    # Two photos may turn out to be one after each of them was rated; the last rating counts.
    newest = f" AND id IN (SELECT max(id) FROM {table} WHERE {ended} GROUP BY photo_id)"  # noqa: S608
    sql.run(
        f"UPDATE {table} SET ended_by = NULL WHERE {ended}"  # noqa: S608  (our own names)
        f"{'' if table == 'comparisons' else newest}{none_counts(table)}",
        user=user,
        last=last,
    )


def _use_scale_of_ratings(sql: Sql, user: int) -> None:
    """The scale of the newest rating that counts is the user's; without any, it stays as it is."""
    rows = sql.run(
        "SELECT scale_low, scale_high FROM ratings WHERE user_id = :id AND ended_by IS NULL"
        " ORDER BY id DESC LIMIT 1",
        id=user,
    )
    for low, high in rows:
        sql.run(
            "UPDATE users SET scale_low = :low, scale_high = :high WHERE id = :id",
            low=low,
            high=high,
            id=user,
        )


def none_counts(table: str) -> str:
    """Of a photo one rating counts; whatever was merged since, there are never two."""
    if table == "comparisons":
        return ""
    return (
        f" AND NOT EXISTS (SELECT 1 FROM {table} AS other WHERE other.user_id = {table}.user_id"  # noqa: S608
        f" AND other.photo_id = {table}.photo_id AND other.ended_by IS NULL)"
    )
