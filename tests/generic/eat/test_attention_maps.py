"""Attention maps: what is shown is what was computed, and looking leaves no trace."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from generic.eat.attention import DeformableAttention, sample
from generic.eat.attention_maps import look
from generic.eat.eat import EAT
from generic.eat.layers import Block, Mlp
from generic.eat.points import set_progress
from generic.eat.windows import WindowAttention
from generic.errors import ShapeError

DIM, SIZE = 8, (4, 6)
BIASES = ["aligned", "edges", "pairs", "depthwise", "none"]


@pytest.fixture(autouse=True)
def random_state():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


def shaken(module: nn.Module) -> nn.Module:
    """In float64 and training mode at its beginning, every parameter far from zero."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    set_progress(module, 0.0)
    return module.double().train()


def attention(**options) -> DeformableAttention:
    return DeformableAttention(DIM, SIZE, **{"heads": 4, "groups": 2, "k_in": 2, "k_offset": 3, **options})


@pytest.fixture
def network() -> nn.Sequential:
    """An enhanced layer, a window and a deformable layer, with dropout."""
    layers = (
        attention(attn_drop=0.2),
        WindowAttention(DIM, SIZE, heads=2, window=2),
        attention(interest=False, guide=False, bias="pairs", k_in=1),
    )
    return shaken(nn.Sequential(*(Block(layer, DIM, Mlp(DIM, 2 * DIM), drop_path=0.3) for layer in layers)))


@pytest.fixture
def x():
    return torch.randn(3, DIM, *SIZE, dtype=torch.float64)


@pytest.mark.parametrize("bias", BIASES)
def test_what_is_shown_is_what_was_computed(bias, x):
    layer = shaken(attention(bias=bias))
    output, looks = look(layer, x)
    (view,) = looks.values()
    torch.testing.assert_close(view.weights.sum(-1), torch.ones(3, 4, 24, dtype=torch.float64))
    layer.eval().requires_grad_(requires_grad=False)
    # Values read at the positions, mixed by the weights, head by head.
    values = layer.v(sample(x, view.positions)[:, :, None]).reshape(3, 4, DIM // 4, -1)
    mixed = torch.einsum("bmqn,bmcn->bmcq", view.weights, values).reshape(x.shape)
    if bias == "depthwise":
        mixed = mixed + layer.bias_conv(layer.q(x))
    torch.testing.assert_close(layer.out(mixed), layer(x), rtol=0, atol=1e-10)
    with torch.no_grad():
        assert torch.equal(output, layer(x))
    torch.testing.assert_close(view.positions, (view.points + view.offsets).tanh(), rtol=0, atol=1e-12)


def test_every_deformable_layer_is_shown_by_its_name_in_order(network, x):
    _, looks = look(network, x)
    assert list(looks) == ["0.attention", "2.attention"]
    assert [view.grid for view in looks.values()] == [(3, 5), (4, 6)]
    # The second layer was given what the blocks before it made.
    network.eval().requires_grad_(requires_grad=False)
    expected = network[2].attention.look(network[2].norm1(network[:2](x)))
    for name in ("points", "offsets", "positions", "weights"):
        assert torch.equal(getattr(looks["2.attention"], name), getattr(expected, name))


def test_the_layers_of_a_whole_network_are_shown():
    options = {"img_size": 32, "num_classes": 3, "windows": 4, "k_in": 2, "k_offset": 3, "groups": 1}
    network = EAT(dims=(8, 16), stages=("LE", "DSE"), heads=(1, 2), **options)
    images = torch.randn(2, 3, 32, 32)
    output, looks = look(network, images)
    names = ["stages.0.blocks.1.attention", "stages.1.blocks.0.attention", "stages.1.blocks.2.attention"]
    assert list(looks) == names
    assert [view.grid for view in looks.values()] == [(7, 7), (4, 4), (3, 3)]
    with torch.no_grad():
        assert torch.equal(output, network.eval()(images))


def test_the_output_is_that_of_evaluation_mode_and_needs_no_gradients(network, x):
    before = torch.get_rng_state()
    output, looks = look(network, x)
    again, looks_again = look(network, x)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(output, again)
    assert torch.equal(looks["0.attention"].offsets, looks_again["0.attention"].offsets)  # nothing turns
    assert not output.requires_grad
    assert not looks["0.attention"].weights.requires_grad
    with torch.no_grad():
        assert not torch.equal(output, network(x))  # training drops and turns
        assert torch.equal(output, network.eval()(x))


def test_a_network_without_deformable_attention_shows_nothing(x):
    network = nn.Sequential(nn.Conv2d(DIM, 2, 1)).double()
    output, looks = look(network, x)
    assert looks == {}
    assert torch.equal(output, network(x))


def modes(network):
    return {name: module.training for name, module in network.named_modules()}


def hooks(network):
    return sum(len(module._forward_pre_hooks) + len(module._forward_hooks) for module in network.modules())


def test_looking_leaves_no_trace(network, x):
    network[1].eval()  # as where a part of a network is frozen
    before = modes(network)
    assert set(before.values()) == {True, False}
    look(network, x)
    assert modes(network) == before
    assert hooks(network) == 0


def test_looking_leaves_no_trace_where_the_network_fails(network):
    network[1].eval()
    before = modes(network)
    with pytest.raises(ShapeError) as caught:
        look(network, torch.zeros(1, DIM, 6, 4, dtype=torch.float64))
    assert str(caught.value) == "attention was built for 4x6 maps, got 6x4"
    assert modes(network) == before
    assert hooks(network) == 0
