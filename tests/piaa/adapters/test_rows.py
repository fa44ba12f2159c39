"""One person's rows against the mixture as it takes many people's ratings, and against scipy's densities."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from piaa.adapters.auto import mixture_of as auto_mixture
from piaa.adapters.bayes import mixture_of
from piaa.adapters.likeness import Likeness
from piaa.adapters.richer import with_richer
from piaa.adapters.rows import Rows, log_densities


def answers(prior, k, seed=0):
    """Features of k photos, what is left of their ratings, and covariances of two functions between them."""
    rng = np.random.default_rng(seed)
    x = np.column_stack((rng.normal(0.5, 0.1, k), rng.standard_normal((k, prior.n_directions))))
    like = Likeness(places=x[:, 1:] / 3, width=1.0)
    return x, rng.normal(0.5, 0.15, k), np.stack(like.among())


def rows_of(mixture, basis, y, kernels):
    residual = np.repeat((y - basis @ mixture.mean)[:, None], len(mixture.noise), axis=1)
    none = np.zeros(len(mixture.noise))
    return Rows(basis=basis, residual=residual, kernels=kernels, constant=none, turn=np.eye(len(y)))


def mixtures(prior):
    """Without a function, with one, and with two."""
    one = auto_mixture(prior)
    weights, sizes = with_richer(one.log_weights, one.sizes, one.log_weights[:2, 0], 0.01)
    return [mixture_of(prior), one, replace(one, log_weights=weights, sizes=sizes)]


@pytest.mark.parametrize("n_functions", [0, 1, 2])
@pytest.mark.parametrize("k", [1, 2, 3, 25])
def test_of_ratings_alone_it_is_what_the_mixture_makes_of_them(prior, n_functions, k):
    mixture = mixtures(prior)[n_functions]
    x, y, kernels = answers(prior, k, seed=k)
    basis, kernels = prior.basis(x), kernels[:n_functions]
    rows = rows_of(mixture, basis, y, kernels)
    beside = kernels[None] if n_functions else None
    (expected,) = mixture.posterior(basis[None], y[None], beside)
    got = rows.posterior(mixture)
    assert got.keys() == expected.keys()
    for key in ("mean", "noise", "size"):
        np.testing.assert_allclose(got[key], expected[key], rtol=0, atol=1e-7, err_msg=key)
    scale = np.abs(expected["covariance"]).max()
    np.testing.assert_allclose(got["covariance"], expected["covariance"], rtol=0, atol=1e-6 * scale)
    np.testing.assert_allclose(got["covariance"], got["covariance"].T, rtol=1e-9)
    assert rows.evidence(mixture) == pytest.approx(
        mixture.evidence(basis[None], y[None], beside)[0], abs=1e-8
    )


def test_a_constant_of_a_noise_weighs_it(prior):
    mixture = mixture_of(prior)
    x, y, kernels = answers(prior, 6)
    rows = rows_of(mixture, prior.basis(x), y, kernels[:0])
    only = np.where(np.arange(len(mixture.noise)) == 1, 0.0, -1e3)
    got = replace(rows, constant=only).posterior(mixture)
    assert got["noise"] == pytest.approx(mixture.noise[1], rel=1e-12)
    assert replace(rows, constant=only + 2.0).evidence(mixture) == pytest.approx(
        replace(rows, constant=only).evidence(mixture) + 2.0
    )


@pytest.mark.parametrize("r", [1, 2, 3, 40])
def test_densities_are_those_of_scipy(r):
    rng = np.random.default_rng(r)
    roots = rng.standard_normal((3, r, r))
    grams = [*(roots @ roots.swapaxes(1, 2)), np.zeros((r, r))]
    noise, residual = np.array([0.1, 1.0]), rng.standard_normal((r, 2))
    expected = [
        [
            multivariate_normal(cov=gram + one * np.eye(r)).logpdf(residual[:, v])
            for v, one in enumerate(noise)
        ]
        for gram in grams
    ]
    np.testing.assert_allclose(log_densities(grams, residual, noise), expected, rtol=1e-9)
