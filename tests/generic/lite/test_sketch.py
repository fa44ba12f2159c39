"""Sketches beside a dense projection with the same signs, and what they keep of distances."""

from __future__ import annotations

import numpy as np
import torch

from generic.lite.sketch import Sketch, fit_sketch

T, R = 5000, 512


def sketched(tensors, features):
    network = Sketch(features.shape[1], R)
    network.load_state_dict({key: torch.from_numpy(value) for key, value in tensors.items()})
    return network(torch.from_numpy(features)).numpy()


def distances(x):
    return np.sqrt(((x[:, None] - x) ** 2).sum(2))[np.triu_indices(len(x), 1)]


def test_a_sketch_is_a_projection_on_signs():
    rng = np.random.default_rng(0)
    features = (rng.standard_normal((9, T)) * rng.uniform(0.1, 9, T) + rng.uniform(-3, 3, T)).astype(
        np.float32
    )
    tensors = fit_sketch(features, R, 0)
    dense = np.zeros((R, T))
    for place, (row, scale) in enumerate(zip(tensors["order"], tensors["scale"], strict=True)):
        dense[place % R, row] += np.sign(scale)
    assert (np.abs(dense).sum(0) == 1).all()  # each feature is in one number
    standard = (features - features.mean(0)) / features.std(0)
    expected = standard @ dense.T / np.sqrt(T / R)
    np.testing.assert_allclose(sketched(tensors, features), expected, atol=2e-4)


def test_distances_stay_about_what_they_were():
    rng = np.random.default_rng(1)
    features = (rng.standard_normal((40, 30)) @ rng.standard_normal((30, T))).astype(np.float32)
    found = sketched(fit_sketch(features, R, 0), features)
    standard = (features - features.mean(0)) / features.std(0)
    ratio = distances(found) * np.sqrt(T / R) / distances(standard)
    assert abs(np.median(ratio) - 1) < 0.1
    assert 0.7 < ratio.min() < ratio.max() < 1.3


def test_a_feature_that_did_not_vary_adds_nothing():
    rng = np.random.default_rng(3)
    features = rng.standard_normal((9, 40)).astype(np.float32)
    features[:, 7] = 0.25 + 1e-7 * rng.standard_normal(9)  # as a filter that never answers, and rounding
    tensors, other = fit_sketch(features, R, 0), features.copy()
    other[:, 7] += 6.0  # of a photo on which it does
    np.testing.assert_array_equal(sketched(tensors, other), sketched(tensors, features))


def test_the_seed_names_the_draw():
    features = np.random.default_rng(2).standard_normal((5, 40)).astype(np.float32)
    one, same, other = (fit_sketch(features, 8, seed) for seed in (0, 0, 1))
    assert all(np.array_equal(one[key], same[key]) for key in one)
    assert not np.array_equal(one["order"], other["order"])
