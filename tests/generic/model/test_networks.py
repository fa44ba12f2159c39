"""A model file's kind decides what is built; whatever does not fit is said in one line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from generic.errors import CheckpointError
from generic.model import networks
from generic.model.checkpoint import NETWORK, Header, load_checkpoint, save_checkpoint
from generic.model.generic_model import GenericModel

EAT_OPTIONS = {
    "patch_size": 4,
    "dims": [8, 16],
    "stages": ["L", "E"],
    "heads": [1, 2],
    "groups": [1, 2],
    "windows": 2,
    "k_in": 2,
    "k_offset": 3,
}
ARCHITECTURE = {
    **EAT_OPTIONS,
    "kind": "eat",
    "num_classes": 3,
    "size": 32,
    "bins": [1, 2, 3],
    "softmax": True,
}


@pytest.fixture(scope="module")
def state():
    torch = pytest.importorskip("torch")
    from generic.eat import EAT

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = EAT(img_size=32, num_classes=3, **EAT_OPTIONS)
    return {name: value.numpy() for name, value in network.state_dict().items()}


def refusal(architecture, state) -> str:
    with pytest.raises(CheckpointError) as caught:
        networks.build(architecture, state)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("kind", ["resnet", None, ["eat"]])
def test_another_kind_of_network_is_refused(kind):
    assert refusal({"kind": kind, "size": 64}, {}) == (
        f"the model file holds a network of kind {kind!r}; this piaa knows eat, eat_lite, timm"
    )


def test_a_header_without_kind_is_refused():
    assert (
        refusal({}, {}) == "the model file holds a network of kind None; this piaa knows eat, eat_lite, timm"
    )


def test_each_kind_is_built(tiny_model, state):
    pytest.importorskip("torch")
    from generic.eat.scorer import EATScorer
    from generic.lite.piaa_lite import PiaaLite

    header, tensors = load_checkpoint(tiny_model)
    lite = {key.removeprefix(NETWORK): value for key, value in tensors.items() if key.startswith(NETWORK)}
    for network, kind in (
        (networks.build(header.architecture, lite), PiaaLite),
        (networks.build(ARCHITECTURE, state), EATScorer),
    ):
        assert isinstance(network, kind)
        assert not network.training
        assert not any(parameter.requires_grad for parameter in network.parameters())
        assert not any(tensor.is_meta for tensor in (*network.parameters(), *network.buffers()))


def without(key):
    return {name: value for name, value in ARCHITECTURE.items() if name != key}


def test_what_does_not_fit_is_refused_in_one_line(state):
    def misfit(reason):
        return f"the model file's tensors do not fit its architecture: {reason}"

    assert refusal(without("bins"), state) == misfit("bins is missing")
    assert refusal({**ARCHITECTURE, "bins": [1, 2]}, state) == misfit(
        "an EAT with 3 outputs needs 3 rising bins, got [1, 2]; give the score of each output, or none for a "
        "single output"
    )
    assert refusal({**ARCHITECTURE, "colour": 1}, state) == misfit(
        "EATConfig.__init__() got an unexpected keyword argument 'colour'"
    )
    assert refusal({**ARCHITECTURE, "size": 30}, state) == misfit(
        "EAT cannot be built: img_size 30 does not divide into patches, stages and windows; the nearest "
        "sizes that do: 24 and 32"
    )
    nothing = refusal(ARCHITECTURE, {})
    assert nothing.startswith(
        misfit("Error(s) in loading state_dict for EAT: Missing key(s) in state_dict: ")
    )
    assert nothing.endswith(" ...")
    assert len(nothing) == len(misfit("")) + 400 + len(" ...")
    fewer = {key: value for key, value in state.items() if key != "head.bias"}
    assert refusal(ARCHITECTURE, fewer) == misfit(
        'Error(s) in loading state_dict for EAT: Missing key(s) in state_dict: "head.bias".'
    )


def test_a_start_that_was_never_trained_is_no_model(state, tmp_path):
    path = tmp_path / "start.safetensors"
    tensors = {NETWORK + key: value for key, value in state.items()}
    header = Header(name="start", architecture={**ARCHITECTURE, "head": "fresh"}, scale=(1, 3))
    save_checkpoint(path, header, tensors)
    with pytest.raises(CheckpointError) as caught:
        GenericModel(path)
    assert str(caught.value) == (
        f"model file {path} is a start for `piaa pretrain`, not a trained model: its head is fresh; "
        f"train it first, or name a trained model"
    )
    # Training does read it.
    read, arrays = load_checkpoint(path)
    network = networks.build(read.architecture, {k.removeprefix(NETWORK): v for k, v in arrays.items()})
    assert np.array_equal(network.network.head.bias.numpy(), state["head.bias"])


def test_importing_the_dispatch_imports_no_torch():
    program = "import json, sys, generic.model.networks; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        cwd=Path(__file__).resolve().parents[3],
    )
    assert not {"torch", "timm"} & set(json.loads(done.stdout))
