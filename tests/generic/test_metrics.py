"""Correlations against SciPy and against what they must not depend on."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import assume, given
from hypothesis import strategies as st

from generic.errors import ShapeError
from generic.metrics import average_ranks, coverage, pearson, spearman


@st.composite
def pairs(draw, values):
    """Two varying vectors of one length."""
    q = draw(st.integers(2, 40))
    a, b = (np.array(draw(st.lists(values, min_size=q, max_size=q))) for _ in range(2))
    assume(np.ptp(a) > 0)
    assume(np.ptp(b) > 0)
    return a, b


TIED = st.integers(-3, 3)
SPREAD = st.integers(-(10**6), 10**6).map(lambda n: n / 7)


@given(pairs(TIED) | pairs(SPREAD))
def test_spearman_equals_scipy_with_and_without_ties(pair):
    assert spearman(*pair) == pytest.approx(scipy.stats.spearmanr(*pair).statistic, rel=0, abs=1e-12)


@given(pairs(TIED) | pairs(SPREAD))
def test_pearson_equals_scipy(pair):
    assert pearson(*pair) == pytest.approx(scipy.stats.pearsonr(*pair).statistic, rel=0, abs=1e-12)


@given(st.lists(TIED | SPREAD, max_size=40))
def test_ranks_equal_scipy(values):
    assert average_ranks(values).tolist() == scipy.stats.rankdata(values, method="average").tolist()


@given(pairs(SPREAD), st.randoms(use_true_random=False))
def test_neither_the_order_of_photos_nor_of_the_sides_matters(pair, random):
    a, b = pair
    order = np.array(random.sample(range(len(a)), len(a)))
    for measure in (pearson, spearman):
        assert measure(b, a) == pytest.approx(measure(a, b), rel=0, abs=1e-12)
        assert measure(a[order], b[order]) == pytest.approx(measure(a, b), rel=0, abs=1e-12)
        assert measure(-a, b) == pytest.approx(-measure(a, b), rel=0, abs=1e-12)


@given(pairs(st.integers(-50, 50)))
def test_spearman_sees_order_alone_and_pearson_any_straight_line(pair):
    a, b = pair
    assert spearman(np.exp(a / 10), b**3) == spearman(a, b)
    assert pearson(1e-3 * a + 17, 40 * b - 5) == pytest.approx(pearson(a, b), rel=0, abs=1e-12)


@given(pairs(SPREAD))
def test_a_vector_agrees_wholly_with_itself_and_no_correlation_leaves_its_range(pair):
    a, b = pair
    for measure in (pearson, spearman):
        assert measure(a, a) == pytest.approx(1, rel=0, abs=1e-12)
        assert measure(a, -a) == pytest.approx(-1, rel=0, abs=1e-12)
        assert all(-1 <= measure(x, y) <= 1 for x, y in ((a, a), (a, -a), (a, b)))


def test_tiny_differences_do_not_underflow():
    a, b = np.array([1.0, 2.0, 4.0]), np.array([3.0, 1.0, 7.0])
    assert pearson(a * 1e-100, b * 1e-100) == pytest.approx(pearson(a, b), rel=0, abs=1e-12)


def test_single_precision_is_computed_in_double():
    rng = np.random.default_rng(0)
    a = (1000 + rng.random(200)).astype(np.float32)
    b = rng.random(200).astype(np.float32)
    reference = scipy.stats.pearsonr(a.astype(np.float64), b.astype(np.float64)).statistic
    assert pearson(a, b) == pytest.approx(reference, rel=0, abs=1e-12)


@pytest.mark.parametrize("measure", [pearson, spearman])
@pytest.mark.parametrize(
    ("a", "b"),
    [
        ([], []),
        ([1.0], [2.0]),
        ([1.0, 1.0, 1.0], [1.0, 2.0, 3.0]),
        ([1.0, 2.0, 3.0], [5.0, 5.0, 5.0]),
        ([0.1] * 3, [0.1] * 3),
    ],
)
def test_a_constant_side_or_fewer_than_two_photos_have_no_correlation(measure, a, b):
    assert math.isnan(measure(a, b))


@pytest.mark.parametrize("measure", [pearson, spearman])
@pytest.mark.parametrize(("a", "b"), [((2,), (3,)), ((2, 2), (2, 2)), ((), ())])
def test_two_lengths_are_refused(measure, a, b):
    with pytest.raises(ShapeError) as caught:
        measure(np.zeros(a), np.zeros(b))
    assert str(caught.value) == f"correlation of arrays of shape {a} and {b}; give two of one length"


def test_coverage_counts_the_ends_of_an_interval():
    low, high = [0.0, 0.0, 0.2, 0.4, 0.6], [0.5, 0.5, 0.3, 0.4, 0.7]
    rated = [0.0, 0.5, 0.31, 0.4, 0.59]
    assert coverage(low, high, rated) == 0.6


def test_coverage_of_normal_intervals_is_the_quantile_they_were_made_for():
    rng = np.random.default_rng(0)
    mean, deviation = rng.random(50_000), 0.1 + rng.random(50_000)
    rated = mean + deviation * rng.standard_normal(50_000)
    z = scipy.stats.norm.ppf(0.9)
    # Five standard errors of a share of 50,000.
    assert coverage(mean - z * deviation, mean + z * deviation, rated) == pytest.approx(0.8, abs=0.009)
