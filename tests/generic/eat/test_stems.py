"""Opening stems: what they are measured to be, their weights from a file, and everything refused."""

from __future__ import annotations

import re

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save_file

import generic.eat  # noqa: F401 - registers eat_lite
from generic.eat.stems import nchw, open_stem
from generic.errors import CheckpointError, ShapeError


def images(n=2, size=64):
    return torch.from_numpy(np.random.default_rng(0).standard_normal((n, 3, size, size))).float()


def raises(error, message):
    return pytest.raises(error, match=f"^{re.escape(message)}$")


def whole(name, seed=3):
    """The whole classification model, every tensor of it away from where models begin."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = timm.create_model(name).eval()
        with torch.no_grad():
            for tensor in model.state_dict().values():
                if tensor.is_floating_point():
                    tensor.add_(0.01 * torch.rand_like(tensor))
    return model


# ---- measuring ----


@torch.no_grad()
@pytest.mark.parametrize("name", ["resnet10t", "mambaout_femto", "vit_tiny_patch16_224", "pit_ti_224"])
def test_maps_are_as_measured_and_as_timm_says(name):
    stem = open_stem(name, 2, (64, 64))
    assert stem.channels == tuple(stem.network.feature_info.channels())
    assert stem.sizes == tuple((64 // r, 64 // r) for r in stem.network.feature_info.reduction())
    assert stem.reduction == stem.network.feature_info.reduction()[-1]
    shapes = [tuple(x.shape) for x in nchw(stem.network, images())]
    assert shapes == [(2, c, h, w) for c, (h, w) in zip(stem.channels, stem.sizes, strict=True)]


def test_published_preprocessing():
    assert open_stem("tf_efficientnet_lite0", 1, (64, 64)).preprocessing == {
        "mean": (0.5,) * 3,
        "std": (0.5,) * 3,
    }
    assert open_stem("resnet10t", 1, (64, 64)).preprocessing["mean"] == (0.485, 0.456, 0.406)


# ---- weights ----


@torch.no_grad()
@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
@pytest.mark.parametrize("name", ["resnet10t", "convnext_atto"])
def test_weights_of_the_whole_model_fill_the_stem(tmp_path, name, suffix):
    model = whole(name)
    path = tmp_path / f"weights{suffix}"
    (save_file if suffix == ".safetensors" else torch.save)(model.state_dict(), path)
    stem = open_stem(name, 2, (64, 64), weights=path).network.eval()
    assert torch.equal(nchw(stem, images())[-1], model.forward_features(images()))


@pytest.mark.parametrize(
    "name", ["mobilenetv3_small_050", "pit_ti_224", "hrnet_w18_small", "vit_tiny_patch16_224"]
)
def test_every_tensor_of_other_kinds_of_stems_is_found(tmp_path, name):
    model = whole(name)
    path = tmp_path / "weights.safetensors"
    save_file(model.state_dict(), path)
    state = open_stem(name, 2, (224, 224), weights=path).network.state_dict()
    values = list(model.state_dict().values())
    for tensor in state.values():
        assert any(tensor.shape == value.shape and torch.equal(tensor, value) for value in values)


def test_position_tables_are_resized(tmp_path):
    model = whole("vit_tiny_patch16_224")
    with torch.no_grad():
        model.pos_embed.copy_(torch.arange(192.0).expand_as(model.pos_embed))  # the same everywhere
    path = tmp_path / "weights.safetensors"
    save_file(model.state_dict(), path)
    table = open_stem("vit_tiny_patch16_224", 1, (64, 64), weights=path).network.model.pos_embed
    assert table.shape == (1, 1 + 4 * 4, 192)
    torch.testing.assert_close(table, torch.arange(192.0).expand_as(table), atol=1e-3, rtol=0)


def test_weights_of_another_model(tmp_path):
    path = tmp_path / "weights.pth"
    state = whole("resnet10t").state_dict()
    del state["layer4.0.conv2.weight"]
    torch.save(state, path)
    with raises(
        CheckpointError,
        f"stem weights {path} do not fit timm's 'resnet10t' (Error(s) in loading state_dict for "
        f'ResNet: Missing key(s) in state_dict: "layer4.0.conv2.weight".); give a file of that whole model, '
        f"its classifier included",
    ):
        open_stem("resnet10t", 2, (64, 64), weights=path)


def test_a_file_of_no_weights_and_no_file(tmp_path):
    path = tmp_path / "weights.safetensors"
    path.write_bytes(b"\x08\0\0\0\0\0\0\0no json.")
    message = f"stem weights {path} do not fit timm's 'resnet10t' (Error while deserializing header: "
    with pytest.raises(
        CheckpointError, match=f"^{re.escape(message)}[^\n]*; give a file of that whole model"
    ):
        open_stem("resnet10t", 2, (64, 64), weights=path)
    with raises(CheckpointError, f"stem weights {tmp_path} do not exist; give a file of timm's 'resnet10t'"):
        open_stem("resnet10t", 2, (64, 64), weights=tmp_path)


def test_a_pickle_that_runs_code_is_refused(tmp_path):
    class Trap:
        def __reduce__(self):
            return (exec, ("raise SystemExit",))

    path = tmp_path / "weights.pth"
    torch.save({"layer": Trap()}, path)
    # The code would leave this test by another exception.
    with pytest.raises(CheckpointError, match=f"^stem weights {re.escape(str(path))} do not fit"):
        open_stem("resnet10t", 2, (64, 64), weights=path)


def test_weights_that_nobody_published():
    with raises(
        CheckpointError,
        "published weights of stem 'resnet50t' cannot be had (No pretrained weights exist for resnet50t. Use "
        "`pretrained=False` for random init.); give a file of them as stem_weights, or leave pretrained_stem "
        "out",
    ):
        open_stem("resnet50t", 2, (64, 64), pretrained=True)


# ---- refusals ----


def test_an_unknown_name():
    with raises(
        ShapeError,
        "timm knows no stem 'mobilenet_v3_small'; the nearest names are mobilenetv3_small_100, "
        "mobilenetv3_small_075, mobilenetv3_small_050; timm.list_models() lists all",
    ):
        open_stem("mobilenet_v3_small", 2, (64, 64))


def test_a_model_without_maps():
    with raises(
        ShapeError,
        "stem 'eat_lite' cannot give its maps ('EATLite' object has no attribute 'feature_info'); choose a "
        "timm model that supports features_only, such as 'mobilenetv3_small_050'",
    ):
        open_stem("eat_lite", 2, (64, 64))


def test_more_maps_than_there_are():
    with raises(
        ShapeError, "stem 'resnet10t' has 5 maps, fewer than the 6 asked for; give layers fewer entries"
    ):
        open_stem("resnet10t", 6, (64, 64))


def test_images_too_small():
    with raises(
        ShapeError,
        "stem 'inception_next_atto' cannot take images of 8x8 pixels (Calculated padded input size per "
        "channel: (1 x 1). Kernel size: (2 x 2). Kernel size can't be greater than actual input size); "
        "choose another img_size",
    ):
        open_stem("inception_next_atto", 2, (8, 8))


def test_images_that_do_not_divide_into_patches():
    with raises(
        ShapeError,
        "stem 'nest_tiny' cannot take images of 50x50 pixels (`patch_size` must divide `img_size` evenly); "
        "choose another img_size",
    ):
        open_stem("nest_tiny", 2, (50, 50))
