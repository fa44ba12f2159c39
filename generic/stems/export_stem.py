"""A network of timm as a stem file: its graph, checked against torch on photos."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from generic.engine.onnx_engine import OnnxEngine
from generic.model.checkpoint import Header
from generic.model.export import Checked, compare, engine_of, refuse_far, trace
from generic.model.graph_file import save_graph
from generic.stems.timm_stem import TimmStem


def export_stem(
    stem: TimmStem, name: str, out: Path, photos: Sequence[NDArray[np.uint8]]
) -> tuple[Header, Checked]:
    """Write a stem file.

    Args:
        stem: a network of timm.
        name: the file's name for people.
        out: the file to write; it ends in ``.onnx``.
        photos: what the graph is checked on, each of shape (size, size, 3), RGB in [0, 255].

    Raises:
        CheckpointError: torch can make no graph of it, or the graph is not the network: see
            :func:`generic.model.export.export_onnx`.
        MissingPackage: the package onnx is not installed.
        OutputError: the file cannot be written.
    """
    graph = trace(stem, stem.size).SerializeToString()
    checked = compare(OnnxEngine(graph, str(out)), stem.engine(), photos)
    refuse_far(checked, name)
    header = Header(
        name=name,
        architecture={"size": stem.size},
        scale=(0.0, 1.0),
        training={"summary": f"a stem, no model: {stem.words}", "tapped": stem.tapped},
        engine=engine_of(graph, checked),
    )
    return save_graph(out, header, "stem", graph, {}), checked
