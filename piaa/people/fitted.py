"""What a person was learned from and by, and what of it no store knows: all that there is to keep."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from piaa.adapters.base import Adapter
from piaa.people.estimate import RankEstimate
from piaa.people.opened_model import OpenedModel
from piaa.ratings.scale import Scale
from piaa.store.place import Place
from piaa.store.records import SeenPhoto, StoredComparison, StoredRating
from piaa.store.said import Said
from piaa.store.store import Store


@dataclass(frozen=True, kw_only=True)
class Unsaved:
    """What a person in memory has to tell the store."""

    said: Said | None = None
    """All that she was learned from; None for a person as she was loaded."""
    ratings: tuple[tuple[SeenPhoto, float], ...] = ()
    comparisons: tuple[tuple[SeenPhoto, SeenPhoto, str], ...] = ()
    withdrawn: tuple[str, ...] = field(default=())
    """Identities of photos."""
    place: Place = None
    """Where she was loaded from."""

    def known(self, user: str, model_hash: str) -> Said:
        """All that she said; of a person as she was loaded, what the store knows by now."""
        if self.said is not None:
            return self.said
        store = Store(self.place)
        try:
            return store.said(user, model_hash)
        finally:
            store.close()

    def with_ratings(self, fresh: Sequence[tuple[SeenPhoto, float]]) -> Unsaved:
        """And these."""
        again = {photo.identity for photo, _ in fresh}
        kept = (one for one in self.ratings if one[0].identity not in again)
        return dataclasses.replace(self, ratings=(*kept, *fresh))

    def with_comparisons(self, fresh: Sequence[tuple[SeenPhoto, SeenPhoto, str]]) -> Unsaved:
        """And these; one that is here already counts once, as in a store."""
        known = {(a.identity, b.identity, outcome) for a, b, outcome in self.comparisons}
        more = (one for one in fresh if (one[0].identity, one[1].identity, one[2]) not in known)
        return dataclasses.replace(self, comparisons=(*self.comparisons, *more))

    def without(self, photos: set[str]) -> Unsaved:
        """And without all that concerns these photos, by identity."""
        # The store may know by its file what it has not seen yet.
        files = {one.sha256 for one, _ in self.ratings if one.identity in photos and one.sha256}
        return dataclasses.replace(
            self,
            ratings=tuple(one for one in self.ratings if one[0].identity not in photos),
            comparisons=tuple(
                one for one in self.comparisons if photos.isdisjoint((one[0].identity, one[1].identity))
            ),
            withdrawn=(*self.withdrawn, *sorted(photos | files)),
        )


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """A person as she was learned."""

    model: OpenedModel
    user: str
    scale: Scale
    adapter: Adapter
    ratings: tuple[StoredRating, ...] = ()
    """The ratings that she was learned from, in the order of the adapter's support."""
    comparisons: tuple[StoredComparison, ...] = ()
    """The comparisons that she was learned from, in the order of the adapter's."""
    version: int | None = None
    """Her version in the store that she was loaded from."""
    estimate: RankEstimate | None = None
    """How well she will be ranked, if she was fitted just now and gave enough ratings to tell."""
    skipped: Mapping[str, str] = field(default_factory=dict)
    """Rated photos that could not be used, with the reason."""
    notes: tuple[str, ...] = ()
    """What to know of how her ratings were read and their photos found, if she was fitted just now."""
    n_unused: int = 0
    """Comparisons that she was not learned from: her adapter takes ratings alone, or they are too many."""
    unsaved: Unsaved = field(default_factory=Unsaved, repr=False)
    """What she said that no store knows, and where she was loaded from."""
