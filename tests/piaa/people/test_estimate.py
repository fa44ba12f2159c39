"""The estimate of a person's rank correlation: fair, and silent where there is too little to say."""

from __future__ import annotations

import dataclasses
import itertools
import math

import numpy as np
import pytest
import scipy.stats
from sklearn.linear_model import RidgeCV

from piaa.adapters.generic import GenericAdapter
from piaa.adapters.ridge import ALPHAS, RidgeAdapter
from piaa.people.estimate import (
    ENOUGH,
    FOLDS,
    REPEATS,
    _as_srcc,
    describe_estimate,
    estimate_ranking,
    refits_of,
    repeats_of,
)


def person(k, taste=0.0, seed=0, d=5):
    rng = np.random.default_rng(seed)
    x = np.column_stack((rng.normal(0.5, 0.1, k), rng.standard_normal((k, d))))
    return x, np.clip(x[:, 0] + taste * x[:, 1] + 0.1 * rng.standard_normal(k), 0, 1)


class Recorder(GenericAdapter):
    """The generic adapter, which also notes what it was fitted on; column 1 is the photos' number."""

    def __init__(self, log):
        super().__init__(None)
        self.log = log

    def fit(self, features, unit_scores):
        self.log.append((features[:, 1].astype(int).tolist(), unit_scores.tolist()))
        return super().fit(features, unit_scores)


class Parrot(Recorder):
    """Knows what it was told, and nothing else."""

    def predict(self, features):
        told = dict(zip(*self.log[-1], strict=True))
        score = np.array([told.get(int(row), 0.5) for row in features[:, 1]])
        return dataclasses.replace(super().predict(features), score=score)


class Level(GenericAdapter):
    """Learns a person's level, which ranks nothing."""

    def fit(self, features, unit_scores):
        self.level = (unit_scores - features[:, 0]).mean()
        return super().fit(features, unit_scores)

    def predict(self, features):
        return dataclasses.replace(super().predict(features), score=features[:, 0] + self.level)


@pytest.mark.parametrize("k", [20, 33])
def test_every_photo_is_held_out_once_in_each_repeat(k):
    x, y = person(k)
    x[:, 1] = np.arange(k)
    log = []
    estimate_ranking(lambda: Recorder(log), x, y)
    assert len(log) == FOLDS * REPEATS
    held = [sorted(set(range(k)) - set(support)) for support, _ in log]
    for (support, scores), away in zip(log, held, strict=True):
        assert scores == y[support].tolist()
        assert len(support) == len(set(support)) == k - len(away)
        assert len(away) in (k // FOLDS, -(-k // FOLDS))
    repeats = [held[i : i + FOLDS] for i in range(0, len(held), FOLDS)]
    for folds in repeats:
        assert sorted(row for fold in folds for row in fold) == list(range(k))
    assert len({tuple(sorted(map(tuple, folds))) for folds in repeats}) == REPEATS


def test_many_ratings_are_divided_less_often_and_up_to_100_as_ever():
    assert {repeats_of(k) for k in range(1, 101)} == {REPEATS}
    assert [repeats_of(k) for k in (101, 200, 300, 400, 401, 10_000)] == [7, 4, 2, 2, 1, 1]


@pytest.mark.parametrize("k", [100, 150, 450])
def test_an_estimate_takes_as_many_fits_as_a_person_is_told(k):
    log = []
    x, y = person(k)
    estimate_ranking(lambda: Recorder(log), x, y)
    assert len(log) == refits_of(k) == FOLDS * repeats_of(k)
    assert describe_estimate(None, y.tolist(), "lora", compared=False) == (
        f"not estimated, as lora would be fitted {len(log)} more times; piaa evaluate tells"
    )


def test_no_photo_is_ranked_by_an_adapter_that_has_seen_it():
    x, y = person(60)
    x[:, 1] = np.arange(60)
    assert estimate_ranking(lambda: Parrot([]), x, y).srcc < 0.2


@pytest.mark.parametrize("k", [20, 50])
def test_learning_a_level_alone_neither_helps_nor_harms(k):
    for seed in range(5):
        got = estimate_ranking(Level, *person(k, seed=seed))
        assert got.srcc == pytest.approx(got.generic, abs=1e-12)
        assert got.pairwise == pytest.approx(got.pairwise_generic, abs=1e-12)


def test_the_gain_is_that_of_scipys_tau_over_pairs_that_one_fit_has_not_seen():
    x, y = person(40, taste=0.1)
    y[:8] = y[8:16]  # ties
    x[:, 1:] *= 1 + np.arange(5)
    log = []
    recorded = x.copy()
    recorded[:, 1] = np.arange(40)
    estimate_ranking(lambda: Recorder(log), recorded, y)
    pairs = {"own": [], "generic": [], "rated": []}
    for support, _ in log:
        model, held = RidgeCV(ALPHAS), np.setdiff1d(np.arange(40), support)
        model.fit(x[support, 1:], y[support] - x[support, 0])
        own = x[held, 0] + model.predict(x[held, 1:])
        for one, other in itertools.combinations(range(len(held)), 2):
            for name, values in (("own", own), ("generic", x[held, 0]), ("rated", y[held])):
                pairs[name].append(np.sign(values[one] - values[other]))
    srcc = {}
    for name in ("own", "generic"):
        tau = np.dot(pairs[name], pairs["rated"]) / np.sqrt(
            len(pairs["rated"]) * np.abs(pairs["rated"]).sum()
        )
        srcc[name] = 6 / np.pi * np.arcsin(np.sin(np.pi * tau / 2) / 2)
    got = estimate_ranking(RidgeAdapter, x, y)
    assert got.generic == pytest.approx(scipy.stats.spearmanr(x[:, 0], y).statistic, abs=1e-12)
    assert got.srcc == pytest.approx(got.generic + srcc["own"] - srcc["generic"], abs=1e-12)
    assert got.error == pytest.approx(1 / math.sqrt(39), abs=1e-15)
    # Of pairs with different ratings, those in their order; a tie of the scores is half of one.
    right = {
        name: np.mean([(1 + o * r) / 2 for o, r in zip(pairs[name], pairs["rated"], strict=True) if r])
        for name in ("own", "generic")
    }
    whole = scipy.stats.somersd(y, x[:, 0]).statistic
    assert got.pairwise_generic == pytest.approx((1 + whole) / 2, abs=1e-12)
    gained = right["own"] - right["generic"]
    assert got.pairwise == pytest.approx(got.pairwise_generic + gained, abs=1e-12)


def test_a_tau_means_the_srcc_that_normal_variables_have():
    rng = np.random.default_rng(0)
    for correlation in (-0.9, 0.0, 0.5, 0.9):
        pair = rng.multivariate_normal([0, 0], [[1, correlation], [correlation, 1]], 4000)
        got = _as_srcc(scipy.stats.kendalltau(*pair.T).statistic)
        assert got == pytest.approx(scipy.stats.spearmanr(*pair.T).statistic, abs=0.01)


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
