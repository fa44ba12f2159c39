"""The adapter store against real kills, a really full disk, real locks and files that are no store."""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import datetime
import hashlib
import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import textwrap
import unicodedata
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from generic.errors import ModelMismatch, OutputError, StoreError, UnknownUser
from piaa.store.adapter_store import AdapterStore, check_model
from piaa.store.file import default_store_path
from piaa.store.records import AdapterRecord, StoredRating, check_user

ROOT = Path(__file__).parents[3]
SHA = "ab" * 32


def record(**changes: object) -> AdapterRecord:
    values = {
        "adapter": "ridge",
        "model_name": "piaa-lite",
        "model_hash": "3f2a91c0" * 8,
        "scale_low": 1,
        "scale_high": 5.5,
        "state": bytes(range(256)) * 3,
        "ratings": (
            StoredRating(image="Ünï/b c.jpg", sha256=SHA, score=4),
            StoredRating(image="a\n'; DROP TABLE users; --.jpg", score=0.1 + 0.2),
        ),
        "extra": {"alpha": 0.1, "note": "für Ana", "nested": {"list": [1, None, True, 1e-300]}},
    }
    return AdapterRecord(**{**values, **changes})


def numbered(i: int) -> AdapterRecord:
    """An adapter all of whose parts tell its number."""
    ratings = tuple(StoredRating(image=f"{i}.jpg", score=float(i)) for _ in range(10))
    return record(state=i.to_bytes(4, "big") * 50_000, ratings=ratings, extra={"i": i})


def content(adapter: AdapterRecord) -> dict[str, object]:
    return {field.name: getattr(adapter, field.name) for field in dataclasses.fields(AdapterRecord)}


@pytest.fixture
def store(tmp_path):
    return AdapterStore(tmp_path / "piaa.db", timeout_s=0.2)


