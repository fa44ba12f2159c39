"""A table of many raters and a folder of photos, as numbers: vectors, and who rated which photo how."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generic.errors import ImageError
from generic.progress import Progress
from generic.words import none_of
from piaa.calibrate.raters import Table
from piaa.people.opened_model import OpenedModel
from piaa.people.rated import see
from piaa.ratings.locate import locate_images
from piaa.ratings.table import Ratings


@dataclass(frozen=True, kw_only=True)
class Group:
    """A group's ratings of n photos that can be read."""

    vectors: NDArray[Any]
    """Shape (n, 1 + d)."""
    names: tuple[str, ...]
    """One of each photo's names in the table."""
    digests: tuple[str, ...]
    """SHA-256 of each photo's file."""
    table: Table
    people: tuple[str, ...]
    """The raters' names, by their numbers in the table."""
    skipped: Mapping[str, str]
    """Photos that cannot be used, with the reason."""


def read_group(model: OpenedModel, ratings: Ratings, images: Path, *, progress: Progress) -> Group:
    """Find and embed the rated photos; a photo under two names is one.

    Args:
        model: the generic model, with how photos are read for it.
        ratings: of many people.
        images: the folder that the image names are relative to.
        progress: called with the number of photos newly done.

    Raises:
        ImageError: the folder is missing, or no photo in it is rated and can be read.
    """
    found, missing = locate_images(dict.fromkeys(ratings.images), images)
    seen = see(model, found, progress=progress)
    skipped = {item.name: item.reason for item in missing} | dict(seen.skipped)
    if not seen.photos:
        raise ImageError(
            f"{none_of(len(skipped), 'rated photo')} can be used; pass the folder that has them instead of "
            f"{images}"
        )
    # By identity, so that the order of a table's rows changes nothing.
    known = {photo.identity: photo for photo in seen.photos.values()}
    place = {identity: row for row, identity in enumerate(sorted(known))}
    row_of = {name: place[photo.identity] for name, photo in seen.photos.items()}
    kept = [row for row, name in enumerate(ratings.images) if name in row_of]
    people = tuple(sorted({ratings.users[row] for row in kept}))
    number = {name: index for index, name in enumerate(people)}
    table = Table(
        rows=np.array([row_of[ratings.images[row]] for row in kept], np.intp),
        people=np.array([number[ratings.users[row]] for row in kept], np.intp),
        scores=np.asarray(ratings.unit_scores[kept], np.float64),
        n_photos=len(place),
        n_people=len(people),
    )
    photos = [known[identity] for identity in place]
    return Group(
        vectors=np.stack([np.asarray(photo.vector) for photo in photos]),
        names=tuple(photo.image for photo in photos),
        digests=tuple(str(photo.sha256) for photo in photos),
        table=table,
        people=people,
        skipped=skipped,
    )
