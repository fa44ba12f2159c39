"""EAT as timm sees it."""

from __future__ import annotations

import json
import socket

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from timm.data import create_transform, resolve_model_data_config
from timm.models import group_modules, group_parameters
from timm.optim import create_optimizer_v2, param_groups_layer_decay

from generic.eat import EAT, EATConfig, set_progress
from generic.eat.registry import PRESETS
from generic.errors import ShapeError

NAME = "eat_tiny_patch4_224"
TINY = {
    "img_size": 64,
    "dims": (8, 16, 32, 64),
    "heads": (1, 2, 4, 8),
    "groups": (1, 1, 2, 4),
    "windows": 2,
    "k_in": (8, 4, 2, 1),
    "stages": ("LS", "L", "EE", "E"),
}


def network(seed=0, **options) -> EAT:
    """A small network by its name in timm, every parameter far from zero."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        built = timm.create_model(NAME, **{**TINY, **options}).eval()
        with torch.no_grad():
            for parameter in built.parameters():
                parameter.add_(0.1 * torch.randn_like(parameter))
    return built


def photos(n=2, chans=3, size=64):
    return torch.randn(n, chans, size, size, generator=torch.Generator().manual_seed(1))


@pytest.fixture(autouse=True)
def nothing_is_fetched(monkeypatch):
    """No host is looked up, and the global generator stays as it was."""

    def refuse(*args, **kwargs):
        raise AssertionError("something asked for the internet")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    with torch.random.fork_rng(devices=[]):
        yield


# ---- the registry ----


def test_every_preset_is_listed():
    assert set(PRESETS) <= set(timm.list_models())
    assert set(timm.list_models("eat_*_patch4_*")) | set(timm.list_models("dat_*_patch4_*")) == set(PRESETS)
    assert all(not timm.is_model_pretrained(name) for name in PRESETS)


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_is_created(name):
    with torch.device("meta"):
        built = timm.create_model(name)
    assert type(built) is EAT
    assert built.config == EATConfig(**PRESETS[name])
    assert built.default_cfg["architecture"] == name
    side = PRESETS[name]["img_size"]
    assert built.default_cfg["input_size"] == (3, side, side)
    assert built.default_cfg["pool_size"] == (built.config.map_side(3),) * 2
    # What timm is told about the first and the last layer.
    assert built.get_submodule(built.default_cfg["first_conv"]).weight.shape[1] == 3
    assert built.get_submodule(built.default_cfg["classifier"]) is built.get_classifier()


def test_options_of_create_model():
    built = network(num_classes=3, in_chans=4, drop_path_rate=0.4, img_size=96, windows=3)
    assert built.stem[0].in_channels == 4
    assert built.config.drop_path_rate == 0.4
    rates = [getattr(block.drop_path, "drop_prob", 0.0) for stage in built.stages for block in stage.blocks]
    assert rates == pytest.approx([0.0, 0.08, 0.16, 0.24, 0.32, 0.4])
    with torch.no_grad():
        assert built(photos(chans=4, size=96)).shape == (2, 3)
        assert network(in_chans=1)(photos(chans=1)).shape == (2, 10)


def test_an_image_size_that_does_not_divide():
    with pytest.raises(ShapeError) as error:
        timm.create_model(NAME, img_size=256)
    assert str(error.value) == (
        "EAT cannot be built: img_size 256 does not divide into patches, stages and windows; "
        "the nearest sizes that do: 224 and 448"
    )


def test_pretrained_weights_are_not_invented():
    with pytest.raises(RuntimeError, match="No pretrained weights exist"):
        timm.create_model(NAME, pretrained=True, **TINY)


# ---- what a photo goes through ----


def test_the_whole_photo_is_seen():
    with torch.device("meta"):
        built = timm.create_model(NAME)
    config = resolve_model_data_config(built)
    transform = create_transform(**config)
    pixels = np.zeros((300, 500, 3), np.uint8)
    pixels[:8], pixels[-8:], pixels[:, :8], pixels[:, -8:] = 255, 255, 255, 255
    seen = transform(Image.fromarray(pixels))
    assert seen.shape == (3, 224, 224)
    shown = seen * torch.tensor(config["std"])[:, None, None] + torch.tensor(config["mean"])[:, None, None]
    # The frame is still there on all four sides: nothing was cropped.
    for edge in (shown[:, 0], shown[:, -1], shown[:, :, 0], shown[:, :, -1]):
        assert edge.min() > 0.9
    assert shown[:, 100:124, 100:124].abs().max() < 0.01


# ---- parts of the forward pass ----


def test_the_parts_make_the_whole():
    built, x = network(), photos()
    with torch.no_grad():
        features = built.forward_features(x)
        assert features.shape == (2, built.num_features, 2, 2)
        pooled = built.forward_head(features, pre_logits=True)
        assert pooled.shape == (2, built.head_hidden_size)
        torch.testing.assert_close(pooled, features.mean((2, 3)))
        assert torch.equal(built.forward_head(features), built.get_classifier()(pooled))
        assert torch.equal(built.forward_head(features), built(x))


def test_the_last_layer_is_replaced():
    built, x = network(), photos()
    with torch.no_grad():
        pooled = built.forward_head(built.forward_features(x), pre_logits=True)
        built.reset_classifier(0)
        assert built.num_classes == 0
        assert torch.equal(built(x), pooled)
        built.reset_classifier(4)
        assert built(x).shape == (2, 4)
    assert built.get_classifier().out_features == built.num_classes == built.options["num_classes"] == 4
    again = EAT(**built.options)
    again.load_state_dict(built.state_dict())


def test_only_the_average_pools():
    with pytest.raises(ShapeError) as error:
        network().reset_classifier(3, "max")
    assert str(error.value) == "EAT pools by the average, not by 'max'; leave global_pool out"
    network().reset_classifier(3, "avg")


# ---- maps in between ----


def hooked(built, x):
    """The stages' maps, as hooks see them."""
    maps = []
    handles = [stage.register_forward_hook(lambda *seen: maps.append(seen[2])) for stage in built.stages]
    with torch.no_grad():
        built(x)
    for handle in handles:
        handle.remove()
    return maps


