"""CSV that we write: no formula, every name back, for spreadsheets and our own reader."""

from __future__ import annotations

import csv
import io
import os
import posixpath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from piaa.ratings.files.write import csv_bytes, csv_text, inert
from piaa.ratings.locate import locate_images
from piaa.ratings.scale import Scale
from piaa.ratings.table import read_ratings


@pytest.mark.parametrize(
    "name",
    [
        "=1+1.jpg",
        "+1.jpg",
        "-1.jpg",
        "@SUM(A1).jpg",
        "\t=1.jpg",
        "\r=1.jpg",
        " =1.jpg",
        "＝1.jpg",
        "\n@x.jpg",
    ],
)
def test_a_name_is_never_a_formula(name):
    assert inert(name) == f"./{name}"
    (row,) = csv.DictReader(io.StringIO(csv_text(("image", "n"), [(name, -1)]), newline=""))
    assert (posixpath.normpath(row["image"]), row["n"]) == (name, "-1")


def test_names_in_folders_and_other_columns_are_as_they_are():
    assert csv_text(("user", "image"), [("=ana", "a/=1.jpg"), (None, "b;=1.jpg")]) == (
        'user,image\n=ana,a/=1.jpg\n,"b;=1.jpg"\n'
    )


def test_a_mark_where_excel_needs_one():
    assert csv_bytes("image\na.jpg\n") == b"image\na.jpg\n"
    assert csv_bytes("image\nä.jpg\n") == b"\xef\xbb\xbfimage\n\xc3\xa4.jpg\n"


# A file's name on Linux may be any bytes but these; our tables lose the spaces around one.
file_names = (
    st.binary(min_size=1, max_size=12)
    .map(lambda content: content.replace(b"\0", b"").replace(b"/", b""))
    .map(os.fsdecode)
    .map(str.strip)
    .filter(lambda name: name not in ("", ".", "..") and not name.startswith("."))
    .map(lambda name: f"{name}.jpg")
)
odd_names = st.sampled_from(
    [
        "=1.jpg",
        "-a.jpg",
        "@.jpg",
        "a\\b.jpg",
        "C:a.jpg",
        "a,b.jpg",
        'a"b.jpg',
        "a\nb.jpg",
        "a\r.jpg",
        "%20.jpg",
    ]
) | st.sampled_from(
    ["\udcfc.jpg", "ü.jpg", "u\u0308.jpg", "A.JPG", "a.jpg", "\u202e.jpg", "a;b\t.jpg", "..a.jpg"]
)


@pytest.mark.skipif(os.name != "posix", reason="other systems refuse such names")
@given(st.lists(file_names | odd_names, min_size=1, max_size=6, unique=True))
def test_every_name_that_is_written_is_read_and_found_again(tmp_path_factory, names):
    folder = tmp_path_factory.mktemp("photos")
    for name in names:
        (folder / name).write_bytes(b"")
    table = tmp_path_factory.mktemp("table") / "r.csv"
    table.write_bytes(csv_bytes(csv_text(("image", "score"), [(name, 3) for name in names])))
    read = read_ratings(table, scale=Scale(1, 5), user="ana")
    found, missing = locate_images(read.images, folder)
    assert missing == []
    assert [found[name].name for name in read.images] == names
