"""Model files as ONNX: the same numbers as torch, the same identity, whatever kind of network."""

from __future__ import annotations

import dataclasses
import hashlib

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from generic.engine.torch_engine import TorchEngine
from generic.errors import CheckpointError
from generic.model import export
from generic.model.checkpoint import NETWORK, Header, load_checkpoint, read_header, save_checkpoint
from generic.model.export import Checked, export_onnx, refuse_far, trace
from generic.model.generic_model import GenericModel
from generic.model.networks import build

EAT = {
    "kind": "eat",
    "patch_size": 4,
    "dims": [8, 16],
    "stages": ["L", "E"],
    "heads": [1, 2],
    "groups": [1, 2],
    "windows": 2,
    "k_in": 2,
    "k_offset": 3,
    "num_classes": 3,
    "size": 32,
    "bins": [1, 2, 3],
    "softmax": True,
}
TIMM = {
    "kind": "timm",
    "name": "test_resnet",
    "options": {},
    "size": 32,
    "outputs": 1,
    "bins": [],
    "softmax": False,
    "mean": [0.5, 0.4, 0.3],
    "std": [0.2, 0.3, 0.4],
}


def written(architecture, path):
    """A model file of a network with random weights, its large tensors in half precision."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        if architecture["kind"] == "eat":
            from generic.eat.eat import EAT as EAT_CLASS

            plain = {k: v for k, v in architecture.items() if k not in ("kind", "size", "bins", "softmax")}
            network = EAT_CLASS(img_size=architecture["size"], **plain)
        else:
            import timm

            network = timm.create_model(architecture["name"], num_classes=1)
    state = {key: value.numpy() for key, value in network.state_dict().items()}
    tensors = {NETWORK + k: v.astype(np.float16) if v.size > 500 else v for k, v in state.items()}
    tensors["prior.mean"] = np.arange(3.0)
    header = Header(name="tiny", architecture=architecture, scale=(1.0, 3.0), figures={"srcc": 0.5})
    save_checkpoint(path, header, tensors)
    return path


@pytest.fixture(scope="module", params=["eat", "eat_lite", "timm"])
def both(request, tmp_path_factory, tiny_model):
    """A model file, the same exported, what was measured, and the photos it was checked on."""
    folder = tmp_path_factory.mktemp(request.param)
    given = {"eat": EAT, "timm": TIMM}.get(request.param)
    path = tiny_model if given is None else written(given, folder / "tiny.safetensors")
    size = read_header(path).architecture["size"]
    photos = np.random.default_rng(0).integers(0, 256, (5, size, size, 3), np.uint8)
    out = folder / "tiny.onnx"
    return path, out, export_onnx(path, out, photos)[1], photos


def test_an_exported_model_is_the_model(both):
    path, out, checked, photos = both
    before, after = GenericModel(path), GenericModel(out)
    assert after.hash == before.hash
    assert after.header == dataclasses.replace(before.header, engine=after.header.engine)
    wanted = TorchEngine(before.network).vectors(photos)
    got = after.engine.vectors(photos)
    np.testing.assert_allclose(got, wanted, rtol=0, atol=1e-4)
    assert (checked.n, checked.beyond) == (5, 0)
    assert 0 < checked.largest < 1e-4
    for prefix in ("prior.", NETWORK):
        own, theirs = before.tensors(prefix), after.tensors(prefix)
        assert own.keys() == theirs.keys()
        for key, value in own.items():
            np.testing.assert_array_equal(theirs[key], value, strict=True)


def test_an_exported_file_is_onnx_and_may_be_exported_again(both, tmp_path):
    _, out, _, photos = both
    onnx.checker.check_model(onnx.load_model(out, load_external_data=False))
    again = tmp_path / "again.onnx"
    header, _ = export_onnx(out, again, photos)
    assert header.hash == read_header(out).hash
    np.testing.assert_array_equal(
        GenericModel(again).engine.vectors(photos), GenericModel(out).engine.vectors(photos)
    )
    # The exported file is enough to train on: its network is the one that was exported.
    assert load_checkpoint(again)[0] == header
    build(header.architecture, GenericModel(again).tensors(NETWORK))


def test_a_graph_that_is_not_the_network_is_refused_and_not_written(tmp_path, monkeypatch):
    path, out = written(TIMM, tmp_path / "tiny.safetensors"), tmp_path / "tiny.onnx"
    out.write_bytes(b"before")
    photos = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), np.uint8)

    class Other(nn.Module):
        def forward(self, photo):
            return torch.zeros(1, 97) + photo.float().mean()

    graph = trace(Other(), 32)
    monkeypatch.setattr(export, "trace", lambda *_: graph)
    with pytest.raises(CheckpointError) as caught:
        export_onnx(path, out, photos)
    assert str(caught.value) == (
        "the graph of tiny differs from torch by more than 0.0001 on 100.0% of 4 photos, at most 1% may; "
        "this model can be run with torch only"
    )
    assert out.read_bytes() == b"before"


@pytest.mark.parametrize(("beyond", "refused"), [(0.0, False), (0.01, False), (0.0101, True)])
def test_one_photo_in_a_hundred_may_differ(beyond, refused):
    checked = Checked(n=1000, largest=0.1, beyond=beyond)
    if not refused:
        refuse_far(checked, "tiny")
        return
    with pytest.raises(CheckpointError, match=r"^the graph of tiny differs from torch .* on 1\.0% of 1000"):
        refuse_far(checked, "tiny")


def test_a_network_that_torch_cannot_trace_is_one_line():
    class Branches(nn.Module):
        def forward(self, photo):
            return photo.float() if photo.float().mean() > 3 else torch.zeros(1, 2)

    with pytest.raises(CheckpointError) as caught:
        trace(Branches(), 8)
    assert str(caught.value).startswith(f"torch {torch.__version__} cannot make a graph of this network (")
    assert str(caught.value).endswith("); it can be run with torch only")
    assert "\n" not in str(caught.value)


def test_a_graph_file_is_run_and_not_trained(tmp_path):
    from generic.model.graph_file import save_graph

    class Means(nn.Module):
        def forward(self, photo):
            return photo.float().mean((1, 2)) / 255

    graph = trace(Means(), 8).SerializeToString()
    out = tmp_path / "means.onnx"
    header = Header(name="means", architecture={"size": 8}, scale=(0.0, 1.0))
    full = save_graph(out, header, "graph", graph, {"prior.mean": np.arange(2.0)})
    assert load_checkpoint(out)[0] == full
    model = GenericModel(out)
    photo = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)
    np.testing.assert_allclose(model.vector(photo), photo.mean((0, 1)) / 255, atol=1e-6)
    with pytest.raises(CheckpointError, match="is a graph to be run: it holds no network that torch could"):
        _ = model.network
    # Another graph is another model.
    other = save_graph(tmp_path / "b.onnx", header, "graph", trace(Means(), 9).SerializeToString(), {})
    assert other.hash != full.hash
    assert hashlib.sha256(out.read_bytes()).hexdigest() != full.hash
