"""A store in a SQLite file against files that are none, permissions, full disks and locks."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from generic.errors import StoreError, UnknownUser
from piaa.store import migrations
from piaa.store.store import Store


def every_call(store: Store, sayings, tmp_path: Path) -> list[Callable[[], object]]:
    """All operations, each with a valid request."""
    other = Store(tmp_path / "other.db")
    other.say("ana", sayings.rated({1: 1}))
    other.export("ana", tmp_path / "ana.json")
    learned = sayings.fitted(other, "ana")
    return [
        store.users,
        lambda: store.load("ana"),
        lambda: store.said("ana", sayings.MODEL),
        lambda: store.history("ana"),
        lambda: store.versions("ana"),
        lambda: store.export("ana", tmp_path / "x.json"),
        lambda: store.say("ana", sayings.rated({1: 1})),
        lambda: store.keep("ana", *learned),
        lambda: store.withdraw("ana", ["1.jpg"], sayings.by_name, source="terminal"),
        lambda: store.undo("ana", source="terminal"),
        lambda: store.restore("ana", 1, source="terminal"),
        lambda: store.delete("ana", source="terminal"),
        lambda: store.import_(tmp_path / "ana.json", replace=True),
    ]


def write_calls(store: Store, sayings) -> list[Callable[[], object]]:
    return [
        lambda: store.say("ana", sayings.rated({1: 1})),
        lambda: store.delete("ana", source="terminal"),
        lambda: store.undo("ana", source="terminal"),
    ]


# Missing files and files that are no store.


def test_missing_folder_is_made_for_writing(tmp_path, sayings):
    store = Store(tmp_path / "a" / "b c?#%" / "piaa.db")
    store.say("ana", sayings.rated({1: 1}))
    assert sayings.scores(store, "ana") == {"1.jpg": 1}
    assert [path.name for path in (tmp_path / "a" / "b c?#%").iterdir()] == ["piaa.db"]


def test_reading_does_not_create_a_store(tmp_path, sayings, refusal):
    store = Store(tmp_path / "sub" / "none.db")
    rest = (
        f"there is no store '{store.name}', so it has no users; name another file with --store, "
        "or fit a user first: piaa fit-user --user {} --ratings FILE --images DIR"
        f" --store {store.name}"
    )
    assert refusal(StoreError, store.users) == rest.format("NAME")
    for call in (
        store.load,
        store.versions,
        lambda name: store.delete(name, source="terminal"),
        lambda name: store.undo(name, source="terminal"),
        lambda name: store.export(name, tmp_path / "x"),
    ):
        assert refusal(UnknownUser, call, "ana b") == rest.format("'ana b'")
    assert list(tmp_path.iterdir()) == []


def test_empty_file_is_a_store_without_users(file_store, sayings, refusal):
    path = Path(file_store.name)
    path.touch()
    assert file_store.users() == []
    assert refusal(UnknownUser, file_store.load, "ana") == (
        f"store '{path}' has no user 'ana'; see all users with: piaa users list --store {path}"
    )
    assert path.read_bytes() == b""
    assert file_store.say("ana", sayings.rated({1: 1})) == 1


@pytest.mark.parametrize(
    "data", [b"image,score\na.jpg,3\n", b"\0" * 5000, b"SQLite format 3\0" + b"z" * 9000]
)
def test_file_that_is_no_database(file_store, sayings, refusal, tmp_path, data):
    path = Path(file_store.name)
    path.write_bytes(data)
    for call in every_call(file_store, sayings, tmp_path):
        assert refusal(StoreError, call) == (
            f"'{path}' is not a database and so no piaa store; "
            "it was left untouched, name another file with --store"
        )
    assert path.read_bytes() == data


def test_database_of_another_program(file_store, sayings, refusal, tmp_path):
    path = Path(file_store.name)
    with contextlib.closing(sqlite3.connect(path)) as other, other:
        other.execute("CREATE TABLE users (name)")
        other.execute("CREATE TABLE meta (key, value)")
    before = path.read_bytes()
    for call in every_call(file_store, sayings, tmp_path):
        assert refusal(StoreError, call) == (
            f"'{path}' is a database of another program and no piaa store; "
            "it was left untouched, name another file with --store"
        )
    assert path.read_bytes() == before


def test_store_of_a_newer_piaa(file_store, sayings, refusal, tmp_path):
    path = Path(file_store.name)
    file_store.say("ana", sayings.rated({1: 1}))
    with contextlib.closing(sqlite3.connect(path)) as other, other:
        other.execute("UPDATE meta SET schema_version = 7")
    before = path.read_bytes()
    for call in every_call(file_store, sayings, tmp_path):
        assert refusal(StoreError, call) == (
            f"store '{path}' has schema version 7, but this piaa knows version {migrations.SCHEMA}; "
            "upgrade piaa (pip install --upgrade piaa) or name another file with --store"
        )
    assert path.read_bytes() == before


def test_damaged_store(file_store, sayings, refusal):
    for number in range(20):
        file_store.say("ana", sayings.rated({number: 1}))
    path = Path(file_store.name)
    data = bytearray(path.read_bytes())
    data[8 * 4096 :] = b"\xee" * (len(data) - 8 * 4096)
    path.write_bytes(data)
    for call in (
        lambda: file_store.said("ana", sayings.MODEL),
        lambda: file_store.say("ana", sayings.rated({1: 1})),
    ):
        assert refusal(StoreError, call) == (
            f"store '{path}' is damaged (database disk image is malformed); "
            "put a backup copy in its place or name another file with --store"
        )
    assert path.read_bytes() == data


def test_folder_in_the_place_of_the_store_or_the_reverse(tmp_path, sayings, refusal):
    store = Store(tmp_path / "sub dir")
    (tmp_path / "sub dir").mkdir()
    for call in every_call(store, sayings, tmp_path):
        assert refusal(StoreError, call) == (
            f"store '{store.name}' is a folder; name a file in it: --store '{store.name}/piaa.db'"
        )
    (tmp_path / "file").write_text("mine")
    below = Store(tmp_path / "file" / "sub" / "piaa.db")
    assert refusal(StoreError, below.say, "ana", sayings.rated({1: 1})) == (
        f"cannot create the folder '{tmp_path / 'file' / 'sub'}' for the store: Not a directory; "
        "name another file with --store"
    )
    assert refusal(StoreError, below.users).startswith(f"there is no store '{below.name}'")


# Permissions, disks, locks.


@pytest.fixture
def public_store(sayings):
    """A store in a folder that everybody may read; pytest's own folder is for its owner only."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        store = Store(folder / "piaa.db", timeout_s=0.2)
        store.say("ana", sayings.rated({1: 4}))
        yield store
        folder.chmod(0o755)


