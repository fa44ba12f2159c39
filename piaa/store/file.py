"""The SQLite file behind the adapter store: opening it, its tables, and every way that it can refuse.

The file uses SQLite's rollback journal and not a write-ahead log. Between two writes it is the whole
truth: it can be copied, mailed or put on a read-only disk as it lies, with no ``-wal`` or ``-shm``
beside it. Fitting writes a few times a day, so writers that wait for each other cost nothing here.
While ``piaa serve`` has a file open it is different, see :mod:`piaa.store.database`.
"""

from __future__ import annotations

import os
import shlex
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from generic.errors import StoreError
from generic.extras import needing
from piaa.store import migrations
from piaa.store.transaction import FileSql, Sql


def default_store_path() -> Path:
    """The user's own store: ``PIAA_STORE`` if set, else ``piaa.db`` in the system's folder for user data."""
    chosen = os.environ.get("PIAA_STORE")
    if chosen:
        return Path(chosen).expanduser()
    import platformdirs

    return Path(platformdirs.user_data_dir("piaa", appauthor=False)) / "piaa.db"


class StoreFile:
    """One SQLite file with the tables of the adapter store; every failure is a StoreError of one line.

    Args:
        path: the store's file.
        timeout_s: how long to wait for another process's lock, in seconds.
    """

    def __init__(self, path: Path, timeout_s: float) -> None:
        self.path = path
        self.name = str(path)
        self._timeout_s = timeout_s

    def exists(self) -> bool:
        """False if there is no such file; True also if that cannot be told, for opening it says why."""
        try:
            self.path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError:
            return True
        return True

    def option(self) -> str:
        """What a command needs to reach this store."""
        return "" if self.path == default_store_path() else f" --store {shlex.quote(str(self.path))}"

    @contextmanager
    def reading(self) -> Iterator[Sql]:
        """A transaction that sees one state of the existing file and cannot change it.

        A file of an earlier schema is read as a migrated copy in memory: reading must not write.
        """
        with self._connection("rw") as connection:
            # Not mode "ro": what a killed writer left half done could not be undone then.
            connection.execute("PRAGMA query_only = ON")
            connection.execute("BEGIN")
            if self._schema(connection) == migrations.SCHEMA:
                yield FileSql(connection)
                return
            # A first save that was killed may leave an empty file: a store without users.
            connection.execute("COMMIT")
            with closing(sqlite3.connect(":memory:", isolation_level=None)) as copy:
                connection.backup(copy)
                self._bring_up_to_date(copy)
                yield FileSql(copy)

    @contextmanager
    def writing(self) -> Iterator[Sql]:
        """A transaction that happens as a whole or not at all, even if the power fails.

        The file, its tables and its folder are created when missing; an earlier schema is migrated.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(
                f"cannot create the folder {str(self.path.parent)!r} for the store: {error.strerror}; "
                "name another file with --store"
            ) from error
        with self._connection("rwc") as connection:
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA secure_delete = ON")
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("BEGIN IMMEDIATE")
            self._bring_up_to_date(connection)
            yield FileSql(connection)
            connection.execute("COMMIT")

    def _bring_up_to_date(self, connection: sqlite3.Connection) -> None:
        version = self._schema(connection)
        if version == 0:
            for statement in migrations.statements():
                connection.execute(statement)
        elif version < migrations.SCHEMA:
            migrate(connection)

    @contextmanager
    def _connection(self, mode: str) -> Iterator[sqlite3.Connection]:
        """An open file; what was not committed is rolled back, and SQLite's errors become ours."""
        if os.path.isdir(self.path):  # noqa: PTH112  (Path.is_dir raises in a folder that is closed to us)
            raise StoreError(
                f"store {str(self.path)!r} is a folder; name a file in it: "
                f"--store {shlex.quote(str(self.path / 'piaa.db'))}"
            )
        try:
            uri = f"{self.path.absolute().as_uri()}?mode={mode}"
            with closing(
                sqlite3.connect(uri, uri=True, timeout=self._timeout_s, isolation_level=None)
            ) as connection:
                yield connection
        except sqlite3.Error as error:
            raise StoreError(self._explain(error)) from error

    def _schema(self, connection: sqlite3.Connection) -> int:
        """The version of the tables; 0 for an empty file."""
        tables = {
            name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        }
        if not tables:
            return 0
        if not {"meta", "users", "adapters", "ratings"} <= tables:
            raise StoreError(
                f"{str(self.path)!r} is a database of another program and no piaa store; "
                "it was left untouched, name another file with --store"
            )
        version: int = connection.execute("SELECT schema_version FROM meta").fetchone()[0]
        if version > migrations.SCHEMA:
            raise StoreError(
                f"store {str(self.path)!r} has schema version {version}, but this piaa knows version "
                f"{migrations.SCHEMA}; upgrade piaa (pip install --upgrade piaa) "
                "or name another file with --store"
            )
        return version

    def _explain(self, error: sqlite3.Error) -> str:
        store, other = f"store {str(self.path)!r}", "or name another file with --store"
        match getattr(error, "sqlite_errorcode", 0) & 0xFF:
            case sqlite3.SQLITE_NOTADB:
                return (
                    f"{str(self.path)!r} is not a database and so no piaa store; "
                    "it was left untouched, name another file with --store"
                )
            case sqlite3.SQLITE_CORRUPT:
                return f"{store} is damaged ({error}); put a backup copy in its place {other}"
            case sqlite3.SQLITE_FULL:
                return f"cannot write to {store}: the disk is full; free some space {other} (it is unchanged)"
            case sqlite3.SQLITE_READONLY:
                return (
                    f"cannot write to {store}: the file or its folder is read-only; make it writable {other}"
                )
            case sqlite3.SQLITE_CANTOPEN:
                return f"{store} cannot be opened; check the permissions of the file and its folder {other}"
            case sqlite3.SQLITE_BUSY:
                return (
                    f"{store} was locked by another process for more than {self._timeout_s:g} s; "
                    "try again when that process has finished"
                )
            case _:
                return f"{store} cannot be used: {error}; check its disk {other}"


class _Borrowed:
    """A connection in the middle of its owner's transaction, which SQLAlchemy must neither end nor close."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __getattr__(self, name: str) -> object:
        value: object = getattr(self._connection, name)
        return value

    def commit(self) -> None:
        """Nothing: the owner commits."""

    rollback = close = commit


def migrate(connection: sqlite3.Connection) -> None:
    """Bring a SQLite database to today's schema, inside its open transaction, if it has one.

    Raises:
        MissingPackage: SQLAlchemy or Alembic is not installed.
    """
    with needing("a store that an earlier release wrote"):
        import sqlalchemy

        engine = sqlalchemy.create_engine(
            "sqlite://", creator=lambda: _Borrowed(connection), poolclass=sqlalchemy.StaticPool
        )
        with engine.connect() as borrowed:
            migrations.upgrade(borrowed)
