"""The whole network: against the paper's Table 2, as timm sees it, and on real photos."""

from __future__ import annotations

import json

import pytest
import timm
import torch
from timm.data import resolve_model_data_config
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from generic.errors import ShapeError
from generic.photos.open import load_pixels
from generic.residual_attention import ResidualAttentionConfig, ResidualAttentionNetwork
from generic.residual_attention.attention_module import AttentionModule
from generic.residual_attention.residual_attention_network import masks_of

NAMES = ("residual_attention_56", "residual_attention_92")


def photos(n=2, chans=3, side=64):
    return torch.randn(n, chans, side, side, generator=torch.Generator().manual_seed(1))


# ---- the paper's Table 2 ----


def on_paper(name):
    """The network with the paper's head of 1000 classes, without memory for its weights."""
    with torch.device("meta"):
        return timm.create_model(name, num_classes=1000).eval()


@pytest.mark.parametrize(
    ("name", "depth", "ours", "paper", "within"),
    [
        ("residual_attention_56", 56, 31_812_520, 31.9e6, 0.003),
        ("residual_attention_92", 92, 52_470_696, 51.3e6, 0.023),
    ],
)
def test_parameters_and_depth(name, depth, ours, paper, within):
    built = on_paper(name)
    assert built.config.trunk_depth == depth
    count = sum(parameter.numel() for parameter in built.parameters())
    assert count == ours
    assert abs(count / paper - 1) < within


@pytest.mark.parametrize(("name", "paper"), [("residual_attention_56", 6.2), ("residual_attention_92", 10.4)])
def test_multiply_adds(name, paper):
    built = on_paper(name)
    with FlopCounterMode(display=False) as counter:
        built(torch.empty(1, 3, 224, 224, device="meta"))
    # The counter counts two for a multiply-add, the paper one.
    assert counter.get_total_flops() / 2e9 == pytest.approx(paper, rel=0.015)


def test_parameters_of_a_unit_by_hand():
    unit = on_paper("residual_attention_56").stages[3][1]
    # 1x1 2048 -> 512, 3x3 512, 1x1 512 -> 2048, and two numbers a channel for each norm.
    convolutions = 2048 * 512 + 9 * 512 * 512 + 512 * 2048
    assert sum(p.numel() for p in unit.parameters()) == convolutions + 2 * (2048 + 512 + 512)


@pytest.mark.parametrize("name", NAMES)
def test_sizes_of_the_maps(name):
    built, sizes = on_paper(name), []
    for part in (built.stem, *built.stages):
        part.register_forward_hook(lambda _m, _i, out: sizes.append(tuple(out.shape[1:])))
    outputs, masks = masks_of(built, torch.empty(1, 3, 224, 224, device="meta"))
    assert sizes == [(64, 56, 56), (256, 56, 56), (512, 28, 28), (1024, 14, 14), (2048, 7, 7)]
    assert outputs.shape == (1, 1000)
    counts = (1, 1, 1) if name.endswith("56") else (1, 2, 3)
    expected = (
        [(1, 256, 56, 56)] * counts[0] + [(1, 512, 28, 28)] * counts[1] + [(1, 1024, 14, 14)] * counts[2]
    )
    assert [tuple(mask.shape) for mask in masks] == expected


@pytest.mark.parametrize("name", NAMES)
def test_the_smallest_map_of_every_mask_is_the_last_map_of_the_trunk(name):
    built, lowest = on_paper(name), []
    for module in built.modules():
        if isinstance(module, AttentionModule):
            module.mask.down[-1].register_forward_hook(lambda _m, _i, out: lowest.append(out.shape[-1]))
    built(torch.empty(1, 3, 224, 224, device="meta"))
    assert lowest == [7] * len(lowest)
    assert len(lowest) == sum(built.config.modules)


# ---- masks ----


def test_masks_lie_between_0_and_1_and_reading_them_changes_nothing(network):
    built, x = network(), photos()
    with torch.no_grad():
        outputs, masks = masks_of(built, x)
        assert torch.equal(outputs, built(x))
    assert [tuple(mask.shape) for mask in masks] == [(2, 8, 16, 16), (2, 16, 8, 8), (2, 24, 4, 4)]
    assert all(mask.min() >= 0 and mask.max() <= 1 and mask.std() > 0.001 for mask in masks)
    assert not any(module._forward_hooks for module in built.modules())


@pytest.mark.parametrize("residual", [True, False])
def test_the_masks_matter(network, residual):
    """Fails when the mask branches are taken out: the outputs would stay as they are."""
    built, x = network(residual=residual), photos()
    with torch.no_grad():
        whole = built(x)
        for module in built.modules():
            if isinstance(module, AttentionModule):
                module.mask.gate[-1].bias.fill_(-1e4)  # M = 0 everywhere
        assert (built(x) - whole).abs().max() > 0.01 * whole.abs().max()


def test_both_forms_have_the_same_weights_and_other_outputs(network):
    ours, printed = network(), network(residual=False)
    printed.load_state_dict(ours.state_dict())
    with torch.no_grad():
        assert not torch.allclose(ours(photos()), printed(photos()), rtol=0.01)


# ---- timm ----


@pytest.mark.parametrize("name", NAMES)
def test_registered(name):
    assert timm.is_model(name)
    built = on_paper(name)
    assert isinstance(built, ResidualAttentionNetwork)
    config = resolve_model_data_config(built)
    assert config["input_size"] == (3, 224, 224)
    assert (config["crop_pct"], config["crop_mode"], config["interpolation"]) == (1.0, "squash", "bicubic")
    assert built.get_submodule(built.default_cfg["first_conv"]) is built.stem[0]
    assert built.get_submodule(built.default_cfg["classifier"]) is built.get_classifier()


