"""EAT stages on stems of several families, at small sizes and without any network access."""

from __future__ import annotations

import copy
import inspect
import json
import re

import numpy as np
import pytest
import timm
import torch

from generic.eat import look
from generic.eat.attention import DeformableAttention
from generic.eat.hybrid import EATLite
from generic.errors import ShapeError

STEMS = {
    "mobilenetv3_small_050": (24, 288),
    "resnet10t": (256, 512),
    "tf_efficientnet_lite0": (112, 320),
    "convnext_atto": (160, 320),
    "mambaout_femto": (192, 288),  # NHWC
    "swin_s3_tiny_224": (384, 768),  # NHWC, and told its image size
    "vit_tiny_patch16_224": (192, 192),  # a getter, told its image size; both maps are 1/16
}
"""Channels of the two coarsest maps."""
SMALL = "mobilenetv3_small_050"


def build(stem=SMALL, *, seed=0, **options) -> EATLite:
    options = {"img_size": 64, **options}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return EATLite(stem, **options).eval()


def images(n=3, size=(64, 64), seed=0):
    return torch.from_numpy(np.random.default_rng(seed).standard_normal((n, 3, *size))).float()


def attentions(network):
    return [module for module in network.modules() if isinstance(module, DeformableAttention)]


def raises(message):
    return pytest.raises(ShapeError, match=f"^{re.escape(message)}$")


@pytest.fixture(
    scope="module",
    params=[pytest.param(n, marks=pytest.mark.slow if n.startswith("swin") else ()) for n in STEMS],
)
def network(request) -> EATLite:
    """On one of the stems; do not change."""
    return build(request.param, num_classes=4)


# ---- every stem ----


