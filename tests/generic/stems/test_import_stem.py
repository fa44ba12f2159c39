"""Somebody else's network as a stem: its own numbers behind its preprocessing; hostile ones refused."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from generic.engine.onnx_engine import OnnxEngine
from generic.errors import CheckpointError, OutputError
from generic.model.checkpoint import read_graph, read_header
from generic.model.generic_model import GenericModel
from generic.stems import trial
from generic.stems.import_stem import import_stem


@pytest.mark.parametrize(
    ("options", "extra", "tolerance"),
    [
        ({}, "", 1e-5),
        ({"batch": "n", "layout": "NHWC"}, 'layout = "NHWC"', 1e-5),
        ({"kind": TensorProto.FLOAT16}, "", 2e-2),
        ({"opset": 13}, "", 1e-5),
    ],
)
def test_the_stem_gives_the_networks_own_embedding(
    tower, files, maps, photo, tmp_path, options, extra, tolerance
):
    file, spec = files(tower(**options), extra)
    out = tmp_path / "stem.onnx"
    header = import_stem(file, spec, out)
    got = OnnxEngine(read_graph(out), "stem").vector(photo)
    np.testing.assert_allclose(got, maps(photo).mean(1), rtol=0, atol=tolerance)
    assert header == read_header(out)
    assert (header.name, header.architecture["kind"], header.architecture["size"]) == ("stem", "stem", 16)
    assert header.training["licence"] == "CC0-1.0"
    assert header.training["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
    with pytest.raises(CheckpointError, match="is a stem: it sees photos but has no score"):
        GenericModel(out)


def test_maps_and_tokens_become_mean_and_deviation(tower, files, maps, photo, tmp_path):
    tokens = [
        helper.make_node("Constant", [], ["flat"], value=numpy_helper.from_array(np.array([1, 6, 16]))),
        helper.make_node("Reshape", ["maps", "flat"], ["rows"]),
        helper.make_node("Transpose", ["rows"], ["tokens"], perm=[0, 2, 1]),
    ]
    wanted = np.concatenate([maps(photo).mean(1), np.sqrt(maps(photo).var(1) + 1e-6)])
    for end in ("maps", "tokens"):
        file, spec = files(tower(extra=tokens, ends=("vector", end)), f'output = "{end}"\nrange = [0, 1]')
        out = tmp_path / f"{end}.onnx"
        import_stem(file, spec, out)
        got = OnnxEngine(read_graph(out), "stem").vector(photo)
        np.testing.assert_allclose(got, wanted, rtol=0, atol=1e-5)


def refusal(files, model, tmp_path, extra="") -> str:
    file, spec = files(model, extra)
    out = tmp_path / "stem.onnx"
    with pytest.raises(CheckpointError) as caught:
        import_stem(file, spec, out)
    assert not out.exists()
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"{file}")
    return message.removeprefix(f"{file}")


def test_a_graph_that_eats_time_or_memory_ends_with_its_process(tower, files, tmp_path, monkeypatch):
    wide = numpy_helper.from_array(np.array([8192, 8192]))
    heavy = [
        helper.make_node("Constant", [], ["shape"], value=wide),
        helper.make_node("ReduceMean", ["vector"], ["one"], keepdims=0),
        helper.make_node("Expand", ["one", "shape"], ["a0"]),
        *(helper.make_node("MatMul", [f"a{i}", f"a{i}"], [f"a{i + 1}"]) for i in range(40)),
        helper.make_node("ReduceMean", ["a40"], ["b"], keepdims=1),
    ]
    monkeypatch.setattr(trial, "_SECONDS", 3)
    message = refusal(files, tower(extra=heavy, ends=("b",)), tmp_path)
    assert message.startswith(": ")  # by the bounded process, or by its end

    held = [
        helper.make_node("Constant", [], ["shape"], value=wide),
        helper.make_node("ReduceMean", ["vector"], ["one"], keepdims=0),
        *(helper.make_node("Expand", ["one", "shape"], [f"h{i}"]) for i in range(20)),
        helper.make_node("Sum", [f"h{i}" for i in range(20)], ["sum"]),
        helper.make_node("ReduceMean", ["sum"], ["b"], keepdims=1),
    ]
    monkeypatch.undo()
    assert refusal(files, tower(extra=held, ends=("b",)), tmp_path).startswith(": ")


def test_damaged_files_and_files_of_others(tower, files, tmp_path):
    whole = tower().SerializeToString()
    for content in (whole[:-30], b"\x00" * 50, b"not a graph", b"\xff" * 1000):
        assert refusal(files, content, tmp_path).startswith(": ")
    assert refusal(files, b"", tmp_path) == " has 0 bytes, expected an ONNX file of 1 to 2,147,483,647"


def test_an_embedding_that_says_nothing(tower, files, tmp_path):
    zero = [
        helper.make_node("Sub", ["vector", "vector"], ["none"]),
        helper.make_node("Div", ["none", "none"], ["nan"]),
    ]
    assert refusal(files, tower(extra=zero, ends=("none",)), tmp_path) == (
        ": it embeds two photos alike; check input and output of the specification"
    )
    assert refusal(files, tower(extra=zero, ends=("nan",)), tmp_path) == (
        ": its embedding of a photo has numbers that are not finite; check mean, std, range"
    )


def test_files_that_exist_and_files_that_do_not(tower, files, tmp_path):
    file, spec = files(tower())
    there = tmp_path / "a.onnx"
    there.touch()
    with pytest.raises(OutputError, match=r"it exists; name another or pass --overwrite$"):
        import_stem(file, spec, there)
    with pytest.raises(CheckpointError, match=r"^there is no file .*none\.onnx; check the path$"):
        import_stem(tmp_path / "none.onnx", spec, tmp_path / "b.onnx")
