"""The average over models against dense formulas, and against people who are as the crowd or are not."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import scipy.stats
from safetensors.numpy import load_file

from generic.errors import TooLarge
from generic.metrics import spearman
from piaa.adapters import prior_checks
from piaa.adapters.auto import FREE, FREE_SIZES, SIZE_WEIGHTS, SIZES, AutoAdapter
from piaa.adapters.bayes import BayesAdapter
from piaa.adapters.prior import STRANGERS, TASTES
from piaa.adapters.registry import ADAPTERS
from piaa.adapters.spread import own_spread
from piaa.adapters.strangers import with_strangers


def photos(n, seed=0):
    rng = np.random.default_rng(seed)
    return np.column_stack((rng.normal(0.5, 0.1, n), rng.standard_normal((n, 6))))


def by_hand(prior, x, y, new):
    """Mean and variance of new ratings: every cell a Gaussian process, conditioned and weighed densely."""
    p, tastes = len(prior.mean), prior.covariance[2:, 2:]

    def kernel(a, b):
        gap = a[:, None, 1 : p - 1] - b[None, :, 1 : p - 1]
        return np.exp(-np.einsum("nmd,de,nme->nm", gap, tastes, gap) / (2 * np.trace(tastes)) / 2)

    noises, logs = with_strangers(prior.noise, prior.log_weights)
    weights, unit = np.exp(logs), own_spread(prior) ** 2
    smooth = list(zip(SIZES, SIZE_WEIGHTS, strict=True))
    crowd = (
        np.diag(np.repeat([1.0, 0.0], [2, p - 2]))
        @ prior.covariance
        @ np.diag(np.repeat([1.0, 0.0], [2, p - 2]))
    )
    cells = [(crowd, (1 - FREE) * STRANGERS * weights.sum(axis=0), smooth)]
    for taste, row in zip(TASTES, weights, strict=True):
        factor = np.sqrt(np.array([1, 1] + [taste] * (p - 2)))
        cells.append(
            (prior.covariance * np.outer(factor, factor), (1 - FREE) * (1 - STRANGERS) * row, smooth)
        )
    for size in FREE_SIZES:
        alike = np.diag([0, 0] + [size * unit / (p - 2)] * (p - 2))
        cells.append((crowd + alike, FREE / len(FREE_SIZES) * weights.sum(axis=0), [(0, 1)]))
    a, b, found = prior.basis(x), prior.basis(new), []
    for covariance, row, sizes in cells:
        for size, share in sizes:
            s = size * unit
            for noise, weight in zip(noises, row, strict=True):
                k = a @ covariance @ a.T + s * kernel(x, x) + noise * np.eye(len(y))
                cross = b @ covariance @ a.T + s * kernel(new, x)
                gain = cross @ np.linalg.inv(k)
                mean = b @ prior.mean + gain @ (y - a @ prior.mean)
                variance = np.diag(b @ covariance @ b.T - gain @ cross.T) + s + noise
                log = scipy.stats.multivariate_normal.logpdf(y, a @ prior.mean, k) + np.log(weight * share)
                found.append((log, noise <= prior.noise.max(), mean, variance))
    logs, known, means, variances = map(np.array, zip(*found, strict=True))
    w = np.exp(logs - logs.max())
    mean = (w * known) @ means / (w * known).sum()
    w /= w.sum()
    return mean, w @ (variances + (means - mean) ** 2)


@pytest.mark.parametrize("k", [1, 4, 25])
def test_it_is_the_average_over_gaussian_processes_by_their_evidence(prior, k):
    x, new = photos(k), photos(60, 1)
    y = np.clip(x[:, 0] + 0.05 * x[:, 1] + 0.03 * np.random.default_rng(2).standard_normal(k), 0, 1)
    mean, variance = by_hand(prior, x, y, new)
    inside = (mean > 0.1) & (mean < 0.9)  # where scores are not bent
    assert inside.sum() > 30
    got = AutoAdapter(prior).fit(x, y).predict(new)
    low, high = scipy.stats.norm.interval(0.8, mean, np.sqrt(variance))
    np.testing.assert_allclose(got.score[inside], mean[inside], rtol=0, atol=1e-9)
    np.testing.assert_allclose(got.low[inside], np.maximum(low, 0)[inside], rtol=0, atol=1e-6)
    np.testing.assert_allclose(got.high[inside], np.minimum(high, 1)[inside], rtol=0, atol=1e-6)


@pytest.mark.parametrize("k", [1, 3, 10])
def test_few_ratings_do_no_harm(prior, k):
    """On average over people as the prior describes them, against the crowd's ranking."""
    cells, gains = np.exp(prior.log_weights).sum(axis=1), []
    for person in range(60):
        rng = np.random.default_rng(person)
        w = rng.multivariate_normal(prior.mean, prior.covariances()[rng.choice(len(TASTES), p=cells)] / 10)
        x, new = photos(k, 1000 + person), photos(200, 2000 + person)
        y = np.clip(prior.basis(x) @ w + rng.normal(0, 0.06, k), 0, 1)
        learned, truth = AutoAdapter(prior).fit(x, y).predict(new).score, prior.basis(new) @ w
        gains.append(spearman(learned, truth) - spearman(new[:, 0], truth))
    assert np.mean(gains) > 0


