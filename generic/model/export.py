"""A model of ours as an ONNX file: the graph is made by torch, and checked against torch on real photos."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from generic.atomic import write_bytes
from generic.engine.onnx_engine import INPUT, OUTPUT, OnnxEngine
from generic.engine.torch_engine import TorchEngine
from generic.errors import CheckpointError
from generic.extras import needing
from generic.model import onnx_file
from generic.model.checkpoint import NETWORK, Header, load_checkpoint, plain_header
from generic.model.networks import build

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
        path: a model file in safetensors.
        out: the file to write; it ends in ``.onnx``.
        photos: what the graph is checked on, each of shape (size, size, 3), RGB in [0, 255].

    Raises:
        CheckpointError: the network has no graph, or the graph is not the network: more than ``SHARE`` of the
            photos differ by more than ``CLOSE``.
        MissingPackage: onnx or onnxscript is not installed.
        OutputError: the file cannot be written.
    """
    header, tensors = load_checkpoint(path)
    state = {key.removeprefix(NETWORK): value for key, value in tensors.items() if key.startswith(NETWORK)}
    network = build(header.architecture, state)
    graph, kept = _graph(network, int(header.architecture["size"]), tensors)
    checked = compare(OnnxEngine(graph, str(out)), TorchEngine(network), photos)
    if checked.beyond > SHARE:
        raise CheckpointError(
            f"the graph of {header.name} differs from torch by more than {CLOSE} on {checked.beyond:.1%} of "
            f"{checked.n} photos, at most {SHARE:.0%} may; this model can be run with torch only"
        )
    engine = {
        "name": "onnx",
        "sha256": onnx_file.graph_checksum(memoryview(graph)),
        "torch": torch.__version__,
        "checked": {"photos": checked.n, "largest": checked.largest, "beyond": checked.beyond},
    }
    full = replace(header, engine=engine)
    others = {key: value for key, value in tensors.items() if key not in kept}
    write_bytes(out, onnx_file.with_metadata(graph, plain_header(full), others))
    return full, checked


def compare(one: OnnxEngine, other: TorchEngine, photos: Sequence[NDArray[np.uint8]]) -> Checked:
    """How far two engines are from one another on photos."""
    gaps = np.abs(one.vectors(photos) - other.vectors(photos)).max(1)
    return Checked(n=len(gaps), largest=float(gaps.max()), beyond=float((gaps > CLOSE).mean()))


def _graph(network: nn.Module, size: int, tensors: Mapping[str, NDArray[Any]]) -> tuple[bytes, set[str]]:
    """The serialised graph, and the names of the tensors that it holds as they are."""
    with needing("exporting a model"):
        import onnx
        import onnxscript  # noqa: F401 - used by torch.onnx, which would say less of it
        from onnx import helper, numpy_helper
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    whole = _OnPhotos(network.to(memory_format=torch.contiguous_format)).eval()
    photo = torch.zeros(1, size, size, 3, dtype=torch.uint8)
    program: Any = torch.onnx.export(
        whole, (photo,), dynamo=True, input_names=[INPUT], output_names=[OUTPUT], verbose=False
    )
    model = program.model_proto
    kept, casts = set(), []
    for constant in model.graph.initializer:
        value = numpy_helper.to_array(constant)
        own = tensors.get(constant.name)
        if own is None or not np.array_equal(own.astype(value.dtype), value):
            continue
        kept.add(constant.name)
        if own.dtype != value.dtype:  # kept in fewer bits, which lose nothing: widened again when loaded
            wide = f"{constant.name}.wide"
            for node in model.graph.node:
                node.input[:] = [wide if name == constant.name else name for name in node.input]
            casts.append(helper.make_node("Cast", [constant.name], [wide], to=onnx.TensorProto.FLOAT))
            constant.CopyFrom(numpy_helper.from_array(np.asarray(own, order="C"), constant.name))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    del model.graph.value_info[:]
    for node in model.graph.node:
        del node.metadata_props[:]
    onnx.checker.check_model(model)
    return model.SerializeToString(), kept
