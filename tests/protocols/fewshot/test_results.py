"""The table of results: what goes in comes out, to the bit."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from generic.errors import DatasetError, OutputError, ShapeError
from protocols.fewshot.results import COLUMNS, Results


@pytest.fixture
def results() -> Results:
    rng = np.random.default_rng(4)
    rows = [
        {
            **{"train": "Übung", "test": "b", "adapter": "ridge", "k": 10, "repeat": repeat, "user": user},
            **{"n_query": 7, "srcc": value, "plcc": value / 3, "pairwise": 0.1 + 0.2},
            **{"mae": 5e-324, "coverage": math.nan},
        }
        for user, value in (
            ("花", math.nan),
            ("ana", -0.0),
            *((f"u{n}", v) for n, v in enumerate(rng.random(30))),
        )
        for repeat in range(2)
    ]
    return Results.from_rows({"seed": 3, "query": "rest", "splits": {"b": {"rule": "all"}}}, rows)


def bits(results: Results) -> list:
    return [
        column.tobytes() if column.dtype != object else column.tolist() for column in results.columns.values()
    ]


def test_json_reads_back_to_the_bit(results, tmp_path):
    read = Results.from_json(results.to_json())
    assert bits(read) == bits(results)
    assert (read.config, read) == (results.config, results)
    results.save(tmp_path / "results.json")
    assert bits(Results.load(tmp_path / "results.json")) == bits(results)
    assert [column.dtype for column in read.columns.values()] == [c.dtype for c in results.columns.values()]


def test_json_is_json_for_everybody(results):
    content = json.loads(results.to_json(), parse_constant=pytest.fail)  # no NaN, no Infinity
    assert content["format"] == 2
    assert list(content["results"]) == list(COLUMNS)
    assert content["results"]["srcc"][:2] == [None, None]


def test_rows_and_frame_hold_the_same(results):
    frame, rows = results.to_frame(), results.rows()
    assert (tuple(frame.columns), len(frame), len(rows)) == (COLUMNS, len(results), 64)
    assert json.dumps(frame.to_dict("records")) == json.dumps(rows)
    assert (type(rows[0]["k"]), type(rows[0]["user"]), type(rows[0]["mae"])) == (int, str, float)


def test_equality_is_of_config_and_rows(results):
    rows = results.rows()
    assert results == Results.from_rows(results.config, rows)  # NaN included
    assert results != Results.from_rows({**results.config, "seed": 4}, rows)
    assert results != Results.from_rows(results.config, rows[:-1])
    assert results != Results.from_rows(results.config, [{**rows[0], "mae": 0.0}, *rows[1:]])
    assert results != results.to_json()
    with pytest.raises(TypeError, match="unhashable"):
        hash(results)


def test_no_rows_at_all_are_results_too():
    empty = Results.from_rows({}, [])
    assert (len(empty), Results.from_json(empty.to_json())) == (0, empty)


def test_wrong_columns_are_refused(results):
    columns = dict(results.columns)
    with pytest.raises(ShapeError) as caught:
        Results(config={}, columns={**columns, "srcc": columns["srcc"][:-1]})
    listed = ", ".join(COLUMNS)
    assert str(caught.value) == (
        f"results have columns {listed} of lengths [63, 64]; expected {listed} of one length"
    )
    del columns["user"]
    with pytest.raises(ShapeError, match=r"^results have columns train, test, adapter, k, repeat, n_query, "):
        Results(config={}, columns=columns)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "Expecting value: line 1 column 1 (char 0)"),
        ("{}", "it has no 'format'"),
        ("[]", "list indices must be integers or slices, not str"),
        ('{"format": 1}', "format 1, expected 2"),
        ('{"format": 2, "config": {}, "results": {}}', "it has no 'srcc'"),
        ('{"format": 2, "results": {"srcc": [0.1], "user": ["ana"]}}', "it has no 'train'"),
    ],
)
def test_another_file_is_refused_in_one_line(tmp_path, content, reason):
    path = tmp_path / "results.json"
    path.write_text(content)
    with pytest.raises(DatasetError) as caught:
        Results.load(path)
    assert str(caught.value) == (
        f"results {path} cannot be read as results of `piaa evaluate` ({reason}); run it again, or "
        "write them as docs/results.md says"
    )


def test_columns_of_different_lengths_are_refused(results):
    content = json.loads(results.to_json())
    content["results"]["k"].pop()
    with pytest.raises(
        DatasetError, match=r"^the results cannot be read as results of `piaa evaluate` \(zip"
    ):
        Results.from_json(json.dumps(content))


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("k", "10", "k 0 is '10', expected a whole number from 0"),
        ("repeat", -1, "repeat 0 is -1, expected a whole number from 0"),
        ("repeat", True, "repeat 0 is True, expected a whole number from 0"),
        ("user", 7, "user 0 is 7, expected a text"),
        ("user", None, "user 0 is None, expected a text"),
        ("srcc", 41, "srcc 0 is 41, expected null or a number from -1 to 1"),
        ("srcc", "0.4", "srcc 0 is '0.4', expected null or a number from -1 to 1"),
        ("coverage", 80.0, "coverage 0 is 80.0, expected null or a number from 0 to 1"),
        ("mae", -0.1, "mae 0 is -0.1, expected null or a number from 0 to inf"),
    ],
)
def test_values_of_another_kind_are_refused_wherever_they_come_from(results, column, value, reason):
    content = json.loads(results.to_json())
    content["results"][column][0] = value
    with pytest.raises(DatasetError) as caught:
        Results.from_json(json.dumps(content))
    assert str(caught.value) == (
        f"the results cannot be read as results of `piaa evaluate` ({reason}); run it again, or write them "
        "as docs/results.md says"
    )


def test_a_file_that_cannot_be_read_or_written(results, tmp_path):
    path = tmp_path / "none" / "results.json"
    with pytest.raises(DatasetError) as caught:
        Results.load(path)
    assert str(caught.value) == (
        f"results {path} cannot be read ([Errno 2] No such file or directory: '{path}'); "
        "run `piaa evaluate` again"
    )
    with pytest.raises(OutputError):
        results.save(path)
