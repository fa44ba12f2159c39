"""The little of a database that the store uses: SQL with ``:name`` values, one for both databases."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol, TypeVar

T = TypeVar("T")
Rows = list[tuple[Any, ...]]
_AT_ONCE = 500
"""Values in one ``IN``: far below what either database allows."""


class Sql(Protocol):
    """One open transaction."""

    for_update: str
    """What a SELECT must end with so that no other transaction changes its rows until this one ends."""
    words: Mapping[str, str]
    """What the two databases call by different names: ``bytes``, and ``key`` for an id that they count up."""

    def run(self, statement: str, **values: object) -> Rows:
        """Run one statement; the rows that it gives, if it gives any."""

    def run_many(self, statement: str, rows: Sequence[Mapping[str, object]]) -> None:
        """Run one statement for each row of values."""

    def stream(self, statement: str, **values: object) -> Iterator[tuple[Any, ...]]:
        """The rows of one statement, a bounded number of them in memory; end it before another begins."""

    def count_on(self, table: str) -> None:
        """Have a table that got rows with ids of their own count on from the largest."""

    def hold_photos(self) -> None:
        """Until this transaction ends no other one adds, merges or forgets photos; call it before that."""


class Database(Protocol):
    """Where a store lies. All its failures are StoreErrors of one line."""

    name: str
    """What messages call it; holds no password."""
    served: bool
    """Whether a server asks, for clients: they are told no names, and none are searched for them."""

    def exists(self) -> bool:
        """Whether there may be something to read."""

    def option(self) -> str:
        """What a command needs to reach this store."""

    def reading(self) -> AbstractContextManager[Sql]:
        """A transaction that sees one state and changes nothing."""

    def writing(self) -> AbstractContextManager[Sql]:
        """A transaction that happens as a whole or not at all; the tables are made or brought up to date."""

    def with_room(self, act: Callable[[], T]) -> T:
        """Do something that deletes, on a full disk with the room that a server keeps for that."""

    def scrub(self) -> bool:
        """Overwrite what was deleted wherever the database keeps copies of it; whether it did so now."""

    def close(self) -> None:
        """Let go of all connections."""


class SqliteSql:
    """A transaction on a connection of the standard library's sqlite3."""

    for_update = ""  # a transaction that writes has the whole file to itself
    words: Mapping[str, str] = {"bytes": "BLOB", "key": "INTEGER PRIMARY KEY"}

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def run(self, statement: str, **values: object) -> Rows:
        """See :class:`Sql`."""
        return self._connection.execute(statement, values).fetchall()

    def run_many(self, statement: str, rows: Sequence[Mapping[str, object]]) -> None:
        """See :class:`Sql`."""
        self._connection.executemany(statement, rows)

    def stream(self, statement: str, **values: object) -> Iterator[tuple[Any, ...]]:
        """See :class:`Sql`."""
        yield from self._connection.execute(statement, values)

    def count_on(self, table: str) -> None:
        """See :class:`Sql`; SQLite does so by itself."""

    def hold_photos(self) -> None:
        """See :class:`Sql`; a transaction that writes has the whole file to itself."""


def names_of(values: Sequence[object], prefix: str = "v") -> tuple[str, dict[str, object]]:
    """``(:v0, :v1)`` and its values, for ``IN``.

    Example:
        >>> names_of(["a", "b"])
        ('(:v0, :v1)', {'v0': 'a', 'v1': 'b'})
    """
    named = {f"{prefix}{i}": value for i, value in enumerate(values)}
    return f"({', '.join(f':{name}' for name in named)})", named


def run_in(sql: Sql, statement: str, chosen: Sequence[object], **values: object) -> Rows:
    """The rows of a statement whose ``{chosen}`` is a list of values, however long.

    Args:
        sql: an open transaction.
        statement: with ``IN {chosen}``.
        chosen: the values, each once.
        values: of the statement's other names.
    """
    found: Rows = []
    for start in range(0, len(chosen), _AT_ONCE):
        marks, named = names_of(chosen[start : start + _AT_ONCE])
        found += sql.run(statement.format(chosen=marks), **named, **values)
    return found


def insert(sql: Sql, table: str, values: Mapping[str, object]) -> int:
    """Add one row to a table that counts its rows; its id."""
    columns, marks = ", ".join(values), ", ".join(f":{name}" for name in values)
    row = sql.run(f"INSERT INTO {table} ({columns}) VALUES ({marks}) RETURNING id", **values)  # noqa: S608
    return int(row[0][0])


def insert_many(sql: Sql, table: str, rows: Sequence[Mapping[str, object]], end: str = "") -> None:
    """Add rows with the same columns; ``end`` is what follows, such as ``ON CONFLICT DO NOTHING``."""
    if rows:
        columns, marks = ", ".join(rows[0]), ", ".join(f":{name}" for name in rows[0])
        sql.run_many(f"INSERT INTO {table} ({columns}) VALUES ({marks}) {end}", rows)  # noqa: S608
