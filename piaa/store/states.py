"""Adapter states without the vectors that they were learned from, which the store keeps once."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load as unpack
from safetensors.numpy import save as pack

from piaa.adapters.vectors import FEATURES, SCORES


def detach(state: bytes, features: NDArray[np.float32] | None, scores: NDArray[np.float64]) -> bytes:
    """The state without its support, if that is just what is given; else the state as it is.

    Args:
        state: an adapter's packed state.
        features: shape (k, 1 + d), as the store keeps them; None if it has not all of them.
        scores: unit scores, shape (k,).
    """
    if features is None or not _holds_support(state):
        return state
    rest = unpack(state)
    del rest[FEATURES], rest[SCORES]
    less = pack(rest)
    return less if attach(less, features, scores) == state else state


def attach(state: bytes, features: NDArray[np.float32] | None, scores: NDArray[np.float64]) -> bytes:
    """What :func:`detach` was given, to the bit."""
    if features is None or _holds_support(state):
        return state
    return pack({**unpack(state), FEATURES: features, SCORES: scores})


def _holds_support(state: bytes) -> bool:
    """Asked of the header alone: a state may be large."""
    length = int.from_bytes(state[:8], "little")
    return f'"{FEATURES}"'.encode() in state[8 : 8 + length]


def checksum(content: bytes) -> str:
    """What shows that a vector or a state was damaged: 16 hex digits."""
    return hashlib.blake2b(content, digest_size=8).hexdigest()
