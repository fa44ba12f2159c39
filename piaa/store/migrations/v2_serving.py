"""What serving needs: the version that counts, ratings given before a fit, fits to do, keys."""

from __future__ import annotations

import hashlib

from piaa.store.sql import Sql

_TABLES = (
    "ALTER TABLE users ADD COLUMN active INTEGER",
    "UPDATE users SET active = (SELECT max(version) FROM adapters WHERE user_id = users.id)",
    "ALTER TABLE users ADD COLUMN scale_low DOUBLE PRECISION",
    "ALTER TABLE users ADD COLUMN scale_high DOUBLE PRECISION",
    "ALTER TABLE adapters ADD COLUMN digest TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE adapters ADD COLUMN head {bytes}",
    """CREATE TABLE given (
        user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
        sha256 TEXT NOT NULL,
        image TEXT NOT NULL,
        score DOUBLE PRECISION NOT NULL,
        created TEXT NOT NULL,
        model_hash TEXT NOT NULL,
        vector {bytes} NOT NULL,
        PRIMARY KEY (user_id, sha256))""",
    """CREATE TABLE jobs (
        id TEXT NOT NULL PRIMARY KEY,
        user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
        adapter TEXT NOT NULL,
        state TEXT NOT NULL,
        created DOUBLE PRECISION NOT NULL,
        lease DOUBLE PRECISION NOT NULL,
        version INTEGER,
        error TEXT)""",
    "CREATE INDEX ix_jobs_user_id ON jobs (user_id)",
    "CREATE INDEX jobs_by_state ON jobs (state, lease)",
    """CREATE TABLE api_keys (
        id TEXT NOT NULL PRIMARY KEY,
        hash TEXT NOT NULL UNIQUE,
        role TEXT NOT NULL,
        user_name TEXT,
        created TEXT NOT NULL,
        revoked TEXT)""",
)


def upgrade(sql: Sql) -> None:
    """Add to schema 1 without changing what is there; the newest version is the one that counts."""
    for statement in _TABLES:
        sql.run(statement.format(**sql.words))
    # One state at a time: together they may be larger than the memory.
    for (key,) in sql.run("SELECT id FROM adapters"):
        state = sql.run("SELECT state FROM adapters WHERE id = :id", id=key)[0][0]
        digest = hashlib.sha256(state).hexdigest()
        sql.run("UPDATE adapters SET digest = :digest WHERE id = :id", digest=digest, id=key)
