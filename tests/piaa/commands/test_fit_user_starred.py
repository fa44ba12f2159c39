"""A star that another program sets makes no new photo: one rating, one vector, nothing more to suggest."""

from __future__ import annotations

import json
import shutil
import sqlite3
import struct
import subprocess
from contextlib import closing
from pathlib import Path

import pytest
from PIL import Image

from piaa.demo.scenes import draw_scenes, render

pytestmark = pytest.mark.skipif(
    shutil.which("exiftool") is None, reason="needs exiftool: apt-get install libimage-exiftool-perl"
)
FORMATS = ("jpg", "png", "webp", "tif", "heic", "avif", "dng")


def write_dng(path: Path, preview: bytes) -> None:
    """A raw photo that is one directory and a JPEG of 96 x 72 pixels."""
    tags = (
        *((254, 4, 1, 1), (256, 4, 1, 96), (257, 4, 1, 72), (259, 3, 1, 7), (262, 3, 1, 6)),
        *((273, 4, 1, 134), (277, 3, 1, 3), (278, 4, 1, 72), (279, 4, 1, len(preview)), (50706, 1, 4, 1025)),
    )
    rows = b"".join(struct.pack("<HHLL", *tag) for tag in tags)
    path.write_bytes(b"II*\0" + struct.pack("<LH", 8, len(tags)) + rows + bytes(4) + preview)


@pytest.fixture
def photos(tmp_path) -> Path:
    """One photo of each format, each of another scene."""
    pytest.importorskip("pillow_heif").register_heif_opener()
    folder = tmp_path / "photos"
    folder.mkdir()
    for kind, scene in zip(FORMATS, draw_scenes(len(FORMATS), 9), strict=True):
        path = folder / f"{kind}-photo.{kind}"
        image: Image.Image = render(scene, (96, 72))
        if kind == "dng":
            image.save(folder / "preview.jpg")
            write_dng(path, (folder / "preview.jpg").read_bytes())
            (folder / "preview.jpg").unlink()
        else:
            image.save(path)
    return folder


@pytest.fixture
def starred(photos, tmp_path) -> Path:
    """Copies of them with five stars each, in a folder of their own and under other names."""
    folder = tmp_path / "starred"
    folder.mkdir()
    for path in photos.iterdir():
        shutil.copy(path, folder / f"five-stars-{path.suffix[1:]}.{path.suffix[1:]}")
    command = ["exiftool", "-q", "-q", "-m", "-overwrite_original", "-Rating=5", str(folder)]
    subprocess.run(command, check=True, timeout=60)
    for path in photos.iterdir():
        assert (folder / f"five-stars-{path.suffix[1:]}.{path.suffix[1:]}").read_bytes() != path.read_bytes()
    return folder


def vectors(store):
    with closing(sqlite3.connect(store)) as file:
        return file.execute("SELECT photo_id, vector FROM vectors ORDER BY photo_id").fetchall()


def test_a_starred_copy_is_the_photo_that_was_rated(
    rate, piaa, shown, rated, photos, starred, tiny_model, tmp_path
):
    before = dict(zip((f"{kind}-photo.{kind}" for kind in FORMATS), (5, 1, 4, 2, 3, 5, 2), strict=True))
    assert rate("ana", before, folder=photos).exit_code == 0
    assert rated("ana") == before
    known, kept = {row["photo"] for row in shown("ana")["ratings"]}, vectors(tmp_path / "piaa.db")
    assert len(known) == len(kept) == len(FORMATS)

    again = {f"five-stars-{kind}.{kind}": 3 for kind in FORMATS}
    result = rate("ana", again, "--add", "--no-cache", folder=starred)
    assert (result.exit_code, result.stderr) == (0, "")
    assert rated("ana") == again
    assert {row["photo"] for row in shown("ana")["ratings"]} == known
    assert vectors(tmp_path / "piaa.db") == kept

    suggested = piaa("suggest", starred, "--user", "ana", "--model", tiny_model)
    assert suggested.exit_code == 1
    assert suggested.stderr == (
        f"piaa: all {len(FORMATS)} photos are rated already; name a folder with photos that are not\n"
    )


def test_a_starred_copy_is_scored_alike_and_withdrawn_with_the_photo(
    rate, piaa, rated, photos, starred, tiny_model
):
    ratings = {f"{kind}-photo.{kind}": score for kind, score in zip(FORMATS, (5, 1, 4, 2), strict=False)}
    assert rate("ana", ratings, folder=photos).exit_code == 0

    def scores(folder):
        result = piaa("score", folder, "--user", "ana", "--model", tiny_model, "--no-cache", "--json")
        rows = json.loads(result.stdout)["scores"]
        return {Path(row.pop("image")).suffix: row for row in rows}

    assert scores(photos) == scores(starred)
    gone = {Path(name).suffix: name for name in ratings}[".jpg"]
    assert rate("ana", {"five-stars-jpg.jpg": 2}, "--add", folder=starred).exit_code == 0
    assert piaa("users", "forget-rating", "ana", gone, "--model", tiny_model).exit_code == 0
    assert rated("ana") == {name: score for name, score in ratings.items() if name != gone}


def test_a_starred_copy_beside_the_photo_in_one_table_is_one_photo(rate, rated, photos, starred, tmp_path):
    for path in starred.iterdir():
        shutil.copy(path, photos)
    refused = rate("ana", {"heic-photo.heic": 5, "five-stars-heic.heic": 2}, folder=photos)
    assert refused.stderr == (
        f"piaa: {tmp_path / 'table.csv'}: 'five-stars-heic.heic' has the score 2, but it is the same photo "
        "as 'heic-photo.heic', which has 5; delete one of the two rows, or pass --duplicates last or "
        "--duplicates mean\n"
    )
    assert rate("ana", {"heic-photo.heic": 5, "five-stars-heic.heic": 5}, folder=photos).exit_code == 0
    assert rated("ana") == {"five-stars-heic.heic": 5}
