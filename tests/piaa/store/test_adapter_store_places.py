"""The same store in a file, in a file that is served, and in PostgreSQL; and files of earlier schemas."""

from __future__ import annotations

import contextlib
import hashlib
import re
import shutil
import sqlite3
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from generic.errors import StoreError, UnknownUser
from piaa.store import migrations
from piaa.store.adapter_store import AdapterStore
from piaa.store.database import StoreDatabase
from piaa.store.file import migrate
from piaa.store.records import AdapterRecord, StoredRating

FIRST = (
    "CREATE TABLE meta (schema_version INTEGER NOT NULL)",
    "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, created TEXT NOT NULL)",
    "CREATE TABLE adapters (id INTEGER PRIMARY KEY,"
    " user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,"
    " version INTEGER NOT NULL, created TEXT NOT NULL, adapter TEXT NOT NULL, model_name TEXT NOT NULL,"
    " model_hash TEXT NOT NULL, scale_low REAL NOT NULL, scale_high REAL NOT NULL,"
    " n_ratings INTEGER NOT NULL, extra TEXT NOT NULL, state BLOB NOT NULL, UNIQUE (user_id, version))",
    "CREATE TABLE ratings (adapter_id INTEGER NOT NULL REFERENCES adapters (id) ON DELETE CASCADE,"
    " position INTEGER NOT NULL, image TEXT NOT NULL, sha256 TEXT, score REAL NOT NULL,"
    " PRIMARY KEY (adapter_id, position))",
    "INSERT INTO meta VALUES (1)",
)
"""The tables that piaa 0.1.0 of November 2026 wrote, letter by letter."""


def record(i: int = 0) -> AdapterRecord:
    return AdapterRecord(
        adapter="ridge",
        model_name="piaa-lite",
        model_hash="3f2a91c0" * 8,
        scale_low=1,
        scale_high=5.1,
        state=bytes(range(256)) + bytes([i]),
        ratings=(StoredRating(image="Ü\n'--.jpg", sha256="ab" * 32, score=0.1 + 0.2),),
        extra={"i": i, "note": "für Ana"},
    )


def content(adapter) -> tuple:
    return (adapter.state, adapter.ratings, adapter.extra, adapter.scale_high, adapter.adapter)


@pytest.fixture(params=["file", "served", "postgres"])
def store(request, tmp_path):
    if request.param == "file":
        yield AdapterStore(tmp_path / "piaa.db")
        return
    place = tmp_path / "piaa.db"
    if request.param == "postgres":
        place = request.getfixturevalue("postgres")
    database = StoreDatabase(place)
    yield AdapterStore(database=database)
    database.close()


def test_round_trip(store):
    assert [store.save("ana", record(i)) for i in range(3)] == [1, 2, 3]
    assert store.save("Ana", record(9)) == 1
    assert content(store.load("ana")) == content(record(2))
    assert content(store.load("ana", 1)) == content(record(0))
    assert [(one.user, one.n_versions) for one in store.users()] == [("Ana", 1), ("ana", 3)]
    assert store.users()[1].latest == store.show("ana")[2]


def test_rollback_and_a_fit_after_it(store):
    for i in range(3):
        store.save("ana", record(i))
    store.rollback("ana", 1)
    assert content(store.load("ana")) == content(record(0))
    assert store.users()[0].latest.version == 1
    assert store.save("ana", record(3)) == 4
    assert content(store.load("ana")) == content(record(3))
    with pytest.raises(StoreError, match="has no version 7, but: 1, 2, 3, 4;"):
        store.rollback("ana", 7)
    with pytest.raises(UnknownUser, match="has no user 'zoe'"):
        store.rollback("zoe", 1)
    assert store.load("ana").version == 4


def test_export_import_delete(store, tmp_path):
    for i in range(3):
        store.save("ana", record(i))
    store.rollback("ana", 2)
    assert store.export("ana", tmp_path / "one.json") == 1
    assert store.export("ana", tmp_path / "all.json", all_versions=True) == 3
    assert store.import_(tmp_path / "one.json", user="bea").latest.version == 2
    assert store.delete("ana") == 3
    assert store.import_(tmp_path / "all.json").n_versions == 3
    assert content(store.load("ana")) == content(record(2))
    with pytest.raises(StoreError, match="already has a user 'ana'"):
        store.import_(tmp_path / "all.json")
    assert [one.user for one in store.users()] == ["ana", "bea"]


def test_what_only_older_versions_know_is_found_and_withdrawn(store):
    other = StoredRating(image="b.jpg", sha256="cd" * 32, score=2.0)
    both = (*record(1).ratings, other)
    assert store.save("ana", record(0)) == 1
    assert store.save("ana", replace(record(1), ratings=both)) == 2
    assert store.save("ana", record(2)) == 3
    store.save("ben", replace(record(3), ratings=(other,)))
    assert store.rated("ana") == list(both)
    with pytest.raises(StoreError):
        store.withdraw("ana", [other], after=2)
    assert store.withdraw("ana", [other], after=3) == [2]
    assert [summary.version for summary in store.show("ana")] == [1, 3]
    assert store.rated("ana") == list(record().ratings)
    assert content(store.load("ana")) == content(record(2))
    assert store.rated("ben") == [other]


def test_what_fails_leaves_nothing(store):
    store.save("ana", record(0))

    def fail() -> None:
        with store._database.writing() as sql:
            sql.run("DELETE FROM users")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert content(store.load("ana")) == content(record(0))


