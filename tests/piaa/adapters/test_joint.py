"""One posterior of ratings and comparisons: against people drawn by the million, and as a promise to keep."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtr

from piaa.adapters.auto import AutoAdapter
from piaa.adapters.auto import mixture_of as auto_mixture
from piaa.adapters.bayes import BayesAdapter, mixture_of
from piaa.adapters.compared import Compared
from piaa.adapters.joint import rows_of
from piaa.adapters.kernel import places, squared_distances
from piaa.adapters.prediction import Z
from piaa.adapters.preference import BAND

DRAWS, AT_ONCE = 400_000, 100_000


def photos(n, seed=0):
    rng = np.random.default_rng(seed)
    return np.column_stack((rng.normal(0.5, 0.1, n), rng.standard_normal((n, 6))))


def kernel(prior, a, b):
    return np.exp(-squared_distances(places(a, prior), places(b, prior)) / 2)


def people(prior, mixture, x, rng, n):
    """Of n people drawn from the mixture: their true scores of photos, and which noise is theirs."""
    weights = np.exp(mixture.log_weights)
    cells = np.argwhere(weights > 0)
    c, s, v = cells[rng.choice(len(cells), n, p=weights[weights > 0] / weights.sum())].T
    basis, scores = prior.basis(x), np.empty((n, len(x)))
    for place, covariance in enumerate(mixture.covariances):
        mine = c == place
        drawn = rng.multivariate_normal(mixture.mean, covariance, mine.sum(), method="eigh")
        scores[mine] = drawn @ basis.T
    if mixture.sizes.shape[1]:
        root = np.linalg.cholesky(kernel(prior, x, x) + 1e-9 * np.eye(len(x)))
        scores += np.sqrt(mixture.sizes[s]) * (rng.standard_normal((n, len(x))) @ root.T)
    return scores, v


def by_sampling(prior, mixture, x, y, equal, new):
    """Mean and deviation of new ratings, and the log probability of the answers: people weighed by it."""
    k, m = len(y), len(equal)
    rng, band = np.random.default_rng(7), BAND if equal.any() else 0.0
    whole = known = mean = 0.0
    sums = np.zeros((2, len(new)))
    for _ in range(DRAWS // AT_ONCE):
        scores, v = people(prior, mixture, np.concatenate([x, new]), rng, AT_ONCE)
        noise = mixture.noise[v][:, None]
        log = (-0.5 * (y - scores[:, :k]) ** 2 / noise - 0.5 * np.log(2 * np.pi * noise)).sum(axis=1)
        apart = (scores[:, k : k + m] - scores[:, k + m : k + 2 * m]) / np.sqrt(2 * noise)
        told = np.where(equal, ndtr(band - apart) - ndtr(-band - apart), ndtr(apart - band))
        weight, theirs = np.exp(log) * told.prod(axis=1), scores[:, k + 2 * m :]
        usual = weight * (v < mixture.n_for_mean)
        whole, known, mean = whole + weight.sum(), known + usual.sum(), mean + usual @ theirs
        sums += np.stack([weight @ theirs, weight @ (theirs**2 + noise)])
    mean, every, square = mean / known, sums[0] / whole, sums[1] / whole
    return mean, np.sqrt(square - every**2 + (every - mean) ** 2), np.log(whole / DRAWS)


def answers(prior, k, m, equals, seed):
    x, rng = photos(k + 2 * m, seed), np.random.default_rng(seed)
    equal = np.zeros(m, bool)
    equal[:equals] = True
    return x, np.clip(0.5 + 0.1 * rng.standard_normal(k), 0, 1), equal


CASES = [(0, 1, 0), (0, 4, 0), (0, 3, 1), (2, 4, 1), (3, 6, 2), (5, 3, 0)]


@pytest.mark.parametrize(("k", "m", "equals"), CASES)
@pytest.mark.parametrize("adapter", ["bayes", "auto"])
def test_it_is_what_is_left_of_people_drawn_from_the_prior(prior, adapter, k, m, equals):
    x, y, equal = answers(prior, k, m, equals, seed=10 * k + m)
    new = photos(6, 50)
    mixture, kind = (mixture_of, BayesAdapter) if adapter == "bayes" else (auto_mixture, AutoAdapter)
    grid = mixture(prior)
    mean, deviation, log = by_sampling(prior, grid, x, y, equal, new)
    fitted = kind(prior).fit_both(x[:k], y, Compared(one=x[k : k + m], other=x[k + m :], equal=equal))
    got, spread = fitted._normal(fitted._learned, new)
    np.testing.assert_allclose(got, mean, rtol=0, atol=0.1 * deviation.mean())
    np.testing.assert_allclose(spread, deviation, rtol=0.08)
    kernels = kernel(prior, x, x)[None] if adapter == "auto" else None
    found = rows_of(grid, prior.basis(x), y, equal, kernels).evidence(grid)
    assert found == pytest.approx(log, abs=0.03 + 0.05 * m)


def simulated(prior, seed, k=8, m=16, n=60):
    """Answers of somebody drawn from the prior, other photos, and what she would rate them."""
    grid, rng = mixture_of(prior), np.random.default_rng(seed)
    x = photos(k + 2 * m + n, 1000 + seed)
    scores, v = people(prior, grid, x, rng, 1)
    truth, noise = scores[0], grid.noise[v[0]]
    rated = truth + np.sqrt(noise) * rng.standard_normal(len(x))
    gap = truth[k : k + m] - truth[k + m : k + 2 * m] + np.sqrt(2 * noise) * rng.standard_normal(m)
    equal = np.abs(gap) < BAND * np.sqrt(2 * noise)
    one, other = x[k : k + m], x[k + m : k + 2 * m]
    turned = (gap < 0)[:, None]
    compared = Compared(one=np.where(turned, other, one), other=np.where(turned, one, other), equal=equal)
    return x[:k], rated[:k], compared, x[k + 2 * m :], rated[k + 2 * m :]


@pytest.mark.parametrize(("k", "m"), [(8, 16), (0, 20)])
def test_intervals_hold_what_they_say(prior, k, m):
    """Targets are made with the comparisons in hand; the intervals must not be too narrow for that."""
    held = []
    for seed in range(150):
        x, y, compared, new, rated = simulated(prior, seed, k, m)
        fitted = BayesAdapter(prior).fit_both(x, y, compared)
        mean, deviation = fitted._normal(fitted._learned, new)
        held.append(np.mean(np.abs(rated - mean) <= Z * deviation))
    error = np.std(held) / np.sqrt(len(held))
    assert np.mean(held) == pytest.approx(0.8, abs=3 * error)
    assert error < 0.015


def test_evidence_tells_how_far_people_are_from_the_crowd(prior):
    """Of those whose taste is said to be large with a probability of p, a share of p has one."""
    grid, told, true = mixture_of(prior), [], []
    for seed in range(300):
        rng, k, m = np.random.default_rng(seed), 6, 20
        weights = np.exp(grid.log_weights)[:, 0]
        c, v = np.unravel_index(rng.choice(weights.size, p=weights.ravel() / weights.sum()), weights.shape)
        x = photos(k + 2 * m, 5000 + seed)
        truth = prior.basis(x) @ rng.multivariate_normal(grid.mean, grid.covariances[c])
        y = truth[:k] + np.sqrt(grid.noise[v]) * rng.standard_normal(k)
        gap = truth[k : k + m] - truth[k + m :] + np.sqrt(2 * grid.noise[v]) * rng.standard_normal(m)
        better = np.where((gap > 0)[:, None], x[k : k + m], x[k + m :])
        worse = np.where((gap > 0)[:, None], x[k + m :], x[k : k + m])
        rows = rows_of(grid, prior.basis(np.concatenate([x[:k], better, worse])), y, np.zeros(m, bool))
        logs = [
            rows.evidence(_only(grid, place)) + np.log(weights[place].sum())
            for place in range(len(grid.covariances))
        ]
        share = np.exp(logs - np.logaddexp.reduce(logs))
        told.append(share[3:].sum())
        true.append(c >= 3)
    told, true = np.array(told), np.array(true)
    assert told.mean() == pytest.approx(true.mean(), abs=3 * np.std(told - true) / np.sqrt(len(told)))
    sure = told > 0.7
    assert sure.sum() > 20
    assert true[sure].mean() == pytest.approx(told[sure].mean(), abs=3 * np.sqrt(0.2 / sure.sum()))


def _only(grid, place):
    """The mixture with one of its covariances."""
    from dataclasses import replace

    logs = grid.log_weights[place : place + 1]
    return replace(
        grid,
        covariances=grid.covariances[place : place + 1],
        log_weights=logs - np.logaddexp.reduce(logs, axis=None),
    )
