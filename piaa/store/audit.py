"""Who did what to the store, for whoever runs it."""

from __future__ import annotations

from dataclasses import dataclass

from piaa.store.clock import now
from piaa.store.sql import Database, Sql, insert


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One thing that was done."""

    id: int
    """Later ones have higher numbers."""
    at: str
    """ISO 8601, UTC."""
    who: str
    """A key's id, or where it was asked for."""
    what: str
    user: str | None
    """Whose rows it concerned."""


def note(sql: Sql, who: str, what: str, user: str | None = None) -> None:
    """Note what is done in this transaction."""
    insert(sql, "audit", {"at": now(), "who": who, "what": what, "user_name": user})


def add_entry(database: Database, who: str, what: str) -> None:
    """Note what is done beside the store, in a transaction of its own."""
    with database.writing() as sql:
        note(sql, who, what)


def forget_name(sql: Sql, user: str, instead: str) -> None:
    """Name somebody who is deleted by something else in all that was noted so far."""
    sql.run("UPDATE audit SET user_name = :instead WHERE user_name = :user", instead=instead, user=user)


def entries(sql: Sql, n: int, before: int | None = None) -> list[Entry]:
    """The last n entries, oldest first; of those with lower numbers than ``before``, if it is given."""
    rows = sql.run(
        f"SELECT id, at, who, what, user_name FROM audit{'' if before is None else ' WHERE id < :before'}"  # noqa: S608
        " ORDER BY id DESC LIMIT :n",
        n=n,
        **({} if before is None else {"before": before}),
    )
    return [
        Entry(**dict(zip(("id", "at", "who", "what", "user"), row, strict=True))) for row in reversed(rows)
    ]