def test_people_without_a_taste_are_ranked_almost_as_the_crowd_is(prior):
    """Noise is taken for a taste now and then, and costs little."""
    mean = np.concatenate((prior.mean[:2], np.zeros(4)))
    small = dataclasses.replace(prior, mean=mean, covariance=prior.covariance / 10, noise=prior.noise / 2)
    losses = []
    for person in range(30):
        rng = np.random.default_rng(100 + person)
        x, new = photos(40, 200 + person), photos(200, 300 + person)
        y = np.clip(x[:, 0] + rng.normal(0, 0.08) + 0.08 * rng.standard_normal(40), 0, 1)
        learned = AutoAdapter(small).fit(x, y).predict(new).score
        losses.append(1 - spearman(learned, new[:, 0]))
    assert np.mean(losses) < 0.05


def lone_people(d, taste, people=8, k=100):
    """Support, ratings, other photos and what people without a prior truly think of those."""
    for person in range(people):
        rng = np.random.default_rng(1000 + person)
        direction = rng.standard_normal(d) / np.sqrt(d)
        x, new = (
            np.column_stack((draw.normal(0.5, 0.1, n), draw.standard_normal((n, d))))
            for draw, n in ((np.random.default_rng(person), k), (np.random.default_rng(500 + person), 200))
        )
        noise = 0.12 * rng.standard_normal(k)
        y = np.clip(x[:, 0] + taste(x[:, 1:] @ direction) + noise, 0, 1)
        yield x, y, new, new[:, 0] + taste(new[:, 1:] @ direction)


@pytest.mark.parametrize(
    ("d", "taste", "best"),
    [(40, lambda v: 0.15 * v, "ridge"), (6, lambda v: 0.15 * (v**2 - 1), "neighbours")],
    ids=["a straight line", "a bowl"],
)
def test_without_a_prior_it_ranks_as_the_best_of_its_parts(d, taste, best):
    found = {
        name: np.mean(
            [
                spearman(ADAPTERS[name](None).fit(x, y).predict(new).score, truth)
                for x, y, new, truth in lone_people(d, taste)
            ]
        )
        for name in ("auto", "ridge", "neighbours")
    }
    assert max(found, key=found.__getitem__) in ("auto", best)
    assert found["auto"] > found[best] - 0.02


def test_a_taste_that_no_training_user_has_is_learned(prior):
    crowd = dataclasses.replace(prior, covariance=np.diag([0.002, 0.002, *[1e-6] * 4]))
    gains = []
    for person in range(10):
        rng = np.random.default_rng(person)
        x, new = photos(60, 10 + person), photos(200, 100 + person)
        direction = rng.standard_normal(4)
        direction *= 0.12 / np.linalg.norm(direction)
        y = np.clip(x[:, 0] + x[:, 1:5] @ direction + 0.1 * rng.standard_normal(60), 0, 1)
        truth = new[:, 0] + new[:, 1:5] @ direction
        scores = [kind(crowd).fit(x, y).predict(new).score for kind in (AutoAdapter, BayesAdapter)]
        gains.append(spearman(scores[0], truth) - spearman(scores[1], truth))
    assert np.mean(gains) > 0.2


@pytest.mark.parametrize("key", ["with", "without"])
def test_a_state_of_the_release_before_predicts_as_it_did(prior, key):
    stored = load_file(Path(__file__).with_name("auto_of_before.safetensors"))
    own = {
        name.removeprefix(f"{key}."): value for name, value in stored.items() if name.startswith(f"{key}.")
    }
    expected, form = own.pop("expected"), own.pop("form")
    used = prior if key == "with" else None
    adapter = AutoAdapter(used).restore(own)
    got = adapter.predict(stored["photos"])
    np.testing.assert_allclose([got.score, got.low, got.high], expected, rtol=0, atol=1e-12)
    assert adapter.linear_form().pack() == form.tobytes()


def test_ratings_whose_cells_would_not_fit_into_memory_are_refused_before_the_fit(prior, monkeypatch):
    x = photos(50)
    adapter, alone = AutoAdapter(prior), AutoAdapter(None)
    monkeypatch.setattr(prior_checks, "machine_memory", lambda: 28 * 56**2 * 8)
    adapter.fit(x, x[:, 0])
    monkeypatch.setattr(prior_checks, "machine_memory", lambda: 28 * 56**2 * 8 - 1)
    with pytest.raises(TooLarge) as caught:
        adapter.fit(x, x[:, 0])
    assert "28 covariances of 56 x 56 numbers need" in str(caught.value)
    assert str(caught.value).endswith("; use --adapter bayes, whose memory grows with the ratings only")
    BayesAdapter(prior).fit(x, x[:, 0])
    monkeypatch.setattr(prior_checks, "machine_memory", lambda: 11 * 102**2 * 8 - 1)
    with pytest.raises(TooLarge, match=r"; leave out some of the ratings$"):
        alone.fit(x, x[:, 0])
