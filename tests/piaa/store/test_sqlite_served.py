"""A SQLite file while servers have it open, and commands beside them."""

from __future__ import annotations

import shutil
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from generic.errors import StoreError, StoreUnavailable
from piaa.people.choose import choose_photos
from piaa.store.place import open_database
from piaa.store.store import Store


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "piaa.db"


def served(path: Path, **options) -> Store:
    return Store(database=open_database(path, connections=2, **options))


def test_servers_and_commands_see_each_other(path, sayings):
    servers = [served(path), served(path)]
    servers[0].say("ana", sayings.rated({1: 1}))
    assert sayings.scores(servers[1], "ana") == {"1.jpg": 1}
    Store(path).say("ana", sayings.rated({2: 2}))
    for one in (*servers, Store(path)):
        assert sayings.scores(one, "ana") == {"1.jpg": 1, "2.jpg": 2}
    for one in servers:
        one.close()


def test_the_last_server_that_stops_leaves_one_whole_file(path, sayings, tmp_path):
    servers = [served(path), served(path)]
    servers[0].say("ana", sayings.rated({1: 1}))
    expected = sayings.everything(servers[0].database)
    for one in servers:
        assert path.with_name("piaa.db-wal").exists()
        one.close()
    assert [one.name for one in tmp_path.iterdir()] == ["piaa.db"]
    shutil.copy(path, tmp_path / "copy.db")
    assert sayings.everything(Store(tmp_path / "copy.db").database) == expected


def test_a_copy_of_a_served_file_alone_lacks_what_is_in_its_log(path, sayings, tmp_path):
    Store(path).say("ana", sayings.rated({1: 1}))
    server = served(path)
    server.say("ana", sayings.rated({2: 2}))
    shutil.copy(path, tmp_path / "copy.db")
    assert sayings.scores(Store(tmp_path / "copy.db"), "ana") == {"1.jpg": 1}
    server.close()


def test_all_files_beside_it_are_for_its_owner_alone(path, sayings):
    server = served(path)
    server.say("ana", sayings.rated({1: 1}))
    modes = {one.name: stat.S_IMODE(one.stat().st_mode) for one in path.parent.iterdir()}
    assert modes == dict.fromkeys(("piaa.db", "piaa.db-wal", "piaa.db-shm", "piaa.db-spare"), 0o600)
    server.close()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("DELETE FROM users")
        assert stat.S_IMODE(path.with_name("piaa.db-journal").stat().st_mode) == 0o600


def test_a_reader_does_not_stop_a_writer(path, sayings):
    server = served(path)
    server.say("ana", sayings.rated({1: 1}))
    with server.database.reading() as sql:
        before = sql.run("SELECT count(*) FROM ratings")
        Store(path, timeout_s=0.2).say("ana", sayings.rated({2: 2}))
        assert sql.run("SELECT count(*) FROM ratings") == before == [(1,)]
    assert len(server.rated("ana")) == 2
    server.close()


def test_what_was_withdrawn_while_somebody_read_is_overwritten_later(path, sayings):
    server, log = served(path), path.with_name("piaa.db-wal")
    server.say("ana", sayings.rated({1: 1, 2: 2}))
    with Store(path).database.reading() as sql:
        sql.run("SELECT count(*) FROM ratings")
        server.withdraw("ana", ["1.jpg"], choose_photos, source="http")
        assert b"1.jpg" in log.read_bytes()  # the reader still sees it
    server.say("ana", sayings.rated({2: 3}))
    assert b"1.jpg" not in log.read_bytes() + path.read_bytes()
    server.close()


def test_locked_and_busy(path, sayings, refusal):
    server = served(path, timeout_s=0.2)
    server.say("ana", sayings.rated({1: 1}))
    with Store(path).database.writing():
        assert refusal(StoreUnavailable, server.say, "ana", sayings.rated({2: 2})) == (
            f"store '{path}' cannot be used now: database is locked; try again later"
        )
    with server.database.reading(), server.database.reading():
        assert refusal(StoreUnavailable, server.users) == (
            f"store '{path}' cannot be used now: all its connections were busy for more than 0.2 s; "
            "try again later"
        )
    assert server.say("ana", sayings.rated({2: 2})) == 2
    server.close()


def test_a_file_that_no_server_can_use(path, refusal):
    path.write_text("image,score\n")
    assert refusal(StoreError, served, path) == (
        f"'{path}' is not a database and so no piaa store; "
        "it was left untouched, name another file with --store"
    )


def test_a_server_tells_its_clients_no_path(path, sayings):
    server = served(path)
    assert (server.database.option(), Store(path).database.option()) == ("", f" --store {path}")
    server.close()
