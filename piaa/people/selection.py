"""Some photos of a ranking: those that she has not rated, and the best of each burst."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from generic.errors import PiaaError
from generic.words import all_are
from piaa.people.bursts import bursts, first_of_each, moments_of, scene_places
from piaa.people.score_table import ScoreTable

if TYPE_CHECKING:
    from generic.model.generic_model import Embedded
    from piaa.adapters.prior import Prior


@dataclass(frozen=True, kw_only=True)
class Selection:
    """What is left of a ranking."""

    table: ScoreTable
    n_left_out: int


def unrated(table: ScoreTable, rated: Container[str]) -> Selection:
    """The photos that she has not rated.

    Args:
        table: a ranking.
        rated: names in the table of those that she rated.

    Raises:
        PiaaError: she rated all of them.
    """
    rows = [row for row, image in enumerate(table.images) if image not in rated]
    if not rows:
        raise PiaaError(
            f"{all_are(len(table), 'photo')} rated already; leave out --unrated, or name a folder with "
            "photos that are not"
        )
    return Selection(table=table.take(rows), n_left_out=len(table) - len(rows))


def per_burst(
    table: ScoreTable, n: int, photos: Mapping[str, Embedded], prior: Prior | None = None
) -> Selection:
    """The best n photos of each burst, see :mod:`piaa.people.bursts`.

    Args:
        table: a ranking.
        n: how many of each, at least 1.
        photos: what was read of each photo, by the names in the table.
        prior: the model's.
    """
    read = [photos[image] for image in table.images]
    vectors = np.stack([one.vector for one in read if one.vector is not None])
    moments = moments_of([one.path for one in read])
    rows = first_of_each(bursts(scene_places(vectors, prior), moments), n)
    return Selection(table=table.take(rows), n_left_out=len(table) - len(rows))
