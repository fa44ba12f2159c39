"""A store in a SQLite file: opening it, and every way that it can refuse.

A command opens the file for each transaction and closes it again, with SQLite's rollback journal: between
two writes the file is the whole truth. While a server has it open it keeps a write-ahead log beside it, so
that requests read while others write; a copy of the file alone would lose what is in there, and
``piaa backup`` makes one that does not. The last server that stops puts the file back into the first form.
"""

from __future__ import annotations

import contextlib
import errno
import os
import queue
import shlex
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from generic.errors import StoreError, StoreUnavailable
from piaa.store import migrations
from piaa.store.spare import Spare
from piaa.store.sql import Sql, SqliteSql, T
from piaa.store.sqlite_errors import explained, is_full

PRIVATE = 0o600
_PRAGMAS = ("synchronous = FULL", "foreign_keys = ON")
_SCRUBS = 3
_TABLES = {1: {"meta", "users", "adapters", "ratings"}, 3: {"meta", "users", "versions", "ratings"}}
"""Some of a store's tables from a schema version on; other programs have databases too."""


def default_store_path() -> Path:
    """The user's own store: ``PIAA_STORE`` if set, else ``piaa.db`` in the system's folder for user data."""
    chosen = os.environ.get("PIAA_STORE")
    if chosen:
        return Path(chosen).expanduser()
    import platformdirs

    return Path(platformdirs.user_data_dir("piaa", appauthor=False)) / "piaa.db"


