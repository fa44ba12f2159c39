"""ONNX model files, read by our few lines and by the package onnx, which is the reference here."""

from __future__ import annotations

import contextlib

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from generic.model.onnx_file import (
    NotONNX,
    arrays_of,
    graph_checksum,
    metadata,
    weights,
    with_metadata,
)

HEADER = {"name": "tiny", "figures": {"srcc": 0.5, "citation": "Müller, 2024"}}


def model(*constants: onnx.TensorProto) -> onnx.ModelProto:
    """A graph that adds a constant to its input, with further constants beside."""
    one = numpy_helper.from_array(np.float32([1, 2]), "network.one")
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [2]) for name in ("x", "y")]
    node = helper.make_node("Add", ["x", "network.one"], ["y"])
    graph = helper.make_graph([node], "tiny", ends[:1], ends[1:], [one, *constants])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], producer_name="tests")


def view(content: bytes) -> memoryview:
    return memoryview(content)


def test_what_is_written_is_read_by_onnx():
    arrays = {"prior.mean": np.arange(3.0), "prior.count": np.array(7)}
    content = with_metadata(model().SerializeToString(), HEADER, arrays)
    loaded = onnx.load_model_from_string(content)
    onnx.checker.check_model(loaded)
    assert loaded.graph == model().graph
    texts = {entry.key: entry.value for entry in loaded.metadata_props}
    assert texts == metadata(view(content))
    assert set(texts) == {"piaa", "piaa.arrays"}
    for key, value in arrays_of(texts).items():
        np.testing.assert_array_equal(value, arrays[key])
        assert (value.dtype, value.shape) == (arrays[key].dtype, arrays[key].shape)


def test_metadata_of_others_is_replaced_and_the_graph_is_not():
    original = model()
    helper.set_model_props(original, {"author": "somebody", "piaa": "old"})
    before = original.SerializeToString()
    after = with_metadata(before, HEADER, {})
    assert set(metadata(view(before))) == {"author", "piaa"}
    assert set(metadata(view(after))) == {"piaa"}
    assert graph_checksum(view(before)) == graph_checksum(view(after))
    assert with_metadata(after, HEADER, {}) == after


def test_the_checksum_sees_each_bit_of_the_graph():
    one, other = model(), model()
    other.graph.initializer[0].raw_data = np.float32([1, 3]).tobytes()
    assert graph_checksum(view(one.SerializeToString())) != graph_checksum(view(other.SerializeToString()))


@given(
    shape=st.lists(st.integers(0, 4), max_size=3),
    kind=st.sampled_from(["float32", "float16", "float64", "int64"]),
    name=st.text(st.characters(codec="utf-8"), min_size=1, max_size=200),
)
def test_constants_are_read_as_onnx_reads_them(shape, kind, name):
    value = np.arange(np.prod(shape, dtype=int), dtype=kind).reshape(shape)
    content = model(numpy_helper.from_array(value, name)).SerializeToString()
    found = weights(view(content))
    assert set(found) == {"network.one", name}
    np.testing.assert_array_equal(found[name], value, strict=True)


def test_constants_in_other_files_are_refused(tmp_path):
    whole = model()
    constant = whole.graph.initializer[0]
    constant.data_location = TensorProto.EXTERNAL
    constant.external_data.add(key="location", value="/etc/passwd")
    with pytest.raises(NotONNX, match=r"^its weights lie in another file$"):
        weights(view(whole.SerializeToString()))


@given(cut=st.integers(0, 10_000), flipped=st.binary(max_size=3))
def test_damaged_bytes_are_refused_or_read_but_never_anything_else(cut, flipped):
    content = bytearray(with_metadata(model().SerializeToString(), HEADER, {"prior.mean": np.zeros(2)}))
    at = cut % len(content)
    content[at : at + len(flipped)] = flipped
    for read in (metadata, weights, graph_checksum):
        with contextlib.suppress(NotONNX, UnicodeDecodeError):
            read(view(bytes(content[: cut % (len(content) + 1)] if not flipped else content)))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"\x3a\xff\xff\xff\xff\x7f", "a field is longer than the file"),
        (b"\x08" + b"\xff" * 11, "a number has no end"),
        (b"\x08\x80", "a number has no end"),
        (b"\x0b", "wire type 3"),
    ],
)
def test_what_is_no_message(content, reason):
    with pytest.raises(NotONNX) as caught:
        metadata(view(content))
    assert str(caught.value) == reason
