"""The proof before anything is kept: what is learned from most of her stars orders the others as she did."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generic.seeds import stream
from piaa.adapters.base import Adapter
from piaa.people.pair_order import PairOrder

ENOUGH = 20
"""Fewest rated photos of which some are held out."""
_PART = 5
"""One of so many is held out."""


@dataclass(frozen=True, kw_only=True)
class Proof:
    """What came of photos that were held out."""

    n_learned: int
    n_held: int
    personal: float
    """Share of pairs of held-out photos with different stars that are put in her order, in [0, 1]."""
    crowd: float
    """The same of the generic score's order."""


def prove(
    make: Callable[[], Adapter], features: NDArray[Any], unit_scores: NDArray[np.float64]
) -> Proof | None:
    """Learn from four fifths and order the last fifth, which was drawn by chance.

    Args:
        make: gives a new adapter.
        features: model vectors of the rated photos, shape (k, 1 + d), in an order that does not depend on
            where they lie.
        unit_scores: shape (k,).

    Returns:
        None if k is below ``ENOUGH``, or no two of the photos held out have different stars.
    """
    k = len(unit_scores)
    if k < ENOUGH:
        return None
    order = stream(0, "stars held out", k).permutation(k)
    held, rest = order[: k // _PART], order[k // _PART :]
    if np.ptp(unit_scores[held]) == 0:
        return None
    predicted = make().fit(features[rest], unit_scores[rest]).predict(features[held]).score
    return Proof(
        n_learned=len(rest),
        n_held=len(held),
        personal=PairOrder.of(unit_scores[held], predicted).share,
        crowd=PairOrder.of(unit_scores[held], features[held, 0]).share,
    )
