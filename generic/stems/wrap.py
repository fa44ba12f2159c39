"""Somebody else's graph between a photo and an embedding: preprocessing before it, pooling after it."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import ModelProto, TensorProto, ValueInfoProto, helper

from generic.engine.onnx_engine import INPUT, OUTPUT
from generic.errors import CheckpointError
from generic.stems.nodes import Nodes
from generic.stems.spec import Spec

INNER = "inner."
"""Before every name of the graph's own."""
MOST = 65_536
"""Numbers of an embedding."""


def wrapped(model: ModelProto, spec: Spec) -> bytes:
    """The serialised stem: from a photo, uint8 (1, size, size, 3), to its embedding, float32 (1, d).

    An output (1, d) is the embedding as it is; of maps or tokens it is the mean and the standard deviation
    over their positions.

    Args:
        model: checked by :func:`generic.stems.guard.checked`, which leaves one input and one output.
        spec: its preprocessing.

    Raises:
        CheckpointError: the output is neither.
    """
    inner = onnx.compose.add_prefix(model, INNER).graph
    before, after = Nodes("before."), Nodes("after.")
    _preprocess(before, spec, inner.input[0])
    width = _pool(after, spec, inner.output[0])
    graph = helper.make_graph(
        [*before.nodes, *inner.node, *after.nodes],
        "stem",
        [helper.make_tensor_value_info(INPUT, TensorProto.UINT8, [1, spec.size, spec.size, 3])],
        [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, [1, width])],
        [*inner.initializer, *before.constants, *after.constants],
    )
    whole: ModelProto = helper.make_model(
        graph, opset_imports=model.opset_import, ir_version=model.ir_version
    )
    return bytes(whole.SerializeToString())


def _preprocess(nodes: Nodes, spec: Spec, entry: ValueInfoProto) -> None:
    """From the photo to the graph's own input."""
    low, high = spec.range
    mean, std = np.array(spec.mean), np.array(spec.std)
    x = nodes.add("Cast", INPUT, to=TensorProto.FLOAT)
    x = nodes.add("Mul", x, ((high - low) / (255 * std)).astype(np.float32))
    x = nodes.add("Add", x, ((low - mean) / std).astype(np.float32))
    if spec.layout == "NCHW":
        x = nodes.add("Transpose", x, perm=[0, 3, 1, 2])
    nodes.add("Cast", x, to=entry.type.tensor_type.elem_type, output=entry.name)


def _pool(nodes: Nodes, spec: Spec, found: ValueInfoProto) -> int:
    """From the graph's own output to the embedding; returns d."""
    shape = [dim.dim_value for dim in found.type.tensor_type.shape.dim]
    x = nodes.add("Cast", found.name, to=TensorProto.FLOAT)
    n = int(np.prod(shape))
    if shape[:1] != [1] or n < 2 or len(shape) > 4:
        raise CheckpointError(
            f"the output has shape {shape}, expected [1, d], or maps or tokens of one photo"
        )
    if max(shape) == n:  # one number for each of d places
        nodes.add("Reshape", x, np.array([1, n]), output=OUTPUT)
        return _narrow(n)
    channels_first = len(shape) == 4 and spec.layout == "NCHW"
    c = shape[1] if channels_first else shape[-1]
    if not channels_first:  # channels last: (1, n, c)
        x = nodes.add("Transpose", nodes.add("Reshape", x, np.array([1, n // c, c])), perm=[0, 2, 1])
    x = nodes.add("Reshape", x, np.array([1, c, n // c]))
    share = np.full((n // c, 1), c / n, np.float32)
    mean = nodes.add("MatMul", x, share)
    away = nodes.add("Sub", x, mean)
    variance = nodes.add("MatMul", nodes.add("Mul", away, away), share)
    deviation = nodes.add("Sqrt", nodes.add("Add", variance, np.array([1e-6], np.float32)))
    both = nodes.add("Concat", mean, deviation, axis=1)
    nodes.add("Reshape", both, np.array([1, 2 * c]), output=OUTPUT)
    return _narrow(2 * c)


def _narrow(n: int) -> int:
    if n > MOST:
        raise CheckpointError(f"the embedding would hold {n:,} numbers, at most {MOST:,} are taken")
    return n
