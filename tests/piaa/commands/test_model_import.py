"""``piaa models import`` as a person uses it."""

from __future__ import annotations

import json

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from generic.model.checkpoint import read_header

SPEC = 'size = 16\nmean = [0, 0, 0]\nstd = [1, 1, 1]\nlicence = "MIT"\ncitation = "A, 2024"\n'


@pytest.fixture
def theirs(tmp_path):
    """A network of one layer, and its specification."""
    weights = np.random.default_rng(0).standard_normal((8, 3, 16, 16)).astype(np.float32)
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["maps"]),
        helper.make_node("Flatten", ["maps"], ["vector"]),
    ]
    graph = helper.make_graph(
        nodes,
        "tower",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, 16, 16])],
        [helper.make_tensor_value_info("vector", TensorProto.FLOAT, ["n", 8])],
        [numpy_helper.from_array(weights, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    file, spec = tmp_path / "theirs.onnx", tmp_path / "theirs.toml"
    file.write_bytes(model.SerializeToString())
    spec.write_text(SPEC)
    return file, spec


def test_a_tower_becomes_a_stem_and_says_what_it_lacks(piaa, theirs, album, tmp_path):
    file, spec = theirs
    out = tmp_path / "tower.onnx"
    result = piaa("models", "import", file, "--spec", spec, "--out", out)
    header = read_header(out)
    assert result.exit_code == 0
    assert result.stdout == f"{out}: tower {header.hash[:8]}, a stem, no model: theirs.onnx, MIT\n"
    assert result.stderr == (
        "looking at the graph and running it on a photo, in a process of its own\n"
        f"next: piaa models build --stem {out} --ratings FILE --images DIR --scale LOW HIGH --out FILE.onnx\n"
    )
    told = json.loads(piaa("models", "info", out, "--json").stdout)
    assert (told["training"]["licence"], told["training"]["citation"]) == ("MIT", "A, 2024")

    for command in (("score", album, "--user", "ana"), ("explain", album / "photo-01.jpg", "--out", "x.png")):
        refused = piaa(*command, "--model", out)
        assert (refused.exit_code, refused.stdout) == (1, "")
        assert refused.stderr == (
            f"piaa: model file {out} is a stem: it sees photos but has no score; build a model on it: piaa "
            f"models build --stem {out} --ratings FILE --images DIR --scale LOW HIGH --out FILE.onnx\n"
        )


def test_an_existing_stem_is_replaced_on_request_alone(piaa, theirs, tmp_path):
    file, spec = theirs
    out = tmp_path / "tower.onnx"
    out.write_bytes(b"before")
    command = ("models", "import", file, "--spec", spec, "--out", out)
    refused = piaa(*command)
    assert refused.stderr.splitlines()[-1] == (
        f"piaa: cannot write {out}: it exists; name another or pass --overwrite"
    )
    assert out.read_bytes() == b"before"
    told = json.loads(piaa(*command, "--overwrite", "--name", "mine", "--json").stdout)
    assert (told["name"], told["hash"]) == ("mine", read_header(out).hash)
    itself = piaa("models", "import", file, "--spec", spec, "--out", file, "--overwrite")
    assert "it is the source file itself, which would be lost" in itself.stderr


def test_what_is_wrong_is_one_line(piaa, theirs, tmp_path):
    file, spec = theirs
    spec.write_text(SPEC.replace("size = 16", "size = 32"))
    result = piaa("models", "import", file, "--spec", spec, "--out", tmp_path / "tower.onnx")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.splitlines()[1:] == [
        f"piaa: {file}: the input x has shape [None, 3, 16, 16], expected [1, 3, 32, 32] by the "
        f"specification (None: any); correct its size or layout, or export the network for one photo"
    ]
    assert not (tmp_path / "tower.onnx").exists()
