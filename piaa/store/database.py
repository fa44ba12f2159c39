"""A store that is served: SQLAlchemy's connections to PostgreSQL, or to a SQLite file in WAL mode.

Many requests read while fits write, so the connections stay open and a file keeps a write-ahead log
beside it while a server runs. The last server that stops puts the file back into the form that
:mod:`piaa.store.file` describes.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy
from sqlalchemy import Connection, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from generic.errors import StoreError, StoreUnavailable
from piaa.store import migrations
from piaa.store.file import StoreFile
from piaa.store.transaction import Rows, Sql

_MIGRATING = 0x70696161
"""PostgreSQL's advisory lock that lets one server at a time migrate."""


class StoreDatabase:
    """A database behind a URL, or a file, migrated to today's schema when it is opened.

    Args:
        place: ``postgresql://user:password@host/name``, or a SQLite file.
        timeout_s: how long to wait for a lock or a connection, in seconds.
        connections: how many are kept open.

    Raises:
        StoreError: it cannot be reached or used; the message says why and holds no password.
    """

    def __init__(self, place: str | Path, *, timeout_s: float = 10.0, connections: int = 8) -> None:
        self._file: Path | None = None
        options: dict[str, Any] = {
            "pool_size": connections,
            "max_overflow": 0,
            "pool_timeout": timeout_s,
            "pool_pre_ping": True,
        }
        if "://" in str(place):
            url = _url(str(place))
            options["connect_args"] = {"connect_timeout": max(2, int(timeout_s))}
        else:
            self._file = Path(place)
            with StoreFile(self._file, timeout_s).writing():
                pass  # made or migrated, or refused with a clear message
            url = sqlalchemy.URL.create("sqlite", database=str(self._file.absolute()))
            options["connect_args"] = {"timeout": timeout_s, "check_same_thread": False}
        self.name = url.render_as_string(hide_password=True) if self._file is None else str(self._file)
        self._engine = sqlalchemy.create_engine(url, **options)
        if self._file is not None:
            sqlalchemy.event.listen(self._engine, "connect", _prepare_sqlite)
        else:
            self._migrate()

    def exists(self) -> bool:
        """Always: opening it made it."""
        return True

    def option(self) -> str:
        """Nothing: what a client of a server is told must not name the server's files."""
        return ""

    @contextmanager
    def reading(self) -> Iterator[Sql]:
        """A transaction that sees one state."""
        with self._transaction("BEGIN") as sql:
            yield sql

    @contextmanager
    def writing(self) -> Iterator[Sql]:
        """A transaction that happens as a whole or not at all."""
        with self._transaction("BEGIN IMMEDIATE") as sql:
            yield sql

    def scrub(self) -> None:
        """Overwrite what was deleted in the write-ahead log as well; PostgreSQL has none of ours."""
        if self._file is not None:
            with contextlib.suppress(StoreError), self._connected() as connection:
                connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """Let go of all connections; a file that nobody else serves becomes one whole file again."""
        self._engine.dispose()
        if self._file is not None:
            last = sqlite3.connect(self._file, timeout=0)
            # Locked: another server has it open, and will do this when it stops.
            with contextlib.closing(last), contextlib.suppress(sqlite3.OperationalError):
                last.execute("PRAGMA journal_mode = DELETE")

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[Sql]:
        with self._connected() as connection:
            if self._file is not None:
                connection.exec_driver_sql(begin)
            yield _EngineSql(connection)
            connection.commit()

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        try:
            with self._engine.connect() as connection:
                yield connection
        except (DBAPIError, PoolTimeout) as error:
            raise StoreUnavailable(
                f"store {self.name!r} cannot be used now: {_reason(error)}; try again later"
            ) from error

    def _migrate(self) -> None:
        with self._connected() as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATING})
            known = sqlalchemy.inspect(connection).has_table("meta")
            found = connection.execute(text("SELECT schema_version FROM meta")).scalar() if known else 0
            if found is not None and found > migrations.SCHEMA:
                raise StoreError(
                    f"store {self.name!r} has schema version {found}, but this piaa knows version "
                    f"{migrations.SCHEMA}; upgrade piaa (pip install --upgrade piaa)"
                )
            migrations.upgrade(connection)
            connection.commit()


class _EngineSql:
    """A transaction on one of SQLAlchemy's connections."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.for_update = "" if connection.dialect.name == "sqlite" else " FOR UPDATE"

    def run(self, statement: str, **values: object) -> Rows:
        """See :class:`piaa.store.transaction.Sql`."""
        result = self._connection.execute(text(statement), values)
        return [tuple(row) for row in result] if result.returns_rows else []

    def run_many(self, statement: str, rows: Sequence[Mapping[str, object]]) -> None:
        """See :class:`piaa.store.transaction.Sql`."""
        if rows:
            self._connection.execute(text(statement), [dict(row) for row in rows])


def _url(place: str) -> sqlalchemy.URL:
    try:
        url = make_url(place)
    except ArgumentError:
        raise StoreError(
            "the store's URL cannot be understood; write postgresql://USER:PASSWORD@HOST/DATABASE"
        ) from None
    if url.get_backend_name() != "postgresql":
        raise StoreError(
            f"a store lies in PostgreSQL or in a SQLite file, not in {url.get_backend_name()!r}; "
            "write postgresql://USER:PASSWORD@HOST/DATABASE, or the path of a file"
        )
    try:
        import psycopg  # noqa: F401
    except (ImportError, NoSuchModuleError):
        raise StoreError("a store in PostgreSQL needs an extra: pip install 'piaa[postgres]'") from None
    return url.set(drivername="postgresql+psycopg")


def _prepare_sqlite(connection: Any, _: object) -> None:  # noqa: ANN401  (SQLAlchemy's own hook)
    connection.isolation_level = None  # we say BEGIN ourselves, for a writer's must be IMMEDIATE
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "secure_delete = ON", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {pragma}")


def _reason(error: Exception) -> str:
    original = getattr(error, "orig", None) or error
    return " ".join(str(original).split()).rstrip(".") or type(error).__name__
