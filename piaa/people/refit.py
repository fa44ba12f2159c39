"""People of a store learned anew on another model: from all that they said, and the photos at hand.

A store keeps versions of several models side by side, so whoever cannot be learned anew, or not yet, is
answered by the version of before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from generic.cache.contents import Content
from generic.cache.features import FeatureCache
from generic.errors import ModelMismatch, TooFewRatings, UnknownUser
from generic.photos.find import find_images
from generic.progress import Progress, no_progress
from generic.words import counted
from piaa.people.learn import adapter_name, learn, linear_form_of, record_of
from piaa.people.learn_on import adapter_of_what_is_kept
from piaa.people.rated import see
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
    model: Model, store: Store, users: Sequence[str], images: Path | None, *, progress: Progress = no_progress
) -> Iterator[Refitted]:
    """Learn people anew, one after the other; each is kept before the next begins.

    Args:
        model: the one that they are learned on.
        store: where they are.
        users: who.
        images: a folder with the photos that they judged, under whatever names; None: only the vectors that
            the store has.
        progress: called with the number of people newly done.

    Raises:
        ImageError: there is no such folder.
        StoreError: the store cannot be used.
    """
    with FeatureCache.open(model.settings.cache) as cache:
        album = Album(images, cache)
    for user in users:
        yield _refit(model, store, user, album)
        progress(1)


def _refit(model: Model, store: Store, user: str, album: Album) -> Refitted:
    try:
        if store.knows_all(user, model.generic.hash):  # of a run that somebody stopped
            return Refitted(user=user)
        _look(model, store, user, album)
        return _learn(model, store, user)
    except (ModelMismatch, TooFewRatings, UnknownUser) as error:  # or she was erased meanwhile
        return Refitted(user=user, reason=str(error))


def _look(model: Model, store: Store, user: str, album: Album) -> None:
    """Keep the vectors of those of her photos that the store has none of.

    Raises:
        ModelMismatch: some of them are not at hand.
    """
    names = photos_of(store.said(user, model.generic.hash))
    at_hand = album.of(list(names))
    absent = [name for photo, name in names.items() if photo not in at_hand]
    # By identity and not by name: of photos that were sent over HTTP many may be called the same.
    seen = see(model, at_hand, progress=no_progress)
    absent += [names[photo] for photo in seen.skipped]
    if absent:
        raise ModelMismatch(
            f"of {len(absent)} of {counted(len(names), 'photo')} that user {user!r} judged there is neither "
            f"a vector of model {model.generic.name} {model.generic.hash[:8]} nor a readable file, the first "
            f"is {absent[0]!r}; pass the folder that holds them with --images"
        )
    if names:
        photos = [replace(one, image=names[photo]) for photo, one in seen.photos.items()]
        store.see(user, photos, model.generic.hash)


def photos_of(said: Said) -> dict[str, str]:
    """Names, by identity, of the photos that a person judged and of which there is no vector."""
    names = {one.photo: one.image for one in said.ratings}
    for it in said.comparisons:
        names |= {it.a_photo: it.a, it.b_photo: it.b}
    return {photo: name for photo, name in names.items() if photo not in said.vectors}


def _learn(model: Model, store: Store, user: str) -> Refitted:
    adapter = adapter_of_what_is_kept(store, user)
    while True:  # again, if she withdraws something meanwhile
        said = store.said(user, model.generic.hash)
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
            )
