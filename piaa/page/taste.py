"""One person at the page: what she said, and what was learned from it by now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from generic.errors import PiaaError, TooFewRatings, UnknownUser
from piaa.adapters.base import Adapter
from piaa.adapters.prediction import bend
from piaa.adapters.registry import make_adapter
from piaa.page.album import Album
from piaa.page.ranking import Ground
from piaa.people.learn import Learned, adapter_name, learn
from piaa.people.learn_on import adapter_of_what_is_kept
from piaa.people.model import Model
from piaa.store.records import StoredFlag
from piaa.store.said import Said
from piaa.store.store import Store

STARS = (1.0, 5.0)
"""The scale that the page rates on."""
QUICK = "bayes"
"""Learns in a tenth of the time of the default, whose cost grows with the cube of the ratings."""
MANY = 120
"""Ratings above which the quick one answers first, and the other follows in a pause."""


@dataclass(frozen=True, kw_only=True)
class Words:
    """What a person said of an album, by row."""

    own: Mapping[int, float] = field(default_factory=dict)
    """Her scores."""
    flags: Mapping[int, str] = field(default_factory=dict)
    """``pick`` or ``reject``."""
    n_elsewhere: int = 0
    """Her ratings of photos that are not in the album, or not read yet."""
    n_comparisons: int = 0


@dataclass(frozen=True, kw_only=True, eq=False)
class Taste:
    """What is known of a person at one moment."""

    user: str
    said: Said = field(default_factory=Said)
    flags: tuple[StoredFlag, ...] = ()
    learned: Learned | None = None
    """None if there is nothing to learn from: the crowd's ranking then."""
    problem: str = ""
    """Why nothing could be learned, though she said something."""
    is_quick: bool = False
    """Whether the quick adapter learned it, and the usual one is still to come."""

    @property
    def scale(self) -> tuple[float, float]:
        """Lowest and highest score that she gives."""
        return self.said.scale if self.said.ratings else STARS

    def words(self, album: Album) -> Words:
        """What she said of an album's photos."""
        own = {row: one.score for one in self.said.ratings for row in album.rows_of(one.photo)}
        flags = {row: one.flag for one in self.flags for row in album.rows_of(one.photo)}
        there = sum(bool(album.rows_of(one.photo)) for one in self.said.ratings)
        return Words(
            own=own,
            flags=flags,
            n_elsewhere=len(self.said.ratings) - there,
            n_comparisons=len(self.said.comparisons),
        )

    def scores(self, album: Album, ground: Ground) -> NDArray[np.float32]:
        """Scores of all photos on her scale, shape (n,), NaN where a photo was not embedded yet."""
        found, rows = np.full(len(album), np.nan, np.float32), album.known_rows()
        if not len(rows):
            return found
        if self.learned is None:
            unit = bend(album.vectors(rows)[:, 0])
        else:
            unit = ground.unit_scores(self.learned.adapter, rows)
        low, high = self.scale
        found[rows] = low + (high - low) * unit
        return found


def look(store: Store, model: Model, user: str) -> Taste:
    """What a store knows of somebody, with nothing learned yet; somebody new said nothing."""
    try:
        return Taste(user=user, said=store.said(user, model.generic.hash), flags=tuple(store.flags(user)))
    except UnknownUser:
        return Taste(user=user)


def learned_from(taste: Taste, store: Store, model: Model, *, quick: bool) -> Taste:
    """The same, with what can be learned from it.

    Args:
        taste: see :func:`look`.
        store: which adapter she is learned by.
        model: the generic model.
        quick: whether many ratings are learned by the quick adapter.
    """
    said = taste.said
    if not (said.ratings or said.comparisons):
        return taste
    is_quick = quick and len(said.ratings) > MANY and model.prior is not None
    try:
        usual = adapter_of_what_is_kept(store, taste.user)

        def make() -> Adapter:
            name = QUICK if is_quick else adapter_name(said, None, usual)
            return make_adapter(name, model.prior)

        learned = learn(model, taste.user, said, make)
    except TooFewRatings:  # comparisons without a preference
        return taste
    except PiaaError as error:
        return Taste(user=taste.user, said=said, flags=taste.flags, problem=str(error))
    return Taste(user=taste.user, said=said, flags=taste.flags, learned=learned, is_quick=is_quick)
