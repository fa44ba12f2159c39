"""Somebody else's network becomes a stem file."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from pathlib import Path

from generic.extras import require
from generic.model.checkpoint import Header
from generic.model.graph_file import save_graph
from generic.model.new_file import check_new
from generic.stems.spec import read_spec
from generic.stems.trial import try_out


def import_stem(
    file: Path, spec: Path, out: Path, *, name: str | None = None, overwrite: bool = False
) -> Header:
    """Write a stem file, whole or not at all; nothing of the network is run outside of a bounded process.

    Args:
        file: an embedding network in ONNX, weights inside.
        spec: its preprocessing, see :mod:`generic.stems.spec`.
        out: the file to write; it ends in ``.onnx``.
        name: for people; None: that of the file.
        overwrite: replace ``out`` if it exists.

    Raises:
        CheckpointError: the specification is wrong, or the network may not or cannot be run.
        MissingPackage: the package onnx is not installed.
        OutputError: ``out`` exists or cannot be written.
    """
    require("importing a model", "onnx")
    check_new(out, suffix=".onnx", overwrite=overwrite, source=file)
    said = read_spec(spec)
    graph = try_out(file, spec)
    with file.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    header = Header(
        name=name or out.stem,
        architecture={"size": said.size},
        scale=(0.0, 1.0),
        training={
            "summary": f"a stem, no model: {file.name}, {said.licence}",
            "source": file.name,
            "sha256": digest,
            **asdict(said),
        },
    )
    return save_graph(out, header, "stem", graph, {})
