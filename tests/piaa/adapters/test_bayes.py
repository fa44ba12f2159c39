"""The Gaussian posterior against dense formulas, and against people drawn from the prior."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import scipy.stats

from generic.errors import CheckpointError
from generic.metrics import coverage, spearman
from piaa.adapters.bayes import BayesAdapter
from piaa.adapters.prior import TASTES, Prior
from piaa.adapters.strangers import with_strangers


def photos(n, seed=0, d=6):
    rng = np.random.default_rng(seed)
    return np.column_stack((rng.normal(0.5, 0.1, n), rng.standard_normal((n, d))))


def phi(prior, x):
    return np.column_stack(
        (np.ones(len(x)), (x[:, 0] - prior.center) / prior.spread, x[:, 1 : 1 + prior.n_directions])
    )


@pytest.fixture(scope="module")
def small(prior) -> Prior:
    """People who hardly ever leave the scale, however strange their taste."""
    return dataclasses.replace(prior, covariance=prior.covariance / 10, noise=prior.noise / 5)


def posterior(prior, x, y, new, covariance, noise):
    """Mean and variance of new ratings, as a Gaussian process conditioned on the old ones."""
    a, b = phi(prior, x), phi(prior, new)
    k = a @ covariance @ a.T + noise * np.eye(len(y))
    gain = b @ covariance @ a.T @ np.linalg.inv(k)
    mean = b @ prior.mean + gain @ (y - a @ prior.mean)
    return mean, np.diag(b @ covariance @ b.T - gain @ a @ covariance @ b.T) + noise


def assert_normal(prediction, mean, variance):
    assert ((mean > 0.1) & (mean < 0.9)).all()  # where scores are not bent
    low, high = scipy.stats.norm.interval(0.8, mean, np.sqrt(variance))
    np.testing.assert_allclose(prediction.score, mean, rtol=0, atol=1e-9)
    np.testing.assert_allclose(prediction.low, np.maximum(low, 0), rtol=0, atol=1e-9)
    np.testing.assert_allclose(prediction.high, np.minimum(high, 1), rtol=0, atol=1e-9)


def average(prior, x, y, new):
    """Mean and variance of new ratings, every cell of the grid weighed by its evidence.

    Noise beyond that of training users has no say in the mean.
    """
    noises, logs = with_strangers(prior.noise, prior.log_weights)
    shares, means, variances = np.zeros_like(logs), [], []
    for i, taste in enumerate(TASTES):
        factor = np.sqrt(np.array([1, 1] + [taste] * 4))
        covariance = prior.covariance * np.outer(factor, factor)
        for j, noise in enumerate(noises):
            joint = phi(prior, x) @ covariance @ phi(prior, x).T + noise * np.eye(len(y))
            evidence = scipy.stats.multivariate_normal.logpdf(y, phi(prior, x) @ prior.mean, joint)
            shares[i, j] = np.exp(evidence + logs[i, j])
            mean, variance = posterior(prior, x, y, new, covariance, noise)
            means.append(mean)
            variances.append(variance)
    known = shares.copy()
    known[:, len(prior.noise) :] = 0
    shares, known = shares.ravel() / shares.sum(), known.ravel() / known.sum()
    mean = known @ means
    return shares, mean, shares @ (variances + (means - mean) ** 2)


@pytest.mark.parametrize("k", [1, 3, 30])
@pytest.mark.parametrize("taste", [0, len(TASTES) - 1])
def test_one_taste_and_one_noise_give_the_scores_of_a_gaussian_process(small, k, taste):
    weights = np.full((len(TASTES), 1), -np.inf)
    weights[taste] = 0
    one = dataclasses.replace(small, noise=np.array([0.001]), log_weights=weights)
    factor = np.sqrt(np.array([1, 1] + [TASTES[taste]] * 4))
    covariance = small.covariance * np.outer(factor, factor)
    x, new = photos(k), photos(40, 1)
    y = 0.5 + 0.3 * (x[:, 0] - 0.5) + 0.02 * x[:, 2]
    got = BayesAdapter(one).fit(x, y).predict(new)
    mean, _ = posterior(one, x, y, new, covariance, 0.001)
    np.testing.assert_allclose(got.score, mean, rtol=0, atol=1e-9)
    assert_normal(got, *average(one, x, y, new)[1:])


@pytest.mark.parametrize("k", [1, 8, 12, 20])  # from 12 on by the factor of six weights
def test_several_are_averaged_by_how_well_they_explain_the_ratings(small, k):
    x, new = photos(k), photos(40, 1)
    y = 0.5 + 0.3 * (x[:, 0] - 0.5) + 0.02 * x[:, 2] + 0.02 * np.random.default_rng(1000).standard_normal(k)
    shares, mean, variance = average(small, x, y, new)
    assert shares.max() < 0.9  # or one would do
    assert_normal(BayesAdapter(small).fit(x, y).predict(new), mean, variance)


def test_people_who_do_not_differ_are_ranked_as_the_crowd(small):
    alike = dataclasses.replace(
        small,
        mean=np.array([0.5, 0.08, 0, 0, 0, 0]),
        covariance=1e-14 * np.eye(6),
    )
    x, new = photos(30), photos(100, 1)
    got = BayesAdapter(alike).fit(x, np.random.default_rng(5).random(30)).predict(new)
    assert np.argsort(got.score).tolist() == np.argsort(new[:, 0]).tolist()
    np.testing.assert_allclose(got.score, 0.5 + 0.08 * (new[:, 0] - 0.5) / 0.1, rtol=0, atol=1e-6)


# ---- people drawn from the prior ----


def people(prior, n, k, q):
    """Support, query and the query's ratings of n people."""
    rng = np.random.default_rng(3)
    cells = rng.choice(prior.log_weights.size, size=n, p=np.exp(prior.log_weights).ravel())
    for number, cell in enumerate(cells):
        taste, noise = np.unravel_index(cell, prior.log_weights.shape)
        w = rng.multivariate_normal(prior.mean, prior.covariances()[taste])
        x = photos(k + q, seed=1000 + number)
        y = phi(prior, x) @ w + np.sqrt(prior.noise[noise]) * rng.standard_normal(k + q)
        yield x[:k], y[:k], x[k:], y[k:]


