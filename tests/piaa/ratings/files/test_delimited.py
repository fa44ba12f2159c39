"""Tables of text as the programs of people write them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from generic.errors import DatasetError
from piaa.ratings.files import delimited, problems, raw_table
from piaa.ratings.files.delimited import CSV, read_delimited
from piaa.ratings.files.raw_table import TableKind

KIND = TableKind(what="birds", error=DatasetError, missing="", empty="", not_utf8="", by_people=True)


def rows(text, kind=KIND):
    table = read_delimited(text, "b.csv", kind, CSV)
    columns = [table.column(place) for place in range(len(table.names))]
    return table.names, [*table.lines], list(zip(*columns, strict=True)), table.problems


@pytest.mark.parametrize(
    "text",
    [
        "name,weight\nwren,9\ntit,\n",
        ",\n,,,\nname,weight\n,\nwren,9\n , \ntit,\n,,,,\n",
        "name,weight,\nwren,9,\ntit,,\n",
        "name,weight\nwren,9,\ntit,,,,\n",
        "name,weight,\nwren,9\ntit,\n",
        "sep=;\nname;weight\nwren;9\ntit;\n",
        '"SEP=|"\r\nname|weight\r\nwren|9\r\ntit|\r\n',
        "sep=\t\nname\tweight\nwren\t9\ntit\t\n",
        '"name, of it";weight\nwren;9\ntit;\n'.replace("name, of it", "name"),
    ],
)
def test_one_table_in_many_clothes(text):
    names, _, found, broken = rows(text)
    assert ([name for name in names if name], broken) == (["name", "weight"], ())
    assert [row[:2] for row in found] == [("wren", "9"), ("tit", "")]


def test_lines_keep_their_numbers():
    assert rows("\nsep=;\n;\nname;weight\n;\nwren;9\n")[1] == [6]


def test_what_stands_in_quotes_separates_nothing():
    assert rows('"name, a, b";"weight";"note"\n1;2;3\n')[0] == ("name, a, b", "weight", "note")


def test_a_name_that_is_like_a_hint_is_none():
    assert rows("sep=a\nx\n")[0] == ("sep=a",)


def test_a_column_without_a_name_may_be_filled():
    assert rows("name,weight,\nwren,9,x\n")[2] == [("wren", "9", "x")]


def test_too_few_fields_are_no_empty_ones():
    assert [problem.reason for problem in rows("name,weight,note\nwren,9\n")[3]] == [
        "has 2 fields instead of 3"
    ]


def test_files_of_others_are_taken_to_the_letter():
    found = rows("name,weight\n,\nwren,9,\n", replace(KIND, by_people=False))
    assert (found[2], [problem.line for problem in found[3]]) == ([("", "")], [3])


def test_a_file_of_broken_lines_is_no_table(monkeypatch):
    monkeypatch.setattr(delimited, "MOST_PROBLEMS", 3)
    with pytest.raises(DatasetError) as caught:
        rows("name,weight\n" + "x\n" * 9)
    assert str(caught.value) == (
        "b.csv is no table: more than 3 lines are broken, the first is line 2, 'x' has 1 field instead of 2; "
        "save the birds again as .csv"
    )
    assert problems.MOST_PROBLEMS == 100_000


def test_a_field_without_end():
    (problem,) = rows('name,weight\n"' + "x" * 200_000 + "\n")[3]
    assert problem.reason == ("a double quote is never closed, or a field has more than 131072 letters")


def test_tables_beyond_all_measure(monkeypatch):
    monkeypatch.setattr(delimited, "MOST_ROWS", 3)
    monkeypatch.setattr(raw_table, "MOST_ROWS", 3)
    monkeypatch.setattr(raw_table, "MOST_COLUMNS", 4)
    assert len(rows("a,b,c,d\n" + "1,2,3,4\n" * 3)[2]) == 3
    for text, what in (("a\n" + "1\n" * 9, "3 rows"), ("a,b,c,d,e\n", "4 columns")):
        with pytest.raises(DatasetError) as caught:
            rows(text)
        assert str(caught.value) == (
            f"b.csv has more than {what}, expected a table of birds; cut it into several files"
        )


def test_a_decimal_comma_under_a_nameless_column_is_no_shorter_number():
    _, lines, found, (broken,) = rows("name,weight,\nwren,9,5,\ntit,8,\n")
    assert (lines, found) == ([3], [("tit", "8", "")])
    assert (broken.line, broken.reason) == (2, "has 4 fields instead of 3")
