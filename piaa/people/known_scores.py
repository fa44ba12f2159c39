"""What somebody gave the photos of an album, whatever they are called and whichever program wrote to them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from piaa.store.records import StoredRating

if TYPE_CHECKING:
    from generic.model.generic_model import Embedded


def known_scores(ratings: Iterable[StoredRating], photos: Sequence[Embedded]) -> list[float | None]:
    """Her score of each photo, None where she gave none.

    Args:
        ratings: those that count.
        photos: what was read of the album.
    """
    scores: dict[str, float] = {}
    for one in ratings:
        # One that she rated long ago may be known by its file alone.
        scores |= {key: one.score for key in (one.photo, one.sha256) if key}
    return [scores.get(photo.identity, scores.get(photo.digest)) for photo in photos]