@pytest.mark.parametrize(
    ("indices", "taken"),
    [(None, [0, 1, 2, 3]), (2, [2, 3]), ([0, 2], [0, 2]), ([-1], [3]), ([-3, -1], [1, 3]), ([1], [1])],
)
@pytest.mark.parametrize("stop_early", [False, True])
def test_forward_intermediates(indices, taken, stop_early):
    built, x = network(), photos()
    maps = hooked(built, x)
    with torch.no_grad():
        final, got = built.forward_intermediates(x, indices, stop_early=stop_early)
        alone = built.forward_intermediates(x, indices, stop_early=stop_early, intermediates_only=True)
        normed = built.forward_intermediates(x, indices, norm=True, intermediates_only=True)
        last = built.norm(maps[3])
    # The last map that was computed.
    assert torch.equal(final, last if 3 in taken or not stop_early else maps[taken[-1]])
    assert len(got) == len(alone) == len(normed) == len(taken)
    for index, one, other, norm in zip(taken, got, alone, normed, strict=True):
        assert torch.equal(one, maps[index])
        assert torch.equal(other, maps[index])
        assert torch.equal(norm, last if index == 3 else maps[index])


def test_stopping_early_computes_no_more():
    built, x = network(), photos()
    ran = []
    for index, stage in enumerate(built.stages):
        stage.register_forward_hook(lambda *_, index=index: ran.append(index))
    with torch.no_grad():
        built.forward_intermediates(x, [1], stop_early=True, intermediates_only=True)
        assert ran == [0, 1]
        built.forward_intermediates(x, [1], intermediates_only=True)
        assert ran == [0, 1, 0, 1, 2, 3]


def test_maps_have_one_format():
    with pytest.raises(ShapeError) as error:
        network().forward_intermediates(photos(), output_fmt="NLC")
    assert str(error.value) == "EAT gives maps as NCHW, not as 'NLC'"


