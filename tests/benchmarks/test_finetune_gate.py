"""What is told of tuned networks can be worked out from the lines of single people, without training."""

from __future__ import annotations

import importlib
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
RESULTS = BENCHMARKS / "results"
GATES = ("none", "error", "average")


@pytest.fixture
def script(monkeypatch):
    monkeypatch.setattr(sys, "path", [str(BENCHMARKS), *sys.path])
    pytest.importorskip("torch")
    return importlib.import_module("finetune_gate")


@pytest.fixture(scope="module")
def people() -> pd.DataFrame:
    return pd.read_csv(RESULTS / "finetune_gate.csv")


def test_each_figure_is_that_of_its_people(people):
    told = json.loads((RESULTS / "finetune_gate.json").read_text())["figures"]
    cells = {
        f"{place} k={k} {adapter}": cell
        for (place, k, adapter), cell in people.groupby(["place", "k", "adapter"])
    }
    assert cells.keys() == told.keys()
    for key, cell in cells.items():
        assert told[key]["people"] == cell.person.nunique() == len(cell)
        for name in ("generic", "auto", *GATES):
            gain = (cell[name] - cell.generic).to_numpy()
            assert told[key][name]["srcc"] == pytest.approx(cell[name].mean())
            assert told[key][name]["gain"] == pytest.approx(gain.mean(), abs=1e-12)
            # Another draw of the same interval over people.
            draws = np.random.default_rng(1).choice(gain, (4000, len(gain))).mean(1)
            low, high = np.percentile(draws, [2.5, 97.5])
            assert told[key][name]["interval"] == pytest.approx([low, high], abs=0.15 * (high - low) + 1e-12)


def test_a_gate_that_lets_nothing_pass_leaves_the_generic_score(people):
    for gate in GATES:
        shut = people[people[f"{gate} weight"] == 0]
        assert (shut[gate] == shut.generic).all()
        assert people[f"{gate} weight"].between(0, 1).all()


def test_people_are_the_same_at_each_adapter(people):
    for _, cell in people.groupby(["place", "k"]):
        first, *others = (sorted(some.person) for _, some in cell.groupby("adapter"))
        assert all(set(other) <= set(first) or set(first) <= set(other) for other in others)
        assert cell.groupby("person")[["generic", "auto"]].nunique().eq(1).all(axis=None)


def test_two_that_write_at_once_lose_no_line(script, tmp_path):
    file = tmp_path / "lines.csv"
    script.add(file, ("home", "0, the first", "10", "lora"), {"generic": 0.5, "auto": float("nan")})
    keys = [("home", str(n), "10", "lora") for n in range(200)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda key: script.add(file, key, {"generic": int(key[1]) / 8, "auto": 1.0}), keys))
    known = script.measured(file)
    assert known.keys() == {("home", "0, the first", "10", "lora"), *keys}
    assert [known[key]["generic"] for key in keys] == [n / 8 for n in range(200)]
    assert np.isnan(known["home", "0, the first", "10", "lora"]["auto"])
