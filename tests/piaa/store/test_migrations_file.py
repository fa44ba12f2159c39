"""A SQLite file of an earlier schema: read as it lies, kept beside the migrated one, or left as it was."""

from __future__ import annotations

import hashlib
import re
import shutil
import sqlite3
import stat
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from generic.errors import StoreError
from piaa.store import migrations
from piaa.store.audit import entries
from piaa.store.keys import KeyStore
from piaa.store.place import open_database
from piaa.store.request_counts import CountStore
from piaa.store.sqlite import SqliteFile
from piaa.store.store import Store

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
STATE = bytes(range(256)) + b"\0"


@pytest.fixture
def first(tmp_path) -> Path:
    """A file as piaa 0.1.0 wrote it: ana with two versions, bob with one."""
    path = tmp_path / "old" / "piaa.db"
    path.parent.mkdir()
    values = (1, 5.1, 1, '{"i": 0, "note": "für Ana"}')
    with closing(sqlite3.connect(path)) as connection, connection:
        for statement in FIRST:
            connection.execute(statement)
        connection.execute("INSERT INTO users VALUES (1, 'ana', '2026-11-01'), (2, 'bob', '2026-11-02')")
        for key, user, version in ((1, 1, 1), (2, 1, 2), (3, 2, 1)):
            connection.execute(
                "INSERT INTO adapters VALUES (?, ?, ?, 'then', 'ridge', 'piaa-lite', ?, ?, ?, ?, ?, ?)",
                (key, user, version, "3f2a91c0" * 8, *values, STATE),
            )
            connection.execute(
                "INSERT INTO ratings VALUES (?, 0, ?, ?, ?)", (key, "Ü\n'--.jpg", "ab" * 32, 0.1 + 0.2)
            )
    return path


def is_whole(store: Store) -> None:
    """Everything that the file of 0.1.0 says."""
    assert [(one.user, one.latest.version) for one in store.users()] == [("ana", 2), ("bob", 1)]
    for user, version in (("ana", 1), ("ana", 2), ("bob", 1)):
        loaded = store.load(user, version)
        assert (loaded.state, loaded.created, loaded.scale_high) == (STATE, "then", 5.1)
        assert loaded.extra == {"i": 0, "note": "für Ana"}
        assert [(one.image, one.sha256, one.score) for one in loaded.ratings] == [
            ("Ü\n'--.jpg", "ab" * 32, 0.1 + 0.2)
        ]


