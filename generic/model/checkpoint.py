"""Model files: tensors and text, never pickled classes; in ONNX to be run, in safetensors to be trained on.

Both kinds hold the same header and, under the same names, the same tensors; an ONNX file (``.onnx``, see
:mod:`generic.model.onnx_file`) has a graph beside them, which needs no torch. The header says what the
network is, what its scores mean, what it was trained on and what was measured. The hash covers architecture,
score scale and every tensor, and is the model's identity: features and adapters are bound to it. Remarks and
figures can change without it, and so can the kind of file.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from generic.atomic import write_bytes
from generic.errors import CheckpointError
from generic.model import onnx_file

FORMAT = 1
NETWORK = "network."
"""Prefix of the network's tensors in a model file; other prefixes belong to higher layers."""
Tensors = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, kw_only=True)
class Header:
    """What a model file says of itself."""

    name: str
    """Short name, for example ``piaa-lite``."""
    architecture: dict[str, Any]
    """Keyword arguments that rebuild the network; ``kind`` names its class."""
    scale: tuple[float, float]
    """The score scale of the training data; predictions are in [0, 1] of it."""
    hash: str = ""
    """SHA-256 over architecture, scale and tensors, in hex: the model's identity."""
    training: dict[str, Any] = field(default_factory=dict)
    """Training data with its terms and citation, settings, starting weights."""
    figures: dict[str, Any] = field(default_factory=dict)
    """Measured results, each with the command that gives it."""
    engine: dict[str, Any] = field(default_factory=dict)
    """What runs the file: ``name``, and of a graph its ``sha256`` and how it was checked. Empty: torch."""


def fingerprint(header: Header, tensors: Tensors) -> str:
    """The model's identity: SHA-256 in hex over architecture, scale and every tensor."""
    digest = hashlib.sha256()
    digest.update(json.dumps([header.architecture, list(header.scale)], sort_keys=True).encode())
    for key in sorted(tensors):
        array = np.asarray(tensors[key], order="C")
        digest.update(f"{key} {array.dtype.str} {array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def save_checkpoint(path: Path, header: Header, tensors: Tensors) -> Header:
    """Write a model file, whole or not at all.

    Returns:
        the header with its hash filled in.

    Raises:
        OutputError: the file cannot be written.
    """
    # Not ascontiguousarray, which gives a single number one dimension.
    arrays = {key: np.asarray(value, order="C") for key, value in tensors.items()}
    full = replace(header, hash=fingerprint(header, arrays), engine={})
    write_bytes(path, save(arrays, metadata={"piaa": json.dumps(plain_header(full))}))
    return full


def plain_header(header: Header) -> dict[str, Any]:
    """A header as JSON holds it."""
    plain = {"format": FORMAT, **asdict(header)}
    return plain if header.engine else {key: value for key, value in plain.items() if key != "engine"}


def read_graph(path: Path) -> bytes:
    """An ONNX model file, its graph checked against the checksum in its header.

    Raises:
        CheckpointError: as :func:`read_header`, or the graph does not match its checksum.
    """
    header, content = _read_onnx(path)
    if onnx_file.graph_checksum(memoryview(content)) != header.engine.get("sha256"):
        raise CheckpointError(
            f"model file {path} is damaged: its graph does not match its checksum "
            f"{str(header.engine.get('sha256'))[:8]}; fetch or export it again"
        )
    return content


def read_header(path: Path) -> Header:
    """The header alone; reads no tensor.

    Raises:
        CheckpointError: the file is missing, is no safetensors file, or has no piaa header.
    """
    return _read(path, tensors=False)[0]


def load_checkpoint(path: Path) -> tuple[Header, dict[str, NDArray[Any]]]:
    """Header and tensors, checked against the hash.

    Raises:
        CheckpointError: as :func:`read_header`, or the content does not match its hash.
    """
    header, tensors = _read(path, tensors=True)
    if fingerprint(header, tensors) != header.hash:
        raise CheckpointError(
            f"model file {path} is damaged: its content does not match its hash {header.hash[:8]}; "
            f"fetch or train it again"
        )
    return header, tensors


def load_tensors(path: Path, prefix: str) -> dict[str, NDArray[Any]]:
    """The tensors whose names begin with ``prefix``, under the rest of their names; unchecked and quick.

    Raises:
        CheckpointError: as :func:`read_header`.
    """
    tensors = _read(path, tensors=True, prefix=prefix)[1]
    return {key.removeprefix(prefix): value for key, value in tensors.items()}


def _read(path: Path, *, tensors: bool, prefix: str = "") -> tuple[Header, dict[str, NDArray[Any]]]:
    if not path.is_file():
        raise CheckpointError(f"model file {path} does not exist; `piaa models list` shows those that do")
    if onnx_file.is_onnx(path):
        header, content = _read_onnx(path)
        return header, onnx_tensors(memoryview(content), prefix) if tensors else {}
    try:
        with safe_open(path, framework="np") as file:
            text = (file.metadata() or {}).get("piaa")
            keys = [key for key in file.keys() if key.startswith(prefix)] if tensors else []  # noqa: SIM118
            arrays = {key: file.get_tensor(key) for key in keys}
    except (SafetensorError, OSError, ValueError) as error:
        raise CheckpointError(
            f"model file {path} cannot be read as safetensors ({error}); fetch or train it again"
        ) from error
    if text is None:
        raise CheckpointError(
            f"model file {path} has no piaa header; it is a safetensors file of another program"
        )
    return _parse(path, text), arrays


def _read_onnx(path: Path) -> tuple[Header, bytes]:
    try:
        content = path.read_bytes()
        text = onnx_file.metadata(memoryview(content)).get(onnx_file.HEADER)
    except (onnx_file.NotONNX, OSError, ValueError) as error:
        raise CheckpointError(
            f"model file {path} cannot be read as ONNX ({error}); fetch or export it again"
        ) from error
    if text is None:
        raise CheckpointError(f"model file {path} has no piaa header; it is an ONNX file of another program")
    return _parse(path, text), content


def onnx_tensors(content: memoryview, prefix: str = "") -> dict[str, NDArray[Any]]:
    """Tensors of an ONNX model file by the names that a safetensors file of the same model has."""
    found = onnx_file.arrays_of(onnx_file.metadata(content))
    if NETWORK.startswith(prefix) or prefix.startswith(NETWORK):
        found |= {key: value for key, value in onnx_file.weights(content).items() if key.startswith(NETWORK)}
    return {key: value for key, value in found.items() if key.startswith(prefix)}


def _parse(path: Path, text: str) -> Header:
    try:
        content = json.loads(text)
        version = content.pop("format")
        if version != FORMAT:
            raise CheckpointError(
                f"model file {path} has format {version}, this piaa reads format {FORMAT}; upgrade piaa"
            )
        content["scale"] = tuple(content["scale"])
        return Header(**content)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise CheckpointError(
            f"model file {path} has a header that cannot be understood ({error!r}); fetch or train it again"
        ) from error
