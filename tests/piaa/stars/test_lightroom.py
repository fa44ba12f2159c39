"""Lightroom catalogues, laid out as the tables that others describe, while they are in use and not."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from generic.errors import StarsError
from piaa.stars.lightroom import read_catalogue
from piaa.stars.marks import LIGHTROOM, Mark

TABLES = """
    CREATE TABLE AgLibraryRootFolder (id_local INTEGER PRIMARY KEY, absolutePath, name);
    CREATE TABLE AgLibraryFolder (id_local INTEGER PRIMARY KEY, pathFromRoot, rootFolder INTEGER);
    CREATE TABLE AgLibraryFile (id_local INTEGER PRIMARY KEY, baseName, extension, folder INTEGER);
    CREATE TABLE Adobe_images (id_local INTEGER PRIMARY KEY, rootFile INTEGER, rating, pick, masterImage);
"""
ROWS = [
    ("2024/summer/", "IMG_1", "CR2", 4, 0, None),
    ("2024/summer/", "IMG_1", "CR2", 1, 0, 7),  # a virtual copy
    ("2024/summer/", "IMG_2", "JPG", None, 1, None),
    ("2024/winter/", "IMG_1", "CR2", 2, -1, None),
    ("2024/winter/", "Größe", "jpg", 5, None, None),
    ("2024/winter/", "nothing", "", 0, 0, None),
]


def fill(connection: sqlite3.Connection, root: str, rows=ROWS) -> None:
    connection.executescript(TABLES)
    connection.execute("INSERT INTO AgLibraryRootFolder VALUES (1, ?, 'photos')", [root])
    for number, (folder, name, suffix, rating, pick, master) in enumerate(rows, 1):
        connection.execute("INSERT INTO AgLibraryFolder VALUES (?, ?, 1)", [number, folder])
        connection.execute("INSERT INTO AgLibraryFile VALUES (?, ?, ?, ?)", [number, name, suffix, number])
        connection.execute(
            "INSERT INTO Adobe_images VALUES (?, ?, ?, ?, ?)", [number, number, rating, pick, master]
        )
    connection.commit()


@pytest.fixture
def catalogue(tmp_path) -> Path:
    path = tmp_path / "lr" / "Photos v13.lrcat"
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as connection:
        fill(connection, "C:/Users/Ana/Pictures/")
    return path


def marks(path: Path):
    found = read_catalogue(path).marks
    return {str(place): mark for some in found.values() for place, mark in some.items()}


EXPECTED = {
    "c:/users/ana/pictures/2024/summer/img_1.cr2": Mark(place=LIGHTROOM, stars=4),
    "c:/users/ana/pictures/2024/summer/img_2.jpg": Mark(place=LIGHTROOM, flag="pick"),
    "c:/users/ana/pictures/2024/winter/img_1.cr2": Mark(place=LIGHTROOM, stars=2, flag="reject"),
    "c:/users/ana/pictures/2024/winter/grösse.jpg": Mark(place=LIGHTROOM, stars=5),
    "c:/users/ana/pictures/2024/winter/nothing": Mark(place=LIGHTROOM),
}


def test_stars_and_flags_of_masters_are_read_and_nothing_changes(catalogue):
    before = (catalogue.read_bytes(), catalogue.stat().st_mtime_ns, list(catalogue.parent.iterdir()))
    assert marks(catalogue) == EXPECTED
    assert (catalogue.read_bytes(), catalogue.stat().st_mtime_ns, list(catalogue.parent.iterdir())) == before


@pytest.mark.parametrize("journal", ["WAL", "DELETE"])
def test_a_catalogue_that_is_open_and_locked_is_read_with_its_latest_changes(catalogue, journal):
    with closing(sqlite3.connect(catalogue)) as connection:
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        connection.execute(f"PRAGMA journal_mode = {journal}")
        connection.execute("UPDATE Adobe_images SET rating = 3 WHERE id_local = 1")
        connection.commit()
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("UPDATE Adobe_images SET rating = 1 WHERE id_local = 5")  # not committed
        there = sorted(path.name for path in catalogue.parent.iterdir())
        changed = {**EXPECTED, "c:/users/ana/pictures/2024/summer/img_1.cr2": Mark(place=LIGHTROOM, stars=3)}
        assert marks(catalogue) == changed
        assert sorted(path.name for path in catalogue.parent.iterdir()) == there
        connection.rollback()


def test_a_crashed_catalogue_is_read_as_it_will_be_repaired(catalogue):
    program = (
        "import os, sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('PRAGMA cache_size = 1');"
        "c.execute('UPDATE Adobe_images SET rating = 1');"
        "c.executemany('INSERT INTO AgLibraryRootFolder (absolutePath) VALUES (?)', [('x' * 4000,)] * 50);"
        "os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", program, str(catalogue)], check=True)
    assert catalogue.with_name(catalogue.name + "-journal").stat().st_size
    assert marks(catalogue) == EXPECTED
    assert catalogue.with_name(catalogue.name + "-journal").stat().st_size


def test_photos_that_moved_are_found_by_folder_and_name(catalogue, tmp_path):
    found = read_catalogue(catalogue)
    root = tmp_path / "summer"
    assert found.mark(root / "IMG_1.CR2", root).stars == 4
    assert found.mark(tmp_path / "2024" / "winter" / "img_1.cr2", tmp_path).stars == 2
    assert found.mark(tmp_path / "winter" / "Gro\u0308ße.JPG", tmp_path).stars == 5  # as macOS spells it
    assert found.mark(tmp_path / "elsewhere" / "IMG_2.JPG", tmp_path / "elsewhere") is None
    assert found.mark(tmp_path / "IMG_9.CR2", tmp_path) is None


def test_one_path_decides_and_two_candidates_do_not(tmp_path):
    path = tmp_path / "a.lrcat"
    with closing(sqlite3.connect(path)) as connection:
        rows = [("2023/sea/", "a", "jpg", 5, 0, None), ("2024/sea/", "a", "jpg", 1, 0, None)]
        fill(connection, f"{tmp_path.as_posix()}/", rows)
    found = read_catalogue(path)
    assert found.mark(tmp_path / "2023" / "sea" / "a.jpg", tmp_path / "2023" / "sea").stars == 5
    with pytest.raises(ValueError, match=r"^several photos in the Lightroom catalogue could be meant, with"):
        found.mark(tmp_path / "copy" / "sea" / "a.jpg", tmp_path / "copy" / "sea")


def refusal(path: Path) -> str:
    with pytest.raises(StarsError) as caught:
        read_catalogue(path)
    return str(caught.value)


def test_what_is_no_catalogue_is_one_line(tmp_path):
    path = tmp_path / "a.lrcat"
    cure = "name the .lrcat file itself with --lightroom"
    assert refusal(path) == f"there is no file {path}; {cure}"
    path.write_bytes(b"no database" * 400)
    no = f"{path} is no Lightroom catalogue"
    assert refusal(path) == f"{no}: file is not a database; {cure} (it is unchanged)"
    assert path.read_bytes() == b"no database" * 400
    path.unlink()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE photos (id)")
    assert refusal(path) == f"{no}: no such table: Adobe_images; {cure} (it is unchanged)"
    with closing(sqlite3.connect(path)) as connection:
        endless = (
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i AS id_local FROM n"
        )
        connection.executescript(TABLES.replace("CREATE TABLE Adobe_images", "CREATE TABLE other"))
        connection.execute(f"CREATE VIEW Adobe_images AS {endless}")
    assert refusal(path) == f"{no}: no such table: Adobe_images; {cure} (it is unchanged)"


def test_values_that_no_catalogue_has_are_one_line(tmp_path):
    path = tmp_path / "a.lrcat"
    with closing(sqlite3.connect(path)) as connection:
        fill(connection, "/photos/", [("", "a", "jpg", "many", 0, None)])
    assert refusal(path) == (
        f"{path} is no Lightroom catalogue: a photo with the values ('/photos/', '', 'a', 'jpg', 'many', 0); "
        "name the .lrcat file itself with --lightroom (it is unchanged)"
    )
