"""Several stems as one graph: from a photo to all their taps, each stem given the photo at its own size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx import ModelProto, NodeProto, TensorProto, helper, version_converter

from generic.engine.onnx_engine import INPUT, OUTPUT, OnnxEngine
from generic.errors import CheckpointError
from generic.extras import require
from generic.model.checkpoint import read_graph
from generic.model.graph_file import read_stem
from generic.photos.find import printable
from generic.stems.nodes import Nodes

LEAST_OPSET = 18
"""Resizing without aliasing is in ONNX from here on."""
TAPS = "taps"
"""Name of what all stems give, float32 (1, t)."""
_IR = 10
"""Version of the format that is written."""


class Stem:
    """A stem that is to be merged.

    Args:
        name: for people.
        model: its graph, as :mod:`generic.engine.onnx_engine` has ends.
        size: side of the square that it looks at, pixels.
        facts: what a model's header will say of it.
    """

    def __init__(self, name: str, model: ModelProto, size: int, facts: dict[str, object]) -> None:
        self.name, self.model, self.size, self.facts = name, model, size, facts
        self.width = int(model.graph.output[0].type.tensor_type.shape.dim[1].dim_value)
        """Taps that it gives."""


def load_stem(text: str) -> Stem:
    """A stem file, or a network of timm with weights that can be had, see :mod:`generic.stems.timm_stem`.

    Raises:
        CheckpointError: it is neither.
    """
    path = Path(text)
    if path.suffix == ".onnx" or path.is_file():
        header = read_stem(path)
        told = ("summary", "licence", "citation", "source", "sha256")
        facts = {key: header.training[key] for key in told if key in header.training}
        model = onnx.load_model_from_string(read_graph(path))
        return Stem(
            header.name,
            model,
            int(header.architecture["size"]),
            {"name": header.name, "hash": header.hash} | facts,
        )
    require("a stem of timm", "torch", "timm", "onnxscript")
    from generic.model.export import trace
    from generic.stems.timm_stem import load_timm_stem

    stem = load_timm_stem(text)
    model = trace(stem, stem.size)
    facts = {"name": stem.name, "summary": stem.words, "tapped": stem.tapped}
    return Stem(stem.name, model, stem.size, facts)


@dataclass(frozen=True, kw_only=True)
class Merged:
    """Stems side by side: nodes from the photo to ``TAPS``, for any tail."""

    size: int
    """Side of the photo, pixels: the largest of the stems'."""
    widths: tuple[int, ...]
    """Taps of each stem."""
    opset: int
    nodes: tuple[NodeProto, ...]
    constants: tuple[TensorProto, ...]

    def ending(self, tail: Nodes, width: int) -> bytes:
        """The serialised model whose tail leads from ``TAPS`` to a vector of ``width`` numbers."""
        graph = helper.make_graph(
            [*self.nodes, *tail.nodes],
            "piaa",
            [helper.make_tensor_value_info(INPUT, TensorProto.UINT8, [1, self.size, self.size, 3])],
            [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, [1, width])],
            [*self.constants, *tail.constants],
        )
        opsets = [helper.make_opsetid("", self.opset)]
        return bytes(helper.make_model(graph, opset_imports=opsets, ir_version=_IR).SerializeToString())

    def taps(self) -> bytes:
        """The serialised model that gives the taps themselves."""
        tail = Nodes("tail.")
        tail.add("Identity", TAPS, output=OUTPUT)
        return self.ending(tail, sum(self.widths))


def merge(stems: Sequence[Stem]) -> Merged:
    """Stems side by side.

    Raises:
        CheckpointError: a stem's operators are of a version that cannot be brought to that of the others.
    """
    size = max(stem.size for stem in stems)
    opset = max(LEAST_OPSET, *(_opset(stem.model) for stem in stems))
    nodes, constants, ends = Nodes("merge."), [], []
    for number, stem in enumerate(stems):
        prefix = f"stem{number}."
        inner = onnx.compose.add_prefix(_at(stem, opset), prefix).graph
        _resize(nodes, size, stem.size, prefix + INPUT)
        nodes.nodes += inner.node
        constants += inner.initializer
        ends.append(prefix + OUTPUT)
    nodes.add("Concat", *ends, axis=1, output=TAPS)
    return Merged(
        size=size,
        widths=tuple(stem.width for stem in stems),
        opset=opset,
        nodes=tuple(nodes.nodes),
        constants=(*constants, *nodes.constants),
    )


def _resize(nodes: Nodes, size: int, own: int, name: str) -> None:
    """The photo at a stem's own size, as bytes again."""
    if own == size:
        nodes.add("Identity", INPUT, output=name)
        return
    x = nodes.add("Transpose", nodes.add("Cast", INPUT, to=TensorProto.FLOAT), perm=[0, 3, 1, 2])
    sizes = np.array([1, 3, own, own])
    # As torch and Pillow have it: what lies outside of the photo counts for nothing at its edges.
    x = nodes.add("Resize", x, "", "", sizes, mode="linear", antialias=1, exclude_outside=1)
    x = nodes.add("Round", nodes.add("Clip", x, np.array(0, np.float32), np.array(255, np.float32)))
    x = nodes.add("Transpose", x, perm=[0, 2, 3, 1])
    nodes.add("Cast", x, to=TensorProto.UINT8, output=name)


def _opset(model: ModelProto) -> int:
    return next(int(entry.version) for entry in model.opset_import if entry.domain in ("", "ai.onnx"))


def _at(stem: Stem, opset: int) -> ModelProto:
    """A stem's graph with operators of this version."""
    if _opset(stem.model) == opset:
        return stem.model
    try:
        converted: ModelProto = version_converter.convert_version(stem.model, opset)
    except Exception as error:  # the converter's errors have no common base
        raise CheckpointError(
            f"stem {printable(stem.name)} has operators of opset {_opset(stem.model)}, which cannot be "
            f"brought to {opset} ({' '.join(str(error).split())[:200]}); export it anew with opset {opset}"
        ) from error
    photo = np.random.default_rng(0).integers(0, 256, (stem.size, stem.size, 3), np.uint8)
    before, after = (
        OnnxEngine(model.SerializeToString(), stem.name).vector(photo) for model in (stem.model, converted)
    )
    if not np.allclose(before, after, rtol=1e-3, atol=1e-4):
        raise CheckpointError(
            f"stem {printable(stem.name)} gives other numbers with operators of opset {opset} than with "
            f"those of {_opset(stem.model)}; export it anew with opset {opset}"
        )
    return converted
