"""What a person said as rows of a file, each checked in every value."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from piaa.store.records import FLAGS, OUTCOMES, is_image, is_sha256

NAMES = {
    "ratings": ("image", "photo", "sha256", "score", "scale_low", "scale_high", "given", "source"),
    "comparisons": ("image", "photo", "other_image", "other_photo", "outcome", "given", "source"),
    "flags": ("image", "photo", "sha256", "flag", "given", "source"),
}
"""What each kind of row says."""


@dataclass(frozen=True, kw_only=True)
class SaidRow:
    """One rating, comparison or flag."""

    values: Mapping[str, Any]
    """As the table has them, but for photos, which are given by their identity."""
    counts: bool
    """Whether it counts; else it is history."""

    @classmethod
    def checked(cls, kind: str, row: Mapping[str, Any]) -> SaidRow:
        """A row of a file.

        Raises:
            ValueError, KeyError, TypeError, OverflowError: it is not one.
        """
        values = {name: row[name] for name in NAMES[kind]}
        wrong = [name for name, value in values.items() if not _is_possible(name, value)]
        if kind == "ratings" and not wrong and not values["scale_low"] < values["scale_high"]:
            wrong = ["scale"]
        if wrong:
            raise ValueError(f"{wrong[0]} in one of the {kind}")
        return cls(values=values, counts=bool(row["counts"]))


def _is_possible(name: str, value: object) -> bool:
    match name:
        case "photo" | "other_photo":
            return is_sha256(value)
        case "sha256":
            return value is None or is_sha256(value)
        case "score" | "scale_low" | "scale_high":
            return isinstance(value, int | float) and math.isfinite(value)
        case "outcome":
            return value in OUTCOMES
        case "flag":
            return value in FLAGS
        case "image" | "other_image":
            return isinstance(value, str) and is_image(value)
    return isinstance(value, str) and bool(value)


@dataclass(frozen=True, kw_only=True)
class VectorRow:
    """The vector that one model has of a photo."""

    photo: str
    """Identity of its image data."""
    model_hash: str
    vector: bytes
    """float32, little-endian."""

    @classmethod
    def checked(cls, row: Mapping[str, Any]) -> VectorRow:
        """A row of a file, whose vector is in base64.

        Raises:
            ValueError, KeyError, TypeError: it is not one.
        """
        photo, model_hash = row["photo"], row["model_hash"]
        vector = base64.b64decode(row["vector"], validate=True)
        if not is_sha256(photo):
            raise ValueError(f"photo {photo!r} of a vector")
        if not isinstance(model_hash, str) or not model_hash:
            raise ValueError(f"model_hash {model_hash!r} of a vector")
        if not vector or len(vector) % 4:
            raise ValueError(f"vector of {len(vector)} bytes")
        if not np.isfinite(np.frombuffer(vector, "<f4")).all():
            raise ValueError("vector that is not finite")
        return cls(photo=photo, model_hash=model_hash, vector=vector)
