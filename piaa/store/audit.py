"""Who did what to the store, for whoever runs it."""

from __future__ import annotations

from dataclasses import dataclass

from piaa.store.clock import now
from piaa.store.sql import Sql, insert


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One thing that was done."""

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


def forget_name(sql: Sql, user: str, instead: str) -> None:
    """Name somebody who is deleted by something else in all that was noted so far."""
    sql.run("UPDATE audit SET user_name = :instead WHERE user_name = :user", instead=instead, user=user)


def entries(sql: Sql, n: int) -> list[Entry]:
    """The last n entries, oldest first."""
    rows = sql.run("SELECT at, who, what, user_name FROM audit ORDER BY id DESC LIMIT :n", n=n)
    return [Entry(at=at, who=who, what=what, user=user) for at, who, what, user in reversed(rows)]
