"""kill -9 of a migration at moments spread over it: the next one gives what an undisturbed one gives."""

from __future__ import annotations

import importlib
import os
import shutil
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest

from piaa.store.place import open_database

ROOT = Path(__file__).resolve().parents[3]
PEOPLE, PEOPLE_IN_POSTGRES = 300, 120
"""So many that most moments hit the migration; a server takes several times as long for each."""
MIGRATE = """
import sys
import contextlib
with contextlib.suppress(ImportError):
    import psycopg_pool
from piaa.store.place import open_database
print("ready", flush=True)
database = open_database(sys.argv[1])
with database.writing():
    pass
database.close()
"""


@pytest.fixture(scope="module")
def schema_2_people():
    """benchmarks/schema_2.py, which writes stores of schema 2 with any number of people."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", [str(ROOT / "benchmarks"), *sys.path])
        return importlib.import_module("schema_2")


@pytest.fixture
def run_here(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join((str(ROOT), os.environ.get("PYTHONPATH", ""))))


@pytest.mark.parametrize("n", [5, pytest.param(20, marks=pytest.mark.slow)])
def test_a_killed_migration_of_a_file(kill, run_here, schema_2_people, sayings, tmp_path, n):
    old, path = tmp_path / "old.db", tmp_path / "new" / "piaa.db"
    path.parent.mkdir()
    schema_2_people.write_file(old, schema_2_people.People().batches(PEOPLE))
    with closing(sqlite3.connect(old)) as connection:
        before = list(connection.iterdump())

    def prepare() -> None:
        for one in path.parent.iterdir():
            one.unlink()
        shutil.copy(old, path)

    prepare()
    database = open_database(path)
    with database.writing():
        pass
    expected = sayings.migrated(database)
    killed = half_done = 0
    runs = kill.kills(
        kill.snippet(MIGRATE, path),
        n,
        folder=tmp_path,
        name="migration",
        prepare=prepare,
        from_first_line=True,
    )
    for one in runs:
        killed += one.killed
        half_done += any(left.name.endswith((".half", "-journal")) for left in path.parent.iterdir())
        with database.writing():
            pass
        assert sayings.migrated(database) == expected
        sayings.assert_sound(path)
        assert sorted(left.name for left in path.parent.iterdir()) == ["piaa.db", "piaa.db.schema-2"]
        with closing(sqlite3.connect(path.with_name("piaa.db.schema-2"))) as connection:
            assert list(connection.iterdump()) == before
    assert killed > n // 4  # fewer where the measured run was slowed down by something else
    assert half_done >= n // 5


@pytest.mark.parametrize("n", [5, pytest.param(20, marks=pytest.mark.slow)])
def test_a_killed_migration_in_postgres(kill, run_here, schema_2_people, sayings, postgres, tmp_path, n):
    import psycopg

    people = list(schema_2_people.People().batches(PEOPLE_IN_POSTGRES))

    def prepare() -> None:
        with psycopg.connect(postgres, autocommit=True) as connection:
            connection.execute("DROP SCHEMA public CASCADE")
            connection.execute("CREATE SCHEMA public")
        schema_2_people.write_postgres(postgres, people)

    def after() -> dict:
        database = open_database(postgres)
        found = sayings.migrated(database)
        database.close()
        return found

    prepare()
    expected, killed = after(), 0
    runs = kill.kills(
        kill.snippet(MIGRATE, postgres),
        n,
        folder=tmp_path,
        name="migration",
        prepare=prepare,
        from_first_line=True,
    )
    for one in runs:
        killed += one.killed
        assert after() == expected
    assert killed > n // 4  # fewer where the measured run was slowed down by something else
