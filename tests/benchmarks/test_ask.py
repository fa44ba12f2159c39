"""What ``benchmarks/ask.py`` counts, on people whose figures are known."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def scripts(monkeypatch):
    monkeypatch.setattr(sys, "path", [str(BENCHMARKS), *sys.path])
    return importlib.import_module("ask"), importlib.import_module("ask_tables")


def one(user, repeat, gain=0.0):
    """SRCC grows by 0.01 with each ten ratings, and as much with each five comparisons asked."""
    srcc = {"crowd": [0.5 + gain, 0.0]}
    for count in (10, 20, 30):
        srcc[f"ratings {count}"] = [0.5 + count / 1000 + gain, 5.0 * count]
        srcc[f"asked comparisons {count}"] = [0.5 + count / 500 + gain, 2.0 * count]
        srcc[f"noisy comparisons {count}"] = [0.49 + gain, 2.0 * count]
    return {"user": user, "repeat": repeat, "srcc": srcc}


def trusted(user):
    return {"user": user, "repeat": 0, "trust": {"ratings 1": [[3.0, 1.65, 2.0], *[[0.0, 0.0, 0.0]] * 4]}}


def test_an_answer_is_the_higher_rating_or_equal_within_half_a_step(scripts):
    ask, _ = scripts
    rng, y = np.random.default_rng(0), np.array([0.0, 0.5, 0.55])
    answers = ask.Answers(x=y[:, None], y=y, step=0.1, noise=0.0, rng=rng, rated=[0], pairs=[])
    for pair in ((0, 1), (1, 0), (2, 1)):
        answers.compare(*pair)
    assert answers.pairs == [(1, 0, False), (1, 0, False), (2, 1, True)]
    assert answers.seconds == 5 + 3 * 2


def test_a_summary_is_of_the_draws_that_all_have(scripts):
    _, tables = scripts
    done = [one("ana", 0), one("bo", 0, 0.1), one("ana", 1), one("eve", 0)]
    trust = [trusted("ana"), trusted("bo"), trusted("eve")]
    assert tables.summary(["ana", "bo"], done[:1], trust, "1") is None
    found = tables.summary(["ana", "bo"], done, trust, "1")
    assert (found["users"], found["draws"]) == (2, 1)
    ways = found["ways"]
    assert ways["ratings 10"]["srcc"] == pytest.approx(0.56)
    assert "gain" not in ways["ratings 10"]
    assert ways["asked comparisons 30"]["gain"] == pytest.approx(0.03)
    assert ways["asked comparisons 30"]["interval"] == pytest.approx((0.03, 0.03))
    assert ways["noisy comparisons 10"]["below_crowd"] == 1
    # Ten ratings take 50 s, and five comparisons 10; thirty ratings 150 s, and fifteen comparisons 30.
    assert found["seconds"]["asked comparisons"] == {
        "10": pytest.approx([5, 5, 5]),
        "30": pytest.approx([5, 5, 5]),
    }
    assert found["seconds"]["noisy comparisons"] == {"10": [0, 0, 0], "30": [0, 0, 0]}
    assert found["trust"]["ratings 1"][0] == pytest.approx([6, 0.55, 2 / 3])


def test_probabilities_are_counted_on_the_side_of_the_likelier_photo(scripts):
    ask, _ = scripts
    """Two photos that she rates alike are half a pair."""
    counted = ask._counted(np.array([0.05, 0.3, 0.55, 1.0]), np.array([0.0, 1.0, 0.5, 1.0]))
    assert counted == [[1, 0.55, 0.5], [0, 0, 0], [1, pytest.approx(0.7), 0], [0, 0, 0], [2, 1.95, 2]]


def test_lists_are_told_one_by_one_and_together(scripts):
    _, tables = scripts
    groups = {
        name: ([user], [one(user, 0, gain)], [trusted(user)])
        for name, user, gain in (("1", "ana", 0.0), ("2", "bo", 0.1), ("AI pictures", "eve", 0.0))
    }
    groups["3"] = (["nobody"], [], [])
    found = tables.tables_of(groups)
    assert list(found) == ["1", "2", "all three", "AI pictures"]
    assert found["all three"]["ways"]["crowd"]["srcc"] == pytest.approx(0.55)
    assert found["all three"]["trust"]["ratings 1"][0][0] == 6
    text = tables.markdown(found)
    assert "| 10 asked comparisons | 20 s | 0.520 +0.010 [+0.010, +0.010] | 0.620" in text
    assert "| all three | 1 ratings | 55 : 67 (100) |  |  |  |  |" in text