def assert_sound(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []


def message_of(kind: type[Exception], call, *arguments, **options) -> str:
    with pytest.raises(kind) as caught:
        call(*arguments, **options)
    assert type(caught.value) is kind
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.fixture
def public_store():
    """A store in a folder that everybody may read; pytest's own folder is for its owner only."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        store = AdapterStore(folder / "piaa.db", timeout_s=0.2)
        store.save("ana", record())
        yield store
        folder.chmod(0o755)


def run_python(program: str, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program), *map(str, arguments)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(Path(__file__).parent)])},
    )


# Saving and loading.


def test_round_trip_keeps_every_value(store):
    before = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
    assert store.save("ana", record()) == 1
    loaded = store.load("ana")
    assert content(loaded) == content(record())
    assert (loaded.user, loaded.version, loaded.n_ratings) == ("ana", 1, 2)
    created = datetime.datetime.fromisoformat(loaded.created)
    assert before <= created <= datetime.datetime.now(datetime.UTC)
    assert created.utcoffset() == datetime.timedelta(0)
    assert [path.name for path in store.path.parent.iterdir()] == ["piaa.db"]


def test_versions_count_up_per_user(store):
    assert [store.save("ana", numbered(i)) for i in (1, 2, 3)] == [1, 2, 3]
    assert store.save("Ana", numbered(9)) == 1
    assert content(store.load("ana")) == content(numbered(3))
    assert content(store.load("ana", 2)) == content(numbered(2))
    assert content(store.load("Ana")) == content(numbered(9))
    # What was loaded can be saved again, as a rollback to an older version does.
    assert store.save("ana", store.load("ana", 1)) == 4
    assert content(store.load("ana")) == content(numbered(1))


def test_summaries(store):
    store.save("bob", numbered(1))
    store.save("ana", numbered(2))
    store.save("ana", record(adapter="bayes", ratings=()))
    users = store.users()
    assert [(user.user, user.n_versions, user.latest.adapter) for user in users] == [
        ("ana", 2, "bayes"),
        ("bob", 1, "ridge"),
    ]
    assert store.show("ana")[1] == users[0].latest
    first = store.show("ana")[0]
    loaded = store.load("ana", 1)
    for name in ("version", "created", "model_name", "model_hash", "scale_low", "scale_high", "extra"):
        assert getattr(first, name) == getattr(loaded, name)
    assert (first.n_ratings, first.n_bytes, users[0].latest.n_ratings) == (10, 200_000, 0)


def test_deleting_removes_the_person_from_the_file(store):
    secret = record(state=b"SECRET-STATE" * 1000, ratings=(StoredRating(image="SECRET.jpg", score=3),))
    store.save("SECRET-ana", secret)
    store.save("SECRET-ana", secret)
    store.save("bob", numbered(1))
    assert b"SECRET" in store.path.read_bytes()
    assert store.delete("SECRET-ana") == 2
    assert b"SECRET" not in store.path.read_bytes()
    assert [user.user for user in store.users()] == ["bob"]
    assert content(store.load("bob")) == content(numbered(1))
    assert_sound(store.path)


def test_missing_folder_is_made_for_writing(tmp_path):
    store = AdapterStore(tmp_path / "a" / "b c?#%" / "piaa.db")
    assert store.save("ana", record()) == 1
    assert content(store.load("ana")) == content(record())
    assert store.path.is_file()


def test_default_path(monkeypatch, tmp_path):
    monkeypatch.setenv("PIAA_STORE", str(tmp_path / "mine.db"))
    assert AdapterStore().path == tmp_path / "mine.db"
    AdapterStore().save("ana", record())
    assert message_of(UnknownUser, AdapterStore().load, "zoe") == (
        f"store '{tmp_path / 'mine.db'}' has no user 'zoe'; see all users with: piaa users list"
    )
    monkeypatch.delenv("PIAA_STORE")
    assert default_store_path().name == "piaa.db"
    assert default_store_path().parent.name == "piaa"


# Names and values.

names = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1, max_size=200)


@settings(max_examples=10)
@given(names)
@example("../../etc/passwd")
@example("'; DROP TABLE users; --")
@example("a" * 200)
@example(" ")
@example("%_*?")
def test_any_name_is_a_user_and_only_that_one(name):
    with tempfile.TemporaryDirectory() as folder:
        store = AdapterStore(Path(folder, "piaa.db"))
        store.save("ana", record(adapter="other"))
        expected = 2 if name == "ana" else 1
        assert store.save(name, record()) == expected
        assert store.load(name).user == name
        assert {user.user for user in store.users()} == {"ana", name}
        store.export(name, Path(folder, "one.json"))
        assert store.delete(name) == expected
        assert store.import_(Path(folder, "one.json")).user == name
        assert sorted(path.name for path in Path(folder).iterdir()) == ["one.json", "piaa.db"]


@settings(max_examples=50)
@given(st.text(max_size=10), st.characters(categories=["Cc", "Cs", "Zl", "Zp"]), st.text(max_size=10))
def test_names_that_break_a_line_are_refused(before, bad, after):
    name = before + bad + after
    message = message_of(StoreError, check_user, name)
    first = next(c for c in name if unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp"))
    assert message == (
        f"user name {name!r} contains the control character U+{ord(first):04X}; choose another name"
    )


def test_impossible_names_are_refused_everywhere(store, tmp_path):
    store.save("ana", record())
    store.export("ana", tmp_path / "ana.json")
    calls = [
        lambda name: store.save(name, record()),
        store.load,
        store.show,
        store.delete,
        lambda name: store.export(name, tmp_path / "x.json"),
        lambda name: store.import_(tmp_path / "ana.json", user=name),
    ]
    for call in calls:
        assert message_of(StoreError, call, "") == "user name '' is empty; choose another name"
        assert message_of(StoreError, call, "x" * 201) == (
            f"user name '{'x' * 20}...' is 201 characters long, but 200 are allowed; choose another name"
        )
    assert [user.user for user in store.users()] == ["ana"]


def test_impossible_values_are_all_named_at_once():
    message = message_of(
        StoreError,
        record,
        adapter="",
        model_hash=b"abc",
        scale_low=5,
        scale_high=float("inf"),
        state="text",
        ratings=(
            StoredRating(image="", score=1.0),
            StoredRating(image="a.jpg", score=1.0),
            StoredRating(image="b.jpg", sha256="zz", score=1.0),
            StoredRating(image="c.jpg", score=float("nan")),
            StoredRating(image="d\udce9.jpg", score=1.0),
        ),
        extra={"a": {1}},
    )
    assert message == (
        "this adapter cannot be stored: adapter '' is empty; model_hash b'abc' is not text; "
        "scale 5 to inf is not two finite numbers, the lower one first; state is str, expected bytes; "
        "rating 1: image '' is not a name in UTF-8, rename the file; "
        "rating 3: sha256 'zz' is not 64 hex digits; rating 4: score nan is not a finite number; "
        r"rating 5: image 'd\udce9.jpg' is not a name in UTF-8, rename the file; "
        "extra holds something that JSON cannot; fit the user again"
    )


def test_model_must_be_the_one_of_the_fit(store):
    store.save("ana maria", record())
    store.save("ana maria", record())
    stored = store.load("ana maria")
    check_model(stored, "3f2a91c0" * 8, "any name")
    assert message_of(ModelMismatch, check_model, stored, "77ab01fe" * 8, "piaa-lite") == (
        "adapter of user 'ana maria' (version 2) was fitted on model piaa-lite 3f2a91c0, "
        "but the loaded model is piaa-lite 77ab01fe; fit it again: "
        "piaa fit-user --user 'ana maria' --ratings FILE --images DIR, or pass the old model with --model"
    )
    close = message_of(ModelMismatch, check_model, stored, "3f2a91c0" + "00000000" * 7, "mine")
    assert (
        "fitted on model piaa-lite 3f2a91c03f2a91c0, but the loaded model is mine 3f2a91c000000000;" in close
    )


# Unknown users and missing files.


def test_unknown_user(store):
    for name in ("ana", "anna", "zoe"):
        store.save(name, record())
    for call in (store.load, store.show, store.delete, lambda name: store.export(name, store.path)):
        assert message_of(UnknownUser, call, "annaa") == (
            f"store '{store.path}' has no user 'annaa'; did you mean 'anna' or 'ana'? "
            f"see all users with: piaa users list --store {store.path}"
        )
        assert message_of(UnknownUser, call, "xyz") == (
            f"store '{store.path}' has no user 'xyz'; "
            f"see all users with: piaa users list --store {store.path}"
        )


@pytest.mark.parametrize("version", [0, -1, 3, 10**30])
def test_unknown_version(store, version):
    store.save("ana", record())
    store.save("ana", record())
    assert message_of(StoreError, store.load, "ana", version) == (
        f"user 'ana' in store '{store.path}' has no version {version}, but: 1, 2; "
        "name one of these or leave it out for the newest"
    )


def test_reading_does_not_create_a_store(tmp_path):
    store = AdapterStore(tmp_path / "sub" / "none.db")
    rest = (
        f"there is no store '{store.path}', so it has no users; name another file with --store, "
        "or fit a user first: piaa fit-user --user {} --ratings FILE --images DIR"
        f" --store {store.path}"
    )
    assert message_of(StoreError, store.users) == rest.format("NAME")
    for call in (store.load, store.show, store.delete, lambda name: store.export(name, tmp_path / "x")):
        assert message_of(UnknownUser, call, "ana b") == rest.format("'ana b'")
    assert list(tmp_path.iterdir()) == []


def test_empty_file_is_a_store_without_users(store):
    store.path.touch()
    assert store.users() == []
    assert message_of(UnknownUser, store.load, "ana") == (
        f"store '{store.path}' has no user 'ana'; see all users with: piaa users list --store {store.path}"
    )
    assert store.path.read_bytes() == b""
    assert store.save("ana", record()) == 1


# Files that are no store.


def every_call(store: AdapterStore, tmp_path: Path):
    """All operations, each with a valid request."""
    other = AdapterStore(tmp_path / "other.db")
    other.save("ana", record())
    other.export("ana", tmp_path / "ana.json")
    return [
        store.users,
        lambda: store.load("ana"),
        lambda: store.show("ana"),
        lambda: store.export("ana", tmp_path / "x.json"),
        lambda: store.save("ana", record()),
        lambda: store.delete("ana"),
        lambda: store.import_(tmp_path / "ana.json", replace=True),
    ]


@pytest.mark.parametrize(
    "data", [b"image,score\na.jpg,3\n", b"\0" * 5000, b"SQLite format 3\0" + b"z" * 9000]
)
def test_file_that_is_no_database(store, tmp_path, data):
    store.path.write_bytes(data)
    for call in every_call(store, tmp_path):
        assert message_of(StoreError, call) == (
            f"'{store.path}' is not a database and so no piaa store; "
            "it was left untouched, name another file with --store"
        )
    assert store.path.read_bytes() == data


def test_database_of_another_program(store, tmp_path):
    with contextlib.closing(sqlite3.connect(store.path)) as other, other:
        other.execute("CREATE TABLE users (name)")
        other.execute("CREATE TABLE meta (key, value)")
    before = store.path.read_bytes()
    for call in every_call(store, tmp_path):
        assert message_of(StoreError, call) == (
            f"'{store.path}' is a database of another program and no piaa store; "
            "it was left untouched, name another file with --store"
        )
    assert store.path.read_bytes() == before


def test_store_of_a_newer_piaa(store, tmp_path):
    store.save("ana", record())
    with contextlib.closing(sqlite3.connect(store.path)) as other, other:
        other.execute("UPDATE meta SET schema_version = 7")
    before = store.path.read_bytes()
    for call in every_call(store, tmp_path):
        assert message_of(StoreError, call) == (
            f"store '{store.path}' has schema version 7, but this piaa knows version 2; "
            "upgrade piaa (pip install --upgrade piaa) or name another file with --store"
        )
    assert store.path.read_bytes() == before


def test_damaged_store(store):
    for i in range(20):
        store.save("ana", numbered(i))
    data = bytearray(store.path.read_bytes())
    data[8 * 4096 :] = b"\xee" * (len(data) - 8 * 4096)
    store.path.write_bytes(data)
    assert message_of(StoreError, store.load, "ana") == (
        f"store '{store.path}' is damaged (database disk image is malformed); "
        "put a backup copy in its place or name another file with --store"
    )
    assert store.path.read_bytes() == data


def test_folder_in_the_place_of_the_store_or_the_reverse(tmp_path):
    store = AdapterStore(tmp_path / "sub dir")
    store.path.mkdir()
    for call in every_call(store, tmp_path):
        assert message_of(StoreError, call) == (
            f"store '{store.path}' is a folder; name a file in it: --store '{store.path / 'piaa.db'}'"
        )
    (tmp_path / "file").write_text("mine")
    below = AdapterStore(tmp_path / "file" / "sub" / "piaa.db")
    assert message_of(StoreError, below.save, "ana", record()) == (
        f"cannot create the folder '{below.path.parent}' for the store: Not a directory; "
        "name another file with --store"
    )
    assert message_of(StoreError, below.users).startswith(f"there is no store '{below.path}'")


# Permissions, disks, locks.


def test_read_only_file_and_folder_can_be_read_but_not_written(ordinary_user, public_store):
    store = public_store
    before = store.path.read_bytes()
    store.path.chmod(0o444)
    store.path.parent.chmod(0o555)
    with ordinary_user():
        assert content(store.load("ana")) == content(record())
        assert [user.user for user in store.users()] == ["ana"]
        for call in (lambda: store.save("ana", record()), lambda: store.delete("ana")):
            assert message_of(StoreError, call) == (
                f"cannot write to store '{store.path}': the file or its folder is read-only; "
                "make it writable or name another file with --store"
            )
        new = AdapterStore(store.path.parent / "new.db")
        cannot = "cannot be opened; check the permissions of the file and its folder"
        assert message_of(StoreError, new.save, "ana", record()) == (
            f"store '{new.path}' {cannot} or name another file with --store"
        )
        below = AdapterStore(store.path.parent / "sub" / "new.db")
        assert message_of(StoreError, below.save, "ana", record()) == (
            f"cannot create the folder '{below.path.parent}' for the store: Permission denied; "
            "name another file with --store"
        )
    store.path.chmod(0)
    with ordinary_user():
        assert message_of(StoreError, store.load, "ana") == (
            f"store '{store.path}' {cannot} or name another file with --store"
        )
    store.path.parent.chmod(0)
    with ordinary_user():
        assert message_of(StoreError, store.load, "ana") == (
            f"store '{store.path}' {cannot} or name another file with --store"
        )
    store.path.chmod(0o644)
    assert store.path.read_bytes() == before


def test_read_only_disk(tmpfs, tmp_path):
    with tmpfs(tmp_path / "disk", "1m") as disk:
        store = AdapterStore(disk / "piaa.db")
        store.save("ana", record())
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        assert content(store.load("ana")) == content(record())
        assert message_of(StoreError, store.save, "ana", record()) == (
            f"cannot write to store '{store.path}': the file or its folder is read-only; "
            "make it writable or name another file with --store"
        )


def test_full_disk_keeps_what_was_there(tmpfs, tmp_path):
    with tmpfs(tmp_path / "disk", "256k") as disk:
        store = AdapterStore(disk / "piaa.db")
        assert store.save("ana", record()) == 1
        full = (
            f"cannot write to store '{store.path}': the disk is full; "
            "free some space or name another file with --store (it is unchanged)"
        )
        for user in ("ana", "bob"):
            assert message_of(StoreError, store.save, user, record(state=b"x" * 400_000)) == full
        assert content(store.load("ana")) == content(record())
        assert [(user.user, user.n_versions) for user in store.users()] == [("ana", 1)]
        assert_sound(store.path)
        with contextlib.suppress(OSError), (disk / "filler").open("wb", buffering=0) as filler:
            while True:
                filler.write(b"x" * 4096)
        assert message_of(StoreError, store.save, "ana", numbered(1)) == full
        assert content(store.load("ana")) == content(record())
        new = AdapterStore(disk / "new.db")
        assert "the disk is full" in message_of(StoreError, new.save, "ana", record())
        assert new.users() == []
        (disk / "filler").unlink()
        assert store.save("ana", record()) == 2
        assert_sound(store.path)


def test_locked_by_another_process(store):
    store.save("ana", record())
    holder = sqlite3.connect(store.path, isolation_level=None)
    locked = (
        f"store '{store.path}' was locked by another process for more than 0.2 s; "
        "try again when that process has finished"
    )
    try:
        holder.execute("BEGIN IMMEDIATE")
        assert content(store.load("ana")) == content(record())
        assert message_of(StoreError, store.save, "ana", record()) == locked
        holder.execute("COMMIT")
        holder.execute("BEGIN EXCLUSIVE")
        assert message_of(StoreError, store.load, "ana") == locked
    finally:
        holder.close()
    assert store.save("ana", record()) == 2


def test_copied_file_is_the_whole_store(store, tmp_path):
    for i in range(3):
        store.save("ana", numbered(i))
    shutil.copy(store.path, tmp_path / "copy.db")
    copy = AdapterStore(tmp_path / "copy.db")
    assert [content(copy.load("ana", i + 1)) for i in range(3)] == [content(numbered(i)) for i in range(3)]


# Several at once, and what stops a program.


def test_two_processes_get_versions_of_their_own(tmp_path):
    program = """
        import sys
        from pathlib import Path
        from test_adapter_store import AdapterStore, numbered
        store, start = AdapterStore(Path(sys.argv[1])), int(sys.argv[2])
        print(*[store.save("ana", numbered(start + i)) for i in range(15)])
    """
    processes = [run_python(program, tmp_path / "piaa.db", start) for start in (100, 200)]
    versions: dict[int, int] = {}
    for process, start in zip(processes, (100, 200), strict=True):
        out, errors = process.communicate(timeout=60)
        assert (process.returncode, errors) == (0, "")
        versions.update({int(version): start + i for i, version in enumerate(out.split())})
    assert sorted(versions) == list(range(1, 31))
    store = AdapterStore(tmp_path / "piaa.db")
    for version, i in versions.items():
        assert content(store.load("ana", version)) == content(numbered(i))
    assert_sound(store.path)


def test_kill_at_twenty_random_moments_leaves_whole_versions(tmp_path):
    # One program forks its victims, which saves starting Python twenty times.
    program = """
        import os, random, signal, sys, time
        from pathlib import Path
        from generic.errors import PiaaError
        from test_adapter_store import AdapterStore, assert_sound, content, numbered
        path, draw, kills, half_done, total = Path(sys.argv[1]), random.Random(3), 0, 0, 0
        # On a busy machine some kills come before the first save; more of them keep the test's power.
        while kills < 20 or (kills < 200 and (half_done < 4 or total < 4)):
            kills += 1
            child = os.fork()
            if child == 0:
                version = total
                while True:
                    version += 1
                    AdapterStore(path).save("ana", numbered(version))
            time.sleep(draw.uniform(0, 0.03))
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            half_done += Path(f"{path}-journal").exists()
            store = AdapterStore(path)
            try:
                versions = [summary.version for summary in store.show("ana")]
            except PiaaError:
                versions = []
            assert versions == list(range(1, len(versions) + 1)) and len(versions) >= total, versions
            for version in versions[total:][-3:]:
                assert content(store.load("ana", version)) == content(numbered(version)), "a mixed version"
            total = len(versions)
            assert_sound(path) if path.exists() else None
        print(total, half_done)
    """
    process = run_python(program, tmp_path / "piaa.db")
    out, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    total, half_done = map(int, out.split())
    assert total >= 4
    assert half_done >= 4  # A journal is left behind: the kill hit a save in progress.


# Export and import.


@pytest.fixture
def exported(store, tmp_path):
    for i in range(3):
        store.save("ana", numbered(i))
    store.save("ana", record())
    store.export("ana", tmp_path / "all.json", all_versions=True)
    return tmp_path / "all.json"


def test_export_and_import_are_bit_equal(store, exported, tmp_path):
    assert store.export("ana", tmp_path / "one.json") == 1
    other = AdapterStore(tmp_path / "other.db")
    summary = other.import_(exported)
    assert (summary.user, summary.n_versions, summary.latest) == ("ana", 4, store.users()[0].latest)
    assert [other.load("ana", i) for i in (1, 2, 3, 4)] == [store.load("ana", i) for i in (1, 2, 3, 4)]
    other.export("ana", tmp_path / "again.json", all_versions=True)
    assert (tmp_path / "again.json").read_bytes() == exported.read_bytes()
    assert other.import_(tmp_path / "one.json", user="bea").n_versions == 1
    assert dataclasses.replace(other.load("bea"), user="ana") == store.load("ana")
    assert other.save("bea", record()) == 5


def test_import_does_not_replace_unasked(store, exported):
    store.delete("ana")
    store.save("ana", record(adapter="mine"))
    assert message_of(StoreError, store.import_, exported) == (
        f"store '{store.path}' already has a user 'ana'; import under another name with --user NAME, "
        "or replace the user and all versions with --replace"
    )
    assert store.load("ana").adapter == "mine"
    assert store.import_(exported, replace=True).n_versions == 4
    assert [summary.version for summary in store.show("ana")] == [1, 2, 3, 4]
    assert_sound(store.path)


def test_export_does_not_touch_an_old_file_when_it_fails(store, tmp_path):
    store.save("ana", record())
    target = tmp_path / "none" / "ana.json"
    assert message_of(OutputError, store.export, "ana", target) == (
        f"cannot write '{target}': the folder '{target.parent}' does not exist; "
        "create it or name a file in another folder"
    )


def refused(tmp_path: Path, data: bytes) -> str:
    """The reason why a file with this content is not imported; the store must not even be created."""
    path = tmp_path / "bad.json"
    path.write_bytes(data)
    fresh = AdapterStore(tmp_path / "fresh" / "piaa.db")
    message = message_of(StoreError, fresh.import_, path)
    assert not fresh.path.parent.exists()
    assert message.startswith(f"cannot import '{path}': ")
    assert message.endswith(" (the store is unchanged)")
    return message.removeprefix(f"cannot import '{path}': ").removesuffix(" (the store is unchanged)")


def test_file_that_is_no_export(tmp_path):
    no_export = "it is not a file that piaa users export wrote; name such a file"
    for data in (
        b"",
        b"\xff\xfe",
        b"{",
        b"[1]",
        b"{}",
        b'{"format": NaN}',
        b"[" * 100_000,
        b'{"format": "x"}',
    ):
        assert refused(tmp_path, data) == no_export
    missing = tmp_path / "missing.json"
    assert message_of(StoreError, AdapterStore(tmp_path / "s.db").import_, missing) == (
        f"cannot import '{missing}': it cannot be read: No such file or directory; "
        "name a file that piaa users export wrote (the store is unchanged)"
    )
    for depth in range(850, 1000, 5):
        nested = b"[" * depth + b"]" * depth
        refused(tmp_path, b'{"format": "piaa-user", "format_version": 1, "versions": ' + nested + b"}")
    assert refused(tmp_path, b'{"format": "piaa-user", "format_version": 2}') == (
        "it has format version 2, but this piaa knows version 1; upgrade piaa: pip install --upgrade piaa"
    )


def test_every_flipped_character_is_noticed(exported, tmp_path):
    store = AdapterStore(tmp_path / "small.db")
    store.save("ana", record(state=b"state"))
    store.export("ana", exported)
    original = exported.read_bytes()
    draw = random.Random(1)
    tampered = 0
    for position in draw.sample(range(len(original)), 150):
        data = bytearray(original)
        data[position] ^= draw.choice([1, 2, 4, 8])
        with contextlib.suppress(ValueError):
            if json.loads(data) == json.loads(original):
                continue
        refused(tmp_path, bytes(data))
        tampered += 1
    assert tampered > 100
    changed = original.replace(b'"model_name": "piaa-lite"', b'"model_name": "piaa-late"')
    assert refused(tmp_path, changed) == (
        "its content does not fit its checksum; it was damaged or edited, export it again"
    )


def forge(path: Path, change) -> bytes:
    """An edited export with a checksum that fits."""
    content = json.loads(path.read_bytes())
    del content["sha256"]
    change(content)
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return json.dumps({**content, "sha256": hashlib.sha256(text.encode()).hexdigest()}).encode()


def test_forged_values_are_refused(exported, tmp_path):
    def last(**values):
        return lambda content: content["versions"][-1].update(values)

    cases = [
        (lambda c: c.pop("user"), "'user' is missing"),
        (
            lambda c: c.update(user="a\nb"),
            r"user name 'a\nb' contains the control character U+000A; choose another name",
        ),
        (lambda c: c["versions"][0].pop("state"), "'state' is missing"),
        (last(version=0), "version 0"),
        (last(version=True), "version True"),
        (last(version=2**31), "version 2147483648"),
        (last(created="2026-01-01T00:00:00"), "created '2026-01-01T00:00:00' is not in UTC"),
        (last(state="%%%"), "Only base64 data is allowed"),
        (
            last(scale_low=9),
            "this adapter cannot be stored: scale 9 to 5.5 is not two finite numbers, the lower one first; "
            "fit the user again",
        ),
        (
            last(ratings=[["a.jpg", None, 10**400]]),
            f"this adapter cannot be stored: rating 1: score {10**400} is not a finite number; "
            "fit the user again",
        ),
        (last(ratings=[["a.jpg", None]]), "not enough values to unpack (expected 3, got 2)"),
    ]
    for change, reason in cases:
        assert refused(tmp_path, forge(exported, change)) == (
            f"it holds a value that cannot be ({reason}); export it again"
        )
    for change in (
        lambda c: c.update(versions=5),
        lambda c: c.update(versions=[5]),
        lambda c: c.update(user=5),
        last(more=1),
        last(state=5),
        last(created=5),
        last(ratings=5),
        last(extra=5),
        last(extra={"a": "\ud800"}),
    ):
        assert refused(tmp_path, forge(exported, change)).startswith("it holds a value that cannot be (")
    assert refused(tmp_path, forge(exported, lambda c: c.update(versions=[]))) == (
        "it holds the versions [], expected one or more, each once; export it again"
    )
    assert refused(tmp_path, forge(exported, last(version=1))) == (
        "it holds the versions [1, 2, 3, 1], expected one or more, each once; export it again"
    )
    good = tmp_path / "good.json"
    good.write_bytes(forge(exported, last(state=base64.b64encode(b"other").decode())))
    assert AdapterStore(tmp_path / "other.db").import_(good).latest.n_bytes == 5


def test_failed_import_leaves_the_old_user(store, exported):
    store.delete("ana")
    store.save("ana", record(adapter="mine"))
    exported.write_bytes(exported.read_bytes()[:-100])
    message_of(StoreError, store.import_, exported, replace=True)
    assert store.load("ana").adapter == "mine"


def test_import_is_cheap():
    process = run_python("""
        import sys
        import piaa.store.adapter_store
        print(sorted({"torch", "pandas", "sklearn", "scipy", "numpy", "platformdirs"} & sys.modules.keys()))
    """)
    out, errors = process.communicate(timeout=60)
    assert (out, errors) == ("[]\n", "")