def dump(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return list(connection.iterdump())


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def cannot_keep(path: Path, name: str, reason: str) -> str:
    kept = f"{path}.schema-{1 if name == 'schema-1' else 2}"
    return (
        f"cannot keep a copy of store '{path}' in '{kept}': {reason}; make the folder "
        "writable, and leave room in it for a second file (the store is unchanged)"
    )


def test_reading_an_old_file_leaves_it_as_it_lies(first):
    before = contents(first.parent)
    is_whole(Store(first))
    assert contents(first.parent) == before


@pytest.mark.parametrize("name", ["file", "schema-1"])
def test_an_old_file_is_read_on_a_read_only_disk(tmpfs, tmp_path, schema_2, refusal, sayings, name):
    old = schema_2.file(name)
    with tmpfs(tmp_path / "disk", "8m") as disk:
        shutil.copy(old, disk / "piaa.db")
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        store = Store(disk / "piaa.db")
        assert {one.user for one in store.users()} == schema_2.expected[name]["users"].keys()
        assert store.load("ana").version == 2
        assert refusal(StoreError, store.say, "ana", sayings.rated({1: 1})) == (
            cannot_keep(disk / "piaa.db", name, "Read-only file system")
        )
        assert contents(disk) == {"piaa.db": old.read_bytes()}


@pytest.mark.parametrize("n_connections", [0, 2])
def test_writing_migrates_without_loss_and_keeps_the_old_file(first, sayings, n_connections):
    before = dump(first)
    store = Store(database=open_database(first, connections=n_connections))
    if not n_connections:
        store.say("cleo", sayings.rated({1: 1}))
        store.delete("cleo", source="terminal")
    is_whole(store)
    assert store.say("ana", sayings.rated({1: 4}, scale=(1, 5.1))) == 2
    assert store.keep("ana", *sayings.fitted_constant(store, "ana")) == 3
    store.close()
    kept = first.with_name("piaa.db.schema-1")
    assert sorted(contents(first.parent)) == ["piaa.db", "piaa.db.schema-1"]
    assert dump(kept) == before
    assert stat.S_IMODE(kept.stat().st_mode) == stat.S_IMODE(first.stat().st_mode) == 0o600
    sayings.assert_sound(first)
    with closing(sqlite3.connect(first)) as connection:
        assert connection.execute("SELECT DISTINCT digest FROM versions WHERE number = 1").fetchall() == [
            (hashlib.sha256(STATE).hexdigest(),)
        ]


@pytest.mark.parametrize("name", ["file", "hot"])
def test_the_copy_is_the_whole_old_file_and_a_way_back(schema_2, sayings, name):
    path, again = schema_2.file(name), schema_2.file(name)
    before = dump(again)  # with what is in the log alone
    Store(path).say("ana", sayings.rated({1: 4}))
    kept = path.with_name(f"{path.name}.schema-2")
    assert dump(kept) == before
    kept.replace(path)
    store = Store(path)
    assert "1.jpg" not in sayings.scores(store, "ana")
    store.say("ana", sayings.rated({2: 4}))
    assert dump(kept) == before
    assert "2.jpg" in sayings.scores(store, "ana")


def test_a_copy_of_an_earlier_try_is_not_taken_for_the_file(schema_2, sayings):
    path = schema_2.file("hot")
    kept = path.with_name("hot.db.schema-2")
    kept.write_bytes(b"what a killed migration left, before the old release went on")
    before = dump(schema_2.file("hot"))
    Store(path).say("ana", sayings.rated({1: 4}))
    assert dump(kept) == before
    assert sorted(contents(path.parent)) == ["hot.db", "hot.db.schema-2"]


def test_no_room_for_the_copy_leaves_the_old_file(tmpfs, tmp_path, schema_2, sayings, refusal):
    old = schema_2.file()
    with tmpfs(tmp_path / "disk", f"{old.stat().st_size * 3 // 2}") as disk:
        path = Path(shutil.copy(old, disk / "piaa.db"))
        path.chmod(0o600)
        assert refusal(StoreError, Store(path).say, "ana", sayings.rated({1: 1})) == (
            cannot_keep(path, "file", "No space left on device")
        )
        assert contents(disk) == {"piaa.db": old.read_bytes()}
        assert Store(path).load("ana").version == 2


def test_a_closed_folder_has_no_room_for_the_copy(first, ordinary_user, sayings, refusal, fixed_folder):
    folder = fixed_folder / "closed"
    folder.mkdir()
    path = Path(shutil.copy(first, folder / "piaa.db"))
    path.chmod(0o666)
    folder.chmod(0o555)
    with ordinary_user():
        assert refusal(StoreError, Store(path).say, "ana", sayings.rated({1: 1})) == (
            cannot_keep(path, "schema-1", "Permission denied")
        )
    folder.chmod(0o755)
    assert path.read_bytes() == first.read_bytes()


def test_a_migration_that_fails_leaves_the_file(first, monkeypatch, sayings):
    before = first.read_bytes()
    last = migrations.STEPS[-1]

    def fail(sql):
        last(sql)
        raise RuntimeError("the machine stops here")

    monkeypatch.setattr(migrations, "STEPS", (*migrations.STEPS[:-1], fail))
    with pytest.raises(RuntimeError, match="stops here"):
        Store(first).say("ana", sayings.rated({1: 1}))
    assert first.read_bytes() == before
    monkeypatch.undo()
    is_whole(Store(first))


def test_a_new_file_has_the_tables_of_a_migrated_one(schema_2, tmp_path, sayings):
    new = Store(tmp_path / "new.db")
    paths = [Path(new.name), schema_2.file(), schema_2.file("schema-1")]
    layouts = []
    for path in paths:
        Store(path).say("new", sayings.rated({1: 1}))
        with closing(sqlite3.connect(path)) as connection:
            rows = connection.execute("SELECT type, name FROM sqlite_master").fetchall()
            names = sorted(name for kind, name in rows if kind == "table")
            layouts.append(
                (
                    sorted(row for row in rows if not re.match("sqlite_", row[1])),
                    {name: connection.execute(f"PRAGMA table_info({name})").fetchall() for name in names},
                    {
                        name: connection.execute(f"PRAGMA foreign_key_list({name})").fetchall()
                        for name in names
                    },
                    connection.execute("SELECT * FROM meta").fetchall(),
                )
            )
    assert layouts[0][3] == [(migrations.SCHEMA, 0.0)]
    assert layouts[0][0] == layouts[1][0] == layouts[2][0]
    assert layouts[0][2] == layouts[1][2] == layouts[2][2]
    columns = [{name: {row[1] for row in rows} for name, rows in one[1].items()} for one in layouts]
    assert columns[0] == columns[1] == columns[2]


def test_who_is_erased_after_a_migration_leaves_nothing_in_the_file(schema_2, monkeypatch):
    """Not every build of SQLite overwrites what is deleted unless it is told to."""
    connect = SqliteFile._connect

    def forgetful(self, mode):
        connection = connect(self, mode)
        connection.execute("PRAGMA secure_delete = OFF")
        return connection

    monkeypatch.setattr(SqliteFile, "_connect", forgetful)
    path = schema_2.file()
    store = Store(path)
    people = [one.user for one in store.users()]
    images = {one.image for user in people for one in store.rated(user)}
    assert len(images) > 10
    for user in people:
        store.delete(user, source="terminal")
    left = path.read_bytes()
    assert [image for image in sorted(images) if image.encode() in left] == []


def back_to_schema_4(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DROP TABLE sent_files")
        connection.execute("DROP TABLE sent_vectors")
        connection.execute("DROP INDEX api_keys_by_old_hash")
        for column in ("scopes", "label", "expires", "last_used", "old_hash", "old_until"):
            connection.execute(f"ALTER TABLE api_keys DROP COLUMN {column}")
        connection.execute("ALTER TABLE meta DROP COLUMN tidied")
        connection.execute("UPDATE meta SET schema_version = 4")


def test_keys_of_schema_4_may_do_what_they_did(tmp_path):
    path = tmp_path / "piaa.db"
    keys = KeyStore(open_database(path))
    secrets = [keys.create_key("admin")[1], keys.create_key("user", "ana")[1]]
    back_to_schema_4(path)
    before = dump(path)
    found = [keys.key_of(secret) for secret in secrets]  # read without a migration
    assert [one.scopes for one in found if one] == [("score", "rate", "admin", "metrics"), ("score", "rate")]
    assert dump(path) == before
    assert keys.create_key("service", scopes=["metrics"])[0].scopes == ("metrics",)
    assert [keys.key_of(secret) for secret in secrets] == found
    with keys.database.reading() as sql:
        assert [one.what for one in entries(sql, 9)][2] == f"schema 4 to {migrations.SCHEMA}"


def test_a_file_of_schema_3_counts_requests_from_now_on(tmp_path, sayings):
    path = tmp_path / "piaa.db"
    Store(path).say("ana", sayings.rated({1: 4}))
    back_to_schema_4(path)
    with closing(sqlite3.connect(path)) as connection, connection:  # what schema 3 is
        connection.execute("DROP TABLE request_counts")
        connection.execute("ALTER TABLE vectors DROP COLUMN mapped")
        connection.execute("UPDATE meta SET schema_version = 3")
    before = dump(path)
    assert sayings.scores(Store(path), "ana") == {"1.jpg": 4}
    assert dump(path) == before
    database = open_database(path, connections=1)
    assert CountStore(database).exchange({("key a", 7): 3}, 7) == {("key a", 7): 3}
    assert sayings.scores(Store(database=database), "ana") == {"1.jpg": 4}
    database.close()
    assert dump(path.with_name("piaa.db.schema-3")) == before
