from __future__ import annotations

import numpy as np
import pytest

from piaa.prior import TASTES, Prior


def _make_prior(n_directions: int, n_noise: int = 3) -> Prior:
    rng = np.random.default_rng(n_directions)
    p = 2 + n_directions
    root = rng.standard_normal((p, p))
    weights = rng.dirichlet(np.ones(len(TASTES) * n_noise)).reshape(len(TASTES), n_noise)
    return Prior(
        mean=np.concatenate(([0.5, 0.08], 0.01 * rng.standard_normal(n_directions))),
        covariance=0.002 * (np.eye(p) + root @ root.T / p),
        noise=np.geomspace(0.002, 0.008, n_noise),
        log_weights=np.log(weights),
        center=0.5,
        spread=0.1,
        residual=0.15,
    )


@pytest.fixture(scope="session")
def prior() -> Prior:
    """A prior over level, spread and four directions, whose people seldom leave the scale."""
    return _make_prior(4)
