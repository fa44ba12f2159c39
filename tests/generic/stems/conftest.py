"""A small embedding network in ONNX, as somebody else would have it, and what is said of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper

SIDE, WIDTH = 16, 6
MEAN, STD = (0.5, 0.4, 0.3), (0.2, 0.3, 0.4)
SPEC = f"""
size = {SIDE}
mean = {list(MEAN)}
std = {list(STD)}
licence = "CC0-1.0"
"""


def filters() -> np.ndarray:
    return np.random.default_rng(0).standard_normal((WIDTH, 3, 4, 4)).astype(np.float32)


def make_tower(*, layout="NCHW", batch=1, kind=TensorProto.FLOAT, extra=(), ends=("vector",), opset=18):
    """Patches of 4 x 4 pixels to maps, and their mean; extra nodes and outputs beside."""
    shape = [batch, 3, SIDE, SIDE] if layout == "NCHW" else [batch, SIDE, SIDE, 3]
    nodes = [
        *([helper.make_node("Transpose", ["x"], ["y"], perm=[0, 3, 1, 2])] if layout == "NHWC" else []),
        helper.make_node("Conv", ["x" if layout == "NCHW" else "y", "w"], ["maps"], strides=[4, 4]),
        helper.make_node("GlobalAveragePool", ["maps"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["vector"]),
        *extra,
    ]
    weights = filters().astype(np.float16 if kind == TensorProto.FLOAT16 else np.float32)
    graph = helper.make_graph(
        nodes,
        "tower",
        [helper.make_tensor_value_info("x", kind, shape)],
        [helper.make_tensor_value_info(name, kind, None) for name in ends],
        [numpy_helper.from_array(weights, "w")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)


def maps_of(photo: np.ndarray) -> np.ndarray:
    """What the tower makes of a photo, by numpy: shape (6, 16)."""
    x = ((photo / 255 - MEAN) / STD).transpose(2, 0, 1)
    patches = x.reshape(3, 4, 4, 4, 4).transpose(1, 3, 0, 2, 4).reshape(16, -1)
    return (patches @ filters().reshape(WIDTH, -1).T).T


@pytest.fixture
def tower():
    return make_tower


@pytest.fixture
def maps():
    return maps_of


@pytest.fixture
def files(tmp_path):
    """``files(model, extra)``: paths of a network's file and of its specification."""

    def write(model: ModelProto | bytes, extra: str = "") -> tuple[Path, Path]:
        file, spec = tmp_path / "theirs.onnx", tmp_path / "theirs.toml"
        file.write_bytes(model if isinstance(model, bytes) else model.SerializeToString())
        spec.write_text(SPEC + extra)
        return file, spec

    return write


@pytest.fixture
def photo():
    return np.random.default_rng(1).integers(0, 256, (SIDE, SIDE, 3), np.uint8)
