"""The estimate of a person's rank correlation: fair, and silent where there is too little to say."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats
from sklearn.linear_model import RidgeCV

from piaa.adapters.generic import GenericAdapter
from piaa.adapters.ridge import ALPHAS, RidgeAdapter
from piaa.estimate import ENOUGH, FOLDS, REPEATS, estimate_ranking


def person(k, taste=0.0, seed=0, d=5):
    rng = np.random.default_rng(seed)
    x = np.column_stack((rng.normal(0.5, 0.1, k), rng.standard_normal((k, d))))
    return x, np.clip(x[:, 0] + taste * x[:, 1] + 0.1 * rng.standard_normal(k), 0, 1)


class Recorder(GenericAdapter):
    """The generic adapter, which also notes which photos it was shown; column 1 is their number."""

    def __init__(self, log):
        super().__init__(None)
        self.log = log

    def fit(self, features, unit_scores):
        self.seen = features[:, 1].astype(int).tolist(), unit_scores.tolist()
        return super().fit(features, unit_scores)

    def predict(self, features):
        self.log.append((*self.seen, features[:, 1].astype(int).tolist()))
        return super().predict(features)


@pytest.mark.parametrize("k", [20, 33])
def test_no_photo_is_ranked_by_an_adapter_that_has_seen_it(k):
    x, y = person(k)
    x[:, 1] = np.arange(k)
    log = []
    estimate_ranking(lambda: Recorder(log), x, y)
    assert len(log) == FOLDS * REPEATS
    for support, scores, held in log:
        assert sorted(support + held) == list(range(k))
        assert scores == y[support].tolist()
        assert len(held) in (k // FOLDS, -(-k // FOLDS))
    repeats = [[entry[2] for entry in log[i : i + FOLDS]] for i in range(0, len(log), FOLDS)]
    for folds in repeats:
        assert sorted(row for fold in folds for row in fold) == list(range(k))
    assert len({tuple(sorted(map(tuple, map(sorted, folds)))) for folds in repeats}) == REPEATS


def test_it_is_the_mean_over_repeats_of_scipys_correlation():
    x, y = person(40, taste=0.1)
    x[:, 1:] *= 1 + np.arange(5)
    log = []
    recorded = x.copy()
    recorded[:, 1] = np.arange(40)
    estimate_ranking(lambda: Recorder(log), recorded, y)
    values = []
    for start in range(0, len(log), FOLDS):
        predicted = np.empty(40)
        for support, _, held in log[start : start + FOLDS]:
            model = RidgeCV(ALPHAS).fit(x[support, 1:], y[support] - x[support, 0])
            predicted[held] = x[held, 0] + model.predict(x[held, 1:])
        values.append(scipy.stats.spearmanr(predicted, y).statistic)
    got = estimate_ranking(RidgeAdapter, x, y)
    assert got.srcc == pytest.approx(np.mean(values), abs=1e-12)
    assert got.generic == pytest.approx(scipy.stats.spearmanr(x[:, 0], y).statistic, abs=1e-12)
    assert got.error == pytest.approx(1 / math.sqrt(39), abs=1e-15)


def test_a_taste_is_found_and_an_imagined_one_is_not():
    x, y = person(100, taste=0.15, seed=1)
    own = estimate_ranking(RidgeAdapter, x, y)
    assert own.srcc > own.generic + 2 * own.error
    # Forty directions and thirty ratings at random: in-sample a regression would rank them well.
    rng = np.random.default_rng(1)
    x, y = np.column_stack((rng.random(30), rng.standard_normal((30, 40)))), rng.random(30)
    none = estimate_ranking(RidgeAdapter, x, y)
    assert abs(none.srcc) < 3 * none.error


def test_the_same_ratings_give_the_same_estimate():
    x, y = person(25)
    assert estimate_ranking(RidgeAdapter, x, y) == estimate_ranking(RidgeAdapter, x.copy(), y.copy())


def test_the_generic_adapter_is_as_good_as_the_generic_score():
    got = estimate_ranking(GenericAdapter, *person(30))
    assert got.srcc == pytest.approx(got.generic, abs=1e-12)


def test_too_few_or_all_equal_ratings_allow_no_estimate():
    assert ENOUGH == 20
    x, y = person(20)
    assert estimate_ranking(GenericAdapter, x, y) is not None
    assert estimate_ranking(GenericAdapter, x[:19], y[:19]) is None
    assert estimate_ranking(GenericAdapter, x[:0], y[:0]) is None
    assert estimate_ranking(GenericAdapter, x, np.full(20, 0.5)) is None
    y = np.full(20, 0.5)
    y[3] = 0.75
    assert estimate_ranking(GenericAdapter, x, y) is not None
