"""Residual ridge regression against scikit-learn, and against leaving one out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import t
from sklearn.linear_model import Ridge, RidgeCV

from piaa.adapters import ridge
from piaa.adapters.ridge import ALPHAS, RidgeAdapter


def person(k, d=5, noise=0.03, seed=0):
    """Model vectors and unit scores that stay in the middle of the scale."""
    rng = np.random.default_rng(seed)
    x = np.column_stack((rng.uniform(0.4, 0.6, k), rng.standard_normal((k, d))))
    return x, x[:, 0] + x[:, 1:] @ np.array([0.03, -0.02, 0, 0, 0.01]) + 0.02 + noise * rng.standard_normal(k)


@pytest.mark.parametrize("k", [3, 10, 80, 600])
def test_it_is_ridge_on_the_residual_with_the_penalty_of_leave_one_out(k):
    x, y = person(k)
    new = person(30, seed=1)[0]
    reference = RidgeCV(np.logspace(0, 6, 25)).fit(x[:, 1:], y - x[:, 0])
    expected = new[:, 0] + reference.predict(new[:, 1:])
    assert ((expected > 0.1) & (expected < 0.9)).all()
    np.testing.assert_allclose(RidgeAdapter().fit(x, y).predict(new).score, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("many", [False, True], ids=["few", "many"])
def test_the_interval_comes_from_errors_on_ratings_left_out(many, monkeypatch):
    if many:
        monkeypatch.setattr(ridge, "MOST", 11)
    x, y = person(12)
    residual = y - x[:, 0]
    errors = np.empty((len(ALPHAS), 12))
    for i, alpha in enumerate(ALPHAS):
        for out in range(12):
            rest = np.arange(12) != out
            model = Ridge(alpha).fit(x[rest, 1:], residual[rest])
            errors[i, out] = residual[out] - model.predict(x[out : out + 1, 1:])[0]
    best = (errors**2).mean(1).argmin()
    assert 0 < best < len(ALPHAS) - 1  # a real choice
    deviation = np.sqrt((np.sum(errors[best] ** 2) + 10 * 0.2**2) / 22)
    new = person(5, seed=1)[0]
    got = RidgeAdapter().fit(x, y).predict(new)
    low, high = t.interval(0.8, 22, got.score, deviation)
    np.testing.assert_allclose(got.low, low, rtol=0, atol=1e-9)
    np.testing.assert_allclose(got.high, high, rtol=0, atol=1e-9)


@pytest.mark.parametrize("k", [1, 2])
def test_fewer_than_three_ratings_teach_the_level_alone(k):
    x, y = person(k)
    new = person(30, seed=1)[0]
    level = np.mean(y - x[:, 0])
    got = RidgeAdapter().fit(x, y).predict(new)
    np.testing.assert_allclose(got.score, new[:, 0] + level, rtol=0, atol=1e-12)
    spread = np.sqrt((np.sum((y - x[:, 0] - level) ** 2) + 10 * 0.2**2) / (k - 1 + 10))
    low = t.ppf(0.1, k - 1 + 10, got.score, spread * np.sqrt(1 + 1 / k))
    np.testing.assert_allclose(got.low, np.maximum(low, 0), rtol=0, atol=1e-12)


def test_a_clear_taste_is_learned_and_noise_is_not():
    new, taste = person(200, noise=0, seed=1)
    learned = RidgeAdapter().fit(*person(100)).predict(new).score
    assert np.corrcoef(learned, taste)[0, 1] > 0.98
    x, _ = person(100)
    noise = x[:, 0] + 0.1 * np.random.default_rng(7).standard_normal(100)
    learned = RidgeAdapter().fit(x, noise).predict(new).score
    assert np.std(learned - new[:, 0]) < 0.02


def test_the_prior_says_how_far_ratings_lie_from_the_level_and_nothing_else(prior):
    x, y = person(20)
    one, other = (RidgeAdapter(p).fit(x, y).predict(x) for p in (prior, None))
    assert one.score.tobytes() == other.score.tobytes()
    assert (one.high - one.low < other.high - other.low).all()  # 0.15 with its level, against 0.2 without
