"""The digests of photo files: of what cannot be read, of what changes, and of what need not be read again."""

from __future__ import annotations

import contextlib
import hashlib
import os
import sqlite3
import tempfile
import time
import zlib
from pathlib import Path

import pytest

from generic.cache.contents import Content
from generic.cache.features import FeatureCache
from generic.errors import ImageError

NAME = "piaa-features.sqlite"


def digest_of(text: object) -> str:
    return hashlib.sha256(str(text).encode()).hexdigest()


def content_of(text: object) -> Content:
    """Of a file that is no photo, whose identity is its sha256."""
    return Content(digest_of(text), digest_of(text))


def change(folder: Path, query: str, *values: object) -> int:
    """Change the file behind the cache's back; returns the number of rows."""
    with contextlib.closing(sqlite3.connect(folder / NAME)) as other, other:
        other.execute("PRAGMA ignore_check_constraints = 1")
        return other.execute(query, values).rowcount


@pytest.fixture(scope="module", autouse=True)
def old_files(tmp_path_factory):
    """500 files, made when the first test here begins, so that those that need old files wait little."""
    folder = tmp_path_factory.mktemp("old")
    paths = [folder / f"{i}.jpg" for i in range(500)]
    for i, path in enumerate(paths):
        path.write_bytes(b"%03d" % i)
    return paths


def settle(paths: list[Path]) -> None:
    """Wait until the last change is old enough for a memo; ctime cannot be set back."""
    newest = max(path.stat().st_ctime_ns for path in paths)
    time.sleep(max(0.0, (newest - time.time_ns()) / 1e9 + 2.05))


def test_digest_is_that_of_the_content_and_a_change_shows(tmp_path):
    image = tmp_path / "a.jpg"
    image.write_bytes(b"one" * 100_000)
    with FeatureCache.open(tmp_path / "cache") as cache:
        assert cache.digest_many([image]) == ({image: content_of("one" * 100_000)}, {})
        # The same size within the same tick of the clock: only a memo written too early would be wrong.
        for i in range(50):
            image.write_bytes(b"%03d" % i * 100_000)
            assert cache.digest_many([image]) == ({image: content_of(f"{i:03d}" * 100_000)}, {})


def test_digest_of_what_cannot_be_read(tmp_path):
    good, missing, pipe = tmp_path / "good.jpg", tmp_path / "missing.jpg", tmp_path / "pipe.jpg"
    good.write_bytes(b"good")
    os.mkfifo(pipe)
    expected = {
        missing: "there is no such file; check its name and folder",
        tmp_path: "it is a folder; name an image file",
        pipe: "it is not a regular file; name an image file",
        good / "in.jpg": "Not a directory; name an image file",
    }
    for folder in (None, tmp_path / "cache"):
        with FeatureCache.open(folder) as cache:
            digests, errors = cache.digest_many([missing, good, tmp_path, pipe, good, good / "in.jpg"])
            assert digests == {good: content_of("good")}
            assert errors.keys() == expected.keys()
            for path, reason in expected.items():
                assert type(errors[path]) is ImageError
                assert str(errors[path]) == f"cannot read image '{path}': {reason}"


def test_digest_of_a_file_without_permission(ordinary_user):
    with tempfile.TemporaryDirectory() as name, FeatureCache.open(None) as cache:
        Path(name).chmod(0o755)
        image = Path(name, "a.jpg")
        image.write_bytes(b"secret")
        image.chmod(0)
        with ordinary_user():
            digests, errors = cache.digest_many([image])
        assert digests == {}
        assert str(errors[image]) == (
            f"cannot read image '{image}': no permission to read it; change its permissions (chmod u+r)"
        )


def test_five_hundred_known_files_take_no_time(tmp_path, old_files):
    settle(old_files)
    with FeatureCache.open(tmp_path) as cache:
        first = cache.digest_many(old_files)
        took = []
        for _ in range(7):
            began = time.perf_counter()
            assert cache.digest_many(old_files) == first
            took.append(time.perf_counter() - began)
    assert first == ({path: content_of(path.read_text()) for path in old_files}, {})
    assert min(took) < 0.015


def test_unchanged_file_is_not_read_again_and_a_changed_one_is(tmp_path, old_files):
    kept, touched = old_files[7], old_files[8]
    settle(old_files)
    before = touched.stat()
    with FeatureCache.open(tmp_path) as cache:
        assert cache.digest_many([kept, touched]) == (
            {kept: content_of("007"), touched: content_of("008")},
            {},
        )
        # Same size, same modification time: the change time still tells.
        touched.write_bytes(b"new")
        os.utime(touched, ns=(before.st_atime_ns, before.st_mtime_ns))
        # A false memo shows whether a file is believed or read.
        false = 2 * digest_of("believed")
        check = f"{zlib.crc32(false.encode() + b'1'):08x}"
        query = "UPDATE known SET contents = ?, stamp = substr(stamp, 1, length(stamp) - 8) || ?"
        assert change(tmp_path, query, false, check) == 2
        believed = {kept: content_of("believed"), touched: content_of("new")}
        assert cache.digest_many([kept, touched]) == (believed, {})
        assert cache.clear() == 0
        assert cache.digest_many([kept]) == ({kept: content_of("007")}, {})
        content = (tmp_path / NAME).read_bytes()
        for column in ("contents", "stamp"):
            for damage in (digest_of("x"), digest_of("x")[:63], "g" * 64, b"\xff" * 64, b"", 7):
                assert change(tmp_path, f"UPDATE known SET {column} = ?", damage) == 1
                assert cache.digest_many([kept]) == ({kept: content_of("007")}, {})
    assert b"7.jpg" not in content
    assert bytes(kept.parent) not in content
