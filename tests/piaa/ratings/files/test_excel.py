"""Workbooks of Excel."""

from __future__ import annotations

import datetime
import io
import sys
import zipfile

import pytest

from generic.errors import RatingsError
from piaa.ratings.files import excel
from piaa.ratings.scale import Scale
from piaa.ratings.table import read_ratings

SCALE = Scale(1, 5)


def failure(path):
    with pytest.raises(RatingsError) as caught:
        read_ratings(path, scale=SCALE, user="ana")
    return str(caught.value)


@pytest.fixture
def save(tmp_path):
    """``save({title: rows})``: a workbook of these sheets."""
    openpyxl = pytest.importorskip("openpyxl")

    def run(sheets):
        book = openpyxl.Workbook()
        book.remove(book.active)
        for title, rows in sheets.items():
            sheet = book.create_sheet(title)
            for row in rows:
                sheet.append(row)
        book.save(tmp_path / "r.xlsx")
        return tmp_path / "r.xlsx"

    return run


def test_a_sheet(save):
    rows = [
        [],
        ["File Name", "Rating", None, "when"],
        ["zoë.jpg", 4.5],
        [None, " "],
        [7, "3,5"],
        ["b.jpg", 0],
    ]
    ratings = read_ratings(save({"Tabelle1": rows, "Tabelle2": []}), scale=SCALE, user="ana")
    assert (ratings.images, ratings.scores.tolist()) == (("zoë.jpg", "7"), [4.5, 3.5])
    assert [note.partition(": ")[2] for note in ratings.notes] == [
        "left out 1 of 3 rows: 1 unrated (blank or 0)"
    ]


def test_bad_rows_have_the_numbers_of_the_sheet(save):
    day = datetime.datetime(2024, 5, 3)
    path = save({"a": [["image", "score"], [], ["a.jpg", day], ["b.jpg", True]]})
    assert failure(path) == (
        f"{path}: 2 of 2 rows are bad: row 3, score '2024-05-03 00:00:00' is not a number; row 4, score "
        "'True' is true or false, not a number. To do: write every score as a plain number such as 3.5"
    )


def test_several_sheets(save):
    path = save({"May": [["image", "score"]], "June": [["image", "score"]], "July": []})
    assert failure(path) == (
        f"{path} has 2 sheets that hold something, 'May', 'June'; keep one of them, or save the one with the "
        "ratings as .csv"
    )


def test_nothing(save):
    path = save({"a": [[None]]})
    assert failure(path) == f"{path} is empty, expected ratings; give it the columns user, image, score"


def test_files_that_are_none(tmp_path, monkeypatch):
    pytest.importorskip("openpyxl")
    path = tmp_path / "r.xlsx"
    path.write_bytes(b"image,score\na.jpg,4\n")
    assert (
        failure(path)
        == f"{path} is not a readable Excel file (File is not a zip file); save it again, or as .csv"
    )
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("a.txt", "a")
    assert failure(path) == f"{path} is not a readable Excel file (KeyError); save it again, or as .csv"
    monkeypatch.setattr(excel, "_MOST_UNPACKED", 1 << 20)
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("xl/sharedStrings.xml", bytes(3 << 20))
    path.write_bytes(content.getvalue())
    assert failure(path) == f"{path} unpacks to more than 1 MiB; save the ratings as .csv"


def test_without_openpyxl(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    path = tmp_path / "r.xlsx"
    path.write_bytes(b"PK")
    assert failure(path) == (
        f"{path} needs openpyxl, which is not installed; install it: pip install openpyxl, or save the "
        "ratings as .csv"
    )
