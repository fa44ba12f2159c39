"""What a person says of photo files goes into a store, before anything is learned from it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from generic.cache.features import FeatureCache
from generic.errors import UnknownUser
from generic.progress import Progress, no_progress
from piaa.people.rated import RatedPhotos, rated_once, read_compared, read_rated
from piaa.ratings.locate import locate_images
from piaa.store.said import Said
from piaa.store.saying import Saying
from piaa.store.store import Store

if TYPE_CHECKING:
    from piaa.people.model import Model
    from piaa.ratings.table import Duplicates, Ratings


def known_of(store: Store, user: str, model_hash: str) -> Said | None:
    """What a store knows that somebody said; None if that is nothing.

    Raises:
        StoreError: the store cannot be used.
    """
    with suppress(UnknownUser):
        said = store.said(user, model_hash)
        return said if said.ratings or said.comparisons else None
    return None


def tell_ratings(
    model: Model,
    store: Store,
    user: str,
    table: Ratings,
    *,
    images: Path,
    duplicates: Duplicates = "error",
    replace: bool = False,
    source: str = "table",
    progress: Progress = no_progress,
) -> RatedPhotos:
    """Keep the ratings of readable photos; of a photo rated before the new score counts.

    The notes of what is returned tell how the table was read, too.

    Args:
        model: whose vectors are kept with them.
        store: where.
        user: whose they are.
        table: her ratings, on her scale.
        images: the folder that the image names are relative to.
        duplicates: what to do with a photo that has two scores in the table, under two names.
        replace: whether they take the place of all her ratings of before, which become history.
        source: where she gave them.
        progress: called with the number of photos newly done.

    Raises:
        RatingsError: a photo has two scores.
        ImageError: not one rated photo can be read.
        ScaleError: she rated on another scale before.
    """
    read = read_rated(model, table.images, images, user=user, progress=progress)
    saying = Saying(
        ratings=rated_once(table, read, duplicates),
        model_hash=model.generic.hash,
        source=source,
        scale=(table.scale.low, table.scale.high),
    )
    store.say(user, saying, replace=replace)
    return dataclasses.replace(read, notes=(*table.notes, *read.notes))


def tell_pairs(
    model: Model,
    store: Store,
    user: str,
    pairs: Sequence[tuple[str, str]],
    *,
    images: Path,
    replace: bool = False,
    source: str = "table",
    progress: Progress = no_progress,
) -> RatedPhotos:
    """Keep comparisons of readable photos, beside whatever ratings there are.

    Args:
        model: whose vectors are kept with them.
        store: where.
        user: whose they are.
        pairs: names of the preferred photo and of the other.
        images: the folder that the names are relative to.
        replace: whether they take the place of all her comparisons of before, which become history.
        source: where she gave them.
        progress: called with the number of photos newly done.

    Raises:
        ImageError: there is no comparison of two readable photos.
    """
    read, compared = read_compared(model, pairs, images, user=user, progress=progress)
    store.say(
        user, Saying(comparisons=compared, model_hash=model.generic.hash, source=source), replace=replace
    )
    return read


def files_of(model: Model, said: Said, folder: Path) -> Mapping[str, Path]:
    """The files of rated photos that a folder holds under the names that she gave, by identity.

    Raises:
        ImageError: there is no such folder.
    """
    found, _ = locate_images([one.image for one in said.ratings], folder)
    with FeatureCache.open(model.settings.cache) as cache:
        contents, _ = cache.digest_many(list(found.values()))
    return {content.identity: path for path, content in contents.items()}
