"""The floor: the generic score itself, with an interval that learns from the ratings."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from piaa.adapters.generic import GenericAdapter


def photos(n, seed=0):
    rng = np.random.default_rng(seed)
    return np.column_stack((rng.uniform(0.1, 0.9, n), rng.standard_normal((n, 3))))


@pytest.mark.parametrize("k", [1, 100])
def test_ratings_do_not_move_the_score(prior, k):
    x = photos(50, 1)
    got = GenericAdapter(prior).fit(photos(k), np.ones(k)).predict(x)
    assert got.score.tolist() == pytest.approx(x[:, 0].tolist(), abs=1e-15)


@pytest.mark.parametrize("with_prior", [True, False])
def test_the_interval_mixes_ten_imaginary_errors_of_the_population_with_the_own_ones(prior, with_prior):
    x = photos(6)
    errors = np.array([0.1, -0.1, 0.2, 0.0, 0.05, -0.3])
    adapter = GenericAdapter(prior if with_prior else None).fit(x, x[:, 0] + errors)
    population = prior.residual if with_prior else 0.25
    deviation = np.sqrt(np.mean([*[population**2] * 10, *errors**2]))
    new = np.array([[0.5, 0, 0, 0]])
    got = adapter.predict(new)
    assert (got.low[0], got.high[0]) == pytest.approx(norm.interval(0.8, 0.5, deviation), abs=1e-12)
