"""What a comparison says, against integrals of the plain definition."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from piaa.adapters.preference import BAND, log_likelihood, preferring


def by_integral(mean, variance, noise, *, equal, band):
    """Probability of the answer: two noisy scores whose difference is beyond the band, or inside it."""
    spread, wide = np.sqrt(2 * noise), BAND * np.sqrt(2 * noise) if band else 0.0

    def told(gap):
        above = norm.sf(wide, gap, spread)
        return norm.cdf(wide, gap, spread) - norm.cdf(-wide, gap, spread) if equal else above

    def density(gap):
        return told(gap) * norm.pdf(gap, mean, np.sqrt(variance))

    ends = mean + np.sqrt(variance) * np.array([-12, 12])
    return quad(density, *ends, epsabs=1e-14, epsrel=1e-12, limit=500)[0]


@pytest.mark.parametrize("mean", [-0.6, -0.1, 0.0, 0.2, 0.9])
def test_it_is_the_probability_of_the_definition(mean):
    equal = np.array([False, True])
    log, slope, curve = log_likelihood(
        np.full((1, 2), mean), np.full((1, 2), 0.05), np.array([[0.04]]), equal
    )
    for place in (0, 1):
        expected = by_integral(mean, 0.05, 0.04, equal=equal[place], band=True)
        assert np.exp(log[0, place]) == pytest.approx(expected, rel=1e-9)
    step = 1e-4
    around = [
        log_likelihood(np.full((1, 2), mean + way), np.full((1, 2), 0.05), np.array([[0.04]]), equal)[0]
        for way in (-step, 0, step)
    ]
    np.testing.assert_allclose(slope, (around[2] - around[0]) / (2 * step), rtol=1e-6, atol=1e-7)
    expected = -(around[2] - 2 * around[1] + around[0]) / step**2
    np.testing.assert_allclose(curve, expected, rtol=1e-4, atol=1e-5)


def test_who_never_calls_two_photos_equal_always_chooses():
    never = np.zeros(1, bool)
    gap, none = np.array([[0.07]]), np.zeros((1, 1))
    log = log_likelihood(gap, none, np.array([[0.04]]), never)[0]
    assert np.exp(log[0, 0]) == pytest.approx(norm.cdf(0.07 / np.sqrt(0.08)))
    assert np.exp(log[0, 0]) == pytest.approx(preferring(gap[0], none[0], 0.04)[0])
    both = np.exp(log) + np.exp(log_likelihood(-gap, none, np.array([[0.04]]), never)[0])
    assert both[0, 0] == pytest.approx(1)


def test_the_three_answers_share_what_is_likely():
    equal = np.array([False, False, True])
    gaps = np.array([[0.1, -0.1, 0.1]])
    log, _, _ = log_likelihood(gaps, np.full((1, 3), 0.02), np.array([[0.03]]), equal)
    assert np.exp(log).sum() == pytest.approx(1)


@pytest.mark.parametrize("mean", [-40.0, 40.0])
def test_what_is_next_to_impossible_keeps_finite_slopes(mean):
    equal = np.array([False, True])
    found = log_likelihood(np.full((1, 2), mean), np.full((1, 2), 0.01), np.array([[0.04]]), equal)
    assert all(np.isfinite(one).all() for one in found)
    assert (found[2] >= 0).all()
