"""The feature cache against real kills, real locks, a really full disk and real damage."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import random
import sqlite3
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from generic.cache import file
from generic.cache.contents import Content
from generic.cache.features import CacheInfo, FeatureCache, default_cache_folder
from generic.errors import CacheError, ShapeError

ROOT = Path(__file__).parents[3]
NAME = "piaa-features.sqlite"


def digest_of(text: object) -> str:
    return hashlib.sha256(str(text).encode()).hexdigest()


def vectors(n: int, d: int = 8, start: int = 0) -> dict[str, np.ndarray]:
    return {digest_of(i): np.full(d, i, np.float32) for i in range(start, start + n)}


def assert_sound(folder: Path) -> None:
    connection = sqlite3.connect(folder / NAME)
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()


def run_python(program: str, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program), *map(str, arguments)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
    )


def finish(process: subprocess.Popen[str]) -> str:
    out, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    return out


def test_round_trip_is_bit_equal_and_by_model(tmp_path):
    values = np.array([0.1, -0.0, np.nan, np.inf, 1e-45, 3e38], np.float32)
    with FeatureCache.open(tmp_path) as cache:
        cache.put_many({digest_of("a"): values, digest_of("b"): values[::2]}, "model 1")
        cache.put_many({digest_of("a"): values[:2]}, "model 2")
    with FeatureCache.open(tmp_path) as cache:
        found = cache.get_many([digest_of("b"), digest_of("none"), digest_of("a")], "model 1")
        assert found.keys() == {digest_of("a"), digest_of("b")}
        assert found[digest_of("a")].dtype == np.float32
        assert found[digest_of("a")].tobytes() == values.tobytes()
        assert found[digest_of("b")].tobytes() == values[::2].tobytes()
        assert cache.get_many([digest_of("a")], "model 2")[digest_of("a")].shape == (2,)
        assert cache.get_many([digest_of("a")], "model 3") == {}
        assert cache.get_many([], "model 1") == {}


@settings(max_examples=25)
@given(
    st.dictionaries(
        st.binary(min_size=1, max_size=4).map(lambda b: hashlib.sha256(b).hexdigest()),
        st.lists(st.floats(width=32), min_size=1, max_size=5).map(lambda v: np.array(v, np.float32)),
        max_size=8,
    )
)
def test_whatever_is_put_comes_back(items):
    with tempfile.TemporaryDirectory() as folder, FeatureCache.open(Path(folder)) as cache:
        cache.put_many(items, "model")
        found = cache.get_many(list(items), "model")
        assert {d: v.tobytes() for d, v in found.items()} == {d: v.tobytes() for d, v in items.items()}


def test_putting_again_replaces(tmp_path):
    with FeatureCache.open(tmp_path) as cache:
        cache.put_many(vectors(1, d=3), "m")
        cache.put_many({digest_of(0): np.ones(5, np.float32)}, "m")
        np.testing.assert_array_equal(cache.get_many([digest_of(0)], "m")[digest_of(0)], np.ones(5))
        assert cache.info().n_entries == 1


def test_equal_keys_of_two_images_are_a_miss_and_never_a_mix_up(tmp_path):
    first, second = "0" * 64, "1" * 49 + "0" * 15
    with FeatureCache.open(tmp_path) as cache:
        cache.put_many({first: np.ones(2, np.float32)}, "m")
        assert cache.get_many([second], "m") == {}
        cache.put_many({second: np.zeros(2, np.float32)}, "m")
        assert list(cache.get_many([first, second], "m")) == [second]


@pytest.mark.parametrize(
    ("value", "shape", "kind"),
    [
        (np.ones((1, 2), np.float32), "(1, 2)", "float32"),
        (np.ones(2), "(2,)", "float64"),
        (np.ones(0, np.float32), "(0,)", "float32"),
    ],
)
def test_wrong_array_is_refused_and_nothing_is_kept(tmp_path, value, shape, kind):
    with FeatureCache.open(tmp_path) as cache:
        with pytest.raises(ShapeError) as caught:
            cache.put_many({**vectors(3), digest_of("bad"): value}, "m")
        assert str(caught.value) == (
            f"features of image {digest_of('bad')[:12]} have shape {shape} and type {kind}, "
            "but the cache keeps float32 of shape (d,) with d >= 1; pass one vector per image"
        )
        assert cache.info().n_entries == 0


def change(folder: Path, query: str, *values: object) -> int:
    """Change the file behind the cache's back; returns the number of rows."""
    with contextlib.closing(sqlite3.connect(folder / NAME)) as other, other:
        other.execute("PRAGMA ignore_check_constraints = 1")
        return other.execute(query, values).rowcount


