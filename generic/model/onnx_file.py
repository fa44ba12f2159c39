"""Model files in ONNX: one file with the graph, the header and the arrays that belong to it.

    graph       from a photo, uint8 (1, size, size, 3), to its vector, float32 (1, 1 + d)
    metadata    ``piaa`` is the header as JSON, ``piaa.arrays`` what the graph has no place for, as the base64
                of a safetensors file: the prior, and tensors that the graph holds in another form

A few fields of ONNX's protocol buffers are read here, so that a header and a prior need neither the package
onnx nor a session of ONNX Runtime, which reads all weights first. Format: onnx.proto of the ONNX project, and
"Protocol Buffers: Encoding". Nothing in a file is executed; weights in other files are refused.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load, save

Tensors = Mapping[str, NDArray[Any]]

HEADER, ARRAYS = "piaa", "piaa.arrays"
_GRAPH, _METADATA = 7, 14  # of ModelProto
_INITIALIZER = 5  # of GraphProto
_DIMS, _TYPE, _NAME, _RAW, _LOCATION = 1, 2, 8, 9, 14  # of TensorProto
_TYPES = {1: "<f4", 7: "<i8", 10: "<f2", 11: "<f8"}
_VARINT, _BYTES = 0, 2
_FIXED = {1: 8, 5: 4}
"""Length of the other wire types."""


class NotONNX(ValueError):
    """The bytes are not what ONNX's protocol buffers hold."""


def fields(content: memoryview) -> Iterator[tuple[int, int | memoryview, memoryview]]:
    """Number and value of each field of a message, and its bytes with the tag; values are views, not copies.

    Raises:
        NotONNX: the bytes are no message.
    """
    at = 0
    while at < len(content):
        start = at
        tag, at = _varint(content, at)
        kind = tag & 7
        value: int | memoryview
        if kind == _VARINT:
            value, at = _varint(content, at)
        elif kind == _BYTES or kind in _FIXED:
            length, at = _varint(content, at) if kind == _BYTES else (_FIXED[kind], at)
            if length > len(content) - at:
                raise NotONNX("a field is longer than the file")
            value = content[at : at + length]
            at += length
        else:
            raise NotONNX(f"wire type {kind}")
        yield tag >> 3, value, content[start:at]


def _varint(content: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for place in range(10):
        if at + place >= len(content):
            raise NotONNX("a number has no end")
        byte = content[at + place]
        value |= (byte & 127) << 7 * place
        if byte < 128:
            return value, at + place + 1
    raise NotONNX("a number has no end")


def metadata(content: memoryview) -> dict[str, str]:
    """The metadata of a serialised model.

    Raises:
        NotONNX: the bytes are no model.
    """
    found = {}
    for number, value, _ in fields(content):
        if number == _METADATA and isinstance(value, memoryview):
            entry = {
                key: bytes(part).decode() for key, part, _ in fields(value) if isinstance(part, memoryview)
            }
            found[entry.get(1, "")] = entry.get(2, "")
    return found


def graph_checksum(content: memoryview) -> str:
    """SHA-256, in hex, of all of a serialised model but its metadata."""
    digest = hashlib.sha256()
    for number, _, whole in fields(content):
        if number != _METADATA:
            digest.update(whole)
    return digest.hexdigest()


def with_metadata(content: bytes, header: Mapping[str, Any], arrays: Tensors) -> bytes:
    """A serialised model with this header and these arrays instead of what metadata it had."""
    view = memoryview(content)
    parts = [bytes(whole) for number, _, whole in fields(view) if number != _METADATA]
    texts = {HEADER: json.dumps(header)}
    if arrays:
        plain = {key: np.asarray(value, order="C") for key, value in arrays.items()}
        texts[ARRAYS] = base64.b64encode(save(plain)).decode()
    return b"".join([*parts, *(_entry(key, text) for key, text in texts.items())])


def _entry(key: str, text: str) -> bytes:
    return _field(_METADATA, _field(1, key.encode()) + _field(2, text.encode()))


def _field(number: int, content: bytes) -> bytes:
    return _number(number << 3 | _BYTES) + _number(len(content)) + content


def _number(value: int) -> bytes:
    low, rest = value & 127, value >> 7
    return bytes([low]) if not rest else bytes([low | 128]) + _number(rest)


def arrays_of(texts: Mapping[str, str]) -> dict[str, NDArray[Any]]:
    """The arrays beside the graph, by their full names."""
    return load(base64.b64decode(texts[ARRAYS], validate=True)) if ARRAYS in texts else {}


def weights(content: memoryview) -> dict[str, NDArray[Any]]:
    """The graph's constants by name, as the graph holds them.

    Raises:
        NotONNX: the bytes are no model, or a constant lies in another file.
    """
    found = {}
    for number, graph, _ in fields(content):
        if number == _GRAPH and isinstance(graph, memoryview):
            for place, tensor, _ in fields(graph):
                if place == _INITIALIZER and isinstance(tensor, memoryview):
                    name, array = _tensor(tensor)
                    if array is not None:
                        found[name] = array
    return found


def _tensor(content: memoryview) -> tuple[str, NDArray[Any] | None]:
    """Name and value; None for types that no network of ours has."""
    shape: list[int] = []
    name, kind, raw = "", 0, memoryview(b"")
    for number, value, _ in fields(content):
        if number == _DIMS:
            shape += [value] if isinstance(value, int) else _packed(value)
        elif number == _TYPE and isinstance(value, int):
            kind = value
        elif number == _NAME and isinstance(value, memoryview):
            name = bytes(value).decode()
        elif number == _RAW and isinstance(value, memoryview):
            raw = value
        elif number == _LOCATION and value:
            raise NotONNX("its weights lie in another file")
    if kind not in _TYPES or len(raw) != int(np.prod(shape)) * np.dtype(_TYPES[kind]).itemsize:
        return name, None
    return name, np.frombuffer(raw, _TYPES[kind]).reshape(shape)


def _packed(content: memoryview) -> list[int]:
    values, at = [], 0
    while at < len(content):
        value, at = _varint(content, at)
        values.append(value)
    return values


def is_onnx(path: Path) -> bool:
    """Whether a file is meant to be of this kind, by its name."""
    return path.suffix == ".onnx"