def test_read_only_file_and_folder_can_be_read_but_not_written(ordinary_user, public_store, sayings, refusal):
    store, path = public_store, Path(public_store.name)
    before = path.read_bytes()
    path.chmod(0o444)
    path.parent.chmod(0o555)
    with ordinary_user():
        assert sayings.scores(store, "ana") == {"1.jpg": 4}
        assert [user.user for user in store.users()] == ["ana"]
        for call in write_calls(store, sayings):
            assert refusal(StoreError, call) == (
                f"cannot write to store '{path}': the file or its folder is read-only; "
                "make it writable or name another file with --store"
            )
        new = Store(path.parent / "new.db")
        cannot = "cannot be opened; check the permissions of the file and its folder"
        assert refusal(StoreError, new.say, "ana", sayings.rated({1: 1})) == (
            f"store '{new.name}' {cannot} or name another file with --store"
        )
        below = Store(path.parent / "sub" / "new.db")
        assert refusal(StoreError, below.say, "ana", sayings.rated({1: 1})) == (
            f"cannot create the folder '{path.parent / 'sub'}' for the store: Permission denied; "
            "name another file with --store"
        )
    path.chmod(0)
    with ordinary_user():
        assert refusal(StoreError, store.load, "ana") == (
            f"store '{path}' {cannot} or name another file with --store"
        )
    path.parent.chmod(0)
    with ordinary_user():
        assert refusal(StoreError, store.load, "ana") == (
            f"store '{path}' {cannot} or name another file with --store"
        )
    path.chmod(0o644)
    assert path.read_bytes() == before