def flipped(value: bytes, at: int) -> bytes:
    return value[:at] + bytes([value[at] ^ 1]) + value[at + 1 :]


WHOLE = np.zeros(8, np.float32).tobytes()
CHECKED = WHOLE + zlib.crc32(WHOLE).to_bytes(5, "little")


@pytest.mark.parametrize(
    ("column", "value"),
    [
        *(("value", flipped(CHECKED, at)) for at in (0, 31, 32, 36)),
        *(("value", value) for value in (b"", WHOLE[:28], WHOLE[:31], WHOLE + b"\0\0\0\0", CHECKED + b"\0")),
        *(("value", value) for value in ("text", "12345678", 7, 0.5, b"\xff" * 36)),
        *(("n", value) for value in (0, 7, 9, -1, -8, 2**62, "text", b"\xff\xfe", 0.5)),
        ("digest", b"\xff\xfe".ljust(64)),
        ("model", b"\xff\xfe"),
    ],
)
def test_damaged_row_is_missing_alone_and_can_be_replaced(tmp_path, caplog, column, value):
    with FeatureCache.open(tmp_path) as cache:
        cache.put_many(vectors(2), "m")
        assert change(tmp_path, "UPDATE features SET value = ? WHERE digest = ?", CHECKED, digest_of(0)) == 1
        assert len(cache.get_many([digest_of(0), digest_of(1)], "m")) == 2
        change(tmp_path, f"UPDATE features SET {column} = ? WHERE digest = ?", value, digest_of(0))
        assert list(cache.get_many([digest_of(0), digest_of(1)], "m")) == [digest_of(1)]
        cache.put_many(vectors(1), "m")
        assert len(cache.get_many([digest_of(0), digest_of(1)], "m")) == 2
    assert caplog.records == []


RELEASED = """
    CREATE TABLE features (key INTEGER PRIMARY KEY, model TEXT NOT NULL, digest TEXT NOT NULL,
        n INTEGER NOT NULL, value BLOB NOT NULL);
    INSERT INTO "features" VALUES(660198023387514389,'model',
        '6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b',1,X'0000C03F');
    INSERT INTO "features" VALUES(773299288882041052,'other',
        '5feceb66ffc86f38d952786c6d696c79c2dbc239dd4e91b46729d73a27fb57e9',2,X'0000C07F0000807F');
    INSERT INTO "features" VALUES(1017527080810810039,'model',
        '5feceb66ffc86f38d952786c6d696c79c2dbc239dd4e91b46729d73a27fb57e9',3,X'CDCCCC3D00000080E6B1617F');
    CREATE TABLE files (inode TEXT PRIMARY KEY, stamp TEXT NOT NULL, digest TEXT NOT NULL) WITHOUT ROWID;
    CREATE INDEX features_by_model ON features (model);
    PRAGMA application_id = 1885954401;
    PRAGMA user_version = 1;
"""
"""The dump of a file that release 0.1.0 wrote, which kept a write-ahead log and no checksums."""


@pytest.mark.parametrize("busy", [False, True])
def test_cache_of_the_release_before_is_read_even_while_that_has_it_open(tmp_path, caplog, busy):
    with contextlib.closing(sqlite3.connect(tmp_path / NAME)) as old:
        old.execute("PRAGMA journal_mode = WAL")
        old.executescript(RELEASED)
        if not busy:
            old.close()
        with FeatureCache.open(tmp_path) as cache:
            assert cache.info().models == {"model": 2, "other": 1}
            found = cache.get_many([digest_of(i) for i in range(3)], "model")
            assert {digest: value.tolist() for digest, value in found.items()} == {
                digest_of(0): np.array([0.1, -0.0, 3e38], np.float32).tolist(),
                digest_of(1): [1.5],
            }
            cache.put_many(vectors(2, d=3), "model")
            assert len(cache.get_many(list(vectors(2)), "model")) == 2
        if busy:
            # It takes what has a checksum for a vector of the wrong size: computed again, never wrong.
            assert old.execute("SELECT max(length(value)) FROM features").fetchall() == [(17,)]
    with contextlib.closing(sqlite3.connect(tmp_path / NAME)) as other:
        assert other.execute("PRAGMA journal_mode").fetchall() == [("wal" if busy else "delete",)]
    assert_sound(tmp_path)
    assert caplog.records == []


