from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from generic.errors import PiaaError, ShapeError
from piaa.adapters.prediction import Prediction
from protocols.fewshot import episode_metrics as metrics
from protocols.fewshot.episode_metrics import METRICS, measure, pairwise_accuracy

RNG = np.random.default_rng(0)
INPUTS = {
    "random": (RNG.random(57), RNG.random(57)),
    "ties in both": (RNG.integers(0, 4, 80) / 4, RNG.integers(1, 6, 80) / 5),
    "two values": (RNG.integers(0, 2, 40) / 2, RNG.integers(0, 2, 40).astype(float)),
    "one tie broken": (np.array([0.5, 0.5, 0.5, 0.6]), np.array([0.25, 0.25, 0.0, 1.0])),
    "two photos": (np.array([0.2, 0.1]), np.array([0.0, 1.0])),
    "long": (RNG.random(3000), RNG.integers(0, 11, 3000) / 10),
}
few = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=12)


def prediction(score, low=None, high=None):
    score = np.asarray(score, dtype=float)
    return Prediction(
        score=score,
        low=score if low is None else np.asarray(low, dtype=float),
        high=score if high is None else np.asarray(high, dtype=float),
    )


@pytest.mark.parametrize("name", INPUTS)
def test_correlations_are_scipys(name):
    predicted, rated = INPUTS[name]
    numbers = measure(prediction(predicted), rated, width=4.0)
    assert tuple(numbers) == METRICS
    assert abs(numbers["srcc"] - stats.spearmanr(predicted, rated).statistic) <= 1e-12
    assert abs(numbers["plcc"] - stats.pearsonr(predicted, rated).statistic) <= 1e-12


@pytest.mark.parametrize("name", INPUTS)
def test_pairwise_accuracy_follows_from_somers_d(name):
    predicted, rated = INPUTS[name]
    d = stats.somersd(rated, predicted).statistic
    assert abs(pairwise_accuracy(predicted, rated) - (1 + d) / 2) <= 1e-12


@given(few)
def test_pairwise_accuracy_counts_pairs(rows):
    won = total = 0.0
    for (p, r), (q, s) in combinations(rows, 2):
        if r != s:
            total += 1
            won += 0.5 if p == q else float((p > q) == (r > s))
    got = pairwise_accuracy([p for p, _ in rows], [r for _, r in rows])
    assert np.isnan(got) if total == 0 else got == won / total


def test_pairwise_accuracy_in_blocks_is_the_same(monkeypatch):
    predicted, rated = INPUTS["ties in both"]
    whole = pairwise_accuracy(predicted, rated)
    for block in (1, 80 * 7):
        monkeypatch.setattr(metrics, "_BLOCK", block)
        assert pairwise_accuracy(predicted, rated) == whole


@pytest.mark.parametrize(
    ("predicted", "rated"),
    [([0.1, 0.5, 0.9], [0.5] * 3), ([0.5] * 3, [0.5] * 3), ([0.3], [0.4])],
)
def test_constant_ratings_have_no_order_to_find(predicted, rated):
    numbers = measure(prediction(predicted), rated, width=1.0)
    assert np.isnan([numbers["srcc"], numbers["plcc"], numbers["pairwise"]]).all()
    assert np.isfinite([numbers["mae"], numbers["coverage"]]).all()


@pytest.mark.parametrize("value", [0.5, 0.0, 1 / 3])
def test_a_constant_prediction_is_worth_a_coin_and_not_left_out(value):
    numbers = measure(prediction([value] * 3), [0.0, 0.5, 1.0], width=1.0)
    assert (numbers["srcc"], numbers["plcc"], numbers["pairwise"]) == (0.0, 0.0, 0.5)


def test_mae_is_in_the_datasets_units_and_coverage_has_its_ends():
    numbers = measure(
        prediction([0.5, 0.25, 1.0, 0.0], low=[0.25, 0.0, 0.5, 0.0], high=[0.75, 0.5, 1.0, 0.2]),
        [0.75, 0.5, 0.25, 0.25],
        width=4.0,
    )
    # Unit errors 0.25, 0.25, 0.75, 0.25; on 1..5 four times as much.
    assert numbers["mae"] == 1.5
    assert numbers["coverage"] == 0.5


def test_a_method_without_intervals_has_no_coverage():
    nan = [np.nan, np.nan]
    assert np.isnan(measure(prediction([0.1, 0.2], nan, nan), [0.0, 1.0], width=1.0)["coverage"])
    assert np.isnan(measure(prediction([0.1, 0.2], [0, 0], nan), [0.0, 1.0], width=1.0)["coverage"])


def test_a_failed_prediction_is_no_undefined_correlation():
    with pytest.raises(PiaaError) as caught:
        measure(prediction([0.1, np.nan, np.inf]), [0.0, 1.0, 0.5], width=1.0)
    assert str(caught.value) == (
        "2 of 3 predicted scores are not finite numbers; correct the adapter, or leave it out"
    )


@pytest.mark.parametrize(("n", "q"), [(3, 2), (0, 0)])
def test_predictions_and_scores_go_together(n, q):
    with pytest.raises(ShapeError) as caught:
        measure(prediction(np.zeros(n)), np.zeros(q), width=1.0)
    assert str(caught.value) == (
        f"predictions of shape ({n},) for scores of shape ({q},); "
        "expected one prediction per score, and at least one"
    )
