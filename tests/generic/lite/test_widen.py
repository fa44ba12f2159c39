"""A network widened: what it said before is still there, beside what the expert says."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from generic.lite.mobile_net import MobileNet
from generic.lite.piaa_lite import PiaaLite, fold_batch_norms
from generic.lite.widen import WidenConfig, added, look, widen
from generic.parts import Parts

SIDE = 64
OPTIONS = {
    "size": SIDE,
    "frozen_size": 32,
    "taps": 8576,
    "n_embedding": 3,
    "n_centres": 4,
    "eat_dims": (32, 32),
    "k_in": 2,
}
CONFIG = WidenConfig(weight=0.5, n_richer=64)


@pytest.fixture(scope="module")
def trained():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network, expert = PiaaLite(**OPTIONS).eval(), MobileNet().eval()
        network.kernel.weights.data.normal_()
        for module in expert.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):  # torch's usual start lets all photos look the same
                nn.init.kaiming_normal_(module.weight)
        return fold_batch_norms(network).requires_grad_(requires_grad=False), expert


@pytest.fixture(scope="module")
def photos():
    return np.random.default_rng(0).integers(0, 256, (6, SIDE, SIDE, 3), dtype=np.uint8)


def test_score_and_directions_stay_and_the_expert_is_added(trained, photos):
    network, expert = trained
    seen = look(network, expert, photos)
    wider, architecture = widen(network, {"kind": "eat_lite", **OPTIONS}, expert, seen, CONFIG, seed=0)
    x = torch.from_numpy(photos).permute(0, 3, 1, 2).float() / 127.5 - 1
    before, directions = network(x)
    score, embedding = wider(x)
    parts = Parts.declared(architecture, embedding.shape[1])
    assert parts.widths == {"generic": 1, "ava": 1, "directions": 3, "richer": 64}
    torch.testing.assert_close(embedding[:, 1:4], directions)
    np.testing.assert_allclose((score - before).numpy(), added(seen, CONFIG), atol=1e-5)
    own = embedding[:, 0].numpy()
    np.testing.assert_allclose((own.mean(), own.std()), (0, 1), atol=1e-3)
    np.testing.assert_allclose(own * seen.expert.std() + seen.expert.mean(), seen.expert, atol=1e-5)
    # A sketch keeps the photos' centre: the sum over training photos of what is standardised is 0.
    np.testing.assert_allclose(embedding[:, 4:].mean(0).numpy(), 0, atol=1e-3)


def test_without_a_sketch(trained, photos):
    network, expert = trained
    seen = look(network, expert, photos)
    config = WidenConfig(n_richer=0)
    wider, architecture = widen(network, {"kind": "eat_lite", **OPTIONS}, expert, seen, config, seed=0)
    assert architecture["parts"] == {"ava": 1, "directions": 3}
    assert wider(torch.zeros(1, 3, SIDE, SIDE))[1].shape == (1, 4)