def test_many_images_need_many_queries_but_little_time(tmp_path):
    items = vectors(12_000, d=4)
    with FeatureCache.open(tmp_path) as cache:
        cache.put_many(items, "m")
        began = time.process_time()
        found = cache.get_many([*items, *map(digest_of, range(-9_000, 0))], "m")
        took = time.process_time() - began
    assert found.keys() == items.keys()
    assert all(found[digest] is not None and found[digest][0] == items[digest][0] for digest in items)
    # 0.05 s of the processor; looking at all rows for each chunk would take seconds.
    assert took < 1.0


def test_info_and_clear(tmp_path):
    with FeatureCache(tmp_path / "sub") as cache:
        assert cache.info() == CacheInfo(path=tmp_path / "sub" / NAME, n_bytes=0, n_entries=0, models={})
        assert cache.clear() == 0
        assert not (tmp_path / "sub").exists()
        cache.put_many(vectors(300, d=1000), "a")
        cache.put_many(vectors(200, d=1000), "b")
        full = cache.info()
        assert (full.n_entries, full.models) == (500, {"a": 300, "b": 200})
        assert full.n_bytes > 500 * 4000
        assert cache.clear("none") == 0
        assert cache.clear("a") == 300
        part = cache.info()
        assert part.models == {"b": 200}
        assert 200 * 4000 < part.n_bytes < 1_500_000
        assert cache.get_many(list(vectors(1)), "a") == {}
        assert cache.clear() == 200
        assert list((tmp_path / "sub").iterdir()) == []
        assert cache.info() == CacheInfo(path=tmp_path / "sub" / NAME, n_bytes=0, n_entries=0, models={})
        cache.put_many(vectors(1), "a")
        assert cache.info().models == {"a": 1}
    assert [path.name for path in (tmp_path / "sub").iterdir()] == [NAME]


def test_clear_while_another_process_has_it_open(tmp_path):
    with FeatureCache.open(tmp_path) as cache:
        cache.put_many(vectors(200, d=1000), "m")
        other = run_python(
            """
            import sys
            from pathlib import Path
            import numpy as np
            from generic.cache.features import FeatureCache
            digest = "ab" * 32
            with FeatureCache.open(Path(sys.argv[1])) as cache:
                cache.put_many({digest: np.ones(1000, np.float32)}, "m")
                print(len(cache.get_many([digest], "m")), flush=True)
                sys.stdin.readline()
                cache.put_many({digest: np.ones(1000, np.float32)}, "m")
                print(len(cache.get_many([digest], "m")))
            """,
            tmp_path,
        )
        try:
            assert other.stdout.readline() == "1\n"
            assert cache.clear() == 201
            assert cache.info().n_entries == 0
        finally:
            out, errors = other.communicate("\n", timeout=60)
        assert (out, errors) == ("1\n", "")
        assert cache.info().n_entries == 1


def test_nothing_on_disk_without_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PIAA_CACHE_DIR", str(tmp_path / "unused"))
    image = tmp_path / "a.jpg"
    image.write_bytes(b"image")
    with FeatureCache.open(None) as cache:
        cache.put_many(vectors(2), "m")
        assert cache.get_many(list(vectors(2)), "m") == {}
        assert cache.digest_many([image]) == ({image: Content(digest_of("image"), digest_of("image"))}, {})
        assert cache.info() == CacheInfo(path=None, n_bytes=0, n_entries=0, models={})
        assert cache.clear() == 0
        with pytest.raises(ShapeError):
            cache.put_many({digest_of(0): np.ones(2)}, "m")
    assert [path.name for path in tmp_path.iterdir()] == ["a.jpg"]


