"""Encodings of tables: what is read, what is said of it, what is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from generic.errors import DatasetError
from piaa.ratings.files.raw_table import TableKind
from piaa.ratings.files.text import decode

KIND = TableKind(
    what="birds",
    error=DatasetError,
    missing="is not there",
    empty="holds no birds",
    not_utf8=" has {byte} at {offset}, line {line}",
    by_people=True,
)
TEXT = "name,weight\r\nZürich “x”,9\r\n"


@pytest.mark.parametrize(
    ("encoding", "notes"),
    [
        ("utf-8", ()),
        ("utf-8-sig", ()),
        ("utf-16", ("b.csv: read as UTF-16 text",)),
        ("utf-16-le", ("b.csv: read as UTF-16 text",)),
        ("utf-16-be", ("b.csv: read as UTF-16 text",)),
        ("utf-32", ("b.csv: read as UTF-32 text",)),
        (
            "cp1252",
            ("b.csv: read as Windows-1252, for it is not UTF-8; if names look wrong, save it as UTF-8",),
        ),
    ],
)
def test_a_table_in_every_encoding(encoding, notes):
    assert decode(TEXT.encode(encoding), "b.csv", KIND) == (TEXT, notes)


def refusal(content, kind=KIND):
    with pytest.raises(DatasetError) as caught:
        decode(content, "b.csv", kind)
    return str(caught.value)


def test_a_damaged_utf_8_file_is_not_taken_for_another_encoding():
    assert refusal("ü\n".encode() + b"\xfc") == "b.csv has 0xfc at 3, line 2"


def test_bytes_that_no_encoding_has():
    assert refusal(b"name\n\x81\n") == "b.csv has 0x81 at 5, line 2"


def test_files_of_others_are_utf_8():
    strict = replace(KIND, by_people=False)
    assert (
        refusal("name".encode("utf-16"), strict) == "b.csv is UTF-16 text, expected UTF-8; save it as UTF-8"
    )
    assert refusal(b"name\n\xfc", strict) == "b.csv has 0xfc at 5, line 2"


def test_what_is_no_text():
    assert refusal("name,w".encode("utf-16")[:-1]) == (
        "b.csv is UTF-16 text that is damaged or cut off; save it as UTF-8"
    )
    assert refusal(b"name\n\0\n") == (
        "b.csv line 2: NUL byte at offset 5, expected text; save the file as UTF-8 text"
    )
    assert refusal(b"PK\x03\x04" + bytes(20)) == (
        "b.csv is a zip archive, as Excel's files are, expected text; give it the suffix .xlsx if it is one, "
        "or save the birds as .csv"
    )
    assert refusal(b"\xef\xbb\xbf \n") == "b.csv holds no birds"
