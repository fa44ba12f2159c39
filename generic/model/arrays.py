"""Arrays that belong to a model file beside its network, put into a file that exists."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generic.atomic import write_bytes
from generic.model import onnx_file
from generic.model.checkpoint import (
    Header,
    fingerprint,
    load_checkpoint,
    onnx_tensors,
    plain_header,
    save_checkpoint,
)


def with_arrays(
    path: Path, out: Path, prefix: str, arrays: Mapping[str, NDArray[Any]], training: Mapping[str, Any]
) -> Header:
    """Write a model file with other arrays under a prefix, whole or not at all; the network stays as it is.

    Args:
        path: a model file of either kind.
        out: the file to write, of the same kind; may be ``path``.
        prefix: of the arrays that are replaced.
        arrays: the new ones, by their names without the prefix.
        training: what the header says of them, beside what it says already.

    Returns:
        the header as it stands in the file; its hash is another one.

    Raises:
        CheckpointError: the file cannot be read or is damaged.
        OutputError: the file cannot be written.
    """
    header, tensors = load_checkpoint(path)
    full = replace(header, training={**header.training, **training})
    named = {prefix + key: np.asarray(value) for key, value in arrays.items()}
    if not onnx_file.is_onnx(path):
        return save_checkpoint(out, full, {**_others(tensors, prefix), **named})
    content = path.read_bytes()
    beside = onnx_file.arrays_of(onnx_file.metadata(memoryview(content)))
    kept = {**_others(beside, prefix), **named}
    plain = onnx_file.with_metadata(content, {}, kept)
    full = replace(full, hash=fingerprint(full, onnx_tensors(memoryview(plain))))
    write_bytes(out, onnx_file.with_metadata(content, plain_header(full), kept))
    return full


def _others(tensors: Mapping[str, NDArray[Any]], prefix: str) -> dict[str, NDArray[Any]]:
    return {key: value for key, value in tensors.items() if not key.startswith(prefix)}