def test_two_threads_get_versions_of_their_own(store):
    versions = []

    def fit() -> None:
        versions.extend(store.save("ana", record(i)) for i in range(10))

    threads = [threading.Thread(target=fit) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(versions) == list(range(1, 31))


# Files of earlier schemas.


@pytest.fixture
def first(tmp_path) -> Path:
    """A file as piaa 0.1.0 wrote it: ana with two versions, bob with one."""
    path = tmp_path / "old.db"
    values = (1, 5.1, 1, '{"i": 0, "note": "für Ana"}')
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        for statement in FIRST:
            connection.execute(statement)
        connection.execute("INSERT INTO users VALUES (1, 'ana', '2026-11-01'), (2, 'bob', '2026-11-02')")
        for key, user, version in ((1, 1, 1), (2, 1, 2), (3, 2, 1)):
            connection.execute(
                "INSERT INTO adapters VALUES (?, ?, ?, 'then', 'ridge', 'piaa-lite', ?, ?, ?, ?, ?, ?)",
                (key, user, version, "3f2a91c0" * 8, *values, bytes(range(256)) + b"\0"),
            )
            connection.execute(
                "INSERT INTO ratings VALUES (?, 0, ?, ?, ?)", (key, "Ü\n'--.jpg", "ab" * 32, 0.1 + 0.2)
            )
    return path


def test_a_file_of_the_first_schema_is_read_as_it_lies(first):
    before = first.read_bytes()
    store = AdapterStore(first)
    assert [content(store.load("ana", version)) for version in (1, 2)] == [content(record(0))] * 2
    assert [(one.user, one.latest.version) for one in store.users()] == [("ana", 2), ("bob", 1)]
    assert first.read_bytes() == before


@pytest.mark.parametrize("served", [False, True])
def test_writing_migrates_a_file_of_the_first_schema_without_loss(first, served):
    database = StoreDatabase(first) if served else None
    store = AdapterStore(first, database=database)
    assert store.save("ana", record(7)) == 3
    assert [content(store.load("ana", v)) for v in (1, 2, 3)] == [content(record(i)) for i in (0, 0, 7)]
    assert store.load("bob").created == "then"
    store.rollback("ana", 1)
    assert store.load("ana").version == 1
    if database is not None:
        database.close()
    with contextlib.closing(sqlite3.connect(first)) as connection:
        digests = {
            digest for (digest,) in connection.execute("SELECT digest FROM adapters WHERE version = 1")
        }
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    assert digests == {hashlib.sha256(record(0).state).hexdigest()}


def test_a_migration_that_fails_leaves_the_file(first, monkeypatch):
    before = first.read_bytes()

    def fail(connection):
        migrate(connection)
        raise RuntimeError("the machine stops here")

    monkeypatch.setattr("piaa.store.file.migrate", fail)
    with pytest.raises(RuntimeError, match="stops here"):
        AdapterStore(first).save("ana", record(1))
    assert first.read_bytes() == before


def test_new_files_are_what_the_migrations_make():
    def tables(connection) -> set:
        rows = connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL")
        found = {(name, re.sub(r"\s+", " ", sql)) for name, sql in rows}
        return found | set(connection.execute("SELECT 'v', version_num FROM alembic_version"))

    with (
        contextlib.closing(sqlite3.connect(":memory:")) as made,
        contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as migrated,
    ):
        for statement in migrations.statements():
            made.execute(statement)
        migrate(migrated)
        assert tables(made) == tables(migrated)
        assert made.execute("SELECT * FROM meta").fetchall() == [(migrations.SCHEMA,)]


# A served file.


def test_a_stopped_server_leaves_one_whole_file(tmp_path):
    place = tmp_path / "piaa.db"
    databases = [StoreDatabase(place), StoreDatabase(place)]
    AdapterStore(database=databases[0]).save("ana", record(1))
    assert content(AdapterStore(database=databases[1]).load("ana")) == content(record(1))
    assert content(AdapterStore(place).load("ana")) == content(record(1))
    assert (tmp_path / "piaa.db-wal").exists()
    for database in databases:
        database.close()
    assert [path.name for path in tmp_path.iterdir()] == ["piaa.db"]
    shutil.copy(place, tmp_path / "copy.db")
    assert content(AdapterStore(tmp_path / "copy.db").load("ana")) == content(record(1))


@pytest.mark.parametrize(
    ("place", "message"),
    [
        (
            "mysql://a:secret@localhost/x",
            "a store lies in PostgreSQL or in a SQLite file, not in 'mysql'; "
            "write postgresql://USER:PASSWORD@HOST/DATABASE, or the path of a file",
        ),
        (
            "://",
            "the store's URL cannot be understood; write postgresql://USER:PASSWORD@HOST/DATABASE",
        ),
    ],
)
def test_places_that_are_none(place, message):
    with pytest.raises(StoreError, match=re.escape(message)):
        StoreDatabase(place)


def test_no_server_at_the_url():
    with pytest.raises(StoreError) as caught:
        StoreDatabase("postgresql://ana:secret@127.0.0.1:1/x", timeout_s=1)
    message = str(caught.value)
    assert message.startswith("store 'postgresql+psycopg://ana:***@127.0.0.1:1/x' cannot be used now: ")
    assert message.endswith("; try again later")
    assert "secret" not in message
    assert "\n" not in message
