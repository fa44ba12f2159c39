"""A group as a store knows it: what its people rated, with vectors that the store or the cache has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from generic.cache.features import FeatureCache
from generic.errors import StoreError
from generic.model.generic_model import GenericModel
from generic.words import counted
from piaa.calibrate.photos import Group
from piaa.calibrate.raters import Table
from piaa.store.reader import StoreReader
from piaa.store.records import StoredRating

Vector = NDArray[np.float32]
NO_VECTOR = "there is no vector of it; score it again, or pass its folder to piaa users refit --images"


def stored_group(model: GenericModel, store: StoreReader, cache: FeatureCache) -> Group:
    """All that people of a store rated; photos are not read.

    Args:
        model: the plain model. While people are scored by one that was calibrated from it, the vectors of
            photos that came since are in the cache.
        store: where they are.
        cache: of photos.

    Raises:
        StoreError: there is not one rating of a photo with a vector, or the store cannot be used.
    """
    said = {one.user: store.said(one.user, model.hash) for one in store.users()}
    given = [(user, rating, one.scale) for user, one in said.items() for rating in one.ratings]
    vectors: dict[str, Vector] = {}
    for one in said.values():
        vectors |= {photo: vector for photo, vector in one.vectors.items() if photo not in one.mapped}
    absent = {rating.photo: rating.image for _, rating, _ in given if rating.photo not in vectors}
    vectors |= model.remembered(cache).of_pictures(absent.keys())
    kept = [row for row in given if row[1].photo in vectors]
    if not kept:
        raise StoreError(
            f"store {store.name} has {counted(len(given), 'rating')}, none of a photo with a vector of model "
            f"{model.name} {model.hash[:8]}; name the plain model that its people were learned on"
        )
    left_out = {photo: image for photo, image in absent.items() if photo not in vectors}
    return _group(kept, vectors, dict.fromkeys(_told_apart(left_out), NO_VECTOR))


def _told_apart(names: Mapping[str, str]) -> list[str]:
    """Photos by name, each once: what two people call beach.jpg is two photos, and told apart by identity."""
    n = Counter(names.values())
    return [image if n[image] == 1 else f"{image} ({photo[:8]})" for photo, image in names.items()]


def _group(
    given: list[tuple[str, StoredRating, tuple[float, float]]],
    vectors: Mapping[str, Vector],
    skipped: Mapping[str, str],
) -> Group:
    """By identity and name, so that the order in which people came changes nothing."""
    photos = {rating.photo: rating for _, rating, _ in given}
    place = {identity: row for row, identity in enumerate(sorted(photos))}
    people = sorted({user for user, _, _ in given})
    number = {user: row for row, user in enumerate(people)}
    table = Table(
        rows=np.array([place[rating.photo] for _, rating, _ in given], np.intp),
        people=np.array([number[user] for user, _, _ in given], np.intp),
        scores=np.array([_unit(rating, scale) for _, rating, scale in given]),
        n_photos=len(place),
        n_people=len(people),
    )
    return Group(
        vectors=np.stack([np.asarray(vectors[identity]) for identity in place]),
        names=tuple(photos[identity].image for identity in place),
        digests=tuple(photos[identity].sha256 or identity for identity in place),
        table=table,
        people=tuple(people),
        skipped=skipped,
    )


def _unit(rating: StoredRating, scale: tuple[float, float]) -> float:
    low, high = rating.scale or scale
    return (rating.score - low) / (high - low)
