"""The heat map against closed forms: networks whose gradient can be written down."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from generic.explain.heat import heat_map, maps_read, mean_heat

SIDE, CELLS = 32, 4


class Pooled(nn.Module):
    """A map of five channels, pooled over positions, and a linear head."""

    def __init__(self, pool) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 5, SIDE // CELLS, SIDE // CELLS)
        self.act = nn.ReLU()
        self.head = nn.Linear(5, 1)
        self.pool = pool

    def forward(self, x):
        pooled = self.pool(self.act(self.conv(x)))
        return self.head(pooled)[:, 0], pooled


def mean(maps):
    return maps.mean((2, 3))


def deviation(maps):
    return maps.std((2, 3), correction=0)


@pytest.fixture
def made():
    """A way to make a network, and a photo."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        x = 2 * torch.rand(1, 3, SIDE, SIDE) - 1
        yield lambda pool: Pooled(pool).eval().requires_grad_(requires_grad=False), x


def in_range(heat):
    heat = np.maximum(heat, 0)
    return (heat - heat.min()) / (np.ptp(heat) + 1e-7)


def stretched(heat, side):
    """Bilinear, cells tile the photo; rows, then columns."""
    for _ in range(2):
        cells = len(heat)
        at = (np.arange(side) + 0.5) * cells / side - 0.5
        heat = np.stack([np.interp(at, np.arange(cells), column) for column in heat.T])
    return heat


def values_and_weights(network, x):
    with torch.no_grad():
        values = network.act(network.conv(x))[0].double().numpy()
    return values, network.head.weight[0].double().numpy()


def test_of_a_mean_it_is_the_head_applied_at_each_position(made):
    """Each position counts by its own values alone: the class activation map of Zhou et al., CVPR 2016."""
    make, x = made
    network = make(mean)
    values, weights = values_and_weights(network, x)
    wanted = in_range(stretched(in_range(np.einsum("c,chw->hw", weights, values)), SIDE))
    found = heat_map(network, x)
    assert (found.dtype, found.shape) == (np.float32, (SIDE, SIDE))
    np.testing.assert_allclose(found, wanted, atol=1e-6)


def test_of_a_standard_deviation_it_is_the_distance_from_the_mean(made):
    """The gradient is (value - mean) / (n x deviation): its average over positions is zero."""
    make, x = made
    network = make(deviation)
    values, weights = values_and_weights(network, x)
    distance = values - values.mean((1, 2), keepdims=True)
    gradient = weights[:, None, None] * distance / (CELLS**2 * values.std((1, 2), keepdims=True))
    ((read, found),) = maps_read(network, x)
    np.testing.assert_allclose(read[0].numpy(), values, atol=1e-6)
    np.testing.assert_allclose(found[0].numpy(), gradient, atol=1e-6)
    np.testing.assert_allclose(found.mean((2, 3)).numpy(), 0, atol=1e-7)
    wanted = in_range(stretched(in_range((gradient * values).sum(0)), SIDE))
    assert wanted.std() > 0.1
    np.testing.assert_allclose(heat_map(network, x), wanted, atol=1e-5)


def test_the_mean_counts_each_heat_by_its_own_range():
    rng = np.random.default_rng(0)
    small, large = rng.normal(size=(3, 3)), 1000 * rng.normal(size=(6, 6))
    tensors = [torch.from_numpy(heat)[None, None] for heat in (small, large)]
    wanted = in_range((stretched(in_range(small), 6) + in_range(large)) / 2)
    np.testing.assert_allclose(mean_heat(tensors, 6)[0, 0].numpy(), wanted, atol=1e-9)


@pytest.mark.parametrize("value", [0.0, -2.0, 3.0])
def test_what_is_the_same_everywhere_is_no_heat(value):
    assert not mean_heat([torch.full((1, 1, 4, 4), value)], 8).any()


def test_nothing_is_left_behind(made):
    make, x = made
    network = make(mean)
    heat_map(network, x)
    assert not x.requires_grad
    assert all(parameter.grad is None for parameter in network.parameters())
    assert not any(module._forward_hooks for module in network.modules())
