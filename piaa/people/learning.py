"""Learning on: ratings added to a fitted person, or withdrawn; always equal to a fit of what remains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from typing import TYPE_CHECKING

import numpy as np

from generic.errors import PiaaError, RatingsError
from piaa.adapters.base import Adapter
from piaa.adapters.registry import make_adapter
from piaa.people.estimate import estimate_ranking
from piaa.people.rated import RatedPhotos
from piaa.ratings.table import Duplicates, Ratings
from piaa.store.records import StoredRating

if TYPE_CHECKING:
    from piaa.people.person import Person


def add_ratings(person: Person, table: Ratings, read: RatedPhotos, duplicates: Duplicates) -> Person:
    """The person with the ratings of a table; see :meth:`piaa.people.person.Person.add`."""
    from piaa.people.rated import stored_ratings

    adapter = _copy(person)
    kept = table.take([row for row, name in enumerate(table.images) if name in read.vectors])
    fresh = stored_ratings(kept, read)
    known = _rows_of(person.ratings)
    again = [rating for rating in fresh if _key(rating) in known]
    if again and duplicates == "error":
        first = person.ratings[known[_key(again[0])][0]]
        raise RatingsError(
            f"user {person.user!r} has rated {len(again)} of these {len(fresh)} photos before, the first "
            f"{first.image!r} as {first.score:g}; leave them out, or pass --duplicates last or "
            "--duplicates mean"
        )
    if duplicates == "mean":
        fresh = tuple(
            _mean(rating, [person.ratings[row] for row in known.get(_key(rating), [])]) for rating in fresh
        )
    replaced = {row for rating in again for row in known[_key(rating)]}
    old = [row for row in range(len(person.ratings)) if row not in replaced]
    features, scores = adapter.support
    unit = person.scale.to_unit(np.array([rating.score for rating in fresh]))
    adapter.fit(
        np.concatenate([features[old], read.features(kept.images)]), np.concatenate([scores[old], unit])
    )
    ratings = (*(person.ratings[row] for row in old), *fresh)
    return _with(person, adapter, ratings, skipped=read.skipped)


def forget_ratings(person: Person, images: Sequence[str]) -> Person:
    """The person without the ratings of some photos; see :meth:`piaa.people.person.Person.forget`."""
    adapter = _copy(person)
    gone = set(ratings_of(person.user, images, person.ratings))
    rows = [row for row, one in enumerate(person.ratings) if one in gone]
    adapter.forget(rows)
    kept = tuple(rating for row, rating in enumerate(person.ratings) if row not in rows)
    return _with(person, adapter, kept, skipped={})


def ratings_of(user: str, images: Sequence[str], ratings: Sequence[StoredRating]) -> tuple[StoredRating, ...]:
    """Every rating under one of the names, and of the same photo under another one.

    Args:
        user: whose ratings they are, for the message.
        images: names of photos as she rated them.
        ratings: those of one version, or of several.

    Raises:
        RatingsError: there is no rating under one of the names.
    """
    names = {rating.image for rating in ratings}
    for name in images:
        if name not in names:
            close = get_close_matches(name, sorted(names), n=3)
            cure = f"did you mean {' or '.join(map(repr, close))}?" if close else "see: piaa users show NAME"
            raise RatingsError(f"user {user!r} has no rating of {name!r} among {len(names)}; {cure}")
    photos = {_key(rating) for rating in ratings if rating.image in images}
    return tuple(one for one in ratings if one.image in images or _key(one) in photos)


def _copy(person: Person) -> Adapter:
    """The person's adapter once more, so that the person herself stays as she is."""
    # A stored person has no meta-learned start, only what was learned from it.
    if not person.adapter.keeps_support or person.adapter.needs_start or person.pairs:
        what = "comparisons" if person.pairs else f"adapter {person.adapter.name!r}"
        raise PiaaError(
            f"user {person.user!r} was learned by {what}, to which no rating can be added and of which "
            "none can be taken; fit again with the whole table (piaa fit-user), and where a rating is "
            "withdrawn delete the person before (piaa users delete)"
        )
    return make_adapter(person.adapter.name, person.model.prior).restore(person.adapter.state())


def _with(
    person: Person, adapter: Adapter, ratings: tuple[StoredRating, ...], *, skipped: Mapping[str, str]
) -> Person:
    def make() -> Adapter:
        return make_adapter(adapter.name, person.model.prior)

    return replace(
        person,
        adapter=adapter,
        ratings=ratings,
        estimate=estimate_ranking(make, *adapter.support),
        skipped=skipped,
        changed_from=person.version if person.changed_from is None else person.changed_from,
    )


def _key(rating: StoredRating) -> str:
    """What makes two ratings those of one photo: its content, or its name where that is unknown."""
    return rating.sha256 or rating.image


def _rows_of(ratings: Sequence[StoredRating]) -> dict[str, list[int]]:
    """The ratings of each photo, which may have been rated under several names."""
    rows: dict[str, list[int]] = {}
    for row, rating in enumerate(ratings):
        rows.setdefault(_key(rating), []).append(row)
    return rows


def _mean(fresh: StoredRating, old: Sequence[StoredRating]) -> StoredRating:
    return replace(fresh, score=(fresh.score + sum(one.score for one in old)) / (1 + len(old)))
