"""A whole store in one file, and back, while others read and write it.

The file is a store in SQLite, whatever the database: it can be opened as it is, and moves a store from one
kind of database to the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from generic.atomic import atomic_path
from generic.errors import OutputError, StoreError
from piaa.store.audit import note
from piaa.store.sql import Database, Sql, insert_many
from piaa.store.sqlite import PRIVATE, SqliteFile

TABLES = (
    *("users", "photos", "models", "file_digests", "vectors", "changes", "ratings", "flags", "comparisons"),
    *("written", "versions", "version_ratings", "version_comparisons", "active", "jobs", "api_keys", "audit"),
)
"""All that is to last, in an order in which each refers to earlier ones only; counts of requests are not."""
_COUNTED = ("users", "photos", "models", "changes", "ratings", "flags", "comparisons", "versions", "audit")
_AT_ONCE = 200


@dataclass(frozen=True, kw_only=True)
class Contents:
    """How much a store holds."""

    n_users: int
    n_ratings: int
    """Those that count."""
    n_versions: int


def back_up(database: Database, path: Path) -> Contents:
    """Write the store, as it stands at one moment, to a new file; nobody who uses it is stopped.

    Args:
        database: the store.
        path: the file to create or to replace.

    Raises:
        StoreError: the store cannot be read.
        OutputError: the file cannot be written, or is there and no store; what was there is untouched.
    """
    if not database.exists():
        raise StoreError(f"there is no store {database.name!r} to back up; name another one with --store")
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise OutputError(
            f"cannot write {str(path)!r}: a backup is a file, not a device or a pipe; name a file"
        )
    if path.is_file() and path.stat().st_size and not _is_sqlite(path):
        raise OutputError(
            f"cannot write {str(path)!r}: it is there, and no store, which a backup may replace; name "
            "another file"
        )
    with atomic_path(path) as half:
        half.unlink()
        if isinstance(database, SqliteFile):
            database.copy_to(half)
        else:
            with SqliteFile(half).writing() as target, database.reading() as source:
                _copy(source, target, _columns(target))
        with SqliteFile(half).reading() as sql:
            found = contents(sql)
    path.chmod(PRIVATE)  # also where there was a file that others could read
    return found


def _is_sqlite(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(16) == b"SQLite format 3\0"
    except OSError:
        return False


def restore_from(path: Path, database: Database) -> tuple[Contents, Path | None]:
    """Put what a file holds into the place of a store.

    Args:
        path: a file that :func:`back_up` wrote, or any store in SQLite.
        database: the store, which may be in use; it is replaced as a whole, or not at all.

    Returns:
        what the store holds now, and where the one before was kept, if there was one in a file.

    Raises:
        StoreError: the file is no store, or the store cannot be written; it is as it was.
    """
    source = SqliteFile(path)
    if not source.exists():
        raise StoreError(f"there is no file {str(path)!r} to restore from; name one that piaa backup wrote")
    if isinstance(database, SqliteFile) and database.exists() and path.samefile(database.path):
        raise StoreError(f"{str(path)!r} is the store itself; name a file that piaa backup wrote")
    with source.reading() as sql:
        found = contents(sql)  # also makes sure that it is one
    if isinstance(database, SqliteFile):
        kept = database.replace_by(source)
        with database.writing() as target:
            note(target, "terminal", "restore")
        return found, kept
    with source.reading() as sql, database.writing() as target:
        for table in reversed(TABLES):
            target.run(f"DELETE FROM {table}")  # noqa: S608  (our own names)
        _copy(sql, target, _columns(sql))
        for table in _COUNTED:
            target.count_on(table)
        note(target, "terminal", "restore")
    return found, None


def contents(sql: Sql) -> Contents:
    """How much is there."""
    counts = [
        int(sql.run(f"SELECT count(*) FROM {table}")[0][0])  # noqa: S608
        for table in ("users", "ratings WHERE ended_by IS NULL", "versions")
    ]
    return Contents(n_users=counts[0], n_ratings=counts[1], n_versions=counts[2])


def _columns(sqlite: Sql) -> dict[str, list[str]]:
    return {table: [str(row[1]) for row in sqlite.run(f"PRAGMA table_info({table})")] for table in TABLES}


def _copy(source: Sql, target: Sql, columns: dict[str, list[str]]) -> None:
    for table, names in columns.items():
        rows = source.stream(f"SELECT {', '.join(names)} FROM {table}")  # noqa: S608
        while some := list(islice(rows, _AT_ONCE)):
            insert_many(target, table, [dict(zip(names, row, strict=True)) for row in some])
