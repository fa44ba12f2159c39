"""The 80 % interval of every adapter holds about 80 % of new ratings, of people as the prior describes."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from generic.metrics import coverage
from piaa.adapters.registry import ADAPTERS

PEOPLE = 60


@pytest.mark.parametrize("k", [1, 3, 20])
@pytest.mark.parametrize(
    "name", [name for name, kind in ADAPTERS.items() if not (kind.needs_start or kind.needs_pixels)]
)
def test_of_people_whom_the_prior_describes(prior, name, k):
    # Hardly anybody leaves the scale, and what one person differs by from the crowd is known of all.
    covariance, noises = prior.covariance / 10, prior.noise / 5
    small = dataclasses.replace(prior, covariance=covariance, noise=noises, residual=0.08)
    rng, held = np.random.default_rng(7), []
    cells = np.exp(small.log_weights).ravel()
    for person in range(PEOPLE):
        x = np.random.default_rng(person).standard_normal((k + 60, 7))
        x[:, 0] = 0.5 + 0.1 * x[:, 0]
        taste, noise = np.divmod(rng.choice(len(cells), p=cells / cells.sum()), len(noises))
        w = rng.multivariate_normal(small.mean, small.covariances()[taste])
        y = np.clip(small.basis(x) @ w + rng.normal(0, np.sqrt(noises[noise]), k + 60), 0, 1)
        predicted = ADAPTERS[name](small).fit(x[:k], y[:k]).predict(x[k:])
        held.append(coverage(predicted.low, predicted.high, y[k:]))
    # Exact where the model is the one that people were drawn from; the others may be too wide.
    assert 0.77 < np.mean(held) < (0.84 if name in ("bayes", "auto") else 0.91)
