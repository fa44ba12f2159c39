"""Figures of distributions, against values worked by hand and SciPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import pearsonr, spearmanr, wasserstein_distance

from generic.pretrain.measure import deviations, measure
from generic.pretrain.objective import Targets

BINS = (1.0, 2.0, 3.0)


def shares_as_logits(rows) -> np.ndarray:
    return np.log(np.array(rows, np.float32) + 1e-30).astype(np.float32)


def figures(predicted, rated, *, bins=BINS, threshold=0.5, softmax=True):
    rated = torch.tensor(rated, dtype=torch.float32)
    scores = (rated @ torch.tensor(bins) - bins[0]) / (bins[-1] - bins[0])
    outputs = shares_as_logits(predicted) if softmax else np.array(predicted, np.float32)
    targets = Targets(scores=scores, shares=rated)
    return measure(outputs, targets, bins=bins, softmax=softmax, threshold=threshold)


def test_by_hand():
    # Cumulated differences of the two images: (0.5, 0, 0) and (-0.25, 0, 0).
    found = figures([[0.5, 0.0, 0.5], [0.0, 0.75, 0.25]], [[0.0, 0.5, 0.5], [0.25, 0.5, 0.25]])
    assert found["emd1"] == pytest.approx((0.5 / 3 + 0.25 / 3) / 2, abs=1e-6)
    assert found["emd"] == pytest.approx(((0.25 / 3) ** 0.5 + (0.0625 / 3) ** 0.5) / 2, abs=1e-6)
    # Standard deviations 1 and sqrt(3)/4 against 1/2 and 1/sqrt(2): two points, falling.
    assert found["plcc_std"] == pytest.approx(-1.0)


def test_against_scipy():
    rng = np.random.default_rng(0)
    bins = tuple(float(score) for score in range(1, 8))
    predicted, rated = (rng.dirichlet(np.ones(7), 40) for _ in range(2))
    found = figures(predicted, rated, bins=bins)
    scores = np.array(bins)
    means = [rows @ scores for rows in (predicted, rated)]
    spreads = [
        [np.sqrt(np.average((scores - mean) ** 2, weights=row)) for mean, row in zip(own, rows, strict=True)]
        for own, rows in zip(means, (predicted, rated), strict=True)
    ]
    assert found["plcc"] == pytest.approx(pearsonr(*means)[0], abs=1e-6)
    assert found["plcc_std"] == pytest.approx(pearsonr(*spreads)[0], abs=1e-6)
    distances = [wasserstein_distance(bins, bins, p, q) / 7 for p, q in zip(predicted, rated, strict=True)]
    assert found["emd1"] == pytest.approx(np.mean(distances), abs=1e-6)


def test_a_perfect_prediction():
    rows = [[0.5, 0.0, 0.5], [0.25, 0.5, 0.25], [0.0, 0.0, 1.0]]
    found = figures(rows, rows)
    assert found["accuracy"] == 1
    assert found["emd1"] == pytest.approx(0, abs=1e-6)
    assert found["plcc_std"] == pytest.approx(1)


def test_outputs_that_are_no_logits_have_no_spread():
    found = figures([[0.5, 0.0, 0.4], [0.0, 0.7, 0.2]], [[0.0, 0.5, 0.5], [0.25, 0.5, 0.25]], softmax=False)
    assert "emd" in found
    assert not {"emd1", "plcc_std"} & set(found)


def test_the_deviation_of_one_bin_is_zero_and_of_the_ends_half_the_scale():
    shares = torch.tensor([[0, 1.0, 0, 0], [0.5, 0, 0, 0.5]])
    assert deviations(shares, (1.0, 2.0, 3.0, 4.0)).tolist() == [0.0, 1.5]


def test_figures_of_scores_against_scipy_and_a_count():
    rng = np.random.default_rng(3)
    rated, predicted = rng.uniform(size=(2, 50)).astype(np.float32)
    found = measure(
        predicted[:, None],
        Targets(scores=torch.from_numpy(rated)),
        bins=(),
        softmax=True,
        threshold=0.4,
    )
    accuracy = sum((p > 0.4) == (r > 0.4) for p, r in zip(predicted, rated, strict=True)) / 50
    srcc = spearmanr(predicted, rated)[0]
    assert found == {
        "srcc": pytest.approx(srcc, abs=1e-12),
        "plcc": pytest.approx(pearsonr(predicted.astype(float), rated.astype(float))[0], abs=1e-12),
        "accuracy": pytest.approx(accuracy),
        "ratio": pytest.approx(srcc / accuracy),
        "mse": pytest.approx(np.mean((predicted.astype(float) - rated.astype(float)) ** 2)),
    }


@pytest.mark.parametrize(
    ("threshold", "accuracy"), [(0.0, 0.5), (0.24, 0.5), (0.25, 1.0), (0.5, 0.5), (0.75, 1.0), (0.99, 1.0)]
)
def test_a_score_at_the_threshold_is_of_the_worse_class(threshold, accuracy):
    rated = torch.tensor([0.0, 0.25, 0.5, 0.75])
    predicted = np.array([[0.25], [0.0], [0.75], [0.5]], np.float32)
    found = measure(predicted, Targets(scores=rated), bins=(), softmax=True, threshold=threshold)
    assert found["accuracy"] == accuracy  # counted by hand


def test_a_mean_of_exactly_5_is_not_above_avas_threshold():
    bins = tuple(float(score) for score in range(1, 11))
    shares = torch.zeros(1, 10)
    shares[0, 4] = 1
    scores = (shares @ torch.tensor(bins) - 1) / 9
    logits = np.full((2, 10), -40, np.float32)
    logits[0, 3] = logits[1, 5] = 40  # a 4, and a 6
    for row, right in ((0, 1.0), (1, 0.0)):
        found = measure(
            logits[row : row + 1],
            Targets(scores=scores, shares=shares),
            bins=bins,
            softmax=True,
            threshold=(5 - 1) / 9,
        )
        assert found["accuracy"] == right


def test_an_accuracy_of_0_has_no_ratio():
    found = measure(
        np.array([[0.9], [0.1]], np.float32),
        Targets(scores=torch.tensor([0.1, 0.9])),
        bins=(),
        softmax=True,
        threshold=0.5,
    )
    assert (found["accuracy"], found["srcc"]) == (0, pytest.approx(-1))
    assert np.isnan(found["ratio"])
