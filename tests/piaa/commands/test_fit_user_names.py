"""Names of photos as other systems and programs write them, given to ``piaa fit-user``."""

from __future__ import annotations

import json
import os
import shutil
import unicodedata

import pytest

FOUND = "photos under another spelling of their names (accents, upper and lower case, %20), the first"


@pytest.fixture
def folder(album, names, tmp_path):
    """``folder({name: number})``: photos of the album under these names."""

    def run(files):
        root = tmp_path / "named"
        for name, number in files.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(album / names[number], root / name)
        return root

    return run


def test_a_table_of_a_pc_and_photos_of_a_mac(rate, rated, folder):
    accents = ["Zürich.jpg", "café.jpg", "München am See.jpg", "plain.jpg"]
    root = folder({unicodedata.normalize("NFD", name): i for i, name in enumerate(accents)})
    table = {name: i + 1 for i, name in enumerate(accents)}
    result = rate("ana", table, folder=root)
    mac = unicodedata.normalize("NFD", accents[0])
    assert (result.exit_code, result.stderr) == (0, f"found 3 of 4 {FOUND} {accents[0]!r} as {mac!r}\n")
    assert rated("ana") == table


def test_names_that_may_be_several_photos_are_a_question(rate, piaa, folder):
    root = folder({"a/IMG_1.JPG": 0, "b/img_1.jpg": 1, "plain.jpg": 2})
    result = rate("ana", {"plain.jpg": 3, "Img_1.jpg": 5}, folder=root)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        "piaa: 1 name of photos that user 'ana' judged may be any of several files: 'Img_1.jpg': 2 files "
        f"could be meant: a/IMG_1.JPG, b/img_1.jpg; give the path below {root}\n"
    )
    assert piaa("users", "show", "ana").exit_code == 1
    assert rate("ana", {"plain.jpg": 3, "B/Img_1.jpg": 5}, folder=root).exit_code == 0


def test_a_photo_under_four_spellings_is_one(rate, rated, folder, tmp_path):
    root = folder({"IMG_000.jpg": 0, "IMG_001.jpg": 1})
    table = {"IMG_000.jpg": 5, "./IMG_000.jpg": 1, "IMG_000": 3, "named\\img_000.JPG": 1, "IMG_001.jpg": 4}
    result = rate("ana", table, folder=root)
    assert (result.exit_code, result.stdout) == (1, "")
    again = "was already rated by user 'ana' on line 2 as 'IMG_000.jpg'"
    assert result.stderr == (
        f"piaa: {tmp_path / 'table.csv'}: 3 of 5 rows are bad: line 3, image './IMG_000.jpg' {again}; line "
        f"4, image 'IMG_000' {again}; line 5, image 'named\\\\img_000.JPG' {again}. To do: delete one of the "
        "two rows, or pass --duplicates last or --duplicates mean\n"
    )
    assert rate("ana", table, "--duplicates", "last", folder=root).exit_code == 0
    assert rated("ana") == {"IMG_000.jpg": 1, "IMG_001.jpg": 4}
    assert rate("ana", table, "--duplicates", "mean", "--replace", folder=root).exit_code == 0
    assert rated("ana") == {"IMG_000.jpg": 2.5, "IMG_001.jpg": 4}


@pytest.mark.skipif(os.sep == "\\", reason="such names cannot be there")
def test_what_is_scored_can_be_rated_whatever_its_name(score, piaa, folder, tiny_model, tmp_path):
    files = [
        "=1+1.jpg",
        "-a.jpg",
        "@b.jpg",
        "a;=2.jpg",
        "two\nlines.jpg",
        "Z\udcfcrich.jpg",
        "ü.jpg",
        "p\\q.jpg",
    ]
    root = folder({f"sub/{name}" if i % 2 else name: i for i, name in enumerate(files)})
    out = tmp_path / "scores.csv"
    assert score("--out", out, photos=root).exit_code == 0
    content = out.read_bytes()
    assert content.startswith(b"\xef\xbb\xbfimage,")
    lines = content.decode("utf-8-sig").splitlines()
    assert not [line for line in lines if line[:1] in "=+-@"]
    out.write_text(content.decode("utf-8-sig").replace("predicted_by", "Rating").replace(",piaa", ",4"))
    result = piaa(
        "fit-user", "--user", "ben", "--ratings", out, "--images", root, "--model", tiny_model, "--json"
    )
    facts = json.loads(result.stdout)
    assert (facts["n_ratings"], facts["skipped"]) == (len(files), {})


def test_comparisons_under_other_spellings(compare, names):
    result = compare("ana", [(names[0].upper(), f"./{names[1]}")])
    assert (result.exit_code, result.stderr) == (
        0,
        f"found 1 of 2 {FOUND} {names[0].upper()!r} as {names[0]!r}\n",
    )
