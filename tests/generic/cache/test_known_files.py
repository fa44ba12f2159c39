"""What is remembered of pictures: stars that are set elsewhere, and caches of releases before and after."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import sqlite3
import tempfile
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from generic.cache.contents import Content
from generic.cache.features import FeatureCache
from generic.photos.identity import photo_identity
from tests.generic.photos.profiles import P3, rgb_profile

NAME = "piaa-features.sqlite"
RELEASED = """
    CREATE TABLE features (key INTEGER PRIMARY KEY, model TEXT NOT NULL, digest TEXT NOT NULL,
        n INTEGER NOT NULL, value BLOB NOT NULL);
    CREATE INDEX features_by_model ON features (model);
    CREATE TABLE files (inode TEXT PRIMARY KEY, stamp TEXT NOT NULL, digest TEXT NOT NULL) WITHOUT ROWID;
    PRAGMA application_id = 1885954401;
    PRAGMA user_version = 1;
"""
"""The tables of the releases before, which knew no pictures."""
VECTOR = np.array([0.5, 1, 2], np.float32)


def photo(stars: int | None = None) -> bytes:
    """One picture, with stars in its XMP or without."""
    stream = io.BytesIO()
    options = {} if stars is None else {"xmp": b'<rdf:Description xmp:Rating="%d"/>' % stars}
    Image.linear_gradient("L").save(stream, "JPEG", **options)
    return stream.getvalue()


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def contents(cache: FeatureCache, *paths: Path) -> list[Content]:
    found, errors = cache.digest_many(paths)
    assert errors == {}
    return list(found.values())


def execute(folder: Path, query: str, *values: object) -> list[tuple]:
    with contextlib.closing(sqlite3.connect(folder / NAME)) as other, other:
        return other.execute(query, values).fetchall()


@pytest.fixture
def image(tmp_path) -> Path:
    """A photo, of which the clock has moved on since it was written."""
    path = tmp_path / "a.jpg"
    path.write_bytes(photo())
    time.sleep(max(0.0, 2.05 - (time.time() - path.stat().st_ctime)))
    return path


def test_a_file_is_known_by_its_bytes_and_by_its_picture(tmp_path):
    files = {stars: tmp_path / f"{stars}.jpg" for stars in (None, 1, 5)}
    for stars, file in files.items():
        file.write_bytes(photo(stars))
    for folder in (None, tmp_path / "cache"):
        with FeatureCache.open(folder) as cache:
            found = contents(cache, *files.values())
            assert [it.sha256 for it in found] == [sha256(photo(stars)) for stars in files]
            assert {it.identity for it in found} == {photo_identity(photo())}


def test_a_star_set_elsewhere_costs_no_vector(tmp_path, image):
    with FeatureCache.open(tmp_path) as cache:
        (before,) = contents(cache, image)
        cache.put_many({before.identity: VECTOR}, "m")
        image.write_bytes(photo(5))
        (after,) = contents(cache, image)
        assert before.sha256 != after.sha256
        assert cache.find_many([after], "m")[after.identity].tolist() == VECTOR.tolist()
        assert cache.find_many([after], "other") == {}


def test_a_vector_that_a_release_before_wrote_is_found_and_survives_a_star(tmp_path, image):
    with FeatureCache.open(tmp_path) as cache:
        cache.put_many({sha256(photo()): VECTOR}, "m")
        for stars in (None, 1, 2):
            image.write_bytes(photo(stars))
            (found,) = contents(cache, image)
            assert cache.find_many([found], "m")[found.identity].tolist() == VECTOR.tolist()
        assert cache.info().n_entries == 1


def test_a_vector_of_before_is_not_taken_for_that_of_other_pixels(tmp_path, image):
    """A photo with a foreign profile, whose file and vector a release before remembered."""
    stream = io.BytesIO()
    Image.linear_gradient("L").convert("RGB").save(stream, "JPEG", icc_profile=rgb_profile(P3, None))
    image.write_bytes(stream.getvalue())
    with FeatureCache.open(tmp_path) as cache:
        (found,) = contents(cache, image)
        assert found.key != found.identity == photo_identity(stream.getvalue())
        for key in (found.identity, found.sha256):
            cache.put_many({key: VECTOR}, "m")
            assert cache.find_many([found], "m") == cache.get_many([found.sha256], "m") == {}
        cache.put_many({found.key: 2 * VECTOR}, "m")
        assert cache.find_many([found], "m")[found.key].tolist() == (2 * VECTOR).tolist()
        assert cache.get_many([found.sha256], "m")[found.sha256].tolist() == (2 * VECTOR).tolist()
    with FeatureCache.open(tmp_path) as cache:
        assert contents(cache, image) == [found]
        assert cache.contents_of([found.sha256]) == {found.sha256: found}


def test_what_releases_before_remembered_of_a_file_is_read_once_more(tmp_path, image):
    with FeatureCache.open(tmp_path) as cache:
        (found,) = contents(cache, image)
        cache.put_many({found.identity: VECTOR}, "m")
        digests = found.sha256 + found.identity
        stamp = (
            execute(tmp_path, "SELECT stamp FROM known")[0][0][:-8] + f"{zlib.crc32(digests.encode()):08x}"
        )
        execute(tmp_path, "UPDATE known SET stamp = ?", stamp)
        execute(tmp_path, "UPDATE pictures SET checksum = ?", zlib.crc32(digests.encode()))
        assert cache.contents_of([found.sha256]) == {}
        assert contents(cache, image) == [found]
        assert cache.contents_of([found.sha256]) == {found.sha256: found}
        assert cache.find_many([found], "m")[found.key].tolist() == VECTOR.tolist()


def test_a_vector_is_found_by_the_sha256_of_a_file_that_was_read(tmp_path, image):
    """As a server asks, to which a client sent no more than that."""
    with FeatureCache.open(tmp_path) as cache:
        (found,) = contents(cache, image)
        assert cache.get_many([found.sha256], "m") == {}
        cache.put_many({found.identity: VECTOR}, "m")
        assert cache.get_many([found.sha256, "0" * 64], "m")[found.sha256].tolist() == VECTOR.tolist()


def test_a_cache_of_a_release_before_goes_on_in_both_releases(tmp_path, image):
    with contextlib.closing(sqlite3.connect(tmp_path / NAME)) as old:
        old.executescript(RELEASED)
    with FeatureCache.open(tmp_path) as cache:
        (found,) = contents(cache, image)
        assert contents(cache, image) == [found]
    assert execute(tmp_path, "SELECT digest, identity FROM pictures") == [(found.sha256, found.identity)]
    # All that a release before asks and checks.
    assert execute(tmp_path, "PRAGMA application_id") == [(1885954401,)]
    assert execute(tmp_path, "PRAGMA user_version") == [(1,)]
    execute(tmp_path, "INSERT OR REPLACE INTO files (inode, stamp, digest) VALUES ('1:2', '3', 'x')")
    assert execute(tmp_path, "SELECT digest FROM files WHERE inode = '1:2'") == [("x",)]
    with FeatureCache.open(tmp_path) as cache:
        assert contents(cache, image) == [found]


def test_a_new_cache_has_all_that_a_release_before_expects(tmp_path):
    with FeatureCache.open(tmp_path) as cache:
        cache.put_many({"0" * 64: VECTOR}, "m")
    assert execute(tmp_path, "SELECT inode, stamp, digest FROM files") == []
    assert len(execute(tmp_path, "SELECT key, model, digest, n, value FROM features")) == 1


def test_a_cache_of_a_release_before_that_cannot_be_written_is_read(ordinary_user, caplog):
    with tempfile.TemporaryDirectory() as name:
        folder, image = Path(name), Path(name, "a.jpg")
        image.write_bytes(photo())
        read_only_cache_of_the_release_before(folder)
        with ordinary_user(), FeatureCache.open(folder) as cache:
            (found,) = contents(cache, image)
            assert cache.find_many([found], "m")[found.identity].tolist() == VECTOR.tolist()
            # Known for this run: the vector of a star set now is found by the picture.
            assert cache.get_many([found.sha256], "m")[found.sha256].tolist() == VECTOR.tolist()
        folder.chmod(0o755)
    assert [record.getMessage() for record in caplog.records] == []


def read_only_cache_of_the_release_before(folder: Path) -> None:
    with contextlib.closing(sqlite3.connect(folder / NAME)) as old:
        old.executescript(RELEASED)
    digest = sha256(photo())
    key = int(digest[-15:], 16) ^ int(sha256(b"m")[:15], 16)
    execute(folder, "INSERT INTO features VALUES (?, 'm', ?, 3, ?)", key, digest, VECTOR.tobytes())
    folder.chmod(0o555)
    (folder / NAME).chmod(0o444)


def test_a_damaged_memo_of_a_picture_is_not_believed(tmp_path, image):
    other = "e" * 64
    with FeatureCache.open(tmp_path) as cache:
        (found,) = contents(cache, image)
        cache.put_many({other: VECTOR}, "m")
        for column in ("digest", "identity", "checksum"):
            for damage in (other, other[:63], b"\xff" * 64, b"", 7):
                for table in ("known", "pictures"):
                    execute(tmp_path, f"DELETE FROM {table}")
                assert contents(cache, image) == [found]
                execute(tmp_path, f"UPDATE pictures SET {column} = ?", damage)
                assert cache.get_many([found.sha256], "m") == {}
                assert cache.find_many([found], "m") == {}


def test_a_memo_is_believed_only_while_the_file_is_as_it_was(tmp_path, image):
    with FeatureCache.open(tmp_path) as cache:
        (found,) = contents(cache, image)
        ((stamp, digests),) = execute(tmp_path, "SELECT stamp, contents FROM known")
        assert digests == found.sha256 + found.identity
        status = image.stat()
        assert stamp.startswith(f"{status.st_size}:{status.st_mtime_ns}:{status.st_ctime_ns}:")
        image.write_bytes(photo(3))
        os.utime(image, ns=(status.st_atime_ns, status.st_mtime_ns))
        assert contents(cache, image)[0].sha256 == sha256(photo(3))


def test_what_a_photo_sent_by_somebody_holds_is_remembered(tmp_path):
    plain, starred = photo(), photo(5)
    contents = [Content(hashlib.sha256(one).hexdigest(), photo_identity(one)) for one in (plain, starred)]
    assert contents[0].identity == contents[1].identity
    with FeatureCache.open(tmp_path) as cache:
        cache.put_many({contents[0].identity: VECTOR}, "m")
        cache.remember(contents[:1])
    with FeatureCache.open(tmp_path) as cache:
        assert list(cache.get_many([one.sha256 for one in contents], "m")) == [contents[0].sha256]
        cache.remember(contents)
        assert cache.contents_of([one.sha256 for one in contents]) == {one.sha256: one for one in contents}
        found = cache.get_many([one.sha256 for one in contents], "m")
    for one in contents:
        np.testing.assert_array_equal(found[one.sha256], VECTOR)


def test_files_that_did_not_change_are_recalled_without_being_opened(tmp_path, monkeypatch):
    known, changed, new = (tmp_path / name for name in ("known.jpg", "changed.jpg", "new.jpg"))
    for path in (known, changed):
        path.write_bytes(photo())
    with FeatureCache(tmp_path / "cache") as cache:
        time.sleep(2.1)  # a file of this moment is not relied on
        (expected, _) = contents(cache, known, changed)
        changed.write_bytes(photo(stars=3))
        new.write_bytes(photo())

        def unopened(self, *args, **options):
            raise AssertionError(f"{self} was opened")

        monkeypatch.setattr(Path, "open", unopened)
        assert cache.recall_many([known, changed, new, tmp_path / "gone.jpg"]) == {known: expected}
