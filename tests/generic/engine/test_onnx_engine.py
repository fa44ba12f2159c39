"""ONNX Runtime on a graph of known arithmetic: one photo a call, the same bits whoever calls."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from generic.engine.onnx_engine import GPU, OnnxEngine
from generic.errors import CheckpointError, EngineError

SIZE, WIDTH = 8, 5


def graph(size: int = SIZE) -> bytes:
    """The mean of each channel of a photo, in [0, 1], times a matrix."""
    matrix = np.random.default_rng(0).standard_normal((3, WIDTH)).astype(np.float32)
    ends = [
        helper.make_tensor_value_info("photo", TensorProto.UINT8, [1, size, size, 3]),
        helper.make_tensor_value_info("vector", TensorProto.FLOAT, [1, WIDTH]),
    ]
    nodes = [
        helper.make_node("Cast", ["photo"], ["wide"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["wide", "axes"], ["mean"], keepdims=0),
        helper.make_node("Div", ["mean", "white"], ["unit"]),
        helper.make_node("MatMul", ["unit", "matrix"], ["vector"]),
    ]
    constants = [
        numpy_helper.from_array(np.array([1, 2]), "axes"),
        numpy_helper.from_array(np.float32(255), "white"),
        numpy_helper.from_array(matrix, "matrix"),
    ]
    body = helper.make_graph(nodes, "means", ends[:1], ends[1:], constants)
    return helper.make_model(
        body, opset_imports=[helper.make_opsetid("", 18)], ir_version=9
    ).SerializeToString()


@pytest.fixture(scope="module")
def photos():
    return np.random.default_rng(1).integers(0, 256, (40, SIZE, SIZE, 3), np.uint8)


def test_the_vector_is_that_of_the_graph(photos):
    matrix = np.random.default_rng(0).standard_normal((3, WIDTH)).astype(np.float32)
    got = OnnxEngine(graph(), "tiny.onnx").vector(photos[0])
    assert (got.dtype, got.shape) == (np.float32, (WIDTH,))
    np.testing.assert_allclose(got, photos[0].mean((0, 1)) / 255 @ matrix, atol=1e-6)


def test_many_callers_and_many_photos_give_the_same_bits(photos):
    engine = OnnxEngine(graph(), "tiny.onnx")
    alone = np.stack([engine.vector(photo) for photo in photos])
    np.testing.assert_array_equal(engine.vectors(photos), alone)
    np.testing.assert_array_equal(engine.vectors(photos[::-1])[::-1], alone)
    np.testing.assert_array_equal(engine.vectors(photos[:1]), alone[:1])
    with ThreadPoolExecutor(8) as pool:
        again = list(pool.map(engine.vector, [photo for photo in photos for _ in range(5)]))
    np.testing.assert_array_equal(np.stack(again[::5]), alone)


def test_a_graph_that_cannot_be_loaded_is_one_line():
    with pytest.raises(CheckpointError) as caught:
        OnnxEngine(graph()[:-20], "cut.onnx")
    message = str(caught.value)
    assert message.startswith("model file cut.onnx has a graph that ONNX Runtime ")
    assert message.endswith("; export the model again")
    assert "\n" not in message


@pytest.mark.skipif(GPU in onnxruntime.get_available_providers(), reason="ONNX Runtime is one for GPUs here")
def test_a_gpu_that_is_not_there_is_said():
    with pytest.raises(EngineError) as caught:
        OnnxEngine(graph(), "tiny.onnx", gpu=True)
    assert str(caught.value) == (
        f"a GPU is asked for, and ONNX Runtime {onnxruntime.__version__} has "
        f"{', '.join(onnxruntime.get_available_providers())} here and not CUDAExecutionProvider; install "
        "onnxruntime-gpu in the place of onnxruntime, with CUDA and cuDNN, or leave --gpu out"
    )


@pytest.mark.skipif(GPU not in onnxruntime.get_available_providers(), reason="ONNX Runtime has no GPU here")
def test_a_gpu_gives_the_same_to_a_few_digits(photos):
    on_gpu, on_cpu = (OnnxEngine(graph(), "tiny.onnx", gpu=gpu) for gpu in (True, False))
    np.testing.assert_allclose(on_gpu.vectors(photos), on_cpu.vectors(photos), atol=1e-5)
