"""SQLite's errors in words: what is wrong with the store's file, and what to do."""

from __future__ import annotations

import sqlite3

from generic.errors import StoreError


def is_full(error: Exception) -> bool:
    """Whether an error of ours says that the disk is full."""
    return getattr(error.__cause__, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL


def explained(error: sqlite3.Error, path: str, timeout_s: float) -> StoreError:
    """What SQLite's error means.

    Args:
        error: of a connection to the store's file.
        path: that file.
        timeout_s: how long was waited for another process's lock, in seconds.
    """
    store, other = f"store {path!r}", "or name another file with --store"
    match getattr(error, "sqlite_errorcode", 0) & 0xFF:
        case sqlite3.SQLITE_NOTADB:
            text = (
                f"{path!r} is not a database and so no piaa store; "
                "it was left untouched, name another file with --store"
            )
        case sqlite3.SQLITE_CORRUPT:
            text = f"{store} is damaged ({error}); put a backup copy in its place {other}"
        case sqlite3.SQLITE_FULL:
            text = f"cannot write to {store}: the disk is full; free some space {other} (it is unchanged)"
        case sqlite3.SQLITE_READONLY:
            text = f"cannot write to {store}: the file or its folder is read-only; make it writable {other}"
        case sqlite3.SQLITE_CANTOPEN:
            text = f"{store} cannot be opened; check the permissions of the file and its folder {other}"
        case sqlite3.SQLITE_BUSY:
            text = (
                f"{store} was locked by another process for more than {timeout_s:g} s; "
                "try again when that process has finished"
            )
        case _:
            text = f"{store} cannot be used: {error}; check its disk {other}"
    return StoreError(text)
