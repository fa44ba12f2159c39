"""The store's schema, step by step: each step is written once and runs on SQLite and PostgreSQL.

An empty database goes through all of them, which takes milliseconds.
"""

from __future__ import annotations

from collections.abc import Callable

from piaa.store.audit import note
from piaa.store.migrations import (
    v1_versions,
    v2_serving,
    v3_one_truth,
    v4_serving_together,
    v5_many_servers,
)
from piaa.store.sql import Sql

STEPS: tuple[Callable[[Sql], None], ...] = (
    v1_versions.upgrade,
    v2_serving.upgrade,
    v3_one_truth.upgrade,
    v4_serving_together.upgrade,
    v5_many_servers.upgrade,
)
SCHEMA = len(STEPS)
"""``meta.schema_version`` after the last step."""


def upgrade(sql: Sql, version: int) -> None:
    """Bring a database from a schema version, 0 if it is empty, to today's, within the open transaction."""
    for number, step in enumerate(STEPS[version:], version + 1):
        step(sql)
        sql.run("UPDATE meta SET schema_version = :number", number=number)
    if version:
        note(sql, "migration", f"schema {version} to {len(STEPS)}")