@pytest.mark.parametrize(("indices", "taken"), [(None, (0, 1, 2, 3)), ((1, 3), (1, 3)), ((0, 1), (0, 1))])
def test_features_only(indices, taken):
    whole, x = network(), photos()
    options = {} if indices is None else {"out_indices": indices}
    extractor = network(features_only=True, **options)
    assert extractor.feature_info.channels() == [TINY["dims"][i] for i in taken]
    assert extractor.feature_info.reduction() == [4 * 2**i for i in taken]
    state = whole.state_dict()
    extractor.load_state_dict({name: state[name.removeprefix("model.")] for name in extractor.state_dict()})
    with torch.no_grad():
        maps = extractor.eval()(x)
    for index, one, chans, reduction in zip(
        taken, maps, extractor.feature_info.channels(), extractor.feature_info.reduction(), strict=True
    ):
        assert one.shape == (2, chans, 64 // reduction, 64 // reduction)
        assert torch.equal(one, hooked(whole, x)[index])
    # Stages after the last one are gone, and so is the head.
    assert len(extractor.model.stages) == taken[-1] + 1
    assert not any("head" in name for name in extractor.state_dict())


@pytest.mark.parametrize("prune_norm", [False, True])
def test_pruned_layers(prune_norm):
    built, x = network(), photos()
    maps = hooked(built, x)
    assert built.prune_intermediate_layers([0, 1], prune_norm=prune_norm) == [0, 1]
    with torch.no_grad():
        final, got = built.forward_intermediates(x, norm=True)
    assert torch.equal(final, maps[1])
    assert torch.equal(got[1], maps[1])
    assert not list(built.head.parameters())
    assert bool(list(built.norm.parameters())) is not prune_norm


# ---- training with timm ----


def test_no_weight_decay_names_are_parameters():
    built = network()
    names = built.no_weight_decay()
    parameters = dict(built.named_parameters())
    assert names <= set(parameters)
    attentions = [block.attention for stage in built.stages for block in stage.blocks]
    exempt = [a.bias_table for a in attentions]
    exempt += [a.interest.start for a in attentions if getattr(a, "interest", None) is not None]
    assert {id(parameters[name]) for name in names} == {id(value) for value in exempt}
    assert len(names) == 6 + 3
    groups = create_optimizer_v2(built, "adamw", lr=1e-3, weight_decay=0.1).param_groups
    free = {id(p) for group in groups if group["weight_decay"] == 0 for p in group["params"]}
    assert {id(parameters[name]) for name in names} <= free


@pytest.mark.parametrize(("coarse", "n_groups"), [(False, 1 + 6 + 2 + 1), (True, 1 + 4 + 1)])
def test_group_matcher_finds_every_parameter_once_and_in_order(coarse, n_groups):
    built = network()
    groups = group_parameters(built, built.group_matcher(coarse=coarse))
    names = [name for number in sorted(groups) for name in groups[number]]
    assert sorted(names) == sorted(name for name, _ in built.named_parameters())
    assert sorted(groups) == list(range(len(groups)))
    # The order of the layers in the network; the head comes last.
    number = {name: group for group, members in groups.items() for name in members}
    in_order = [number[name] for name, _ in built.named_parameters()]
    assert in_order == sorted(in_order)
    assert number["stem.0.weight"] == 0
    assert number["head.weight"] == len(groups) - 1 > number["norm.weight"]
    assert any(group_modules(built, built.group_matcher(coarse=coarse)))


def test_layer_decay_grows_with_depth():
    built = network()
    groups = param_groups_layer_decay(
        built, weight_decay=0.05, layer_decay=0.5, no_weight_decay_list=built.no_weight_decay()
    )
    scale = {id(p): group["lr_scale"] for group in groups for p in group["params"]}
    decay = {id(p): group["weight_decay"] for group in groups for p in group["params"]}
    assert len(scale) == sum(len(group["params"]) for group in groups) == len(list(built.parameters()))
    scales = [scale[id(p)] for p in built.parameters()]
    assert scales == sorted(scales)
    blocks = [block for stage in built.stages for block in stage.blocks]
    firsts = [scale[id(block.norm1.weight)] for block in blocks]
    assert firsts == sorted(set(firsts))
    assert scale[id(built.head.weight)] == 1.0
    assert scale[id(built.stem[0].weight)] < firsts[0]
    assert decay[id(blocks[0].attention.bias_table)] == 0
    assert decay[id(blocks[0].attention.qkv.weight)] == 0.05


def test_checkpointing_changes_nothing():
    x, results = photos(4), []
    for enable in (False, True):
        built = network(drop_path_rate=0.5, drop_rate=0.2, attn_drop_rate=0.2).train()
        set_progress(built, 0.25)
        built.set_grad_checkpointing(enable)
        assert [stage.grad_checkpointing for stage in built.stages] == [enable] * 4
        saved = 0

        def count(tensor):
            nonlocal saved
            saved += tensor.numel()
            return tensor

        torch.manual_seed(3)
        with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
            loss = built(x).square().mean()
        loss.backward()
        results.append(
            (loss.detach(), {n: p.grad for n, p in built.named_parameters()}, saved, torch.rand(4))
        )
    (loss, gradients, plain, after), (loss2, gradients2, less, after2) = results
    assert torch.equal(loss, loss2)
    # The streams of random numbers are where they were: also the next draw is the same.
    assert torch.equal(after, after2)
    for name, gradient in gradients.items():
        assert gradient is not None, name
        torch.testing.assert_close(gradients2[name], gradient, rtol=1e-5, atol=1e-7)
    assert less < plain / 4


def test_checkpointing_can_be_switched_off():
    built = network()
    built.set_grad_checkpointing()
    built.set_grad_checkpointing(enable=False)
    assert [stage.grad_checkpointing for stage in built.stages] == [False] * 4


# ---- files ----


def test_saved_and_read_again(tmp_path, capsys):
    built, x = network(final=("tanh", "clamp", "none", "tanh"), offset_range=(None, 1.0, 2.0, 0.5)), photos()
    built.save_pretrained(tmp_path)
    assert json.loads((tmp_path / "config.json").read_text()) == json.loads(json.dumps(built.options))
    again = EAT.from_pretrained(tmp_path)
    assert capsys.readouterr() == ("", "")
    assert again.config == built.config
    assert not again.training
    with torch.no_grad():
        assert torch.equal(again(x), built(x))
        # Another value than the file's: also that of a field that has no weights.
        other = EAT.from_pretrained(str(tmp_path), eta=1.0)
        assert other.config.eta == 1.0
        assert not torch.equal(other(x), built(x))


def test_a_replaced_head_is_saved(tmp_path):
    built = network()
    built.reset_classifier(3)
    built.save_pretrained(tmp_path)
    again = EAT.from_pretrained(tmp_path)
    assert again.num_classes == 3
    with torch.no_grad():
        assert torch.equal(again(photos()), built(photos()))


def test_a_file_that_does_not_fit_is_refused(tmp_path):
    network(stages=("LS", "L", "EE", "L")).save_pretrained(tmp_path)
    with pytest.raises(RuntimeError, match=r"Missing key.*stages\.3\.blocks\.0\.attention\.q\.weight"):
        EAT.from_pretrained(tmp_path, stages=("LS", "L", "EE", "E"))
