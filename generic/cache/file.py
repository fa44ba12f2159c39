"""The SQLite file behind the feature cache, and everything that can go wrong with it."""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from generic.errors import CacheError

Result = TypeVar("Result")
Work = Callable[[sqlite3.Connection], Result]

_APPLICATION = int.from_bytes(b"piaa", "big")
_SCHEMA = 1
_TABLES = (
    # One look-up by integer instead of two by text: the key is made of the digest and the model.
    # Two features under one key (1 in 2**60) are a miss for one of them, never a mix-up, because
    # digest and model are compared as well. n is the number of floats in the value.
    "CREATE TABLE IF NOT EXISTS features (key INTEGER PRIMARY KEY, model TEXT NOT NULL,"
    " digest TEXT NOT NULL, n INTEGER NOT NULL, value BLOB NOT NULL)",
    "CREATE INDEX IF NOT EXISTS features_by_model ON features (model)",
    # Which content a file had when it was last read, for releases before, which expect this table.
    "CREATE TABLE IF NOT EXISTS files (inode TEXT PRIMARY KEY, stamp TEXT NOT NULL, digest TEXT NOT NULL)"
    " WITHOUT ROWID",
)
# Releases before do not mind these tables.
_LATER_TABLES = (
    # Which content a file had when it was last read. inode says which file, stamp says when it changed.
    # contents is the sha256 and the identity of the picture: in one row, since albums have thousands.
    "CREATE TABLE IF NOT EXISTS {place}.known (inode TEXT PRIMARY KEY, stamp TEXT NOT NULL,"
    " contents TEXT NOT NULL) WITHOUT ROWID",
    # Which picture a content is, whatever is told about it.
    "CREATE TABLE IF NOT EXISTS {place}.pictures (digest TEXT PRIMARY KEY, identity TEXT NOT NULL,"
    " checksum INTEGER NOT NULL) WITHOUT ROWID",
    "CREATE INDEX IF NOT EXISTS {place}.pictures_by_identity ON pictures (identity)",
)
_TIMEOUT_S = 5.0
"""How long to wait for another process's lock."""
_DAMAGED = (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT)
_FAILURES = (sqlite3.Error, OSError, UnicodeDecodeError)


class CacheFile:
    """One SQLite file with the tables of the feature cache, opened when needed.

    ``fetch`` and ``store`` never fail: after an error they log one warning and do without the file from
    then on. A damaged file is deleted and begun anew; one of another program or version is left alone.

    Args:
        path: the file; its folder is created with it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._reads = self._writes = True
        self._replaced = False

    def fetch(self, query: str, values: Sequence[str] = ()) -> list[tuple[Any, ...]]:
        """The rows of a query; none if the file cannot be read."""
        return self._try(lambda connection: connection.execute(query, values).fetchall(), [])

    def store(self, query: str, rows: Sequence[tuple[object, ...]]) -> None:
        """Write rows, all of them or none."""

        def write(connection: sqlite3.Connection) -> None:
            with connection:
                connection.executemany(query, rows)

        self._try(write, None, writes=True)

    def demand(self, work: Work[Result]) -> Result:
        """What ``work`` returns; CacheError if the file cannot be used."""
        with self._lock:
            try:
                return self._perform(work)
            except _FAILURES as error:
                raise CacheError(
                    f"the feature cache {str(self.path)!r} cannot be used: {error}; "
                    "remove the file while no other piaa runs, or name another folder with --cache"
                ) from error

    def delete(self) -> None:
        """Delete the file, for which a full disk has room; CacheError if it cannot be deleted."""
        self.demand(lambda _: self._delete())

    def close(self) -> None:
        """Let go of the file until it is needed again."""
        with self._lock:
            self._disconnect()

    def _try(self, work: Work[Result], default: Result, *, writes: bool = False) -> Result:
        with self._lock:
            if not (self._writes if writes else self._reads):
                return default
            try:
                return self._perform(work)
            except _FAILURES as error:
                self._give_up(error, writes)
                return default

    def _give_up(self, error: Exception, writes: bool) -> None:
        warned = not self._writes
        # What cannot be written may still be read: an album already known stays fast on a full disk.
        self._reads = writes and self._connection is not None
        self._writes = False
        if not warned:
            what = "takes no new features" if self._reads else "is not used"
            logging.getLogger(__name__).warning(
                "the feature cache %r %s for the rest of this run: %s", str(self.path), what, error
            )

    def _perform(self, work: Work[Result]) -> Result:
        try:
            return work(self._connect())
        except (sqlite3.Error, UnicodeDecodeError) as error:
            if _code(error) == sqlite3.SQLITE_READONLY_DBMOVED:  # Another process deleted it.
                self._disconnect()
            elif _code(error) & 0xFF in _DAMAGED and not self._replaced:
                self._replace()
            else:
                raise
        return work(self._connect())

    def _connect(self) -> sqlite3.Connection:
        if self._connection is None:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            connection = sqlite3.connect(
                self.path, timeout=_TIMEOUT_S, isolation_level="IMMEDIATE", check_same_thread=False
            )
            try:
                _prepare(connection)
            except BaseException:
                connection.close()
                raise
            self._connection = connection
        return self._connection

    def _replace(self) -> None:
        self._replaced = True
        self._delete()
        logging.getLogger(__name__).warning(
            "the feature cache %r was damaged; it was deleted and starts anew, which costs only time",
            str(self.path),
        )

    def _delete(self) -> None:
        self._disconnect()
        # Journals first: one that outlived its file would be taken for that of the next.
        for end in ("-journal", "-wal", "-shm", ""):
            self.path.with_name(self.path.name + end).unlink(missing_ok=True)

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _code(error: sqlite3.Error | UnicodeDecodeError) -> int:
    """SQLite's code for what happened, 0 if it has none."""
    if isinstance(error, UnicodeDecodeError):  # Its message quotes a damaged table.
        return sqlite3.SQLITE_CORRUPT
    return getattr(error, "sqlite_errorcode", 0)


def _prepare(connection: sqlite3.Connection) -> None:
    """Set what holds for one connection, and make the tables in an empty file."""
    # Safe against a kill. A power cut may cost the cache, waiting for the disk would cost time always.
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("PRAGMA cache_size = -16000")  # kB; keys arrive in random order
    connection.execute("PRAGMA secure_delete = ON")  # what is forgotten for somebody's sake is overwritten
    if not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        _create_tables(connection)
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if (application, version) != (_APPLICATION, _SCHEMA):
        raise sqlite3.DatabaseError("it was made by another program or another version of piaa")
    _create_later_tables(connection)
    with suppress(sqlite3.OperationalError):
        # Releases before kept a write-ahead log, which stays while one of them has the file open.
        connection.execute("PRAGMA journal_mode = DELETE")


def _create_tables(connection: sqlite3.Connection) -> None:
    with connection:
        connection.execute("BEGIN IMMEDIATE")
        for table in _TABLES:
            connection.execute(table)
        connection.execute(f"PRAGMA application_id = {_APPLICATION}")
        connection.execute(f"PRAGMA user_version = {_SCHEMA}")


def _create_later_tables(connection: sqlite3.Connection) -> None:
    """Make the tables that the file lacks if a release before made it."""
    try:
        for table in _LATER_TABLES:
            connection.execute(table.format(place="main"))
    except sqlite3.OperationalError:
        # The file cannot be written now: these tables live as long as the connection, and all else is read.
        for table in _LATER_TABLES:
            connection.execute(table.format(place="temp"))
