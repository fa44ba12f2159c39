"""What was learned of a person, by photos that she rated: how far it moves them from the crowd's scores."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from piaa.adapters.prediction import bend
from piaa.people.person import Person


@dataclass(frozen=True, kw_only=True)
class MovedPhoto:
    """A photo that she rated, on her scale."""

    image: str
    generic: float
    """What people on average are predicted to give."""
    score: float
    """What she is predicted to give."""


@dataclass(frozen=True, kw_only=True)
class Moved:
    """What was learned, on the photos that she rated."""

    level: float
    """How far her scores lie above the crowd's on average, on her scale."""
    raised: tuple[MovedPhoto, ...]
    """Those that rise most beside the others, the most first."""
    lowered: tuple[MovedPhoto, ...]
    """Those that fall most."""


def moved(person: Person, n: int = 3) -> Moved | None:
    """How far a person's adapter moves the photos that she rated.

    Args:
        person: as she was loaded or fitted.
        n: of how many photos to tell, up and down each.

    Returns:
        None if her adapter does not keep what it learned from, or learned from no rating.
    """
    if not person.ratings or not person.adapter.keeps_support:
        return None
    features, _ = person.adapter.support
    generic = person.scale.from_unit(bend(features[:, 0]))
    scores = person.scale.from_unit(person.adapter.predict(features).score)
    moves = scores - generic
    beside = moves - moves.mean()
    order = np.argsort(-beside, kind="stable")

    def told(rows: list[int]) -> tuple[MovedPhoto, ...]:
        return tuple(
            MovedPhoto(image=person.ratings[row].image, generic=float(generic[row]), score=float(scores[row]))
            for row in rows
        )

    return Moved(
        level=float(moves.mean()),
        raised=told([int(row) for row in order[:n] if beside[row] > 0]),
        lowered=told([int(row) for row in order[::-1][:n] if beside[row] < 0]),
    )
