"""Model files that are a graph and nothing else: there is no network of ours that torch could build.

Of two kinds: a *graph* scores and embeds as any model does; a *stem* embeds only, and models are built on it.
Their identity covers the graph, whose checksum stands in the architecture.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from numpy.typing import NDArray

from generic.atomic import write_bytes
from generic.errors import CheckpointError
from generic.model import onnx_file
from generic.model.checkpoint import Header, fingerprint, onnx_tensors, plain_header, read_header

Kind = Literal["graph", "stem"]


def save_graph(
    path: Path, header: Header, kind: Kind, graph: bytes, arrays: Mapping[str, NDArray[Any]]
) -> Header:
    """Write a model file around a graph, whole or not at all.

    Args:
        path: the file; it ends in ``.onnx``.
        header: its architecture says ``size``; kind, checksums and hash are filled in here.
        kind: of the file.
        graph: a serialised model, with input and output as :mod:`generic.engine.onnx_engine` has them.
        arrays: what else belongs to the model, such as its prior.

    Returns:
        the header as it stands in the file.

    Raises:
        OutputError: the file cannot be written.
    """
    checksum = onnx_file.graph_checksum(memoryview(graph))
    full = replace(
        header,
        architecture={"kind": kind, **header.architecture, "graph_sha256": checksum},
        training=json.loads(json.dumps(header.training)),
        engine={**header.engine, "name": "onnx", "sha256": checksum},
    )
    tensors = onnx_tensors(memoryview(onnx_file.with_metadata(graph, {}, arrays)))
    full = replace(full, hash=fingerprint(full, tensors))
    write_bytes(path, onnx_file.with_metadata(graph, plain_header(full), arrays))
    return full


def read_stem(path: Path) -> Header:
    """The header of a stem file.

    Raises:
        CheckpointError: the file is missing or is no stem.
    """
    header = read_header(path)
    if header.architecture.get("kind") != "stem":
        raise CheckpointError(
            f"model file {path} is no stem but a model of kind {header.architecture.get('kind')!r}; give a "
            f"file of `piaa models import`, or a network of timm by its name"
        )
    return header
