"""A whole store in one file and back, from each kind of database to each, while others write."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

import pytest

from generic.errors import OutputError, StoreError
from piaa.store.audit import entries
from piaa.store.backup import back_up, restore_from
from piaa.store.jobs import JobStore
from piaa.store.keys import KeyStore
from piaa.store.place import open_database
from piaa.store.store import Store

KINDS = ("sqlite", "postgres")


def filled(store: Store, sayings) -> Store:
    """Something in every table but one, of which nothing is written yet."""
    for user in ("ana", "ben"):
        store.say(user, sayings.rated({n: 1 + n % 5 for n in range(300)}))
        sayings.fit(store, user)
        store.say(user, sayings.rated({1: 2, 2: 1}))
    store.say("ana", sayings.compared((1, 2, "a"), (3, 4, "equal")))
    store.keep("ana", *sayings.fitted_pairs(store, "ana"), linear_form=b"\0form\xff")
    store.say("ana", sayings.flagged({1: "pick"}))
    store.withdraw("ben", ["3.jpg"], sayings.by_name, source="http")
    JobStore(store.database).enqueue("ben", "ridge")
    KeyStore(store.database).create_key("user", "ana")
    return store


@pytest.fixture
def open_kind(request, tmp_path):
    """Opens a store of a kind; in PostgreSQL there is one at a time."""
    stores = []

    def open_one(kind: str, name: str = "piaa.db") -> Store:
        if kind == "postgres":
            stores.append(Store(request.getfixturevalue("postgres")))
            return stores[-1]
        return Store(tmp_path / name)

    yield open_one
    for store in stores:
        store.close()


def empty(store: Store, sayings) -> None:
    for one in store.users():
        store.delete(one.user, source="terminal")
    with store.database.writing() as sql:
        for table in ("audit", "models", "api_keys"):
            sql.run(f"DELETE FROM {table}")


@pytest.mark.parametrize("source", KINDS)
@pytest.mark.parametrize("target", KINDS)
def test_everything_moves_from_each_kind_to_each(open_kind, sayings, tmp_path, source, target):
    store = filled(open_kind(source), sayings)
    before = sayings.everything(store.database)
    assert all(rows for table, rows in before.items() if table != "written")
    found = back_up(store.database, tmp_path / "backup.db")
    assert (found.n_users, found.n_ratings, found.n_versions) == (2, 599, 2)
    assert sayings.everything(open_database(tmp_path / "backup.db")) == before
    if target == source == "postgres":
        empty(store, sayings)
    other = open_kind(target, "other.db")
    other.say("zoe", sayings.rated({7: 7 % 5}))
    contents, kept = restore_from(tmp_path / "backup.db", other.database)
    assert contents == found
    after = sayings.everything(other.database)
    with other.database.reading() as sql:
        (last,) = entries(sql, 1)
    assert (last.who, last.what, last.user) == ("terminal", "restore", None)
    after["audit"] = [row for row in after["audit"] if row[3] != "restore"]
    assert after == before
    if target == "sqlite":
        assert [one.user for one in Store(kept).users()] == ["zoe"]
        sayings.assert_sound(Path(other.name))
    else:
        assert kept is None
    # And it goes on from there: numbers of its own for what is new.
    assert other.say("ana", sayings.rated({400: 3})) == 301
    other.say("new", sayings.rated({400: 3, 401: 1}))
    assert (sayings.fit(other, "ana"), sayings.fit(other, "new")) == (3, 1)
    assert other.load("ana", 1).state == store.load("ana", 1).state if source != target else True


def test_a_backup_is_a_store(file_store, sayings, tmp_path):
    filled(file_store, sayings)
    back_up(file_store.database, tmp_path / "backup.db")
    copy = Store(tmp_path / "backup.db")
    assert copy.load("ana").state == file_store.load("ana").state
    assert copy.say("ana", sayings.rated({400: 3})) == 301


@pytest.mark.parametrize("kind", KINDS)
def test_files_are_for_their_owner_alone(open_kind, sayings, tmp_path, kind):
    store = open_kind(kind)
    store.say("ana", sayings.rated({1: 1}))
    back_up(store.database, tmp_path / "backup.db")
    _, kept = restore_from(tmp_path / "backup.db", Store(tmp_path / "other.db").database)
    assert kept is None
    _, kept = restore_from(tmp_path / "backup.db", Store(tmp_path / "other.db").database)
    modes = {one.name: oct(stat.S_IMODE(one.stat().st_mode)) for one in tmp_path.glob("*.db*")}
    assert set(modes.values()) == {"0o600"}
    assert {"backup.db", "other.db", "other.db.before-restore-1"} <= modes.keys()
    assert kept == tmp_path / "other.db.before-restore-1"


def test_a_backup_while_another_process_writes(store, sayings, program, tmp_path):
    store.say("ana", sayings.rated({0: 3}))
    writer = program(
        """
        import sys
        from piaa.store.store import Store
        from sayings import rated
        store = Store(sys.argv[1])
        for number in range(1, 200):
            store.say("ana", rated({number: 3, 1000 + number: 4}))
            print(number, flush=True)
        store.close()
        """,
        store.name,
    )
    done = [0, *(int(writer.stdout.readline()) for _ in range(5))]
    for turn in range(4):
        path = tmp_path / f"backup-{turn}.db"
        back_up(store.database, path)
        sayings.assert_sound(path)
        found = sayings.scores(Store(path), "ana")
        # A moment of the store: each change whole, and none lost that was acknowledged before.
        last = len(found) // 2
        assert last >= done[-1]
        assert found == {
            **{f"{n}.jpg": 3 for n in range(last + 1)},
            **{f"{1000 + n}.jpg": 4 for n in range(1, last + 1)},
        }
        done.append(int(writer.stdout.readline()))
    writer.kill()
    writer.communicate()
    assert done[-1] < 199  # it was writing all the while


def test_a_copy_of_the_file_alone_loses_what_a_backup_keeps(tmp_path, sayings):
    server = Store(database=open_database(tmp_path / "piaa.db", connections=2))
    server.say("ana", sayings.rated({1: 1, 2: 2}))
    shutil.copy(tmp_path / "piaa.db", tmp_path / "copy.db")
    back_up(open_database(tmp_path / "piaa.db"), tmp_path / "backup.db")
    assert Store(tmp_path / "copy.db").users() == []
    assert sayings.scores(Store(tmp_path / "backup.db"), "ana") == {"1.jpg": 1, "2.jpg": 2}
    server.close()


@pytest.mark.parametrize("from_served", [False, True])
def test_restoring_under_a_server_that_has_the_store_open(tmp_path, sayings, from_served):
    source = open_database(tmp_path / "source.db", connections=2 * from_served)
    Store(database=source).say("zoe", sayings.rated(dict.fromkeys(range(200), 3)))
    server = Store(database=open_database(tmp_path / "piaa.db", connections=2))
    server.say("ana", sayings.rated({1: 1, 2: 2}))
    # The file itself, not a backup of it.
    _, kept = restore_from(tmp_path / "source.db", open_database(tmp_path / "piaa.db"))
    assert [one.user for one in server.users()] == ["zoe"]
    server.say("zoe", sayings.rated({300: 4}))
    server.close()
    source.close()
    assert len(sayings.scores(Store(tmp_path / "piaa.db"), "zoe")) == 201
    assert sayings.scores(Store(kept), "ana") == {"1.jpg": 1, "2.jpg": 2}
    assert not list(tmp_path.glob("*-wal"))


@pytest.mark.parametrize("target", KINDS)
def test_a_backup_of_an_earlier_release_is_brought_up_to_date(schema_2, open_kind, sayings, tmp_path, target):
    old = schema_2.file("hot")
    found = back_up(open_database(old), tmp_path / "backup.db")
    assert (found.n_users, found.n_ratings, found.n_versions) == (1, 7, 2)
    store = open_kind(target)
    restore_from(tmp_path / "backup.db", store.database)
    assert [one.version for one in store.versions("ana")] == [1, 2]
    assert len(store.content("ana").ratings) == 10
    assert (
        sayings.everything(open_database(tmp_path / "backup.db"))["users"]
        == (sayings.everything(store.database)["users"])
    )


def test_what_cannot_be_backed_up_or_restored(file_store, sayings, refusal, tmp_path):
    target = tmp_path / "backup.db"
    assert refusal(StoreError, back_up, file_store.database, target) == (
        f"there is no store '{file_store.name}' to back up; name another one with --store"
    )
    assert refusal(StoreError, restore_from, target, file_store.database) == (
        f"there is no file '{target}' to restore from; name one that piaa backup wrote"
    )
    file_store.say("ana", sayings.rated({1: 1}))
    target.write_text("image,score\n")
    before = sayings.everything(file_store.database)
    assert refusal(StoreError, restore_from, target, file_store.database) == (
        f"'{target}' is not a database and so no piaa store; "
        "it was left untouched, name another file with --store"
    )
    assert sayings.everything(file_store.database) == before
    nowhere = tmp_path / "none" / "backup.db"
    assert refusal(OutputError, back_up, file_store.database, nowhere) == (
        f"cannot write '{nowhere}': the folder '{nowhere.parent}' does not exist; "
        "create it or name a file in another folder"
    )
    assert refusal(OutputError, back_up, file_store.database, target) == (
        f"cannot write '{target}': it is there, and no store, which a backup may replace; name another file"
    )
    assert target.read_text() == "image,score\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["backup.db", "piaa.db"]


def test_a_backup_goes_into_no_device(file_store, sayings, refusal, tmp_path):
    file_store.say("ana", sayings.rated({1: 1}))
    os.mkfifo(tmp_path / "pipe")
    assert refusal(OutputError, back_up, file_store.database, tmp_path / "pipe") == (
        f"cannot write '{tmp_path / 'pipe'}': a backup is a file, not a device or a pipe; name a file"
    )
    assert (tmp_path / "pipe").is_fifo()


def test_a_full_disk_leaves_the_last_backup(file_store, sayings, refusal, tmpfs, tmp_path):
    file_store.say("ana", sayings.rated({1: 1}))
    with tmpfs(tmp_path / "disk", "600k") as disk:
        back_up(file_store.database, disk / "backup.db")
        before = (disk / "backup.db").read_bytes()
        file_store.say("ana", sayings.rated(dict.fromkeys(range(2000), 1)))
        assert refusal(OutputError, back_up, file_store.database, disk / "backup.db") == (
            f"cannot write '{disk / 'backup.db'}': the disk is full; "
            "free some space or name a file in another folder"
        )
        assert {path.name: path.read_bytes() for path in disk.iterdir()} == {"backup.db": before}
