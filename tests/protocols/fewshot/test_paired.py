"""Two runs are paired by user and repeat, and what cannot be paired is counted or refused."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from generic.errors import PiaaError
from protocols.fewshot.paired import pair_runs
from protocols.fewshot.results import COLUMNS, REAL, Results
from protocols.fewshot.summary import compare, holm

NAN = math.nan
SCHEMA = json.loads((Path(__file__).resolve().parents[3] / "docs" / "results.schema.json").read_text())


def run(make_results, values, *, test="t", train="a", k=10) -> Results:
    return make_results({(train, test, name, k): people for name, people in values.items()})


@pytest.fixture
def people() -> dict[str, list[float]]:
    rng = np.random.default_rng(0)
    return {f"u{n}": list(rng.random(3)) for n in range(12)}


def test_two_runs_give_what_one_run_of_both_gives(make_results, people):
    other = {user: [value - 0.1 * n for n, value in enumerate(values)] for user, values in people.items()}
    (row,) = pair_runs(
        run(make_results, {"auto": people}),
        run(make_results, {"theirs": other}),
        adapter="auto",
        against="theirs",
    )
    (together,) = compare(run(make_results, {"auto": people, "theirs": other}).columns)
    assert (row.first, row.second, row.n_users, row.n_pairs) == ("auto", "theirs", 12, 36)
    assert row.difference == pytest.approx(together.difference, abs=1e-12)
    assert (row.p, row.p_holm) == (together.p, together.p_holm)
    assert row.mean_first - row.mean_second == pytest.approx(row.difference, abs=1e-12)
    assert (row.harm.below, row.n_alone, row.n_undefined, row.n_other_photos) == (0, 0, 0, 0)


def test_rows_of_one_name_are_paired_and_corrected_together(make_results, people):
    rng = np.random.default_rng(1)
    second = {
        name: {user: list(np.array(values) - base + 0.2 * rng.random(3)) for user, values in people.items()}
        for name, base in (("ridge", 0.15), ("auto", 0.1))
    }
    found = pair_runs(
        run(make_results, {"auto": people, "ridge": people, "pam": people}), run(make_results, second)
    )
    assert [(row.first, row.second) for row in found] == [("auto", "auto"), ("ridge", "ridge")]
    assert [row.p_holm for row in found] == holm([row.p for row in found])
    for row in found:
        gains = [np.mean(people[user]) - np.mean(second[row.first][user]) for user in people]
        assert row.p == stats.wilcoxon(gains).pvalue
        assert row.low < np.mean(gains) < row.high


def test_only_what_both_have_counts(make_results):
    first = run(make_results, {"auto": {"ana": [0.5, 0.7], "bo": [0.2, 0.2], "cy": [NAN, 0.4]}})
    second = run(make_results, {"auto": {"ana": [0.4, 0.4], "cy": [NAN, 0.5], "dee": [0.9, 0.9]}})
    (row,) = pair_runs(first, second)
    assert row.difference == pytest.approx((0.2 - 0.1) / 2, abs=1e-12)
    assert (row.n_users, row.n_pairs, row.n_undefined, row.n_alone) == (2, 3, 1, 4)
    assert (row.harm.below, row.harm.worst) == (0.5, pytest.approx(-0.1))
    assert json.loads(json.dumps(row.facts(), allow_nan=False))["harm"]["n_users"] == 2


def test_several_training_sets_are_told_apart(make_results, people):
    run_of_two = make_results({(train, "t", "auto", 10): people for train in ("a", "b")})
    found = pair_runs(run_of_two, run_of_two)
    assert [(row.first, row.second) for row in found] == [("auto (a)", "auto (a)"), ("auto (b)", "auto (b)")]
    alone = pair_runs(run_of_two, run(make_results, {"auto": people}, train="c"))
    assert [(row.first, row.second) for row in alone] == [("auto (a)", "auto"), ("auto (b)", "auto")]


def test_whoever_leaves_out_where_she_said_nothing_is_refused(make_results):
    first = run(make_results, {"auto": {"ana": [0.5, 0.4]}})
    second = run(make_results, {"theirs": {"ana": [0.9, NAN]}})
    with pytest.raises(PiaaError) as caught:
        pair_runs(first, second, against="theirs")
    assert str(caught.value) == (
        "the second run has no SRCC of adapter 'theirs' for user 'ana', repeat 1, at k=10 on t, where the "
        "other has one; count a constant prediction as 0, or leave that repeat out of both"
    )


def test_nothing_to_pair_and_a_double_are_one_line(make_results, people):
    first, second = run(make_results, {"auto": people}), run(make_results, {"theirs": people}, k=100)
    with pytest.raises(PiaaError) as caught:
        pair_runs(first, second)
    assert str(caught.value) == (
        "no rows of the two runs can be paired: the first has auto on t at k=10, the second theirs on t at "
        "k=100; name an adapter of each, tested on the same dataset at the same k, with --adapter and "
        "--against"
    )
    double = Results.from_rows({}, [*first.rows(), first.rows()[0]])
    with pytest.raises(PiaaError) as caught:
        pair_runs(first, double)
    assert str(caught.value) == (
        "the second run has two results of adapter 'auto' for user 'u0', repeat 0, at k=10 on t; leave one"
    )


# ---- the format that others fill ----


def test_the_page_s_example_is_read_and_compared(make_results):
    page = (Path(__file__).resolve().parents[3] / "docs" / "results.md").read_text(encoding="utf-8")
    theirs = Results.from_json(page.split("```json\n")[1].split("```")[0])
    assert np.isnan(theirs.columns["plcc"]).all()
    ours = run(make_results, {"auto": {"A1": [0.5, NAN]}}, test="aadb")
    (row,) = pair_runs(ours, theirs, against="theirs")
    assert (row.n_users, row.n_pairs, row.n_undefined, row.n_other_photos) == (1, 1, 1, 1)
    assert row.difference == pytest.approx(0.09, abs=1e-12)


def test_the_schema_has_every_column(small):
    properties = SCHEMA["properties"]["results"]
    assert tuple(properties["properties"]) == COLUMNS
    assert set(properties["required"]) == set(COLUMNS) - (set(REAL) - {"srcc"})
    content = json.loads(small.to_json())
    assert set(content) == set(SCHEMA["properties"])
    assert content["format"] == SCHEMA["properties"]["format"]["const"]


def test_what_we_write_is_of_the_schema(small):
    jsonschema = pytest.importorskip("jsonschema")
    jsonschema.validate(json.loads(small.to_json()), SCHEMA)
