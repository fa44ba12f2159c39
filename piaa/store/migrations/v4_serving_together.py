"""Requests counted by all servers of a store together; vectors worked out from another model's."""

from __future__ import annotations

from piaa.store.sql import Sql

_TABLES = (
    # Of ten seconds each; rows of longer ago are deleted by whoever adds new ones.
    """CREATE TABLE request_counts (
        who TEXT NOT NULL,
        span BIGINT NOT NULL,
        n BIGINT NOT NULL,
        PRIMARY KEY (who, span))""",
    # 1: mapped from a vector of another model, of a photo that is gone.
    "ALTER TABLE vectors ADD COLUMN mapped INTEGER NOT NULL DEFAULT 0",
)


def upgrade(sql: Sql) -> None:
    """Add to schema 3; nothing of it changes."""
    for statement in _TABLES:
        sql.run(statement)
