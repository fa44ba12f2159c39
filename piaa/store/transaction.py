"""The little of a database connection that the store uses: SQL with ``:name`` values, alike everywhere."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

Rows = list[tuple[Any, ...]]


class Sql(Protocol):
    """One open transaction."""

    for_update: str
    """What a SELECT must end with so that no other transaction changes its rows until this one ends."""

    def run(self, statement: str, **values: object) -> Rows:
        """Run one statement; the rows that it gives, if it gives any."""

    def run_many(self, statement: str, rows: Sequence[Mapping[str, object]]) -> None:
        """Run one statement for each row of values."""


class Database(Protocol):
    """Where a store lies. All its failures are StoreErrors of one line."""

    name: str
    """What messages call it; holds no password."""

    def exists(self) -> bool:
        """Whether there may be something to read."""

    def option(self) -> str:
        """What a command needs to reach this store."""

    def reading(self) -> AbstractContextManager[Sql]:
        """A transaction that sees one state and changes nothing."""

    def writing(self) -> AbstractContextManager[Sql]:
        """A transaction that happens as a whole or not at all."""


class FileSql:
    """A transaction on a connection of the standard library's sqlite3."""

    for_update = ""  # a transaction that writes has the whole file to itself

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def run(self, statement: str, **values: object) -> Rows:
        """See :class:`Sql`."""
        return self._connection.execute(statement, values).fetchall()

    def run_many(self, statement: str, rows: Sequence[Mapping[str, object]]) -> None:
        """See :class:`Sql`."""
        self._connection.executemany(statement, rows)


def names_of(values: Sequence[object], prefix: str = "v") -> tuple[str, dict[str, object]]:
    """``(:v0, :v1)`` and its values, for ``IN``.

    Example:
        >>> names_of(["a", "b"])
        ('(:v0, :v1)', {'v0': 'a', 'v1': 'b'})
    """
    named = {f"{prefix}{i}": value for i, value in enumerate(values)}
    return f"({', '.join(f':{name}' for name in named)})", named