class SqliteFile:
    """A SQLite file with the store's tables; every failure is a StoreError of one line.

    Args:
        path: the store's file.
        timeout_s: how long to wait for another process's lock, in seconds.
        connections: how many a server keeps open; 0 opens one for each transaction.

    Raises:
        StoreError: a server cannot use the file.
    """

    def __init__(self, path: Path, timeout_s: float = 10.0, *, connections: int = 0) -> None:
        self.path = path
        self.name = str(path)
        self._timeout_s = timeout_s
        self._kept: queue.LifoQueue[sqlite3.Connection] | None = None
        self._unscrubbed = False
        self.served = bool(connections)
        self._spare = Spare(path)
        if connections:
            with self.writing():
                pass  # made or migrated, or refused with a clear message
            self._kept = queue.LifoQueue()
            for _ in range(connections):
                self._kept.put(self._prepared())
            self._spare.keep()

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
        """What a command needs to reach this store; nothing for a server's clients, who must not learn it."""
        own = self._kept is not None or self.path == default_store_path()
        return "" if own else f" --store {shlex.quote(str(self.path))}"

    @contextmanager
    def reading(self) -> Iterator[Sql]:
        """A transaction that sees one state of the existing file and cannot change it.

        A file of an earlier schema is read as a migrated copy in memory: reading must not write.
        """
        with self._connection("rw") as connection:
            if self._kept is not None:
                with _transaction(connection, "BEGIN"):
                    yield SqliteSql(connection)
                return
            # Not mode "ro": what a killed writer left half done could not be undone then.
            connection.execute("PRAGMA query_only = ON")
            connection.execute("BEGIN")
            if self._schema(connection) == migrations.SCHEMA:
                yield SqliteSql(connection)
                return
            # A first save that was killed may leave an empty file: a store without users.
            connection.execute("COMMIT")
            with closing(sqlite3.connect(":memory:", isolation_level=None)) as copy:
                connection.backup(copy)
                migrations.upgrade(SqliteSql(copy), self._schema(copy))
                yield SqliteSql(copy)

    @contextmanager
    def writing(self) -> Iterator[Sql]:
        """A transaction that happens as a whole or not at all, even if the power fails.

        The file, its tables and its folder are created when missing; an earlier schema is migrated, after a
        copy of the file was made beside it.
        """
        if self._kept is not None:
            with self._connection("rw") as connection, _transaction(connection, "BEGIN IMMEDIATE"):
                yield SqliteSql(connection)
            if self._unscrubbed:
                self.scrub()
            return
        self._make_file()
        with self._connection("rw") as connection:
            connection.execute("PRAGMA secure_delete = ON")  # what a migration moves may be erased later
            self._bring_up_to_date(connection)
            for pragma in _PRAGMAS:
                connection.execute(f"PRAGMA {pragma}")
            with _transaction(connection, "BEGIN IMMEDIATE"):
                yield SqliteSql(connection)

    def with_room(self, act: Callable[[], T]) -> T:
        """Do something that deletes; on a full disk again, in the room of the log and of the spare file."""
        try:
            return act()
        except StoreError as error:
            if not is_full(error):
                raise
        self.scrub()
        self._spare.give()
        try:
            return act()
        finally:
            if self._kept is not None:
                self.scrub()  # of the log that this took
                self._spare.keep()

    def scrub(self) -> bool:
        """Overwrite what was deleted in the write-ahead log as well; whether it could be done now.

        While somebody reads, a backup for instance, that cannot be: a server tries again for a moment, and
        else does it after a later write.
        """
        with suppress(StoreError), self._connection("rw") as connection:
            if self._kept is not None:
                connection.execute("PRAGMA busy_timeout = 200")  # no client must wait long for that
            for _ in range(_SCRUBS):
                busy = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
                if not busy:
                    break
            self._unscrubbed = bool(busy)
            connection.execute(f"PRAGMA busy_timeout = {int(1000 * self._timeout_s)}")
            return not busy
        return False

    def close(self) -> None:
        """Let go of all connections; a file that nobody else serves becomes one whole file again."""
        if self._kept is None:
            return
        while not self._kept.empty():
            self._kept.get().close()
        self._spare.give()
        last = sqlite3.connect(self.path, timeout=0)
        # Locked: another server has it open, and will do this when it stops.
        with closing(last), suppress(sqlite3.OperationalError):
            last.execute("PRAGMA journal_mode = DELETE")

    def copy_to(self, path: Path) -> None:
        """Copy the whole store, as it stands at one moment, to a new file; writers are not stopped.

        Raises:
            StoreError: the file cannot be read.
            OSError: the copy cannot be written.
        """
        with self._connection("rw") as connection:
            self._schema(connection)
            _copy(connection, path)

    def replace_by(self, source: SqliteFile) -> Path | None:
        """Take over another store as a whole, within one transaction; others may have this one open.

        One of an earlier release is brought up to date by the next one who writes.

        Returns:
            where what was there before is kept; None if there was nothing.

        Raises:
            StoreError: one of them cannot be used; this one is as it was.
        """
        kept = self._keep_aside() if self.exists() else None
        self._make_file()
        with source._connection("rw") as one, self._connection("rw") as other:
            one.backup(other)
        return kept

    def _keep_aside(self) -> Path:
        number = 1
        while (kept := self.path.with_name(f"{self.path.name}.before-restore-{number}")).exists():
            number += 1
        self._keep_copy(kept)
        return kept

    def _bring_up_to_date(self, connection: sqlite3.Connection) -> None:
        """Migrate in a transaction of its own: it must not fail with what comes after it."""
        if self._schema(connection) == migrations.SCHEMA:
            return
        with _transaction(connection, "BEGIN IMMEDIATE"):
            version = self._schema(connection)  # another process may have been quicker
            if 0 < version < migrations.SCHEMA:
                self._set_aside(version)
            migrations.upgrade(SqliteSql(connection), version)

    def _set_aside(self, version: int) -> None:
        """Keep the store as an earlier release wrote it, so that there is a way back.

        A copy that is there is of a migration that was killed, or of one that was undone: the earlier release
        may have written to the store since.
        """
        self._keep_copy(self.path.with_name(f"{self.path.name}.schema-{version}"))

    def _keep_copy(self, kept: Path) -> None:
        """Copy the store to a file beside it, all of it or nothing."""
        half = kept.with_name(f"{kept.name}.half")
        try:
            half.unlink(missing_ok=True)
            self.copy_to(half)
            half.replace(kept)
        except OSError as error:
            raise StoreError(
                f"cannot keep a copy of store {self.name!r} in {str(kept)!r}: {error.strerror}; make the "
                "folder writable, and leave room in it for a second file (the store is unchanged)"
            ) from error
        finally:
            with suppress(OSError):
                half.unlink()

    def _make_file(self) -> None:
        """The folder, and the file for its owner alone, for it holds a person's taste."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(
                f"cannot create the folder {str(self.path.parent)!r} for the store: {error.strerror}; "
                "name another file with --store"
            ) from error
        with suppress(OSError):  # what is wrong with it, opening it says
            os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, PRIVATE))
            if self.path.stat().st_mode & 0o077:  # written by an earlier release
                self.path.chmod(PRIVATE)

    @contextmanager
    def _connection(self, mode: str) -> Iterator[sqlite3.Connection]:
        """An open file; what was not committed is rolled back, and SQLite's errors become ours."""
        if self._kept is not None:
            with self._borrowed(self._kept) as connection:
                yield connection
            return
        if os.path.isdir(self.path):  # noqa: PTH112  (Path.is_dir raises in a folder that is closed to us)
            raise StoreError(
                f"store {str(self.path)!r} is a folder; name a file in it: "
                f"--store {shlex.quote(str(self.path / 'piaa.db'))}"
            )
        try:
            with closing(self._connect(mode)) as connection:
                yield connection
        except sqlite3.Error as error:
            raise explained(error, self.name, self._timeout_s) from error

    @contextmanager
    def _borrowed(self, kept: queue.LifoQueue[sqlite3.Connection]) -> Iterator[sqlite3.Connection]:
        try:
            connection = kept.get(timeout=self._timeout_s)
        except queue.Empty:
            raise StoreUnavailable(
                f"store {self.name!r} cannot be used now: all its connections were busy for more than "
                f"{self._timeout_s:g} s; try again later"
            ) from None
        try:
            yield connection
        except sqlite3.Error as error:
            raise StoreUnavailable(
                f"store {self.name!r} cannot be used now: {error}; try again later"
            ) from error
        finally:
            kept.put(connection)

    def _connect(self, mode: str) -> sqlite3.Connection:
        uri = f"{self.path.absolute().as_uri()}?mode={mode}"
        return sqlite3.connect(
            uri, uri=True, timeout=self._timeout_s, isolation_level=None, check_same_thread=False
        )

    def _prepared(self) -> sqlite3.Connection:
        """A server's connection."""
        try:
            connection = self._connect("rw")
            for pragma in (
                "journal_mode = WAL",
                "synchronous = FULL",
                "secure_delete = ON",
                "foreign_keys = ON",
            ):
                connection.execute(f"PRAGMA {pragma}")
        except sqlite3.Error as error:
            raise explained(error, self.name, self._timeout_s) from error
        return connection

    def _schema(self, connection: sqlite3.Connection) -> int:
        """The version of the tables; 0 for an empty file."""
        tables = {
            name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        }
        if not tables:
            return 0
        if not any(some <= tables for some in _TABLES.values()):
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


@contextmanager
def _transaction(connection: sqlite3.Connection, begin: str) -> Iterator[None]:
    connection.execute(begin)
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise


def _copy(connection: sqlite3.Connection, path: Path) -> None:
    """The database in a new file for its owner alone, in the form in which one file is the whole truth."""
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, PRIVATE))
    with closing(sqlite3.connect(path, isolation_level=None)) as copy:
        try:
            connection.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")
        except sqlite3.Error as error:
            if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_FULL:  # the copy: the other is only read
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path)) from error
            raise
