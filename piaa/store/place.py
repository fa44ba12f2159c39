"""Where a store lies: a SQLite file, or a PostgreSQL database behind a URL."""

from __future__ import annotations

import os
from pathlib import Path

from piaa.store.postgres_url import as_url, shown
from piaa.store.sql import Database
from piaa.store.sqlite import SqliteFile, default_store_path

Place = str | Path | None
"""A SQLite file or a PostgreSQL URL; None is ``PIAA_STORE`` if that is set, else a file of the user's own."""


def open_database(place: Place = None, *, timeout_s: float = 10.0, connections: int = 0) -> Database:
    """The database at a place; a file is opened when it is used, a server's at once.

    Args:
        place: where.
        timeout_s: how long to wait for a lock or a connection, in seconds.
        connections: how many a server keeps open; 0 is for a command, which ends soon.

    Raises:
        StoreError: a database cannot be reached, or a server cannot use the file.
        MissingPackage: it needs psycopg, which is not installed.
    """
    given = place_of(place)
    if "://" in given:
        from piaa.store.postgres import PostgresDatabase

        return PostgresDatabase(given, timeout_s, connections=connections or 1)
    return SqliteFile(Path(given), timeout_s, connections=connections)


def called(place: Place = None) -> str:
    """What errors call a store: a file's path, or a URL without its password."""
    given = place_of(place)
    return shown(as_url(given)) if "://" in given else given


def place_of(place: Place) -> str:
    """A PostgreSQL URL, or the path of a SQLite file."""
    given = str(place or os.environ.get("PIAA_STORE", ""))
    return given if "://" in given else str(Path(place) if place else default_store_path())
