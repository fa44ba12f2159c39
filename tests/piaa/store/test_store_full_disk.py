"""Somebody can be erased although the disk is full."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest

from generic.errors import StoreError, StoreUnavailable
from piaa.store.place import open_database
from piaa.store.spare import SIZE
from piaa.store.store import Store

DISK = 2 * SIZE


def fill(disk: Path) -> None:
    """Leave not one block."""
    with suppress(OSError), (disk / "other").open("wb", buffering=0) as file:
        while True:
            file.write(b"x" * 4096)


@pytest.fixture
def full(tmpfs, tmp_path, sayings):
    """A served store of two people on a disk that somebody else filled."""
    with tmpfs(tmp_path / "disk", str(DISK)) as disk:
        database = open_database(disk / "piaa.db", connections=2)
        store = Store(database=database)
        for user in ("unmistakable", "ben"):
            store.say(user, sayings.rated(dict.fromkeys(range(200), 3)))
            sayings.fit(store, user)
        database.scrub()
        fill(disk)
        yield disk, store
        store.close()


def test_who_is_erased_is_gone_from_the_disk(full, sayings, refusal):
    disk, store = full
    assert "database or disk is full" in refusal(StoreUnavailable, store.say, "cleo", sayings.rated({1: 1}))
    gone = store.delete("unmistakable", source="http")
    assert (gone.n_ratings, gone.n_versions, gone.overwritten) == (200, 1, True)
    assert b"unmistakable" not in b"".join(one.read_bytes() for one in disk.glob("piaa.db*"))
    assert [one.user for one in store.users()] == ["ben"]
    assert (disk / "piaa.db-spare").stat().st_size == SIZE  # for the next one


def test_what_is_withdrawn_is_gone(full, sayings):
    _, store = full
    assert store.withdraw("ben", ["1.jpg"], sayings.by_name, source="http") == [1]
    assert "1.jpg" not in sayings.scores(store, "ben")


def test_a_command_says_what_is_wrong_with_the_disk(full, sayings, refusal):
    disk, _ = full
    message = refusal(StoreError, Store(disk / "piaa.db").say, "cleo", sayings.rated({1: 1}))
    assert message.startswith(f"cannot write to store '{disk}/piaa.db': the disk is full; free some space")


def test_the_room_is_given_back_when_the_server_ends(tmp_path):
    database = open_database(tmp_path / "piaa.db", connections=1)
    assert sorted(one.name for one in tmp_path.glob("*-spare")) == ["piaa.db-spare"]
    database.close()
    assert [one.name for one in tmp_path.iterdir()] == ["piaa.db"]


def test_a_disk_without_room_for_the_spare_is_served_without(tmpfs, tmp_path, sayings):
    with tmpfs(tmp_path / "disk", str(SIZE // 2)) as disk:
        store = Store(database=open_database(disk / "piaa.db", connections=1))
        store.say("ana", sayings.rated({1: 3}))
        assert not (disk / "piaa.db-spare").exists()
        store.close()
