"""What a wall shows: its photos with their places, and what is said of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from generic.model.generic_model import Embedded
    from piaa.people.score_table import ScoreTable


@dataclass(frozen=True, kw_only=True)
class Tile:
    """One photo of a wall."""

    path: Path
    """The file."""
    identity: str
    """Of the picture, 64 hex digits; see :mod:`generic.photos.identity`."""
    name: str
    """What it is called, in Unicode; any characters."""
    score: float | None = None
    """On the wall's scale; None where nothing was scored."""
    low: float | None = None
    """Lower end of the 80 % interval; None where there is none."""
    high: float | None = None
    """Upper end."""
    sure: float | None = None
    """Probability that it belongs into its half of the ranking; None where nobody says it."""
    crowd: int | None = None
    """Its place in the crowd's ranking of the same photos, from 1; None where there is one ranking only."""
    own: float | None = None
    """What the person gave it; None if she did not rate it."""


@dataclass(frozen=True, kw_only=True)
class Wall:
    """Photos in an order, and whose order it is."""

    title: str
    tiles: Sequence[Tile]
    """The first is the best."""
    user: str | None = None
    """Whose ranking it is; None is the crowd's."""
    scale: tuple[float, float] = (1.0, 5.0)
    """Lowest and highest score."""
    about: str = ""
    """A line below the title."""
    skipped: Mapping[str, str] = field(default_factory=dict)
    """Photos that could not be read, with the reason."""


def tiles_of(
    table: ScoreTable,
    photos: Mapping[str, Embedded],
    own: Mapping[str, float] | None = None,
    top: int | None = None,
) -> list[Tile]:
    """The tiles of a ranking.

    Args:
        table: a person's ranking, or the crowd's.
        photos: what was read of each photo, by the names in the table.
        own: what she gave, by the same names.
        top: only the best; places in the crowd's ranking still count all of the table.
    """
    crowd = _crowd_places(table) if table.low is not None else None
    tiles = []
    for row, image in enumerate(table.images[:top]):
        tiles.append(
            Tile(
                path=photos[image].path,
                identity=photos[image].identity,
                name=image,
                score=float(table.scores[row]),
                low=None if table.low is None else float(table.low[row]),
                high=None if table.high is None else float(table.high[row]),
                sure=None if table.sure is None else float(table.sure[row]),
                crowd=None if crowd is None else crowd[row],
                own=(own or {}).get(image),
            )
        )
    return tiles


def _crowd_places(table: ScoreTable) -> list[int]:
    """The place of each row by the generic score, from 1; equals in the order of their names."""
    order = np.lexsort((np.array(table.images), -table.generic))
    places = np.empty(len(order), dtype=np.intp)
    places[order] = np.arange(1, len(order) + 1)
    return [int(place) for place in places]
