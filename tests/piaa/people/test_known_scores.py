"""Ratings are found by the picture, or by the file where nothing else is known."""

from __future__ import annotations

from pathlib import Path

from generic.model.generic_model import Embedded
from piaa.people.known_scores import known_scores
from piaa.store.records import StoredRating


def test_a_photo_is_known_by_picture_or_by_file():
    ratings = [
        StoredRating(image="a.jpg", photo="1" * 64, score=4),
        StoredRating(image="b.jpg", sha256="b" * 64, score=2),
    ]
    photos = [
        Embedded(path=Path("elsewhere.jpg"), identity="1" * 64, digest="a" * 64),
        Embedded(path=Path("c.jpg"), identity="3" * 64, digest="b" * 64),
        Embedded(path=Path("d.jpg"), identity="4" * 64, digest="d" * 64),
    ]
    assert known_scores(ratings, photos) == [4, 2, None]
    assert known_scores([], photos) == [None] * 3
