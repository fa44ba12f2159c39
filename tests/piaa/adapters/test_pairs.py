"""Comparisons against a general optimiser, and against people drawn from the prior."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.optimize

from generic.errors import ShapeError, TooFewRatings
from generic.metrics import spearman
from piaa.adapters.bayes import mixture_of
from piaa.adapters.pairs import PairsAdapter


def photos(n, seed=0):
    rng = np.random.default_rng(seed)
    return np.column_stack((rng.normal(0.5, 0.1, n), rng.standard_normal((n, 6))))


def test_the_mode_and_the_spread_are_those_of_the_posterior(prior):
    better, worse = photos(12), photos(12, 1)
    start = mixture_of(prior).before()
    apart = prior.basis(better) - prior.basis(worse)
    precision = np.linalg.inv(start["covariance"])
    noise = np.exp(prior.log_weights).sum(axis=0) @ prior.noise  # of training users

    def loss(w):
        # A logistic variable of scale s has the variance (pi s)^2 / 3; here that of two ratings' noise.
        scale = np.sqrt(3 * 2 * noise) / np.pi
        step = w - start["mean"]
        return np.log1p(np.exp(-(apart @ w) / scale)).sum() + step @ precision @ step / 2

    found = scipy.optimize.minimize(loss, start["mean"], method="BFGS", options={"gtol": 1e-9})
    state = PairsAdapter(prior).fit_pairs(better, worse).state()
    np.testing.assert_allclose(state["mean"], found.x, rtol=0, atol=1e-6)
    p, h = len(found.x), 1e-4
    steps = np.eye(p) * h
    hessian = [
        [
            (loss(found.x + a + b) - loss(found.x + a - b) - loss(found.x - a + b) + loss(found.x - a - b))
            / (4 * h * h)
            for b in steps
        ]
        for a in steps
    ]
    np.testing.assert_allclose(state["covariance"] @ np.array(hessian), np.eye(p), rtol=0, atol=1e-3)


def test_preferences_are_learned_from_people_as_the_prior_describes_them(prior):
    rng, gains = np.random.default_rng(3), []
    start = mixture_of(prior).before()
    for person in range(20):
        weights = rng.multivariate_normal(start["mean"], start["covariance"])
        x, y = photos(60, 100 + person), photos(60, 200 + person)
        margin = (prior.basis(x) - prior.basis(y)) @ weights + rng.normal(0, np.sqrt(2 * start["noise"]), 60)
        better, worse = np.where(margin[:, None] > 0, x, y), np.where(margin[:, None] > 0, y, x)
        new = photos(100, 300 + person)
        truth = prior.basis(new) @ weights
        learned = PairsAdapter(prior).fit_pairs(better, worse).predict(new).score
        gains.append(spearman(learned, truth) - spearman(new[:, 0], truth))
    assert np.mean(gains) > 0.1


def test_ratings_that_lie_far_from_the_scores_widen_the_interval(prior):
    x, new = photos(20), photos(5, 1)
    near = prior.basis(x) @ prior.mean
    order = np.argsort(np.argsort(near))
    same, far = PairsAdapter(prior).fit(x, near), PairsAdapter(prior).fit(x, order / 19)
    np.testing.assert_array_equal(same.predict(new).score, far.predict(new).score)  # the same comparisons
    assert (
        far.predict(new).high - far.predict(new).low > same.predict(new).high - same.predict(new).low
    ).all()


def test_opposite_comparisons_cancel_out(prior):
    x, y = photos(5), photos(5, 1)
    once = PairsAdapter(prior).fit_pairs(np.concatenate([x, y]), np.concatenate([y, x]))
    start = mixture_of(prior).before()
    assert (
        np.abs(once.state()["mean"] - start["mean"]).max()
        < 0.5 * np.abs(PairsAdapter(prior).fit_pairs(x, y).state()["mean"] - start["mean"]).max()
    )


def test_the_order_of_the_comparisons_does_not_matter(prior):
    x, y, order = photos(9), photos(9, 1), np.random.default_rng(2).permutation(9)
    one, other = PairsAdapter(prior).fit_pairs(x, y), PairsAdapter(prior).fit_pairs(x[order], y[order])
    assert np.array_equal(one.predict(photos(4, 5)).score, other.predict(photos(4, 5)).score)


def test_no_comparison_is_too_few(prior):
    with pytest.raises(TooFewRatings):
        PairsAdapter(prior).fit_pairs(photos(0), photos(0))


@pytest.mark.parametrize("wrong", [(2, 7), (1, 7), (3, 6), (3,)])
def test_comparisons_that_do_not_fit_together(prior, wrong):
    with pytest.raises(ShapeError) as caught:
        PairsAdapter(prior).fit_pairs(photos(3), np.full(wrong, 0.5))
    assert str(caught.value) == (
        f"better photos of shape {photos(3).shape}, worse ones of shape {wrong}, expected (m, 1 + d)"
    )
