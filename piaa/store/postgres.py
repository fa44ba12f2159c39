"""A store in PostgreSQL, through psycopg."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

from generic.errors import StoreError, StoreUnavailable
from generic.extras import require
from piaa.store import migrations
from piaa.store.postgres_url import as_url, shown
from piaa.store.sql import Rows, Sql, T

if TYPE_CHECKING:
    from psycopg import Connection

_MIGRATING = 0x70696161
"""The advisory lock that lets one process at a time migrate."""
_PHOTOS = 0x70686F74
"""The advisory lock for photos: one must not be forgotten, or merged with another, while it is rated."""
_NAME = re.compile(r":(\w+)")
_STREAMED = 200


class PostgresDatabase:
    """A PostgreSQL database behind a URL, migrated to today's schema when it is opened.

    Args:
        url: ``postgresql://user:password@host/name``, see :mod:`piaa.store.postgres_url`.
        timeout_s: how long to wait for a connection, in seconds.
        connections: how many are kept open at most.

    Raises:
        StoreError: it cannot be reached or used; the message says why and holds no password.
        MissingPackage: psycopg is not installed.
    """

    def __init__(self, url: str, timeout_s: float = 10.0, *, connections: int = 1) -> None:
        url = as_url(url)
        self.name = shown(url)
        require("a store in PostgreSQL", "psycopg", "psycopg_pool")
        import psycopg_pool

        self._timeout_s = timeout_s
        self.served = connections > 1
        self._migrate(url)
        self._pool = psycopg_pool.ConnectionPool(
            url,
            min_size=1,
            max_size=connections,
            timeout=timeout_s,
            open=True,
            check=psycopg_pool.ConnectionPool.check_connection,
            kwargs={"autocommit": True, "connect_timeout": max(2, int(timeout_s))},
        )

    def exists(self) -> bool:
        """Always: opening it made its tables."""
        return True

    def option(self) -> str:
        """Nothing: a URL may hold a password."""
        return ""

    @contextmanager
    def reading(self) -> Iterator[Sql]:
        """A transaction that sees one state and changes nothing."""
        with self._transaction("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY") as sql:
            yield sql

    @contextmanager
    def writing(self) -> Iterator[Sql]:
        """A transaction that happens as a whole or not at all."""
        with self._transaction("BEGIN") as sql:
            yield sql

    def with_room(self, act: Callable[[], T]) -> T:
        """Nothing more: the room is the database's own."""
        return act()

    def scrub(self) -> bool:
        """Nothing: what a row held goes when the database vacuums."""
        return False

    def close(self) -> None:
        """Let go of all connections."""
        self._pool.close()

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[Sql]:
        import psycopg
        import psycopg_pool

        try:
            with self._pool.connection() as connection:
                connection.execute(begin.encode())
                try:
                    yield PostgresSql(connection)
                    connection.execute("COMMIT")
                except BaseException:
                    if not connection.broken:
                        connection.execute("ROLLBACK")
                    raise
        except (psycopg.Error, psycopg_pool.PoolTimeout) as error:
            raise self._away(error) from error

    def _migrate(self, url: str) -> None:
        import psycopg

        try:
            with psycopg.connect(url, connect_timeout=max(2, int(self._timeout_s))) as connection:
                sql = PostgresSql(connection)
                sql.run("SELECT pg_advisory_xact_lock(:key)", key=_MIGRATING)
                version = self._schema(sql)
                if version < migrations.SCHEMA:
                    migrations.upgrade(sql, version)
        except psycopg.Error as error:
            raise self._away(error) from error

    def _schema(self, sql: Sql) -> int:
        """The version of the tables; 0 if there are none."""
        if sql.run("SELECT to_regclass('meta')")[0][0] is None:
            return 0
        version = int(sql.run("SELECT schema_version FROM meta")[0][0])
        if version > migrations.SCHEMA:
            raise StoreError(
                f"store {self.name!r} has schema version {version}, but this piaa knows version "
                f"{migrations.SCHEMA}; upgrade piaa (pip install --upgrade piaa)"
            )
        return version

    def _away(self, error: Exception) -> StoreUnavailable:
        reason = " ".join(str(error).split()).rstrip(".") or type(error).__name__
        return StoreUnavailable(f"store {self.name!r} cannot be used now: {reason}; try again later")


class PostgresSql:
    """A transaction on one of psycopg's connections."""

    for_update = " FOR UPDATE"
    words: Mapping[str, str] = {
        "bytes": "BYTEA",
        "key": "BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY",
    }

    def __init__(self, connection: Connection[Any]) -> None:
        self._connection = connection

    def run(self, statement: str, **values: object) -> Rows:
        """See :class:`piaa.store.sql.Sql`."""
        result = self._connection.execute(_translated(statement), values)
        return result.fetchall() if result.description else []

    def run_many(self, statement: str, rows: Sequence[Mapping[str, object]]) -> None:
        """See :class:`piaa.store.sql.Sql`."""
        if rows:
            with self._connection.cursor() as cursor:
                cursor.executemany(_translated(statement), rows)

    def stream(self, statement: str, **values: object) -> Iterator[tuple[Any, ...]]:
        """See :class:`piaa.store.sql.Sql`."""
        with self._connection.cursor(name="stream") as cursor:
            cursor.itersize = _STREAMED
            cursor.execute(_translated(statement), values)
            yield from cursor

    def count_on(self, table: str) -> None:
        """See :class:`piaa.store.sql.Sql`."""
        self.run(
            f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), coalesce(max(id), 0) + 1, false)"  # noqa: S608
            f" FROM {table}"
        )

    def hold_photos(self) -> None:
        """See :class:`piaa.store.sql.Sql`."""
        self.run("SELECT pg_advisory_xact_lock(:key)", key=_PHOTOS)


@cache
def _translated(statement: str) -> bytes:
    """``:name`` as psycopg writes it."""
    return _NAME.sub(r"%(\1)s", statement.replace("%", "%%")).encode()
