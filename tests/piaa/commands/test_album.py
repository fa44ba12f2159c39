"""What lies beside the photos of a folder is said, and a raw photo with its JPEG is one photo."""

from __future__ import annotations

import json
import shutil

import pytest

from piaa.commands.album import find_and_say


@pytest.fixture
def mixed(album, tmp_path):
    """The album's first photos, two of them with a raw photo beside them, and files of other formats."""
    folder = tmp_path / "mixed"
    folder.mkdir()
    for number in range(3):
        shutil.copy(album / f"photo-0{number + 1}.jpg", folder / f"IMG_{number}.JPG")
    for name in ("IMG_0.CR2", "IMG_1.CR2", "raw.jxl", "raw.jp2", "other.JXL", "IMG_0.xmp"):
        (folder / name).write_bytes(b"II*\0" + bytes(2000))
    return folder


def test_score_says_what_it_did_not_look_at(score, mixed):
    result = score("--json", photos=mixed)
    assert (result.exit_code, result.stderr) == (
        0,
        "2 raw photos lie beside JPEGs of the same names; the JPEGs are looked at, and each pair is one "
        "photo\n"
        "3 files of other formats were not looked at: 1 .jp2, 2 .jxl\n",
    )
    content = json.loads(result.stdout)
    assert sorted(row["image"] for row in content["scores"]) == ["IMG_0.JPG", "IMG_1.JPG", "IMG_2.JPG"]
    assert content["skipped"] == {}


def test_one_of_each(tmp_path, capsys):
    for name in ("a.jpg", "a.nef", "b.psd"):
        (tmp_path / name).touch()
    assert find_and_say([tmp_path]) == ([tmp_path / "a.jpg"], ["a.jpg"])
    assert capsys.readouterr() == (
        "",
        "1 raw photo lies beside a JPEG of the same name; the JPEG is looked at, and both are one photo\n"
        "1 file of another format was not looked at: 1 .psd\n",
    )


def test_an_album_of_photos_alone_needs_no_word(tmp_path, capsys):
    for name in ("a.jpg", "a.xmp", "ratings.csv"):
        (tmp_path / name).touch()
    assert find_and_say([tmp_path]) == ([tmp_path / "a.jpg"], ["a.jpg"])
    assert capsys.readouterr() == ("", "")


def test_a_rating_of_the_raw_photo_is_that_of_its_jpeg(piaa, mixed, tiny_model, tmp_path):
    table = tmp_path / "mixed.csv"
    table.write_text("image,score\nIMG_0.CR2,5\nIMG_1.JPG,1\nIMG_2,3\n")
    fitted = piaa(
        "fit-user", "--user", "eva", "--model", tiny_model, "--ratings", table, "--images", mixed, "--json"
    )
    assert fitted.exit_code == 0, fitted.stderr
    assert json.loads(fitted.stdout)["n_ratings"] == 3
