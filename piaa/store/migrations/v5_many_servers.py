"""More about keys; photos that were sent to any of many servers; when the store was tidied."""

from __future__ import annotations

from piaa.store.sql import Sql

_TABLES = (
    "ALTER TABLE api_keys ADD COLUMN scopes TEXT NOT NULL DEFAULT 'score rate'",
    "UPDATE api_keys SET scopes = 'score rate admin metrics' WHERE role = 'admin'",
    "ALTER TABLE api_keys ADD COLUMN label TEXT",
    "ALTER TABLE api_keys ADD COLUMN expires TEXT",
    "ALTER TABLE api_keys ADD COLUMN last_used TEXT",
    # The secret before the last one, and how long it is still valid.
    "ALTER TABLE api_keys ADD COLUMN old_hash TEXT",
    "ALTER TABLE api_keys ADD COLUMN old_until TEXT",
    "CREATE UNIQUE INDEX api_keys_by_old_hash ON api_keys (old_hash)",
    # Which picture a file holds that somebody sent; by its hash, and by a name of it that is its owner's.
    """CREATE TABLE sent_files (
        name TEXT NOT NULL PRIMARY KEY,
        owner TEXT NOT NULL,
        identity TEXT NOT NULL,
        decoded_anew INTEGER NOT NULL,
        at DOUBLE PRECISION NOT NULL)""",
    "CREATE INDEX sent_files_by_owner ON sent_files (owner)",
    "CREATE INDEX sent_files_by_identity ON sent_files (identity)",
    "CREATE INDEX sent_files_by_at ON sent_files (at)",
    # What a network gives for a picture, whoever sent it; lost at any time, as a cache may be.
    """CREATE TABLE sent_vectors (
        picture TEXT NOT NULL,
        network TEXT NOT NULL,
        vector {bytes} NOT NULL,
        checksum TEXT NOT NULL,
        at DOUBLE PRECISION NOT NULL,
        PRIMARY KEY (picture, network))""",
    "CREATE INDEX sent_vectors_by_at ON sent_vectors (at)",
    "ALTER TABLE meta ADD COLUMN tidied DOUBLE PRECISION NOT NULL DEFAULT 0",
)


def upgrade(sql: Sql) -> None:
    """Add to schema 4; nothing of it changes."""
    for statement in _TABLES:
        sql.run(statement.format(**sql.words))
