"""Photos that a person judged, found and turned into vectors: what every kind of fit begins with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from generic.cache.features import FeatureCache
from generic.errors import ImageError, RatingsError
from generic.photos.facts import photo_facts
from generic.progress import Progress
from generic.words import none_of
from piaa.ratings.locate import AmbiguousImage, MissingImage, locate_images, respelled
from piaa.store.records import SeenPhoto

if TYPE_CHECKING:
    from piaa.people.opened_model import OpenedModel
    from piaa.ratings.rows import Duplicates
    from piaa.ratings.table import Ratings, SameFile


@dataclass(frozen=True, kw_only=True)
class RatedPhotos:
    """The photos that can be read, by the name that the table gives them."""

    photos: Mapping[str, SeenPhoto]
    """With their vectors."""
    paths: Mapping[str, Path]
    """File of each of them."""
    skipped: Mapping[str, str]
    """Photos that cannot be used, with the reason."""
    notes: tuple[str, ...] = ()
    """What to know of how they were found."""

    @property
    def files(self) -> dict[str, Path]:
        """The file of each photo, by identity."""
        return {photo.identity: self.paths[name] for name, photo in self.photos.items()}

    def and_those(self, other: RatedPhotos) -> RatedPhotos:
        """The photos of two tables."""
        return RatedPhotos(
            photos={**self.photos, **other.photos},
            paths={**self.paths, **other.paths},
            skipped={**self.skipped, **other.skipped},
            notes=(*self.notes, *other.notes),
        )


def read_rated(
    model: OpenedModel,
    names: Sequence[str],
    folder: Path,
    *,
    user: str,
    progress: Progress,
) -> RatedPhotos:
    """Find and embed the photos that a person judged.

    Args:
        model: the generic model, with how photos are read for it.
        names: image names as her table gives them; repeated names count once.
        folder: that the names are relative to.
        user: who judged them, for the message.
        progress: called with the number of photos newly done.

    Raises:
        ImageError: the folder is missing, a name may be any of several photos, or not one can be read.
    """
    found, missing = locate_images(names, folder)
    _refuse_ambiguous(missing, user)
    skipped = {item.name: item.reason for item in missing}
    there = {name: found[name] for name in names if name in found}
    seen = see(model, there, progress=progress)
    skipped |= seen.skipped
    if not seen.photos:
        name, reason = next(iter(skipped.items()))
        raise ImageError(
            f"{none_of(len(skipped), 'photo')} that user {user!r} rated can be used; pass the folder "
            f"that holds them instead of {folder}, or repair them. The first is {name!r}: {reason}"
        )
    return replace(seen, skipped=skipped, notes=respelled(found))


def read_compared(
    model: OpenedModel,
    pairs: Sequence[tuple[str, str]],
    folder: Path,
    *,
    user: str,
    progress: Progress,
) -> tuple[RatedPhotos, list[tuple[SeenPhoto, SeenPhoto, str]]]:
    """The photos of comparisons, and those comparisons of which both can be read.

    Args:
        model: the generic model, with how photos are read for it.
        pairs: names of the preferred photo and of the other.
        folder: that the names are relative to.
        user: who compared them, for the message.
        progress: called with the number of photos newly done.

    Raises:
        RatingsError: a photo is compared with itself, under two names.
        ImageError: there is none.
    """
    names = [name for pair in pairs for name in pair]
    read = read_rated(model, names, folder, user=user, progress=progress)
    seen = read.photos
    kept = [(seen[a], seen[b], "a") for a, b in pairs if a in seen and b in seen]
    for one, other, _ in kept:
        if one.identity == other.identity:
            raise RatingsError(
                f"the comparisons: {one.image!r} is compared with {other.image!r}, which is the same "
                "photo; compare two different photos, or delete the row"
            )
    if not kept:
        raise ImageError(
            f"in {none_of(len(pairs), 'comparison')} of user {user!r} can both photos be used; "
            f"repair the photos, or pass the folder that holds them instead of {folder}"
        )
    return read, kept


def see(model: OpenedModel, files: Mapping[str, Path], *, progress: Progress) -> RatedPhotos:
    """Embed photos; those that cannot be read are skipped, were it all of them.

    Args:
        model: the generic model, with how photos are read for it.
        files: by the names that the person knows them by.
        progress: called with the number of photos newly done.
    """
    with FeatureCache.open(model.settings.cache) as cache:
        results = model.generic.embed(
            list(files.values()), cache=cache, max_pixels=model.settings.max_pixels, progress=progress
        )
        embedded = dict(zip(files, results, strict=True))
    photos = {}
    for name, item in embedded.items():
        if item.vector is not None:
            facts = photo_facts(item.path)
            photos[name] = SeenPhoto(
                identity=item.identity,
                sha256=item.digest,
                image=name,
                vector=item.vector,
                width=facts.width,
                height=facts.height,
                taken=facts.taken,
            )
    return RatedPhotos(
        photos=photos,
        paths={name: files[name] for name in photos},
        skipped={name: str(item.error) for name, item in embedded.items() if item.error},
    )


def _refuse_ambiguous(missing: Sequence[MissingImage], user: str) -> None:
    unclear = [item for item in missing if isinstance(item, AmbiguousImage)]
    if unclear:
        names = "name" if len(unclear) == 1 else "names"
        raise ImageError(
            f"{len(unclear)} {names} of photos that user {user!r} judged may be any of several files: "
            f"{unclear[0].name!r}: {unclear[0].reason}"
        )


def same_files(folder: str | Path) -> SameFile:
    """What finds the file of each name that is in a folder, for :func:`piaa.ratings.table.read_ratings`."""
    return lambda names: locate_images(names, Path(folder))[0]


def rated_once(table: Ratings, read: RatedPhotos, duplicates: Duplicates) -> list[tuple[SeenPhoto, float]]:
    """One person's ratings of readable photos, each photo once, whatever it is called.

    Args:
        table: her ratings, each name once.
        read: the photos.
        duplicates: what to do with a photo that has two scores under two names.

    Raises:
        RatingsError: there is one, and ``duplicates`` is ``error``.
    """
    scores: dict[str, list[tuple[SeenPhoto, float]]] = {}
    for name, score in zip(table.images, table.scores.tolist(), strict=True):
        if name in read.photos:
            scores.setdefault(read.photos[name].identity, []).append((read.photos[name], score))
    for some in scores.values():
        if duplicates == "error" and len({score for _, score in some}) > 1:
            (one, score), (other, again) = some[0], some[-1]
            raise RatingsError(
                f"{table.source}: {other.image!r} has the score {again:g}, but it is the same photo as "
                f"{one.image!r}, which has {score:g}; delete one of the two rows, or pass --duplicates "
                "last or --duplicates mean"
            )
    if duplicates == "mean":
        return [(some[-1][0], sum(score for _, score in some) / len(some)) for some in scores.values()]
    return [some[-1] for some in scores.values()]
