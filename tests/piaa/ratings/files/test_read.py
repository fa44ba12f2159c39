"""The one reader: what it makes of each format, and its messages in the words of the kind of table."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from generic.errors import DatasetError
from piaa.ratings.files.read import ANY_DELIMITER, COMMAS, TABS, TableKind, read_lines, read_table

KIND = TableKind(
    what="birds",
    error=DatasetError,
    columns=("name", "weight"),
    example='{"name": "wren", "weight": 9}',
    missing="is not there",
    empty="holds no birds",
    not_utf8=" has {byte} at {offset}, line {line}",
)


@pytest.fixture
def write(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def run(name, content):
        path = Path(name)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return run


def told(call, *args):
    with pytest.raises(DatasetError) as caught:
        call(*args)
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "layout"),
    [
        ("b.csv", " name ,weight\n\nwren,9\ntit,\n", None),
        ("b.csv", "name;weight\n\nwren;9\ntit;\n", None),
        ("b.tsv", "name\tweight\n\nwren\t9\ntit\t\n", None),
        ("b.dat", "name,weight\n\nwren,9\ntit,\n", COMMAS),
        ("b.csv", "name\tweight\r\n\r\nwren\t9\r\ntit\t\r\n", TABS),
        ("b", b"\xef\xbb\xbfname,weight\r\rwren,9\rtit,\r", ANY_DELIMITER),
    ],
)
def test_a_table_of_text(write, name, content, layout):
    table = read_table(write(name, content), KIND, layout)
    assert (table.source, table.unit, table.names) == (name, "line", ("name", "weight"))
    assert (list(table.lines), table.problems, table.n_rows) == ([3, 4], (), 2)
    assert (table.column(0), table.column(1)) == (["wren", "tit"], ["9", ""])


def test_json_lines_and_parquet_keep_their_types(write, tmp_path):
    table = read_table(write("b.jsonl", '{"name": "wren"}\n\n{"weight": 9, " name": null}\n'), KIND)
    assert (table.names, list(table.lines)) == (("name", "weight"), [1, 3])
    assert (table.column(0), table.column(1)) == (["wren", None], [None, 9])
    pytest.importorskip("pyarrow.parquet")
    import pyarrow

    content = {"weight": [9.5, None], "name ": ["wren", "tit"]}
    pyarrow.parquet.write_table(pyarrow.table(content), tmp_path / "b.parquet")
    table = read_table(tmp_path / "b.parquet", KIND)
    assert (table.unit, table.names, list(table.lines)) == ("row", ("weight", "name"), [1, 2])
    assert (table.column(0), table.column(1)) == ([9.5, None], ["wren", "tit"])


def test_broken_rows_are_kept_apart_with_their_lines(write):
    table = read_table(write("b.csv", 'name,weight\nwren\n"two\nlines",9\n"a"b,9\ntit,1,2\n'), KIND)
    assert ([*table.lines], table.column(0), table.n_rows) == ([3], ["two\nlines"], 4)
    assert [(problem.line, problem.value, problem.reason) for problem in table.problems] == [
        (2, "wren", "has 1 field instead of 2"),
        (5, "", "text follows a closing double quote"),
        (6, "tit,1,2", "has 3 fields instead of 2"),
    ]


def test_a_forgiving_kind_takes_them_as_far_as_they_go(write):
    kind = replace(KIND, forgiving=True)
    table = read_table(write("b.csv", 'name,weight\nwren\n , \n"a"b,9\ntit,1,2\n'), kind)
    assert ([*table.lines], table.problems) == ([2, 4, 5], ())
    assert (table.column(0), table.column(1)) == (["wren", "ab", "tit"], ["", "9", "1"])


def test_quotes_are_letters_between_tabs_alone(write):
    table = read_table(write("b.tsv", 'name\tweight\n"wren\t9"\n'), KIND, TABS)
    assert (table.column(0), table.column(1)) == (['"wren'], ['9"'])


def test_where_no_line_is_an_object_the_columns_are_those_that_should_be(write):
    table = read_table(write("b.jsonl", "wren\n"), KIND)
    assert (table.names, table.column(0), table.n_rows) == (KIND.columns, [], 1)
    assert table.problems[0].cure == ('write one object per line, such as {"name": "wren", "weight": 9}')


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("b.csv", "", "b.csv holds no birds"),
        ("b.csv", b"name\n\xe4\n", "b.csv has 0xe4 at 5, line 2"),
        ("b.csv", "name".encode("utf-16"), "b.csv is UTF-16 text, expected UTF-8; save it as UTF-8"),
        ("b.csv", "a\n\0", "b.csv line 2: NUL byte at offset 2, expected text; save the file as UTF-8 text"),
        (
            "b.xml",
            "<b/>",
            "b.xml has the suffix '.xml', expected one of .csv, .tsv, .txt, .json, .jsonl, .ndjson, "
            ".parquet, .xlsx; save the birds in one of these formats",
        ),
        (
            "b\n.csv",
            '"name,weight\n',
            r"'b\n.csv' line 1: a double quote is never closed; put double quotes around whole fields, and "
            "write a double quote inside one twice",
        ),
    ],
)
def test_files_that_are_no_table(write, name, content, message):
    assert told(read_table, write(name, content), KIND) == message


def test_a_folder_a_missing_file_and_a_table_without_rows(write, tmp_path):
    assert told(read_table, tmp_path, KIND) == (
        f"{tmp_path} is a folder, expected a file of birds; name the file itself"
    )
    assert told(read_table, write("b.csv", "name\n").with_name("none.csv"), KIND) == "none.csv is not there"
    table = read_table(write("b.csv", "name\n"), KIND)
    assert table.without_rows("birds", "watch") == "b.csv has a header but no birds; watch"


def test_lines_with_their_numbers(write):
    path = write("b.txt", "\ufeffwren\r\n \r\ntit\u2028x\rowl")
    assert [(line, text.strip()) for line, text in read_lines(path, KIND)] == [
        (1, "wren"),
        (3, "tit\u2028x"),
        (4, "owl"),
    ]
    assert told(read_lines, write("b.txt", " \n"), KIND) == "b.txt holds no birds"


def test_a_file_without_end(tmp_path):
    endless = Path("/dev/zero")
    if not endless.exists():
        pytest.skip("no such device")
    assert told(read_table, endless, replace(KIND, most_bytes=3 << 20), COMMAS) == (
        "/dev/zero has more than 3 MiB, expected a table of birds; cut it into several files"
    )