def test_head(network):
    built, x = network(drop_rate=0.5), photos()
    with torch.no_grad():
        features = built.forward_features(x)
        pooled = built.forward_head(features, pre_logits=True)
        assert (tuple(features.shape), tuple(pooled.shape)) == ((2, 32, 2, 2), (2, 32))
        assert features.min() == 0
        assert torch.equal(pooled, features.mean((2, 3)))
        assert torch.equal(built(x), built.get_classifier()(pooled))
        built.reset_classifier(1)
        assert (built.num_classes, built.config.num_classes, tuple(built(x).shape)) == (1, 1, (2, 1))
        built.reset_classifier(0)
        assert torch.equal(built(x), pooled)
    with pytest.raises(ShapeError) as caught:
        built.reset_classifier(2, global_pool="max")
    assert str(caught.value) == ("this network pools by the average, not by 'max'; leave global_pool out")


def test_features_only(network):
    whole, x = network(), photos()
    taps = network(features_only=True, out_indices=(0, 2))
    assert taps.feature_info.channels() == [8, 24]
    assert taps.feature_info.reduction() == [4, 16]
    with torch.no_grad():
        first, third = taps(x)
        map_ = whole.stages[0](whole.stem(x))
        assert torch.equal(first, map_)
        assert torch.equal(third, whole.stages[2](whole.stages[1](map_)))


def test_options_build_the_network_again(network):
    built = network(residual=False, in_chans=1, modules=(2, 1, 0, 1), poolings=(3, 2, 0, 1))
    again = ResidualAttentionNetwork(**json.loads(json.dumps(built.options))).eval()
    again.load_state_dict(built.state_dict())
    assert again.config == built.config
    with torch.no_grad():
        assert torch.equal(again(photos(chans=1)), built(photos(chans=1)))


@pytest.mark.parametrize("side", [17, 32, 50, 96])
def test_photos_of_any_size(network, side):
    with torch.no_grad():
        assert network()(photos(side=side)).isfinite().all()


def test_a_score_does_not_depend_on_its_batch(network):
    built, x = network(), photos(4)
    others = torch.cat([5 * x[3:], -x[:1], x[2:3], x[1:2]])
    with torch.no_grad():
        assert torch.equal(built(x)[2], built(others)[2])
        # Kernels for another number of photos round otherwise; in float64 nothing of it is left.
        built.double()
        torch.testing.assert_close(built(x.double())[2:3], built(x[2:3].double()), rtol=1e-10, atol=1e-10)


# ---- training ----


@pytest.mark.parametrize("residual", [True, False])
def test_it_learns(network, residual):
    built, x = network(residual=residual).train(), photos(8, side=32)
    target = torch.arange(8) % 5
    optimizer = torch.optim.Adam(built.parameters(), 1e-2)
    losses = []
    for _ in range(40):
        loss = F.cross_entropy(built(x), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.2 * losses[0]


def test_real_photos(network, shared_data):
    paths = sorted((shared_data / "oasis_beauty" / "images").iterdir())[:8]
    x = torch.stack([torch.from_numpy(load_pixels(path, 64)).permute(2, 0, 1) for path in paths]) / 127.5 - 1
    with torch.no_grad():
        outputs, masks = masks_of(network(), x)
    assert outputs.isfinite().all()
    assert outputs.std(0).min() > 0
    assert all(mask.min() >= 0 and mask.max() <= 1 for mask in masks)
    assert all(mask.mean(1).std(0).max() > 0.001 for mask in masks)  # other photos, other masks


# ---- options that contradict each other ----


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"modules": (1, 1)}, "modules has 2 values for 4 stages"),
        ({"dims": (8, 10, 12, 16)}, "stage 2 has 10 channels, expected a multiple of 4"),
        (
            {"poolings": (3, 0, 1, 0)},
            "stage 2 has 1 modules with 0 poolings, expected 1 or more poolings for 1 or more modules",
        ),
        ({"trunk": 0, "tail": -1}, "tail is -1, expected 0 or more; trunk is 0, expected 1 or more"),
    ],
)
def test_impossible_options(options, told):
    with pytest.raises(ShapeError) as caught:
        ResidualAttentionConfig(**options)
    assert str(caught.value) == f"a Residual Attention Network cannot be built: {told}"


def test_a_photo_alone_is_no_batch(network):
    with pytest.raises(ShapeError) as caught:
        network()(torch.zeros(3, 64, 64))
    assert str(caught.value) == (
        "this network takes images of shape (b, 3, height, width), got (3, 64, 64); give it a batch, "
        "channels first"
    )


@pytest.mark.parametrize("unit", ["resnext", "inception"])
def test_a_network_of_other_units_learns_and_its_masks_lie_between_0_and_1(network, unit):
    built = network(unit=unit, dims=(64, 64, 128, 128), modules=(1, 1, 0, 0))
    assert built.options["unit"] == unit
    x = torch.randn(2, 3, 64, 64)
    outputs, masks = masks_of(built, x)
    assert outputs.shape == (2, 5)
    assert len(masks) == 2
    assert all(mask.min() >= 0 and mask.max() <= 1 for mask in masks)
    outputs.square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in built.parameters())


def test_units_that_cannot_be(network):
    with pytest.raises(ShapeError) as caught:
        network(unit="dense")
    assert str(caught.value) == (
        "a Residual Attention Network cannot be built: unit is 'dense', expected one of bottleneck, resnext, "
        "inception"
    )
    with pytest.raises(ShapeError) as caught:
        network(unit="resnext", dims=(64, 96, 128, 128))
    assert str(caught.value) == (
        "a Residual Attention Network cannot be built: stage 2 has 96 channels, expected a multiple of 64"
    )
