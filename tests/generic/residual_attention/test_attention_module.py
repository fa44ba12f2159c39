"""Units and attention modules: the equations, the mask's range, and that the mask matters."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from generic.errors import ShapeError
from generic.residual_attention.attention_module import AttentionModule, MaskBranch
from generic.residual_attention.residual_units import InceptionUnit, PreActivationUnit, ResNeXtUnit, make_unit

SIDE = 32


def maps(n=2, c=8, side=SIDE):
    return torch.randn(n, c, side, side, generator=torch.Generator().manual_seed(1))


class NoMask(nn.Module):
    """What is left of a mask branch that was taken out: the same weight everywhere."""

    def forward(self, x):
        return torch.ones_like(x)


# ---- the unit ----


@pytest.mark.parametrize(("dim_in", "dim", "stride"), [(8, 8, 1), (8, 16, 1), (8, 8, 2), (8, 16, 2)])
def test_unit_by_its_parts(dim_in, dim, stride):
    unit = PreActivationUnit(dim_in, dim, stride=stride).eval()
    x = maps(c=dim_in)
    ready = unit.norm1(x).clamp(min=0)
    kept = x if (dim_in, stride) == (dim, 1) else unit.shortcut(ready)
    y = unit.norm2(unit.reduce(ready)).clamp(min=0)
    y = unit.norm3(unit.spatial(y)).clamp(min=0)
    with torch.no_grad():
        assert torch.equal(unit(x), kept + unit.expand(y))
        assert unit(x).shape == (2, dim, SIDE // stride, SIDE // stride)


def test_a_unit_whose_last_convolution_is_zero_is_the_identity():
    unit = PreActivationUnit(8, 8)
    nn.init.zeros_(unit.expand.weight)
    assert torch.equal(unit(maps()), maps())


@pytest.mark.parametrize(("dim", "stride"), [(64, 1), (128, 2)])
def test_a_resnext_unit_by_its_parts(dim, stride):
    unit = ResNeXtUnit(64, dim, stride=stride).eval()
    x = maps(c=64, side=12)
    ready = unit.norm1(x).clamp(min=0)
    y = unit.norm2(unit.reduce(ready)).clamp(min=0)
    assert y.shape[1] == dim // 2
    # Each of 32 groups sees its own channels alone.
    weights = unit.spatial.weight.chunk(32)
    groups = [
        F.conv2d(part, weight, stride=stride, padding=1)
        for part, weight in zip(y.chunk(32, 1), weights, strict=True)
    ]
    y = unit.norm3(torch.cat(groups, 1)).clamp(min=0)
    kept = x if unit.shortcut is None else unit.shortcut(ready)
    torch.testing.assert_close(unit(x), kept + unit.expand(y))


@pytest.mark.parametrize(("dim", "stride"), [(8, 1), (16, 2)])
def test_an_inception_unit_by_its_parts(dim, stride):
    unit = InceptionUnit(8, dim, stride=stride).eval()
    x = maps(side=12)
    ready = unit.norm1(x).clamp(min=0)
    parts = []
    for n_spatial, branch in enumerate(unit.branches):
        convolutions = [layer for layer in branch if isinstance(layer, nn.Conv2d)]
        assert [layer.kernel_size for layer in convolutions] == [(1, 1), *[(3, 3)] * n_spatial]
        y = ready
        for layer in branch:
            y = layer(y)
        parts.append(y)
    y = unit.norm2(torch.cat(parts, 1)).clamp(min=0)
    assert y.shape == (2, 3 * dim // 8, 12 // stride, 12 // stride)
    kept = x if unit.shortcut is None else unit.shortcut(ready)
    torch.testing.assert_close(unit(x), kept + unit.expand(y))


@pytest.mark.parametrize(("kind", "far"), [("bottleneck", 1), ("resnext", 1), ("inception", 2)])
def test_how_far_a_unit_sees(kind, far):
    unit = make_unit(kind, 64, 64).eval()
    x = torch.zeros(1, 64, 9, 9, requires_grad=True)
    unit(x + maps(1, 64, 9))[0, :, 4, 4].sum().backward()
    seen = (x.grad[0].abs().sum(0) > 0).nonzero()
    assert (seen.min(0).values.tolist(), seen.max(0).values.tolist()) == ([4 - far] * 2, [4 + far] * 2)


# ---- the mask ----


@pytest.mark.parametrize("poolings", [1, 2, 3])
@pytest.mark.parametrize("side", [1, 7, 13, 32])
def test_a_mask_has_the_maps_size_and_lies_between_0_and_1(poolings, side):
    branch = MaskBranch(8, poolings=poolings, between=1)
    mask = branch(maps(side=side, n=4))
    assert mask.shape == (4, 8, side, side)
    assert mask.min() >= 0
    assert mask.max() <= 1
    assert mask.std() > 0.01


def test_extreme_maps_reach_both_ends_of_the_range():
    branch = MaskBranch(8, poolings=1, between=1).eval()
    mask = branch(1e4 * maps())
    assert (mask.min(), mask.max()) == (0.0, 1.0)


def test_the_branch_has_a_size_for_each_pooling(monkeypatch):
    branch, sizes = MaskBranch(8, poolings=3, between=2), []
    for name in ("down", "links", "up"):
        for index, units in enumerate(getattr(branch, name)):
            units.register_forward_hook(
                lambda _m, _i, out, name=name, index=index: sizes.append((name, index, out.shape[-1]))
            )
    branch(maps())
    assert sizes == [
        *(("down", 0, 16), ("links", 0, 16), ("down", 1, 8), ("links", 1, 8), ("down", 2, 4)),
        *(("up", 2, 4), ("up", 1, 8), ("up", 0, 16)),
    ]
    # r units between poolings, and so 2r at the lowest size.
    assert [len(units) for units in [*branch.down, *branch.up]] == [2] * 6


def test_every_link_matters():
    branch = MaskBranch(8, poolings=3, between=1).eval()
    with torch.no_grad():
        whole = branch(maps())
        for index in range(2):
            link, branch.links[index] = branch.links[index], nn.Threshold(float("inf"), 0.0)
            assert not torch.allclose(branch(maps()), whole, atol=1e-4)
            branch.links[index] = link
        assert torch.equal(branch(maps()), whole)


# ---- the module ----


def seen_by(module, x):
    """Trunk features, mask and what the units after them get."""
    found = {}
    for name in ("trunk", "mask"):
        getattr(module, name).register_forward_hook(
            lambda _m, _i, out, name=name: found.__setitem__(name, out)
        )
    module.after.register_forward_pre_hook(lambda _m, inputs: found.__setitem__("weighted", inputs[0]))
    module(x)
    return found["trunk"], found["mask"], found["weighted"]


@pytest.mark.parametrize("residual", [True, False])
def test_how_the_branches_join(residual):
    module = AttentionModule(8, poolings=2, residual=residual).eval()
    with torch.no_grad():
        features, mask, weighted = seen_by(module, maps())
    expected = (1 + mask) * features if residual else mask * features
    torch.testing.assert_close(weighted, expected, rtol=1e-6, atol=1e-6)
    # Attention residual learning never weakens a feature; the naive form never strengthens one.
    low, high = (1, 2) if residual else (0, 1)
    assert (weighted.abs() >= low * features.abs() - 1e-6).all()
    assert (weighted.abs() <= high * features.abs() + 1e-6).all()


def test_residual_learning_is_the_default():
    module = AttentionModule(8, poolings=1)
    assert module.residual
    assert len(module.before) == len(module.after) == 1
    assert len(module.trunk) == 2


def far_influence(module):
    """Gradient of the first corner's output with respect to positions that its trunk does not reach."""
    x = maps(n=1).requires_grad_()
    module.eval()(x)[0, :, 0, 0].sum().backward()
    reach = len(module.before) + len(module.trunk) + len(module.after)
    influence = x.grad.abs().sum((0, 1))
    influence[: reach + 1, : reach + 1] = 0
    return influence


def test_the_mask_sees_further_than_the_trunk():
    """Fails when the mask branch is taken out: a position's output then depends on its surroundings alone."""
    module = AttentionModule(8, poolings=3)
    assert (far_influence(module)[:16, :16] > 0).float().mean() > 0.5
    module.mask = NoMask()
    assert not far_influence(module).any()


@pytest.mark.parametrize("residual", [True, False])
def test_gradients_reach_both_branches(residual):
    module = AttentionModule(8, poolings=3, residual=residual)
    F.relu(module(maps(n=4))).square().mean().backward()
    still = [n for n, p in module.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert still == []
    assert sum(name.startswith("mask.") for name, _ in module.named_parameters()) > 50


@pytest.mark.parametrize("options", [{"poolings": 0}, {"trunk": 0}, {"between": 0}, {"pre": -1}])
def test_an_impossible_module(options):
    with pytest.raises(ShapeError) as caught:
        AttentionModule(8, **{"poolings": 2, **options})
    values = {"poolings": 2, "pre": 1, "trunk": 2, "between": 1, **options}
    assert str(caught.value) == (
        "an attention module with {poolings} poolings, p = {pre}, t = {trunk}, r = {between}; expected 1 or "
        "more "
        "of each, p may be 0".format(**values)
    )
