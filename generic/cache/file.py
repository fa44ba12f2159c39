"""The SQLite file behind the feature cache, and everything that can go wrong with it.

``run`` does a piece of work or shrugs: after the first failure it logs one warning and does without
the file from then on. ``demand`` does a piece of work or raises. A file that is damaged, or is not
ours, is renamed and replaced; one with older tables is emptied; one of a newer piaa is left alone.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from generic.errors import CacheError
from generic.folder_lock import FolderLock

Result = TypeVar("Result")

_APPLICATION = int.from_bytes(b"piaa", "big")
_SCHEMA = 1
_TABLES = (
    # One look-up by integer instead of two by text: the key is made of the digest and the model.
    # Two features under one key (1 in 2**60) are a miss for one of them, never a mix-up, because
    # digest and model are compared as well. n is the number of floats, to notice a cut blob.
    "CREATE TABLE features (key INTEGER PRIMARY KEY, model TEXT NOT NULL, digest TEXT NOT NULL,"
    " n INTEGER NOT NULL, value BLOB NOT NULL)",
    "CREATE INDEX features_by_model ON features (model)",
    # Which content a file had when it was last read. inode says which file, stamp says when it changed.
    "CREATE TABLE files (inode TEXT PRIMARY KEY, stamp TEXT NOT NULL, digest TEXT NOT NULL) WITHOUT ROWID",
)
_DAMAGED = (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT)
_NO_WAL = (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_PROTOCOL, sqlite3.SQLITE_READONLY)


class CacheFile:
    """One SQLite file with the tables of the feature cache, opened when first needed.

    Args:
        path: the file; its folder is created with it.
        timeout_s: how long to wait for another process's lock, in seconds.
    """

    def __init__(self, path: Path, timeout_s: float) -> None:
        self.path = path
        self._timeout_s = timeout_s
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._folder: FolderLock | None = None
        self._opened: tuple[int, int] | None = None
        self._closed = False
        self._reads = True
        self._writes = True
        self._wal = True

    def run(
        self, work: Callable[[sqlite3.Connection], Result], default: Result, *, writes: bool = False
    ) -> Result:
        """What ``work`` returns, or the default; after a failure the file is left alone for good."""
        with self._lock:
            self._check_open()
            if not (self._writes if writes else self._reads):
                return default
            try:
                return self._perform(work, writes)
            except (sqlite3.Error, OSError, _NewerSchemaError) as error:
                self._degrade(error, writes)
                return default

    def demand(self, work: Callable[[sqlite3.Connection], Result], *, writes: bool = False) -> Result:
        """What ``work`` returns; CacheError if the file cannot be used."""
        with self._lock:
            self._check_open()
            try:
                return self._perform(work, writes)
            except (sqlite3.Error, OSError, _NewerSchemaError) as error:
                raise self._refusal(error) from error

    def empty(self) -> int:
        """Remove all rows and return the number of features; works on a full disk too."""

        def forget(connection: sqlite3.Connection) -> int:
            removed = _count(connection)
            connection.execute("DELETE FROM features")
            connection.execute("DELETE FROM files")
            return removed

        try:
            removed = self.demand(forget, writes=True)
        except CacheError as error:
            if _primary(error.__cause__) not in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR):
                raise
            # Removing rows needs room for a journal; removing the file, which is full of them, does not.
            removed = self.demand(_count)
            if not self._remove():
                raise
        self.shrink()
        return removed

    def shrink(self) -> None:
        """Give the room of removed rows back to the system, unless another process is busy with the file."""
        with self._lock, suppress(sqlite3.Error, OSError, _NewerSchemaError):
            self._perform(lambda connection: connection.execute("VACUUM"), writes=False)
            self._perform(fetch("PRAGMA wal_checkpoint(TRUNCATE)"), writes=False)

    def n_bytes(self) -> int:
        """Bytes on disk, journal included."""
        total = 0
        for path in self._all_files():
            with suppress(OSError):
                total += path.stat().st_size
        return total

    def close(self) -> None:
        """Let go of the file for good."""
        with self._lock:
            self._closed = True
            self._disconnect()
            self._leave_folder()

    def _check_open(self) -> None:
        if self._closed:
            raise CacheError(f"the feature cache {str(self.path)!r} was closed; open it again")

    def _perform(self, work: Callable[[sqlite3.Connection], Result], writes: bool) -> Result:
        connection = self._connection = self._connection or self._connect()
        if not writes:
            return work(connection)
        connection.execute("BEGIN IMMEDIATE")
        try:
            result = work(connection)
            connection.execute("COMMIT")
        except BaseException:
            # After some errors (a full disk) SQLite has rolled back already.
            with suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
            raise
        return result

    def _degrade(self, error: Exception, writes: bool) -> None:
        warned = not (self._reads and self._writes)
        self._writes = False
        # What cannot be written may still be read: an album already known stays fast on a full disk.
        if not writes or self._connection is None or _primary(error) in _DAMAGED:
            self._reads = False
            self._disconnect()
            if _primary(error) in _DAMAGED:
                self._discard_damaged()
            self._leave_folder()
        if not warned:
            what = "takes no new features" if self._reads else "is not used"
            logging.getLogger(__name__).warning(
                "the feature cache %r %s for the rest of this run: %s", str(self.path), what, error
            )

    def _discard_damaged(self) -> None:
        """Let the next run start anew, unless others use the file or have replaced it already."""
        with suppress(OSError):
            if self._folder is not None and self._folder.claim(0) and self._opened == _inode(self.path):
                self._set_aside()

    def _refusal(self, error: Exception) -> CacheError:
        return CacheError(
            f"the feature cache {str(self.path)!r} cannot be used: {error}; "
            "remove the file while no other piaa runs, or name another folder with --cache"
        )

    def _disconnect(self) -> None:
        if self._connection is not None:
            with suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None

    def _leave_folder(self) -> None:
        if self._folder is not None:
            self._folder.close()
            self._folder = None

    def _connect(self) -> sqlite3.Connection:
        """An open file with our tables in it, whatever lay there before."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = self._folder or FolderLock(self.path.parent)
        if not self._folder.share(self._timeout_s):
            raise TimeoutError("another process is replacing it")
        patience = time.monotonic() + self._timeout_s
        replaced = False
        while True:
            try:
                connection = self._prepare()
            except sqlite3.Error as error:
                code = _primary(error)
                if code in _DAMAGED and not replaced:
                    replaced = True
                    self._replace_damaged()
                elif code in _NO_WAL and self._wal:
                    self._wal = False
                    self._leave_wal()
                elif code == sqlite3.SQLITE_BUSY and time.monotonic() < patience:
                    # Changing the journal mode does not wait for a lock by itself.
                    time.sleep(0.02)
                else:
                    raise
            else:
                self._opened = _inode(self.path)
                return connection

    def _prepare(self) -> sqlite3.Connection:
        connection = self._connection_to_path()
        try:
            # Safe against a kill; a power cut may lose the last writes, which a cache can bear.
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute("PRAGMA cache_size = -16000")  # kB; keys arrive in random order
            connection.execute("PRAGMA journal_size_limit = 16777216")  # bytes
            if _schema(connection) != _SCHEMA:
                if self._wal:
                    connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("BEGIN IMMEDIATE")
                if _schema(connection) != _SCHEMA:  # unless another process was faster
                    self._create_tables(connection)
                connection.execute("COMMIT")
        except BaseException:
            connection.close()
            raise
        return connection

    def _connection_to_path(self) -> sqlite3.Connection:
        return sqlite3.connect(
            self.path, timeout=self._timeout_s, isolation_level=None, check_same_thread=False
        )

    def _create_tables(self, connection: sqlite3.Connection) -> None:
        old = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        for (name,) in old:
            connection.execute(f'DROP TABLE "{name}"')
        if old:
            logging.getLogger(__name__).warning(
                "the feature cache %r was made by an older piaa and starts anew", str(self.path)
            )
        for table in _TABLES:
            connection.execute(table)
        connection.execute(f"PRAGMA application_id = {_APPLICATION}")
        connection.execute(f"PRAGMA user_version = {_SCHEMA}")

    def _leave_wal(self) -> None:
        """Turn the file back to a rollback journal where shared memory does not work, as on NFS.

        An exclusive connection keeps the log's index in its own memory, so it can still open the file.
        """
        with suppress(sqlite3.Error):
            connection = self._connection_to_path()
            try:
                connection.execute("PRAGMA locking_mode = EXCLUSIVE")
                connection.execute("PRAGMA journal_mode = DELETE")
            finally:
                connection.close()

    def _replace_damaged(self) -> None:
        """Make room for a new file, if the damaged one is still there once nobody else uses it."""
        if self._folder is None or not self._folder.claim(self._timeout_s):
            return
        try:
            self._prepare().close()
        except sqlite3.Error as error:
            if _primary(error) not in _DAMAGED:
                raise
            self._set_aside()
        finally:
            self._folder.share(self._timeout_s)

    def _set_aside(self) -> None:
        aside = self.path.with_name(self.path.name + ".broken")
        self.path.replace(aside)
        for journal in self._all_files()[1:]:
            journal.unlink(missing_ok=True)
        logging.getLogger(__name__).warning(
            "the feature cache %r is damaged or not a piaa cache; it was renamed to %r and starts anew",
            str(self.path),
            aside.name,
        )

    def _remove(self) -> bool:
        """Remove the file, unless another process uses it; a new one is made when next needed."""
        with self._lock:
            self._disconnect()
            alone = self._folder is not None and self._folder.claim(self._timeout_s)
            if alone:
                for path in self._all_files():
                    path.unlink(missing_ok=True)
            self._leave_folder()
            return alone

    def _all_files(self) -> list[Path]:
        return [self.path.with_name(self.path.name + end) for end in ("", "-wal", "-shm", "-journal")]


class _NewerSchemaError(Exception):
    """The file is in order, but not for us."""


def _schema(connection: sqlite3.Connection) -> int:
    """The version of the tables, 0 if there are none."""
    if not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        return 0
    if connection.execute("PRAGMA application_id").fetchone()[0] != _APPLICATION:
        error = sqlite3.DatabaseError("it is the database of another program")
        error.sqlite_errorcode = sqlite3.SQLITE_NOTADB
        raise error
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > _SCHEMA:
        raise _NewerSchemaError(f"it was made by a newer piaa (schema {version}, this one knows {_SCHEMA})")
    return version


def _primary(error: BaseException | None) -> int:
    """SQLite's primary result code, 0 if the error is not SQLite's."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def _inode(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _count(connection: sqlite3.Connection) -> int:
    n_features: int = connection.execute("SELECT count(*) FROM features").fetchone()[0]
    return n_features


def fetch(query: str, values: Sequence[Any] = ()) -> Callable[[sqlite3.Connection], list[tuple[Any, ...]]]:
    """The work of fetching all rows of a query."""
    return lambda connection: connection.execute(query, values).fetchall()
