"""What is finished is kept whole, what is damaged is done again, and another run is refused."""

from __future__ import annotations

import json
import logging
import math

import pytest

from generic.errors import DatasetError, OutputError
from protocols.fewshot.evaluation_folder import EvaluationFolder, run_id
from protocols.fewshot.results import COLUMNS, Results
from protocols.fewshot.units import Found

CONFIG = {"adapters": ["generic"], "seed": 0, "versions": {"piaa": "0.1.0", "numpy": "2.0"}}


EVALUATION = (
    b'{\n "adapters": [\n  "generic"\n ],\n "seed": 0,\n "splits": {\n  "t\\u00e4st": {\n'
    b'   "hash": "ab",\n   "rule": null\n  }\n }\n}\n'
)
"""As the release before wrote it."""


def row(user: str = "ana", **numbers) -> dict:
    given = {
        "train": "a",
        "test": "b",
        "adapter": "generic",
        "user": user,
        "k": 10,
        "repeat": 0,
        "n_query": 5,
    }
    metrics = {"srcc": 0.1 + 0.2, "plcc": 1 / 3, "pairwise": 0.5, "mae": 1e-17, "coverage": 1.0}
    return {name: {**given, **metrics, **numbers}[name] for name in COLUMNS}


def found(user: str = "ana") -> Found:
    return Found(rows=[row(user)], draws=[0.25])


@pytest.fixture
def folder(tmp_path) -> EvaluationFolder:
    return EvaluationFolder(tmp_path / "deep" / "run", CONFIG)


def test_a_unit_reads_back_to_the_bit(folder):
    rows = [row(), row("bo", srcc=math.nan, coverage=math.nan)]
    folder.keep("0-", "generic-10-0", Found(rows=rows, draws=[0.1 + 0.2, math.nan]))
    (read,) = EvaluationFolder(folder.path, CONFIG).units("0-").values()
    assert json.dumps(read.rows) == json.dumps(rows)  # which writes NaN, and floats in full
    assert read.rows[0] == rows[0]
    assert math.isnan(read.rows[1]["srcc"])
    assert json.dumps(read.draws) == json.dumps([0.1 + 0.2, math.nan])


def test_units_are_found_by_key_and_only_those_of_the_prefix(folder):
    folder.keep("1-", "ridge-10-0", found())
    folder.keep("11-", "ridge-10-0", found("bo"))
    folder.keep("1-", "mine/v2: 100 % new+oracle_epoch-10-0", found("cy"))
    assert {key: unit.rows[0]["user"] for key, unit in folder.units("1-").items()} == {
        "ridge-10-0": "ana",
        "mine/v2: 100 % new+oracle_epoch-10-0": "cy",
    }
    assert folder.units("2-") == {}


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[: len(text) // 2],
        lambda text: text.replace('"n_query": 5', '"n_query": 6'),
        lambda text: text.replace("0.5", "0.6"),
        lambda _: "",
        lambda _: "[]",
        lambda _: "{}",
        lambda _: '{"results": 3, "draws": [], "sha256": 4}',
        lambda text: text.replace("0.25", "0.26"),
        lambda text: text.replace("ana", "\udcff"),
    ],
)
def test_a_damaged_unit_is_not_believed(folder, damage, caplog):
    folder.keep("0-", "generic-10-0", found())
    folder.keep("0-", "generic-10-1", found("bo"))
    file = folder.path / "units" / "0-generic-10-0.json"
    file.write_bytes(damage(file.read_text()).encode("utf-8", "surrogateescape"))
    with caplog.at_level(logging.WARNING):
        assert list(folder.units("0-")) == ["generic-10-1"]
    assert [record.getMessage() for record in caplog.records] == [f"{file} is damaged and is computed again"]


def test_results_lie_in_one_file(folder):
    results = Results.from_rows(CONFIG, [row()])
    folder.finish(results)
    assert Results.load(folder.path / "results.json") == results


def test_the_same_run_may_come_back(folder):
    before = (folder.path / "config.json").read_bytes()
    again = {**CONFIG, "adapters": ("generic",)}  # a list by the time it is JSON
    EvaluationFolder(folder.path, again)
    assert (folder.path / "config.json").read_bytes() == before


def test_an_evaluation_of_the_release_before_goes_on(tmp_path):
    (tmp_path / "config.json").write_bytes(EVALUATION)
    asked = {"adapters": ("generic",), "seed": 0, "splits": {"täst": {"hash": "ab", "rule": None}}}
    EvaluationFolder(tmp_path, asked)
    assert (tmp_path / "config.json").read_bytes() == EVALUATION
    EvaluationFolder(tmp_path / "new", asked)
    assert (tmp_path / "new" / "config.json").read_bytes() == EVALUATION
    with pytest.raises(DatasetError, match=r"its splits.täst.hash is 'ab', asked for is 'cd'; name another"):
        EvaluationFolder(tmp_path, {**asked, "splits": {"täst": {"hash": "cd", "rule": None}}})


def test_the_folder_of_something_else_is_another_run(tmp_path):
    (tmp_path / "config.json").write_text('{"preset": "eat", "settings": {}}')
    with pytest.raises(DatasetError, match=r"its seed is not there, asked for is 0 \(2 more settings too\)"):
        EvaluationFolder(tmp_path, {"seed": 0})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"seed": 1}, "its seed is 0, asked for is 1"),
        ({"query": "rest"}, "its query is not there, asked for is 'rest'"),
        (
            {"versions": {"piaa": "0.2.0", "numpy": "2.1"}},
            "its versions.piaa is '0.1.0', asked for is '0.2.0' (1 more setting too)",
        ),
        (
            {"adapters": ["generic", *(f"adapter {n}" for n in range(20))]},
            "its adapters is ['generic'], asked for is "
            "['generic', 'adapter 0', 'adapter 1', 'adapter 2', 'adapter…",
        ),
    ],
)
def test_another_run_is_refused_in_one_line(folder, change, said):
    before = (folder.path / "config.json").read_bytes()
    with pytest.raises(DatasetError) as caught:
        EvaluationFolder(folder.path, {**CONFIG, **change})
    assert str(caught.value) == (
        f"the run folder {folder.path} holds another run: {said}; name another folder with --out"
    )
    assert (folder.path / "config.json").read_bytes() == before


@pytest.mark.parametrize("content", ["", "[1]", '{"seed": 0', "\0"])
def test_a_config_that_is_not_ours_is_refused(folder, content):
    (folder.path / "config.json").write_text(content)
    with pytest.raises(DatasetError) as caught:
        EvaluationFolder(folder.path, CONFIG)
    assert str(caught.value) == (
        f"the run folder {folder.path} has a config.json that is not of `piaa evaluate`, or was damaged; "
        "name another folder with --out"
    )


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError) as caught:
        EvaluationFolder(tmp_path / "file" / "run", CONFIG)
    assert str(caught.value) == (
        f"the run folder {tmp_path / 'file' / 'run'} cannot be made: Not a directory; "
        "name a folder that you may write to with --out"
    )


def test_run_ids_differ_with_the_configuration():
    assert run_id(CONFIG) == run_id(dict(reversed(CONFIG.items())))
    assert len({run_id(CONFIG), run_id({**CONFIG, "seed": 1}), run_id({})}) == 3
    assert len(run_id(CONFIG)) == 8
