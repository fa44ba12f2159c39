"""Many rows at once, into the tables of a SQLite file or of a PostgreSQL database."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from psycopg import Connection

Columns = Mapping[str, str]
"""Columns of each table, parted by spaces; of two tables first comes the one that the other refers to."""
Rows = dict[str, list[tuple[Any, ...]]]
"""Rows of each table, in the order of its columns."""


def insert(connection: sqlite3.Connection, columns: Columns, rows: Rows) -> None:
    """Add rows to a file, in the transaction that is open."""
    for name, listed in columns.items():
        marks = ", ".join("?" * len(listed.split()))
        statement = f"INSERT INTO {name} ({', '.join(listed.split())}) VALUES ({marks})"  # noqa: S608
        connection.executemany(statement, rows[name])


def copy(connection: Connection[Any], columns: Columns, rows: Rows) -> None:
    """Add rows to a database, in the transaction that is open; in binary, else bytes are sent as digits."""
    for name, listed in columns.items():
        among = ", ".join(listed.split())
        empty = connection.execute(f"SELECT {among} FROM {name} LIMIT 0").description or []  # noqa: S608
        with connection.cursor().copy(f"COPY {name} ({among}) FROM STDIN (FORMAT BINARY)") as lines:
            lines.set_types([column.type_code for column in empty])
            for row in rows[name]:
                lines.write_row(row)
