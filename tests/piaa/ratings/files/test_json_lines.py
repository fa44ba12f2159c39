"""Tables of JSON: documents and lines."""

from __future__ import annotations

import json

import pytest

from generic.errors import DatasetError
from piaa.ratings.files.json_lines import read_json
from piaa.ratings.files.raw_table import TableKind

KIND = TableKind(
    what="birds",
    error=DatasetError,
    missing="",
    empty="",
    not_utf8="",
    columns=("name",),
    example='{"name": "wren"}',
)


def rows(content):
    text = content if isinstance(content, str) else json.dumps(content, indent=1)
    table = read_json(text, "b.json", KIND)
    found = [table.column(place) for place in range(len(table.names))]
    return table.names, [*table.lines], list(zip(*found, strict=True)), table.problems


BIRDS = [{"name": "wren", "weight": 9}, {"name": "tit"}]


@pytest.mark.parametrize(
    "content",
    [
        BIRDS,
        {"birds": BIRDS},
        {"birds": BIRDS, "seen": {"a": 1}, "places": ["x"]},
        "\n".join(map(json.dumps, BIRDS)),
    ],
)
def test_a_list_a_document_with_one_and_lines(content):
    names, lines, found, problems = rows(content)
    assert (names, lines, found) == (("name", "weight"), [1, 2], [("wren", 9), ("tit", None)])
    assert problems == ()


def test_what_a_document_says_of_all_rows_is_a_column():
    names, _, found, _ = rows({"user": "ana", "n": 2, "birds": BIRDS})
    assert (names, found[1]) == (("user", "n", "name", "weight"), ("ana", 2, "tit", None))
    assert rows({"name": "all", "birds": BIRDS})[2][0] == ("wren", 9)


def test_one_object_is_one_row():
    assert rows(BIRDS[0])[2] == [("wren", 9)]


def test_rows_that_are_no_objects():
    _, lines, _, (problem,) = rows([*BIRDS, 3])
    assert (lines, problem.line, str(problem)) == ([1, 2], 3, "'3' is not a JSON object")
    assert rows("[]")[0] == ("name",)
    with pytest.raises(DatasetError) as caught:
        rows("3")
    assert str(caught.value) == (
        'b.json is no list of objects; write a list of objects such as {"name": "wren"}'
    )
    assert [problem.reason for problem in rows("[" * 100_000)[3]] == ["is not valid JSON"]
