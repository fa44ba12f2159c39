"""People who are fitted together: how many at once, and that nobody notices."""

from __future__ import annotations

import numpy as np
import pytest

from piaa.adapters import vectors
from piaa.adapters.auto import AutoAdapter
from piaa.adapters.bayes import BayesAdapter
from piaa.adapters.bias import BiasAdapter
from piaa.adapters.neighbours import NeighboursAdapter
from piaa.adapters.pairs import PairsAdapter
from piaa.adapters.ridge import RidgeAdapter

P = 6
"""Weights of the prior."""


def people(n, k, d=6):
    rng = np.random.default_rng(k)
    x = np.concatenate((rng.normal(0.5, 0.1, (n, k, 1)), rng.standard_normal((n, k, d))), axis=2)
    spread = rng.uniform(0, 0.4, (n, 1))  # from people without a taste to people of strong ones
    return list(x), list(np.clip(x[:, :, 0] + spread * x[:, :, 1], 0, 1))


@pytest.fixture
def batches(monkeypatch):
    """Shapes (u, k, 1 + d) of the batches that an adapter is given."""
    seen = []

    def watch(adapter):
        learn = type(adapter)._learn
        monkeypatch.setattr(
            type(adapter), "_learn", lambda self, x, y: seen.append(x.shape) or learn(self, x, y)
        )
        return seen

    return watch


@pytest.mark.parametrize(
    ("kind", "k", "largest"),
    [
        (BayesAdapter, 1, P**2),
        (BayesAdapter, 20, 20 * 7),
        (AutoAdapter, 1, (P + 1) ** 2),
        (AutoAdapter, 20, (P + 20) ** 2),
        (BiasAdapter, 1, 7),
        (RidgeAdapter, 20, 20**2),
    ],
)
def test_a_batch_is_bounded_by_the_largest_array_of_its_people(prior, monkeypatch, batches, kind, k, largest):
    monkeypatch.setattr(vectors, "_AT_ONCE", 2000)
    adapter = kind(prior)
    seen = batches(adapter)
    adapter.fit_many(*people(300, k))
    assert sum(u for u, _, _ in seen) == 300
    assert max(u for u, _, _ in seen) == adapter.at_once(k, 7) == min(300, max(1, 2000 // largest))


@pytest.mark.parametrize(
    "kind", [BayesAdapter, AutoAdapter, BiasAdapter, RidgeAdapter, NeighboursAdapter, PairsAdapter]
)
@pytest.mark.parametrize("k", [1, 7, 30])
def test_how_many_are_fitted_together_changes_no_bit(prior, kind, k):
    x, y = people(40, k)
    for one_x, one_y, many in zip(x, y, kind(prior).fit_many(x, y), strict=True):
        alone = kind(prior).fit(one_x, one_y).state()
        for key, value in many.state().items():
            np.testing.assert_array_equal(value, alone[key], err_msg=key, strict=True)