def test_default_folder(monkeypatch, tmp_path):
    monkeypatch.delenv("PIAA_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert default_cache_folder().name in ("piaa", "Cache")
    monkeypatch.setenv("PIAA_CACHE_DIR", "~/mine")
    assert default_cache_folder() == Path.home() / "mine"


def test_closed_cache_opens_again_when_used(tmp_path):
    cache = FeatureCache.open(tmp_path)
    cache.put_many(vectors(1), "m")
    cache.close()
    cache.close()
    assert list(cache.get_many([digest_of(0)], "m")) == [digest_of(0)]
    cache.close()


# Several at once, and what stops a program.


def test_several_threads(tmp_path):
    wrong: list[object] = []
    with FeatureCache.open(tmp_path) as cache:

        def work(start: int) -> None:
            for i in range(start, start + 100, 10):
                items = vectors(10, start=i)
                cache.put_many(items, "m")
                found = cache.get_many(list(items), "m")
                if any(not np.array_equal(found[d], items[d]) for d in items):
                    wrong.append(i)

        threads = [threading.Thread(target=work, args=(start,)) for start in range(0, 400, 100)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert wrong == []
        assert cache.info().n_entries == 400


WRITER = """
    import hashlib, logging, sys
    from pathlib import Path
    import numpy as np
    from generic.cache.features import FeatureCache
    logging.basicConfig()
    start = int(sys.argv[2])
    with FeatureCache.open(Path(sys.argv[1])) as cache:
        for i in range(start, start + 300, 5):
            items = {hashlib.sha256(str(j).encode()).hexdigest(): np.full(500, j, np.float32)
                     for j in range(i, i + 5)}
            cache.put_many(items, "m")
            assert len(cache.get_many(list(items), "m")) == 5
"""


def test_two_processes_write_at_once_from_the_very_start(tmp_path):
    for writer in [run_python(WRITER, tmp_path, start) for start in (0, 200)]:
        out, errors = writer.communicate(timeout=60)
        assert (writer.returncode, out, errors) == (0, "", "")
    with FeatureCache.open(tmp_path) as cache:
        items = vectors(500, d=500)
        found = cache.get_many(list(items), "m")
        assert all(np.array_equal(found[digest], items[digest]) for digest in items)
    assert_sound(tmp_path)


def test_kill_at_twenty_random_moments_leaves_whole_vectors(tmp_path):
    # One program forks its victims, which saves starting Python and numpy twenty times.
    program = """
        import contextlib, hashlib, os, random, signal, sqlite3, sys, time
        from pathlib import Path
        import numpy as np
        from generic.cache.features import FeatureCache
        folder, draw, counts = Path(sys.argv[1]), random.Random(5), []
        def digest(i): return hashlib.sha256(str(i).encode()).hexdigest()
        def victim(i):
            with FeatureCache.open(folder) as cache:
                while True:
                    items = {digest(j): np.full(700, j, np.float32) for j in range(i, i + 20)}
                    cache.put_many(items, "m")
                    cache.digest_many(images)
                    i += 20
        images = [folder / f"{i}.jpg" for i in range(5)]
        for image in images:
            image.write_bytes(b"image")
        for kill in range(20):
            child = os.fork()
            if child == 0:
                victim(kill * 100_000)
            time.sleep(draw.uniform(0, 0.06))
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            with FeatureCache.open(folder) as cache:
                every = [digest(j) for k in range(kill + 1) for j in range(k * 100_000, k * 100_000 + 400)]
                found = cache.get_many(every, "m")
                for k in range(kill + 1):
                    saved = [digest(j) in found for j in range(k * 100_000, k * 100_000 + 400)]
                    assert sum(saved) % 20 == 0 and saved == sorted(saved, reverse=True), "half a batch"
                for i, d in enumerate(every):
                    if d in found:
                        j = i // 400 * 100_000 + i % 400
                        assert found[d].shape == (700,) and (found[d] == j).all(), "a mixed vector"
            with contextlib.closing(sqlite3.connect(folder / "piaa-features.sqlite")) as db:
                assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            counts.append(len(found))
        assert counts == sorted(counts)
        print(counts[-1])
    """
    process = run_python(program, tmp_path)
    out, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert "feature cache" not in errors
    assert int(out) > 20
    assert "deleted" not in errors


# Files that are not what they should be.


def damage_message(folder: Path) -> str:
    path = folder / NAME
    return f"the feature cache '{path}' was damaged; it was deleted and starts anew, which costs only time"


@pytest.mark.parametrize("content", [b"this is not a database" * 1000, b"SQLite format 3\0" + b"z" * 9000])
def test_file_that_is_no_database_is_begun_anew(tmp_path, caplog, content):
    (tmp_path / NAME).write_bytes(content)
    with FeatureCache.open(tmp_path) as cache:
        cache.put_many(vectors(2), "m")
        assert len(cache.get_many(list(vectors(2)), "m")) == 2
    assert [record.getMessage() for record in caplog.records] == [damage_message(tmp_path)]
    assert [path.name for path in tmp_path.iterdir()] == [NAME]


def test_processes_that_find_the_same_damaged_file_end_well(tmp_path):
    # They are forked, so that they really meet; a file begun anew may be lost to another's beginning.
    program = """
        import hashlib, logging, os, sys
        from pathlib import Path
        import numpy as np
        from generic.cache.features import FeatureCache
        logging.basicConfig()
        items = {hashlib.sha256(b"%d" % i).hexdigest(): np.full(9, i, np.float32) for i in range(5)}
        def work(folder):
            code = 1
            try:
                with FeatureCache.open(folder) as cache:
                    for _ in range(3):
                        cache.put_many(items, "m")
                        found = cache.get_many(list(items), "m")
                        assert all((found[d] == items[d]).all() for d in found)
                code = 0
            finally:
                os._exit(code)
        for i in range(25):
            folder = Path(sys.argv[1], str(i))
            folder.mkdir()
            (folder / "piaa-features.sqlite").write_bytes(b"not a database" * 500)
            children = [os.fork() or work(folder) for _ in range(4)]
            assert [os.waitpid(child, 0)[1] for child in children] == [0] * 4
            with FeatureCache.open(folder) as cache:
                cache.put_many(items, "m")
                assert len(cache.get_many(list(items), "m")) == 5
    """
    process = run_python(program, tmp_path)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert errors.count("starts anew") >= 25
    assert_sound(tmp_path / "24")


@pytest.mark.parametrize("version", ["of another program", 0, 9])
def test_database_of_another_program_or_version_is_left_alone(tmp_path, caplog, version):
    if version == "of another program":
        with contextlib.closing(sqlite3.connect(tmp_path / NAME)) as other:
            other.execute("PRAGMA journal_mode = WAL")
            other.execute("CREATE TABLE features (mine TEXT)")
    else:
        FeatureCache.open(tmp_path).close()
        change(tmp_path, f"PRAGMA user_version = {version}")
    before = (tmp_path / NAME).read_bytes()
    reason = "it was made by another program or another version of piaa"
    with FeatureCache.open(tmp_path) as cache:
        use_in_vain(cache)
        for ask in (cache.info, cache.clear):
            with pytest.raises(CacheError) as caught:
                ask()
            assert str(caught.value) == (
                f"the feature cache '{tmp_path / NAME}' cannot be used: {reason}; "
                "remove the file while no other piaa runs, or name another folder with --cache"
            )
    assert (tmp_path / NAME).read_bytes() == before
    assert [record.getMessage() for record in caplog.records] == [
        f"the feature cache '{tmp_path / NAME}' is not used for the rest of this run: {reason}"
    ]


def test_damage_inside_the_file_costs_the_cache_and_not_the_job(tmp_path, caplog):
    items = vectors(400, d=500)
    with FeatureCache.open(tmp_path) as cache:
        cache.put_many(items, "m")
    data = bytearray((tmp_path / NAME).read_bytes())
    data[3 * 4096 :] = b"\xee" * (len(data) - 3 * 4096)
    (tmp_path / NAME).write_bytes(data)
    with FeatureCache.open(tmp_path) as cache:
        assert cache.get_many(list(items), "m") == {}
        assert [record.getMessage() for record in caplog.records] == [damage_message(tmp_path)]
        cache.put_many(items, "m")
        assert len(cache.get_many(list(items), "m")) == 400
    assert len(caplog.records) == 1
    assert_sound(tmp_path)


def test_damage_anywhere_gives_no_wrong_vector_and_stops_no_job(tmp_path):
    items = vectors(60, d=50)
    with FeatureCache.open(tmp_path) as cache:
        cache.put_many(items, "m")
    sound = (tmp_path / NAME).read_bytes()
    draw = random.Random(3)
    for _ in range(100):
        data = bytearray(sound)
        for _ in range(draw.choice([1, 5, 50])):
            data[draw.randrange(len(data))] = draw.randrange(256)
        (tmp_path / NAME).write_bytes(data[: draw.choice([len(data), draw.randrange(len(data))])])
        with FeatureCache.open(tmp_path) as cache:
            for _ in range(2):
                found = cache.get_many(list(items), "m")
                assert all(np.array_equal(found[digest], items[digest]) for digest in found)
                cache.put_many(items, "m")


# Disks and locks that do not play along: the job goes on, with one warning.


def use_in_vain(cache: FeatureCache) -> None:
    for _ in range(3):
        cache.put_many(vectors(2), "m")
        assert cache.get_many(list(vectors(2)), "m") == {}


def fill(disk: Path) -> None:
    with contextlib.suppress(OSError), (disk / "filler").open("wb", buffering=0) as filler:
        while True:
            filler.write(b"x" * 4096)


def test_full_disk(tmpfs, tmp_path, caplog):
    with tmpfs(tmp_path / "disk", "256k") as disk:
        with FeatureCache.open(disk) as cache:
            cache.put_many(vectors(5), "m")
            assert caplog.records == []
            for start in range(10, 60, 10):
                cache.put_many(vectors(10, d=5000, start=start), "m")
            # What is already there can still be read, now and by the next.
            assert len(cache.get_many(list(vectors(5)), "m")) == 5
            assert [record.getMessage() for record in caplog.records] == [
                f"the feature cache '{disk / NAME}' takes no new features for the rest of this run: "
                "database or disk is full"
            ]
        fill(disk)
        with FeatureCache.open(disk) as cache:
            assert len(cache.get_many(list(vectors(5)), "m")) == 5
        assert len(caplog.records) == 1
        assert_sound(disk)


def test_clearing_works_on_a_full_disk_where_it_is_the_cure(tmpfs, tmp_path):
    with tmpfs(tmp_path / "disk", "256k") as disk:
        with FeatureCache.open(disk) as cache:
            cache.put_many(vectors(5, d=5000), "m")
        fill(disk)
        with FeatureCache.open(disk) as cache:
            assert cache.info().n_entries == 5
            assert cache.clear() == 5
            assert cache.info().n_entries == 0
            cache.put_many(vectors(3), "m")
            assert len(cache.get_many(list(vectors(3)), "m")) == 3
        assert_sound(disk)


def test_forgetting_works_on_a_full_disk(tmpfs, tmp_path):
    contents = [Content(digest_of(f"file {i}"), digest_of(f"picture {i}")) for i in range(5)]
    with tmpfs(tmp_path / "disk", "256k") as disk:
        with FeatureCache.open(disk) as cache:
            cache.put_many({it.key: np.full(5000, i, np.float32) for i, it in enumerate(contents)}, "m")
            cache.remember(contents)
            assert len(cache.holders([it.identity for it in contents])) == 5
        fill(disk)
        with FeatureCache.open(disk) as cache:
            cache.forget([], contents[:1])
            assert cache.holders([contents[0].identity]) == []
            assert contents[0].key not in cache.find_many(contents, "m")
        assert contents[0].identity.encode() not in b"".join(
            one.read_bytes() for one in disk.iterdir() if one.name != "filler"
        )


def test_forgetting_leaves_a_file_of_another_program_alone(tmp_path):
    with contextlib.closing(sqlite3.connect(tmp_path / NAME)) as other, other:
        other.execute("CREATE TABLE theirs (x)")
    before = (tmp_path / NAME).read_bytes()
    with FeatureCache.open(tmp_path) as cache:
        cache.forget([], [])
        with pytest.raises(CacheError):
            cache.forget(["name"], [])
    assert (tmp_path / NAME).read_bytes() == before


@pytest.mark.parametrize("size", ["4k", "12k", "32k", "64k"])
def test_disk_with_no_room_for_even_an_empty_cache(tmpfs, tmp_path, caplog, size):
    with tmpfs(tmp_path / "disk", size) as disk, FeatureCache.open(disk / "sub") as cache:
        for _ in range(3):
            cache.put_many(vectors(20, d=1000), "m")
            assert cache.get_many(list(vectors(20)), "m") == {}
        assert len(caplog.records) == 1


def test_read_only_disk(tmpfs, tmp_path, caplog):
    with tmpfs(tmp_path / "disk", "1m") as disk:
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        with FeatureCache.open(disk / "sub") as cache:
            use_in_vain(cache)
        assert [record.getMessage() for record in caplog.records] == [
            f"the feature cache '{disk / 'sub' / NAME}' is not used for the rest of this run: "
            f"[Errno 30] Read-only file system: '{disk / 'sub'}'"
        ]


def test_folder_without_permission(ordinary_user, caplog):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o555)
        with ordinary_user(), FeatureCache.open(folder) as cache:
            use_in_vain(cache)
        assert [record.getMessage() for record in caplog.records] == [
            f"the feature cache '{folder / NAME}' is not used for the rest of this run: "
            "unable to open database file"
        ]
        folder.chmod(0o755)


def test_known_album_in_a_folder_that_cannot_be_written(ordinary_user, caplog):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with FeatureCache.open(folder) as cache:
            cache.put_many(vectors(5), "m")
        folder.chmod(0o555)
        (folder / NAME).chmod(0o444)
        with ordinary_user(), FeatureCache.open(folder) as cache:
            assert len(cache.get_many(list(vectors(5)), "m")) == 5
            assert caplog.records == []
            cache.put_many(vectors(9), "m")
            assert len(cache.get_many(list(vectors(9)), "m")) == 5
        assert [record.getMessage() for record in caplog.records] == [
            f"the feature cache '{folder / NAME}' takes no new features for the rest of this run: "
            "attempt to write a readonly database"
        ]
        folder.chmod(0o755)


def test_a_file_where_the_folder_should_be_and_a_folder_where_the_file_should_be(tmp_path, caplog):
    (tmp_path / "file").write_bytes(b"mine")
    (tmp_path / "b" / NAME).mkdir(parents=True)
    for folder in (tmp_path / "file", tmp_path / "b"):
        with FeatureCache.open(folder) as cache:
            use_in_vain(cache)
    assert (tmp_path / "file").read_bytes() == b"mine"
    assert [record.levelno for record in caplog.records] == [logging.WARNING] * 2


def test_lock_that_is_never_released(tmp_path, caplog, monkeypatch):
    monkeypatch.setattr(file, "_TIMEOUT_S", 0.2)
    with FeatureCache.open(tmp_path) as cache:
        cache.put_many(vectors(1), "m")
    holder = sqlite3.connect(tmp_path / NAME, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    try:
        with FeatureCache.open(tmp_path) as cache:
            began = time.monotonic()
            for start in range(1, 20):
                cache.put_many(vectors(1, start=start), "m")
            assert 0.2 <= time.monotonic() - began < 1.5  # waited once, not nineteen times
            assert list(cache.get_many(list(vectors(20)), "m")) == [digest_of(0)]
            with pytest.raises(CacheError) as caught:
                cache.clear("m")
            assert str(caught.value) == (
                f"the feature cache '{tmp_path / NAME}' cannot be used: database is locked; "
                "remove the file while no other piaa runs, or name another folder with --cache"
            )
            assert cache.clear() == 1  # A new file has no lock.
    finally:
        holder.close()
    assert [record.getMessage() for record in caplog.records] == [
        f"the feature cache '{tmp_path / NAME}' takes no new features for the rest of this run: "
        "database is locked"
    ]


def test_lock_on_a_file_that_has_no_tables_yet(tmp_path, caplog, monkeypatch):
    monkeypatch.setattr(file, "_TIMEOUT_S", 0.1)
    holder = sqlite3.connect(tmp_path / NAME, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    try:
        with FeatureCache.open(tmp_path) as cache:
            use_in_vain(cache)
    finally:
        holder.close()
    assert len(caplog.records) == 1


def test_import_is_cheap():
    program = """
        import sys
        import generic.cache.features
        heavy = {"torch", "pandas", "sklearn", "scipy", "PIL", "platformdirs"}
        print(sorted(heavy & sys.modules.keys()))
    """
    assert finish(run_python(program)) == "[]\n"
