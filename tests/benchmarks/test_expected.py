"""The table of what to expect has the results of the few-shot tests, for the model in the package."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from generic.model.checkpoint import read_header
from generic.model.registry import find_model
from piaa.people.expected import TABLE

RESULTS = Path(__file__).parents[2] / "benchmarks" / "results" / "lite3_paired.json"


def test_the_table_is_the_mean_over_all_people_of_the_results():
    table, results = json.loads(TABLE.read_text()), json.loads(RESULTS.read_text())
    assert table["model_hash"] == read_header(find_model(table["model"])).hash
    assert table["source"].endswith(f" of {results['date']}")
    for row in table["rows"]:
        people = [one for one in results["below_the_crowd"] if one["k"] == row["k"]]
        assert row["users"] == sum(one["users"] for one in people) == 651
        counted = sum(round(one["below"] * one["users"]) for one in people)
        assert row["worse"] == pytest.approx(counted / 651, abs=5e-5)
        for key, adapter in (("pairwise", "auto"), ("pairwise_generic", "generic")):
            cells = [lists[adapter][str(row["k"])] for lists in results["left_out"].values()]
            wanted = sum(one["pairwise"] * one["users"] for one in cells) / 651
            assert row[key] == pytest.approx(wanted, abs=5e-5)
    assert [row["k"] for row in table["rows"]] == results["config"]["shots"]
