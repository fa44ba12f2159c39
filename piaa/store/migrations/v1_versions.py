"""Users and the versions of their adapters, each with the ratings that it was fitted on."""

from __future__ import annotations

from piaa.store.sql import Sql

_TABLES = (
    "CREATE TABLE meta (schema_version INTEGER NOT NULL)",
    "INSERT INTO meta VALUES (1)",
    "CREATE TABLE users (id {key}, name TEXT NOT NULL UNIQUE, created TEXT NOT NULL)",
    """CREATE TABLE adapters (
        id {key},
        user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
        version INTEGER NOT NULL,
        created TEXT NOT NULL,
        adapter TEXT NOT NULL,
        model_name TEXT NOT NULL,
        model_hash TEXT NOT NULL,
        scale_low DOUBLE PRECISION NOT NULL,
        scale_high DOUBLE PRECISION NOT NULL,
        n_ratings INTEGER NOT NULL,
        extra TEXT NOT NULL,
        state {bytes} NOT NULL,
        UNIQUE (user_id, version))""",
    """CREATE TABLE ratings (
        adapter_id INTEGER NOT NULL REFERENCES adapters (id) ON DELETE CASCADE,
        position INTEGER NOT NULL,
        image TEXT NOT NULL,
        sha256 TEXT,
        score DOUBLE PRECISION NOT NULL,
        PRIMARY KEY (adapter_id, position))""",
)


def upgrade(sql: Sql) -> None:
    """Make the tables of schema 1."""
    for statement in _TABLES:
        sql.run(statement.format(**sql.words))