@pytest.mark.parametrize("k", [1, 10, 50])
def test_intervals_hold_the_share_of_ratings_that_they_promise(small, k):
    low, high, rated = [], [], []
    for x, y, new, given in people(small, 250, k, 40):
        prediction = BayesAdapter(small).fit(x, y).predict(new)
        low.append(prediction.low)
        high.append(prediction.high)
        rated.append(given)
    held = coverage(np.concatenate(low), np.concatenate(high), np.concatenate(rated))
    assert 0.77 < held < 0.84  # a little too wide until the ratings rule out that she is a stranger


def test_intervals_of_people_far_noisier_than_training_users(small):
    """As on photos of another kind: the further levels of noise are found from ten ratings."""
    noisy = dataclasses.replace(small, noise=3.75 * small.noise)
    held = []
    for x, y, new, given in people(noisy, 150, 10, 40):
        predicted = BayesAdapter(small).fit(x, y).predict(new)
        held.append(coverage(predicted.low, predicted.high, given))
    assert 0.7 < np.mean(held) < 0.8


def test_the_more_ratings_the_better_and_never_worse_than_the_crowd(small):
    means = []
    for k in (1, 10, 60):
        mine, crowd = [], []
        for x, y, new, given in people(small, 200, k, 40):
            mine.append(spearman(BayesAdapter(small).fit(x, y).predict(new).score, given))
            crowd.append(spearman(new[:, 0], given))
        means.append((np.mean(mine), np.mean(crowd)))
    assert means[0][0] >= means[0][1]
    assert means[1][0] > means[1][1] + 0.02
    assert means[2][0] > means[1][0] + 0.02


def test_a_model_without_a_prior():
    with pytest.raises(CheckpointError) as caught:
        BayesAdapter(None)
    assert str(caught.value) == (
        "adapter 'bayes' needs a prior, but the model file has none; use --adapter auto, or learn one: piaa "
        "models learn-prior"
    )
