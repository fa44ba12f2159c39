"""Pairs in one order, counted in parts, against scipy and by hand; in little memory."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
import scipy.stats

from piaa.people.pair_order import PairOrder


def ratings(n, seed=0):
    rng = np.random.default_rng(seed)
    rated = rng.integers(0, 7, n).astype(float)
    return rated, rated + rng.integers(-3, 4, n)


@pytest.mark.parametrize("n", [2, 50, 512, 513, 1100])
def test_tau_and_share_are_scipys_however_many_parts_there_are(n):
    rated, predicted = ratings(n)
    found = PairOrder.of(rated, predicted)
    assert found.tau == pytest.approx(scipy.stats.kendalltau(rated, predicted).statistic, abs=1e-12)
    assert found.share == pytest.approx((1 + scipy.stats.somersd(rated, predicted).statistic) / 2, abs=1e-12)


def test_pairs_are_counted_as_by_hand():
    predicted, rated = ratings(30, 1)
    points = [
        1.0 if (p > q) == (a > b) and p != q else 0.5 if p == q else 0.0
        for i, (p, a) in enumerate(zip(predicted, rated, strict=True))
        for q, b in list(zip(predicted, rated, strict=True))[:i]
        if a != b
    ]
    assert PairOrder.of(rated, predicted).share == pytest.approx(sum(points) / len(points))


def test_of_several_sets_only_pairs_within_one_count():
    one, other = PairOrder.of(*ratings(20)), PairOrder.of(*ratings(30, 1))
    both = one + other
    assert (both.agree, both.rated, both.predicted) == (
        one.agree + other.agree,
        one.rated + other.rated,
        one.predicted + other.predicted,
    )


def test_where_no_pair_differs_nothing_is_said():
    found = PairOrder.of(np.ones(5), np.arange(5))
    assert (found.tau, found.share) == (0.0, 0.5)
    assert PairOrder.of(np.arange(5), np.ones(5)).share == 0.5


def test_many_photos_take_little_memory():
    rated, predicted = ratings(6_000)
    tracemalloc.start()
    try:
        PairOrder.of(rated, predicted)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 200 * 2**20  # all 18 million pairs at once take 288 MiB for their places alone
