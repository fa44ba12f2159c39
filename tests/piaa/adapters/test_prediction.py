"""The bend near the ends of the scale, and intervals from normal predictions."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from piaa.adapters.prediction import COVERAGE, Prediction, Z, bend

real = st.floats(-1e300, 1e300)
near = st.floats(-2, 3)


@given(st.lists(near, min_size=2, max_size=20, unique_by=lambda value: round(value, 6)))
def test_bend_keeps_every_order(values):
    # In steps of a millionth, over more than any scale's width on both sides.
    values = np.unique(np.round(values, 6))
    assert (np.diff(bend(values)) > 0).all()


@given(st.lists(real, min_size=1, max_size=20))
def test_bend_stays_in_the_scale_and_never_turns_an_order_round(values):
    bent = bend(np.sort(values))
    assert ((bent >= 0) & (bent <= 1)).all()
    assert (np.diff(bent) >= 0).all()


@given(st.floats(0.1, 0.9))
def test_bend_leaves_the_middle_of_the_scale_alone(value):
    assert bend(np.array([value]))[0] == value


@given(near)
def test_bend_treats_both_ends_alike(value):
    one, other = bend(np.array([value, 1 - value]))
    assert one == pytest.approx(1 - other, abs=1e-15)


def test_bend_touches_neither_end_and_has_no_kink():
    ends = bend(np.array([-1.0, 0.0, 1.0, 2.0]))
    assert 0 < ends[0] < ends[1] < 0.1
    assert 0.9 < ends[2] < ends[3] < 1
    for edge in (0.1, 0.9):
        left, middle, right = bend(np.array([edge - 1e-6, edge, edge + 1e-6]))
        assert middle - left == pytest.approx(1e-6, rel=1e-4)
        assert right - middle == pytest.approx(1e-6, rel=1e-4)


def test_the_quantile_is_that_of_the_coverage():
    assert pytest.approx(scipy.stats.norm.ppf((1 + COVERAGE) / 2), abs=1e-15) == Z


def test_intervals_are_normal_quantiles_within_the_scale():
    mean = np.array([0.5, 0.5, 0.95, 0.02, 1.7, -0.7])
    deviation = np.array([0.1, 0.6, 0.1, 0.01, 0.1, 0.1])
    got = Prediction.from_normal(mean, deviation)
    assert got.score.tolist() == bend(mean).tolist()
    low, high = scipy.stats.norm.interval(0.8, mean, deviation)
    inside = slice(0, 3)
    np.testing.assert_allclose(got.low[inside], np.maximum(low[inside], 0), rtol=0, atol=1e-14)
    np.testing.assert_allclose(got.high[inside], np.minimum(high[inside], 1), rtol=0, atol=1e-14)
    # Where the normal interval lies outside the scale or beside the bent score, it reaches to the score.
    assert got.high[3] == got.score[3] > high[3]
    assert (got.low[4], got.high[4]) == (got.score[4], 1)
    assert (got.low[5], got.high[5]) == (0, got.score[5])


@given(st.lists(st.tuples(real, st.floats(0, 1e300)), min_size=1, max_size=10))
def test_low_score_and_high_are_in_order_and_in_the_scale(pairs):
    mean, deviation = np.array(pairs).T
    got = Prediction.from_normal(mean, deviation)
    assert (got.low >= 0).all()
    assert (got.low <= got.score).all()
    assert (got.score <= got.high).all()
    assert (got.high <= 1).all()