def test_read_only_disk(tmpfs, tmp_path, sayings, refusal):
    with tmpfs(tmp_path / "disk", "1m") as disk:
        store = Store(disk / "piaa.db")
        store.say("ana", sayings.rated({1: 4}))
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        assert sayings.scores(store, "ana") == {"1.jpg": 4}
        for call in write_calls(store, sayings):
            assert refusal(StoreError, call) == (
                f"cannot write to store '{store.name}': the file or its folder is read-only; "
                "make it writable or name another file with --store"
            )


def test_full_disk_keeps_what_was_there(tmpfs, tmp_path, sayings, refusal):
    with tmpfs(tmp_path / "disk", "640k") as disk:
        store = Store(disk / "piaa.db")
        store.say("ana", sayings.rated({1: 4}))
        before = sayings.everything(store.database)
        full = (
            f"cannot write to store '{store.name}': the disk is full; "
            "free some space or name another file with --store (it is unchanged)"
        )
        record, said = sayings.fitted(store, "ana", state=b"x" * 900_000)
        assert refusal(StoreError, store.keep, "ana", record, said) == full
        assert sayings.everything(store.database) == before
        sayings.assert_sound(Path(store.name))
        with contextlib.suppress(OSError), (disk / "filler").open("wb", buffering=0) as filler:
            while True:
                filler.write(b"x" * 4096)
        assert refusal(StoreError, store.say, "ana", sayings.rated({2: 3})) == full
        assert refusal(StoreError, store.delete, "ana", source="terminal") == full
        assert sayings.everything(store.database) == before
        new = Store(disk / "new.db")
        assert "the disk is full" in refusal(StoreError, new.say, "ana", sayings.rated({2: 3}))
        assert new.users() == []
        (disk / "filler").unlink()
        assert store.say("ana", sayings.rated({2: 3})) == 2
        sayings.assert_sound(Path(store.name))


def test_locked_by_another_process(file_store, sayings, refusal):
    file_store.say("ana", sayings.rated({1: 4}))
    holder = sqlite3.connect(file_store.name, isolation_level=None)
    locked = (
        f"store '{file_store.name}' was locked by another process for more than 0.2 s; "
        "try again when that process has finished"
    )
    try:
        holder.execute("BEGIN IMMEDIATE")
        assert sayings.scores(file_store, "ana") == {"1.jpg": 4}
        for call in write_calls(file_store, sayings):
            assert refusal(StoreError, call) == locked
        holder.execute("COMMIT")
        holder.execute("BEGIN EXCLUSIVE")
        assert refusal(StoreError, file_store.load, "ana") == locked
    finally:
        holder.close()
    assert file_store.say("ana", sayings.rated({2: 4})) == 2


def test_copied_file_is_the_whole_store(file_store, sayings, tmp_path):
    for number in range(3):
        file_store.say("ana", sayings.rated({number: 1}))
        sayings.fit(file_store, "ana")
    shutil.copy(file_store.name, tmp_path / "copy.db")
    copy = Store(tmp_path / "copy.db")
    assert sayings.everything(copy.database) == sayings.everything(file_store.database)


def test_the_file_is_for_its_owner_alone(file_store, sayings):
    path = Path(file_store.name)
    file_store.say("ana", sayings.rated({1: 4}))
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o644)  # as an earlier release wrote it
    assert sayings.scores(file_store, "ana") == {"1.jpg": 4}
    assert path.stat().st_mode & 0o777 == 0o644
    file_store.say("ana", sayings.rated({1: 5}))
    assert path.stat().st_mode & 0o777 == 0o600
