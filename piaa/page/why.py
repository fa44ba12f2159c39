"""Why a photo lies where it lies, in photos that she rated: the nearest, and what raises and lowers it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from piaa.page.album import Album
from piaa.page.taste import Taste
from piaa.people.model import Model
from piaa.people.reasons import Example, nearest, parts_of

_NEAR = 4
_ENOUGH = 6
"""Ratings below which both sides of a direction would be shown by the same photos."""


def why(album: Album, model: Model, taste: Taste, row: int) -> dict[str, Any]:
    """What is known of a photo's score, for JSON; photos are named by rows, None where they lie elsewhere.

    Args:
        album: whose photo.
        model: the generic model.
        taste: whose ranking.
        row: the photo.

    Raises:
        PiaaError: there is no such photo, or it was not read yet.
    """
    vector = album.seen(row).vector
    used = [one for one in taste.said.ratings if one.photo in taste.said.vectors]
    if not used or vector is None:
        return {"near": [], "directions": [], "generic": None}
    rated = np.stack([taste.said.vectors[one.photo] for one in used]).astype(np.float64)
    x = vector.astype(np.float64)
    rows = {one.image: album.rows_of(one.photo) for one in used}
    near = nearest(x, rated, used, model.prior, _NEAR + 1)
    found: dict[str, Any] = {
        "near": [
            {"row": _first(rows[one.image]), "score": one.score, "likeness": round(one.likeness, 3)}
            for one in near
            if row not in rows[one.image]
        ][:_NEAR],
        "directions": [],
        "generic": None,
    }
    adapter = None if taste.learned is None else taste.learned.adapter
    if adapter is None or not adapter.has_linear_form or len(used) < _ENOUGH:
        return found
    low, high = taste.scale
    parts = parts_of(adapter.linear_form(), x, rated, used, model.prior, high - low)
    found |= {
        "generic": round(parts.generic, 2),
        "others": round(parts.others, 2),
        "alike": round(parts.alike, 2),
        "directions": [
            {
                "adds": round(one.adds, 2),
                "towards": _examples(one.towards, rows),
                "away": _examples(one.away, rows),
            }
            for one in parts.directions
        ],
    }
    return found


def _examples(some: Sequence[Example], rows: dict[str, list[int]]) -> list[dict[str, Any]]:
    return [{"row": _first(rows[one.image]), "score": one.score} for one in some]


def _first(rows: Sequence[int]) -> int | None:
    return rows[0] if rows else None
