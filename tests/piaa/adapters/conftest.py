from __future__ import annotations

import numpy as np
import pytest

from generic.model.generic_model import GenericModel
from generic.photos.open import load_pixels
from piaa.adapters.base import Photos
from piaa.adapters.prior import TASTES, Prior
from piaa.meta.head import Standard
from piaa.meta.start import Choices, Start


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
def tiny(tiny_model) -> GenericModel:
    """The tiny model, loaded."""
    return GenericModel(tiny_model)


@pytest.fixture(scope="session")
def twelve(tiny, album, names) -> Photos:
    """The album's twelve photos as the tiny model reads them."""
    pixels = np.stack([load_pixels(album / name, tiny.size) for name in names])
    return Photos(vectors=tiny.vectors(pixels), pixels=pixels)


@pytest.fixture(scope="session")
def prior() -> Prior:
    """A prior over level, spread and four directions, whose people seldom leave the scale."""
    return _make_prior(4)


@pytest.fixture(scope="session")
def make_start():
    """A start that knows nothing: random hidden units, whose sum begins at 0, and honest choices."""

    def make(algorithm: str, width: int, units: int = 12) -> Start:
        rng = np.random.default_rng(width)
        weights = {
            "body.weight": rng.normal(0, 0.3, (units, width)),
            "body.bias": np.zeros(units),
            "last.weight": np.zeros((1, units + 1)),
            "last.bias": np.zeros(1),
        }
        moving = ("last.weight", "last.bias") if algorithm == "anil" else tuple(weights)
        rates = {key: np.full(weights[key].shape if algorithm == "meta-sgd" else (), 0.1) for key in moving}
        return Start(
            algorithm=algorithm,
            model_hash="0" * 64,
            weights=weights,
            rates=rates,
            standard=Standard(mean=np.array([0.5, *[0.0] * (width - 1)]), deviation=np.ones(width)),
            choices=Choices(
                k=np.array([1.0, 10.0, 100.0]),
                steps=np.array([1.0, 8.0, 40.0]),
                caution=np.array([10.0, 10.0, 3.0]),
                query=np.array([0.02, 0.015, 0.01]),
                support=np.array([0.01, 0.01, 0.01]),
            ),
            training={"dataset": "table", "users": ["ana"], "images_sha256": []},
        )

    return make
