"""People of a store learned anew on another model: from all that they said, and the photos at hand.

A store keeps versions of several models side by side, so whoever cannot be learned anew, or not yet, is
answered by the version of before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from generic.cache.contents import Content
from generic.cache.features import FeatureCache
from generic.errors import ModelMismatch, TooFewRatings, UnknownUser
from generic.photos.find import find_images
from generic.progress import Progress, no_progress
from generic.words import counted
from piaa.adapters.registry import DEFAULT
from piaa.people.learn import adapter_name, learn, linear_form_of, record_of
from piaa.people.learn_on import adapter_of_what_is_kept
from piaa.people.rated import see
from piaa.people.vector_map import LEAST_RATINGS, MOST_PEOPLE, Loss, learn_map
from piaa.store.mapping import MapStore
from piaa.store.said import Said
from piaa.store.store import Store

if TYPE_CHECKING:
    from piaa.people.model import Model


@dataclass(frozen=True, kw_only=True)
class Refitted:
    """What became of one person."""

    user: str
    version: int | None = None
    """Her newest version, which counts for the model; None: she is as before."""
    adapter: str = ""
    n_ratings: int = 0
    """That it was learned from."""
    n_comparisons: int = 0
    """Likewise."""
    n_mapped: int = 0
    """Photos among them whose vector was worked out from another model's."""
    n_left_out: int = 0
    """Ratings and comparisons of photos of which there is no vector."""
    reason: str = ""
    """Why she is as before; empty: a version of the model knows all that she said already."""


class Album:
    """The photo files of a folder, by what a store knows of photos.

    Args:
        folder: with all folders in it; None: no photo is at hand.
        cache: knows which picture a file holds.
    """

    def __init__(self, folder: Path | None, cache: FeatureCache) -> None:
        paths = [] if folder is None else list(find_images(folder))
        contents: Mapping[Path, Content] = cache.digest_many(paths)[0] if paths else {}
        self._files = {key: path for path, it in contents.items() for key in (it.sha256, it.identity)}

    def of(self, photos: Sequence[str]) -> dict[str, Path]:
        """Files of those photos that are at hand, by identity, or by what else a store knows them by."""
        return {photo: self._files[photo] for photo in photos if photo in self._files}


def refit_people(
    model: Model,
    store: Store,
    users: Sequence[str],
    images: Path | None,
    *,
    partial: bool = False,
    progress: Progress = no_progress,
) -> Iterator[Refitted]:
    """Learn people anew, one after the other; each is kept before the next begins.

    Args:
        model: the one that they are learned on.
        store: where they are.
        users: who.
        images: a folder with the photos that they judged, under whatever names; None: only the vectors that
            the store has.
        partial: whether who judged photos of which there is neither is learned from the others.
        progress: called with the number of people newly done.

    Raises:
        ImageError: there is no such folder.
        StoreError: the store cannot be used.
    """
    with FeatureCache.open(model.settings.cache) as cache:
        album = Album(images, cache)
    for user in users:
        yield _refit(model, store, user, album, partial)
        progress(1)


def _refit(model: Model, store: Store, user: str, album: Album, partial: bool) -> Refitted:
    try:
        unseen = photos_of(store.said(user, model.generic.hash))
        if store.knows_all(user, model.generic.hash) and not album.of(list(unseen)):
            return Refitted(user=user)  # of a run that somebody stopped
        _look(model, store, user, album, partial)
        return _learn(model, store, user, partial)
    except (ModelMismatch, TooFewRatings, UnknownUser) as error:  # or she was erased meanwhile
        return Refitted(user=user, reason=str(error))


def _look(model: Model, store: Store, user: str, album: Album, partial: bool) -> None:
    """Keep the model's own vectors of those of her photos that the store has none of.

    Raises:
        ModelMismatch: some of them are not at hand, and have no mapped vector either; the others are kept.
    """
    said = store.said(user, model.generic.hash)
    names = photos_of(said)
    at_hand = album.of(list(names))
    # By identity and not by name: of photos that were sent over HTTP many may be called the same.
    seen = see(model, at_hand, progress=no_progress)
    photos = [replace(one, image=names[photo]) for photo, one in seen.photos.items()]
    if photos:
        store.see(user, photos, model.generic.hash)
    here = (at_hand.keys() - seen.skipped.keys()) | said.mapped
    absent = [name for photo, name in names.items() if photo not in here]
    if absent and not partial:
        raise ModelMismatch(
            f"of {len(absent)} of {counted(len(names), 'photo')} that user {user!r} judged there is neither "
            f"a vector of model {model.generic.name} {model.generic.hash[:8]} nor a readable file, the first "
            f"is {absent[0]!r}; pass the folder that holds them with --images"
        )


def photos_of(said: Said) -> dict[str, str]:
    """Names, by identity, of the photos that a person judged and that the model has not seen."""
    names = {one.photo: one.image for one in said.ratings}
    for it in said.comparisons:
        names |= {it.a_photo: it.a, it.b_photo: it.b}
    return {photo: name for photo, name in names.items() if photo not in said.vectors or photo in said.mapped}


def _learn(model: Model, store: Store, user: str, partial: bool) -> Refitted:
    adapter = adapter_of_what_is_kept(store, user)
    while True:  # again, if she withdraws something meanwhile
        given = store.said(user, model.generic.hash)
        said = given.with_vectors() if partial else given
        left_out = len(given.ratings) + len(given.comparisons) - len(said.ratings) - len(said.comparisons)
        learned = learn(model, user, said, model.maker(adapter_name(said, None, adapter)))
        record, form = record_of(model, learned, said.scale), linear_form_of(learned.adapter)
        version = store.keep(user, record, said, linear_form=form)
        if version is not None:
            return Refitted(
                user=user,
                version=version,
                adapter=record.adapter,
                n_ratings=len(learned.ratings),
                n_comparisons=len(learned.comparisons),
                n_mapped=learned.n_mapped,
                n_left_out=left_out,
            )


def map_gone(model: Model, store: Store, users: Sequence[str]) -> tuple[int, Loss] | None:
    """Work out the model's vectors of photos that are gone, from those of the model that saw most of them.

    Args:
        model: of which vectors are wanted.
        store: where the photos' old vectors are, and photos that both models have seen.
        users: whose photos.

    Returns:
        of how many photos there is a vector now, and what the map loses; None if none is missing.

    Raises:
        ModelMismatch: there are too few photos that both models have seen, or too few ratings of them.
    """
    maps, new = MapStore(store.database), model.generic.hash
    old = maps.model_before(new)
    gone = maps.gone(old, new, users) if old else {}
    if not (old and gone):
        return None
    pairs = maps.pairs(old, new)
    judges = maps.judges(pairs, LEAST_RATINGS, MOST_PEOPLE)
    found, loss = learn_map(pairs, judges, model.maker(DEFAULT))
    mapped = found(np.stack(list(gone.values())))
    maps.keep(dict(zip(gone, mapped, strict=True)), new)
    return len(gone), loss