@torch.no_grad()
def test_shapes_and_widths_on_every_stem(network):
    channels = STEMS[network.options["stem"]]
    vit = network.options["stem"].startswith("vit")
    assert [stage.enter.in_channels for stage in network.stages] == list(channels)
    assert [layer.size for layer in attentions(network)] == [(4, 4)] * 2 + [(4, 4) if vit else (2, 2)] * 2
    dims = network.options["dims"]
    assert network.num_features == network.head_hidden_size == sum(dims)
    x = images()
    features = network.forward_features(x)
    assert features.shape == (3, sum(dims))
    # A layer norm's output: no mean, unit variance.
    torch.testing.assert_close(features.mean(1), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(features.var(1, correction=0), torch.ones(3), atol=1e-2, rtol=0)
    assert network.forward_head(features).shape == (3, 4)
    assert network.forward_head(features, pre_logits=True) is features
    torch.testing.assert_close(network(x), network.forward_head(features), atol=0, rtol=0)


@torch.no_grad()
def test_an_image_scores_the_same_alone_and_in_a_batch(network):
    x = images()
    together = network(x)
    alone = torch.cat([network(x[[i]]) for i in range(3)])
    torch.testing.assert_close(alone, together, atol=1e-5, rtol=0)
    assert (together[0] - together[1]).abs().max() > 1e-4
    assert torch.equal(network(x), together)


@torch.no_grad()
def test_every_block_matters(network):
    x = images()
    before = network(x)
    for layer in attentions(network):
        weight, bias = layer.out.weight.clone(), layer.out.bias.clone()
        layer.out.weight.zero_()
        layer.out.bias.zero_()
        assert (network(x) - before).abs().max() > 1e-4
        layer.out.weight.copy_(weight)
        layer.out.bias.copy_(bias)
    assert torch.equal(network(x), before)


def test_gradients_reach_points_offsets_and_the_whole_stem(network):
    network = copy.deepcopy(network)
    (network(images()) ** 2).sum().backward()
    reached = [
        name for name, p in network.named_parameters() if p.grad is not None and p.grad.abs().max() > 0
    ]
    ours, stem = (
        [name for name, _ in network.named_parameters() if name.startswith("stem.") is of_stem]
        for of_stem in (False, True)
    )
    # A bias of the keys moves all logits of a query alike, which a softmax does not see.
    assert [name for name in ours if name not in reached and not name.endswith(".k.bias")] == []
    # Some models begin with branches that are multiplied by 0.
    assert stem[0] in reached
    assert len(set(stem) & set(reached)) > len(stem) / 2


def test_look_finds_every_block(network):
    output, seen = look(network, images())
    with torch.no_grad():
        assert torch.equal(output, network(images()))
    assert list(seen) == [f"stages.{i}.blocks.{j}.attention" for i in range(2) for j in range(2)]
    for layer, what in zip(attentions(network), seen.values(), strict=True):
        h, w = layer.size
        assert what.weights.shape == (3, layer.heads, h * w, h * w)


# ---- the network by hand ----


@torch.no_grad()
@pytest.mark.parametrize("stem", ["convnext_atto", "mambaout_femto"])
def test_it_is_the_maps_through_blocks_pooled_joined_and_normed(stem):
    network = build(stem, layers=(1, 2), k_in=2)
    x = images()
    pooled = []
    for features, stage in zip(network.stem(x), network.stages, strict=True):
        # The two stems differ in where they keep the channels.
        at = stage.enter(features.movedim(3, 1) if stem == "mambaout_femto" else features)
        for block in stage.blocks:
            at = at + block.attention(block.norm1(at))
            at = at + block.mlp(block.norm2(at))
        pooled.append(at.flatten(2).mean(2))
    joined = torch.cat(pooled, 1)
    joined = (joined - joined.mean(1, keepdim=True)) / (
        joined.var(1, correction=0, keepdim=True) + 1e-5
    ).sqrt()
    torch.testing.assert_close(network.forward_features(x), joined, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(
        network(x), joined @ network.head.weight.T + network.head.bias, atol=1e-5, rtol=0
    )


@torch.no_grad()
@pytest.mark.parametrize("stem", ["resnet10t", "mambaout_femto", "vit_tiny_patch16_224"])
def test_maps_need_not_be_square(stem):
    network = build(stem, img_size=(64, 96))
    coarsest = (4, 6) if stem.startswith("vit") else (2, 3)
    assert [layer.size for layer in attentions(network)] == [(4, 6)] * 2 + [coarsest] * 2
    assert network(images(size=(64, 96))).shape == (3, 1)


@torch.no_grad()
@pytest.mark.parametrize("layers", [(2,), (1, 2, 1)])
def test_as_many_maps_as_layers(layers):
    network = build(layers=layers)
    assert [layer.size[0] for layer in attentions(network)] == {1: [2, 2], 3: [8, 4, 4, 2]}[len(layers)]
    assert network(images()).shape == (3, 1)


def test_kernels_leave_7_points_a_side_as_in_the_paper():
    network = build(img_size=224)
    assert network.options["k_in"] == (8, 1)
    assert [layer.grid for layer in attentions(network)] == [(7, 7)] * 4
    assert build(img_size=(192, 256)).options["k_in"] == (6, 1)


def test_kernels_are_clipped_to_the_map():
    assert build(k_in=8).options["k_in"] == (4, 2)
    assert build(k_in=(3, 1)).options["k_in"] == (3, 1)
    assert [layer.grid for layer in attentions(build(k_in=(3, 1)))] == [(2, 2)] * 4


def test_dims_heads_and_groups():
    assert build().options["dims"] == (32, 256)  # of 24 and 288 channels
    assert build("tf_efficientnet_lite0").options["dims"] == (128, 256)  # of 112 and 320
    assert build(dims=(24, 96)).options["heads"] == (1, 3)
    network = build(dims=(24, 96), heads=(2, 6), groups=(1, 3))
    assert [(layer.heads, layer.groups) for layer in attentions(network)] == [(2, 1)] * 2 + [(6, 3)] * 2
    assert {layer.heads for layer in attentions(build(dims=(24, 96), heads=4, groups=2))} == {4}


def test_drop_path_grows_with_depth():
    network = build(layers=(1, 2), drop_path_rate=0.4)
    rates = [block.drop_path.drop_prob for stage in network.stages for block in stage.blocks]
    assert rates == pytest.approx([0, 0.2, 0.4])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network.train()
        assert not torch.equal(network(images()), network(images()))


def test_it_begins_in_training_mode_and_its_measurement_leaves_no_trace():
    network = EATLite(SMALL, img_size=64)
    assert all(module.training for module in network.modules())
    norms = [module for module in network.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    assert {int(norm.num_batches_tracked) for norm in norms} == {0}
    assert all(parameter.grad is None for parameter in network.parameters())


def test_it_can_be_laid_out_without_memory():
    with torch.device("meta"):
        network = EATLite(SMALL, img_size=64)
    network.load_state_dict(build().state_dict(), assign=True)
    assert torch.equal(network.eval()(images()), build()(images()))


@torch.no_grad()
def test_other_channels():
    network = build(in_chans=1)
    assert network(images()[:, :1]).shape == (3, 1)


# ---- what timm asks of a model ----


def test_timm_knows_it():
    x = images(2, (96, 96))
    network = timm.create_model("eat_lite", stem="tf_efficientnet_lite0", img_size=96, num_classes=10)
    assert isinstance(network, EATLite)
    assert network.eval()(x).shape == (2, 10)
    data = timm.data.resolve_model_data_config(network)
    # Those of this stem, and not ImageNet's usual ones.
    assert (data["mean"], data["std"], data["input_size"]) == ((0.5,) * 3, (0.5,) * 3, (3, 96, 96))
    assert data["crop_pct"] == 1.0
    default = timm.create_model("eat_lite")
    assert (default.options["stem"], default.options["img_size"], default.num_classes) == (
        SMALL,
        (224, 224),
        1,
    )
    assert default.pretrained_cfg["mean"] == (0.485, 0.456, 0.406)


def test_options_build_the_same_network_from_json():
    network = build(img_size=(64, 96), layers=(1, 2), heads=2, groups=2, k_in=8, drop_path_rate=0.1)
    assert {*network.options} == {*inspect.signature(EATLite).parameters} - {
        "pretrained_stem",
        "stem_weights",
    }
    again = build(**json.loads(json.dumps(network.options)), seed=1)
    assert again.options == network.options
    again.load_state_dict(network.state_dict())
    x = images(size=(64, 96))
    assert torch.equal(again(x), network(x))


def test_the_classifier_can_be_replaced():
    network = build()
    assert network.get_classifier().out_features == 1
    network.reset_classifier(7)
    assert network(images()).shape == (3, 7)
    assert network.options["num_classes"] == network.num_classes == 7
    network.reset_classifier(0)
    assert torch.equal(network(images()), network.forward_features(images()))
    assert build(num_classes=0)(images()).shape == (3, network.num_features)


def test_position_tables_and_starts_do_not_decay():
    own = build().no_weight_decay()
    assert own == {
        f"stages.{i}.blocks.{j}.attention.{name}"
        for i in range(2)
        for j in range(2)
        for name in ("bias_table", "interest.start")
    }
    extra = [name for name in build("vit_tiny_patch16_224").no_weight_decay() if name.startswith("stem")]
    assert extra == ["stem.model.pos_embed"]


@pytest.mark.parametrize("stem", ["mobilenetv3_small_050", "vit_tiny_patch16_224"])
def test_checkpointing_computes_the_same_gradients_with_fewer_tensors_kept(stem):
    gradients, kept = [], []
    for enable in (False, True):
        network = build(stem)
        network.set_grad_checkpointing(enable)
        sizes = []
        with torch.autograd.graph.saved_tensors_hooks(lambda t: sizes.append(t.numel()) or t, lambda t: t):  # noqa: B023
            total = (network(images()) ** 2).sum()
        total.backward()
        gradients.append(torch.cat([p.grad.flatten() for p in network.parameters() if p.grad is not None]))
        kept.append(sum(sizes))
    torch.testing.assert_close(*gradients, atol=1e-5, rtol=1e-4)
    assert kept[1] < 0.7 * kept[0]


# ---- wrong input ----


def test_images_of_another_size():
    with raises(
        "this EATLite takes images of shape (b, 3, 64, 64), got (2, 3, 64, 96); resize them, or build one "
        "with another img_size"
    ):
        build()(images(2, (64, 96)))
    with raises(
        "this EATLite takes images of shape (b, 3, 64, 64), got (3, 64, 64); resize them, or build one "
        "with another img_size"
    ):
        build()(images()[0])


def test_a_map_of_one_position():
    with raises(
        "stem 'mobilenetv3_small_050' has a map of 1x2 at images of 32x64 pixels, where attention has "
        "nothing to choose from; choose a larger img_size, such as (64, 64)"
    ):
        build(img_size=(32, 64))
    with raises(
        "stem 'mobilenetv3_small_050' has a map of 1x1 at images of 8x8 pixels, where attention has "
        "nothing to choose from; choose a larger img_size, such as (64, 64)"
    ):
        build(img_size=8)


def test_heads_that_do_not_divide():
    with raises(
        "EATLite stage 2: attention with dim 100, 3 heads and 1 groups does not divide; choose heads that "
        "divide dim and groups that divide heads"
    ):
        build(dims=(32, 100))


def test_all_contradictions_at_once():
    with raises(
        "EATLite cannot be built: layers (1, 0) must name at least one map, and one block or more for each; "
        "dims has 3 values for 2 stages; k_in has 1 values for 2 stages"
    ):
        build(layers=(1, 0), dims=(32, 32, 32), k_in=(1,))
    with raises(
        "EATLite cannot be built: layers () must name at least one map, and one block or more for each"
    ):
        build(layers=())
