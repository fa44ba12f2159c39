"""The plain layers, against torch's own and explicit linear algebra."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.special
import torch
from torch import nn

from generic.eat.layers import Block, ChannelNorm, Mlp


@pytest.fixture(autouse=True)
def random_state():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


def maps(n=2, dim=6, size=(4, 3)):
    return torch.from_numpy(np.random.default_rng(1).standard_normal((n, dim, *size)))


def shaken(module: nn.Module) -> nn.Module:
    """In float64 and evaluation mode, every parameter moved, so that none is 0 or 1 by its start."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return module.double().eval()


def gelu(x):
    return x * 0.5 * (1 + scipy.special.erf(x / np.sqrt(2)))


# ---- the norm ----


def test_the_norm_is_layer_norm_with_channels_moved_last():
    norm, x = shaken(ChannelNorm(6)), maps()
    reference = nn.LayerNorm(6).double()
    reference.load_state_dict(norm.state_dict())
    expected = reference(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
    torch.testing.assert_close(norm(x), expected, rtol=0, atol=1e-12)


def test_the_norm_leaves_channels_last_memory_as_it_is():
    got = ChannelNorm(6).double()(maps().contiguous(memory_format=torch.channels_last))
    assert got.is_contiguous(memory_format=torch.channels_last)


# ---- the MLP ----


@pytest.mark.parametrize("depthwise", [False, True])
def test_the_mlp_equals_explicit_linear_algebra(depthwise):
    mlp, x = shaken(Mlp(6, 10, depthwise=depthwise)), maps()
    p = {key: value.numpy() for key, value in mlp.state_dict().items()}
    hidden = np.einsum("oc,bchw->bohw", p["expand.weight"][:, :, 0, 0], x) + p["expand.bias"][:, None, None]
    if depthwise:
        padded = np.pad(hidden, ((0, 0), (0, 0), (1, 1), (1, 1)))
        hidden = sum(
            padded[:, :, i : i + 4, j : j + 3] * p["depthwise.weight"][:, 0, i, j, None, None]
            for i, j in np.ndindex(3, 3)
        )
        hidden = hidden + p["depthwise.bias"][:, None, None]
    expected = np.einsum("oc,bchw->bohw", p["reduce.weight"][:, :, 0, 0], gelu(hidden))
    expected += p["reduce.bias"][:, None, None]
    np.testing.assert_allclose(mlp(x).detach(), expected, rtol=0, atol=1e-12)


def test_the_mlp_drops_output_features_while_training_only():
    mlp, x = Mlp(6, 10, drop=0.5).double(), maps(64)
    with torch.no_grad():
        mlp.reduce.weight.zero_()
        mlp.reduce.bias.fill_(1.0)
    kept = mlp.train()(x)
    assert set(kept.unique().tolist()) == {0.0, 2.0}
    assert kept.mean().item() == pytest.approx(1, abs=0.06)  # 4608 draws: four standard errors
    assert torch.equal(mlp.eval()(x), torch.ones_like(x))


def test_the_mlp_drops_hidden_features_too():
    mlp, x = Mlp(6, 10, drop=0.5).double().train(), maps(64)
    with torch.no_grad():
        mlp.expand.weight.zero_()
        mlp.expand.bias.fill_(1.0)
        mlp.reduce.weight.fill_(1.0)
        mlp.reduce.bias.zero_()
    # Twice for each of the two drops: even multiples, up to ten hidden features.
    counts = (mlp(x) / (4 * gelu(1.0))).round(decimals=9)
    assert set(counts.unique().tolist()) >= {0.0, 3.0, 4.0, 5.0, 6.0, 7.0}
    assert torch.equal(counts, counts.round())


# ---- the block ----


def block(**options) -> Block:
    return shaken(Block(nn.Conv2d(6, 6, 3, padding=1), 6, Mlp(6, 12), **options))


def test_a_block_is_two_residual_branches_that_normalise_first():
    module, x = block(), maps()
    middle = x + module.attention(module.norm1(x))
    expected = middle + module.mlp(module.norm2(middle))
    torch.testing.assert_close(module(x), expected, rtol=0, atol=0)
    # Each part matters.
    for part in (module.attention, module.mlp.reduce):
        state = {key: value.clone() for key, value in part.state_dict().items()}
        with torch.no_grad():
            for parameter in part.parameters():
                parameter.zero_()
        assert (module(x) - expected).abs().max() > 0.1
        part.load_state_dict(state)


def branches(module, x):
    """By how much each image's two branches are scaled while training."""
    first = []
    handle = module.norm2.register_forward_pre_hook(lambda _, inputs: first.append(inputs[0]))
    with torch.no_grad():
        output = module.train()(x)
        handle.remove()
        middle = first[0]
        shares = (
            (middle - x) / module.attention(module.norm1(x)),
            (output - middle) / module.mlp(module.norm2(middle)),
        )
    for share in shares:  # one factor for a whole image
        torch.testing.assert_close(share, share[:, :1, :1, :1].expand_as(share), rtol=0, atol=1e-6)
    return torch.stack([share[:, 0, 0, 0] for share in shares])


def test_drop_path_leaves_out_branches_of_single_images_without_bias():
    scales = branches(block(drop_path=0.25), maps(400)).round(decimals=6)
    assert set(scales.flatten().tolist()) == {0.0, 1.333333}
    # 400 images at 0.75, scaled up by its inverse: the mean stays, within four standard errors.
    assert scales.mean(1).numpy() == pytest.approx([1, 1], abs=0.12)
    assert (scales[0] != scales[1]).any()  # the two branches are drawn apart


def test_drop_path_is_for_training_only():
    x, dropping, whole = maps(), block(drop_path=0.9), block()
    whole.load_state_dict(dropping.state_dict())
    assert torch.equal(dropping(x), whole(x))
