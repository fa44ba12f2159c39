"""Rows of people."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from generic.errors import UnknownUser
from piaa.store.records import VersionSummary
from piaa.store.sql import Database, Sql
from piaa.store.versions import FROM, SUMMARY, summary_of

_MAX_NAMES = 5_000
"""How many names are compared to find the one that was meant."""


@dataclass(frozen=True, kw_only=True)
class UserSummary:
    """One person of the store."""

    user: str
    """Her name."""
    n_ratings: int
    """How many of her ratings count."""
    n_comparisons: int
    """How many of her comparisons count."""
    n_versions: int
    """How many versions are kept."""
    latest: VersionSummary | None
    """The version that was made to count last; None if nothing was learned from her yet."""


@dataclass(frozen=True, kw_only=True)
class UsedModel:
    """A model that people of the store were learned on."""

    name: str
    """As its file says."""
    hash: str
    n_people: int
    """Of whom a version counts for it."""


@dataclass(frozen=True, kw_only=True)
class Erased:
    """What went with a person who was deleted."""

    n_ratings: int
    """Those that were history included; likewise below."""
    n_comparisons: int
    n_flags: int
    n_versions: int
    n_jobs: int
    n_keys: int
    """API keys of hers that are refused from now on."""
    photos: tuple[str, ...]
    """Identities of those of which nobody else said anything: they went with their vectors."""
    sent: tuple[str, ...]
    """What the files were called that she sent to servers, and those of such photos: all are forgotten."""
    overwritten: bool
    """Whether the bytes are overwritten in the file and in its log; if somebody reads, a later write does it.
    Of PostgreSQL false: it does so when it vacuums."""


def count_all(sql: Sql, user: int) -> dict[str, int]:
    """How many rows of each kind a user has, by the names of :class:`Erased`."""
    tables = ("ratings", "comparisons", "flags", "versions", "jobs")
    count = "SELECT count(*) FROM {} WHERE user_id = :user"
    return {f"n_{table}": int(sql.run(count.format(table), user=user)[0][0]) for table in tables}


def find_user(sql: Sql, user: str, database: Database, *, lock: bool = False) -> int:
    """A user's number.

    Args:
        sql: a transaction.
        user: her name.
        database: whose transaction it is, for messages.
        lock: whether her rows are to be this transaction's alone from here on.

    Raises:
        UnknownUser: there is no such user; a terminal is told similar names.
    """
    rows = sql.run(f"SELECT id FROM users WHERE name = :user{sql.for_update if lock else ''}", user=user)  # noqa: S608
    if rows:
        return int(rows[0][0])
    if database.served:
        raise UnknownUser(f"store {database.name!r} has no user {user!r}")
    names = [name for (name,) in sql.run("SELECT name FROM users LIMIT :n", n=_MAX_NAMES)]
    close = difflib.get_close_matches(user, names, n=3)
    meant = f"did you mean {' or '.join(map(repr, close))}? " if close else ""
    raise UnknownUser(
        f"store {database.name!r} has no user {user!r}; {meant}see all users with: piaa users "
        f"list{database.option()}"
    )


def list_models(sql: Sql) -> list[UsedModel]:
    """The models that a version of somebody counts for, those of most people first."""
    rows = sql.run(
        f"SELECT model_name, models.hash, count(*) {FROM} JOIN active ON active.version_id = versions.id"
        " GROUP BY model_name, models.hash"
    )
    found = [UsedModel(name=name, hash=one, n_people=int(n)) for name, one, n in rows]
    return sorted(found, key=lambda one: (-one.n_people, one.name, one.hash))


def list_users(sql: Sql, user: str | None = None) -> list[UserSummary]:
    """Everybody, or one person, by name."""
    one = "" if user is None else " WHERE users.name = :user"
    values = {} if user is None else {"user": user}
    counts = ", ".join(
        f"(SELECT count(*) FROM {table} WHERE user_id = users.id{active})"  # noqa: S608  (our own names)
        for table, active in (
            ("ratings", " AND ended_by IS NULL"),
            ("comparisons", " AND ended_by IS NULL"),
            ("versions", ""),
        )
    )
    people = sql.run(f"SELECT id, name, {counts} FROM users{one}", **values)  # noqa: S608
    rows = sql.run(
        f"SELECT users.id, {SUMMARY} {FROM} JOIN active ON active.version_id = versions.id{one}"
        " ORDER BY active.at, number",
        **values,
    )
    latest = {number: summary_of(row) for number, *row in rows}  # of several models the last one to count
    # Not ORDER BY: databases differ in what order text has.
    return [
        UserSummary(
            user=name, n_ratings=rated, n_comparisons=compared, n_versions=n, latest=latest.get(number)
        )
        for number, name, rated, compared, n in sorted(people, key=lambda row: row[1])
    ]
