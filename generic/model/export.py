"""A model of ours as an ONNX file: the graph is made by torch, and checked against torch on real photos."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from generic.atomic import write_bytes
from generic.engine.engine import Engine
from generic.engine.onnx_engine import INPUT, OUTPUT, OnnxEngine
from generic.engine.torch_engine import TorchEngine
from generic.errors import CheckpointError
from generic.extras import require
from generic.model import onnx_file
from generic.model.checkpoint import NETWORK, Header, load_checkpoint, plain_header
from generic.model.networks import build

if TYPE_CHECKING:
    from onnx import ModelProto

CLOSE = 1e-4
"""How far a number of a vector may be from torch's."""
SHARE = 0.01
"""Share of photos that may be farther: EAT's points are discontinuous (eq. 7 of the paper)."""


@dataclass(frozen=True, kw_only=True)
class Checked:
    """A graph beside torch, on photos."""

    n: int
    """Photos."""
    largest: float
    """Largest difference of a number of a vector."""
    beyond: float
    """Share of photos with a difference above ``CLOSE``."""


class _OnPhotos(nn.Module):
    """A network from one photo as bytes to its vector."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, photo: Tensor) -> Tensor:
        """Shape (1, 1 + d), of a photo of shape (1, size, size, 3)."""
        score, embedding = self.network(photo.permute(0, 3, 1, 2).float() / 127.5 - 1.0)
        return torch.cat([score[:, None], embedding], 1)


def export_onnx(path: Path, out: Path, photos: Sequence[NDArray[np.uint8]]) -> tuple[Header, Checked]:
    """Write a model file as ONNX, with the same hash, header and arrays.

    Args:
        path: a model file of either kind.
        out: the file to write; it ends in ``.onnx``.
        photos: what the graph is checked on, each of shape (size, size, 3), RGB in [0, 255].

    Raises:
        CheckpointError: the file holds no network, or the graph is not the network: more than ``SHARE`` of
            the photos differ by more than ``CLOSE``.
        MissingPackage: the package onnx is not installed.
        OutputError: the file cannot be written.
    """
    header, tensors = load_checkpoint(path)
    state = {key.removeprefix(NETWORK): value for key, value in tensors.items() if key.startswith(NETWORK)}
    network = build(header.architecture, state)
    graph, kept = _holding(trace(_OnPhotos(network), int(header.architecture["size"])), tensors)
    checked = compare(OnnxEngine(graph, str(out)), TorchEngine(network), photos)
    refuse_far(checked, header.name)
    full = replace(header, engine=engine_of(graph, checked))
    others = {key: value for key, value in tensors.items() if key not in kept}
    write_bytes(out, onnx_file.with_metadata(graph, plain_header(full), others))
    return full, checked


def engine_of(graph: bytes, checked: Checked) -> dict[str, Any]:
    """What a header says of a graph that torch made."""
    return {
        "name": "onnx",
        "sha256": onnx_file.graph_checksum(memoryview(graph)),
        "torch": torch.__version__,
        "checked": {"photos": checked.n, "largest": checked.largest, "beyond": checked.beyond},
    }


def refuse_far(checked: Checked, name: str) -> None:
    """Raises CheckpointError if more than ``SHARE`` of the photos differ by more than ``CLOSE``."""
    if checked.beyond > SHARE:
        raise CheckpointError(
            f"the graph of {name} differs from torch by more than {CLOSE} on {checked.beyond:.1%} of "
            f"{checked.n} photos, at most {SHARE:.0%} may; this model can be run with torch only"
        )


def compare(one: Engine, other: Engine, photos: Sequence[NDArray[np.uint8]]) -> Checked:
    """How far two engines are from one another on photos."""
    gaps = np.abs(one.vectors(photos) - other.vectors(photos)).max(1)
    return Checked(n=len(gaps), largest=float(gaps.max()), beyond=float((gaps > CLOSE).mean()))


def trace(whole: nn.Module, size: int) -> ModelProto:
    """The graph that torch makes of a module.

    Args:
        whole: from a photo, uint8 (1, size, size, 3), to its vector, float32 (1, w).
        size: side of the photo, pixels.

    Raises:
        CheckpointError: torch cannot make one.
        MissingPackage: the packages onnx and onnxscript are not installed.
    """
    require("exporting a model", "onnx", "onnxscript")
    for noisy in ("torch.onnx", "onnxscript", "onnx_ir"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
    whole = whole.to(memory_format=torch.contiguous_format).eval()
    photo = torch.zeros(1, size, size, 3, dtype=torch.uint8)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore"
            )  # of torch about itself; what is wrong raises, or shows in the check
            program: Any = torch.onnx.export(
                whole, (photo,), dynamo=True, input_names=[INPUT], output_names=[OUTPUT], verbose=False
            )
    except Exception as error:  # the exporter's errors have no common base
        raise CheckpointError(
            f"torch {torch.__version__} cannot make a graph of this network "
            f"({shorten(str(error), 200)}); it can be run with torch only"
        ) from error
    model: ModelProto = program.model_proto
    del model.graph.value_info[:]
    for node in model.graph.node:
        del node.metadata_props[:]
    return model


def _holding(model: ModelProto, tensors: Mapping[str, NDArray[Any]]) -> tuple[bytes, set[str]]:
    """The serialised graph with constants as the model file has them, and the names of those.

    Constants that are the file's tensors get its names, and no others get names that begin like them.
    """
    import onnx
    from onnx import helper, numpy_helper

    kept, casts, names = set(), [], {}
    for constant in model.graph.initializer:
        value, old = numpy_helper.to_array(constant), constant.name
        name = _name_in(tensors, old, value)
        if name is None:
            constant.name = names[old] = f"graph.{old}"
            continue
        own = tensors[name]
        kept.add(name)
        names[old] = name
        if own.dtype != value.dtype:  # kept in fewer bits, which lose nothing: widened again when loaded
            names[old] = f"{name}.wide"
            casts.append(helper.make_node("Cast", [name], [names[old]], to=onnx.TensorProto.FLOAT))
        constant.CopyFrom(numpy_helper.from_array(np.asarray(own, order="C"), name))
    for node in model.graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    onnx.checker.check_model(model)
    return model.SerializeToString(), kept


def _name_in(tensors: Mapping[str, NDArray[Any]], name: str, value: NDArray[Any]) -> str | None:
    """The model file's name of a constant, if it has it, with the very numbers.

    A scorer is a network around a network, whose tensors the file knows by their inner names.
    """
    for known in (name, name.removeprefix(NETWORK)):
        own = tensors.get(known)
        if own is not None and np.array_equal(own.astype(value.dtype), value):
            return known
    return None
