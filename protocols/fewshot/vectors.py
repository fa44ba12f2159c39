"""Model vectors of a dataset's images: computed once, shared by all users, repeats and adapters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generic.cache.features import FeatureCache
from generic.errors import DatasetError
from generic.model.generic_model import GenericModel
from generic.photos.lazy_pixels import LazyPixels
from generic.progress import Progress, no_progress
from piaa.ratings.locate import locate_images
from piaa.ratings.table import Ratings

Array = NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class Vectors:
    """Model vectors of the images of a dataset, computed once and shared by all."""

    names: tuple[str, ...]
    """The images, as the ratings name them."""
    matrix: Array
    """Shape (n, 1 + d): generic unit score, embedding; one row for each name."""
    pixels: LazyPixels | NDArray[np.uint8] | None = None
    """The images themselves, row by row, for adapters that change the network."""

    def rows(self, images: Sequence[str]) -> NDArray[np.intp]:
        """The row of each image.

        Raises:
            DatasetError: an image has no vector.
        """
        places = self._places
        missing = [image for image in images if image not in places]
        if missing:
            raise DatasetError(
                f"{len(missing)} rated images have no model vector, the first: {missing[0]}; "
                f"embed them first or leave their ratings out"
            )
        return np.array([places[image] for image in images], dtype=np.intp)

    @cached_property
    def _places(self) -> dict[str, int]:
        return {name: row for row, name in enumerate(self.names)}


@dataclass(frozen=True, kw_only=True)
class Embedded:
    """What became of the images of a dataset."""

    vectors: Vectors
    digests: Mapping[str, str]
    """Image that has a vector -> SHA-256 of its file, 64 hex digits."""
    unreadable: Mapping[str, str]
    """Image that has none -> why: its file is missing or broken."""


def embed(
    model: GenericModel,
    images: Sequence[str],
    root: Path,
    *,
    cache: FeatureCache,
    exact: bool = False,
    max_pixels: int | None = None,
    progress: Progress = no_progress,
) -> Embedded:
    """Vectors of images below a folder.

    Args:
        model: the frozen generic model.
        images: names as the ratings give them; repeated names count once.
        root: folder of the images.
        cache: of features, by (image, model).
        exact: see :func:`piaa.ratings.locate.locate_images`.
        max_pixels: photos with more pixels have no vector; None is the default of :mod:`generic.photos.open`.
        progress: called with the number of images newly done, missing ones included.

    Raises:
        DatasetError: not one image could be read.
        ImageError: the folder does not exist.
    """
    found, missing = locate_images(images, root, exact=exact)
    progress(len(missing))
    unreadable = {item.name: item.reason for item in missing}
    digests: dict[str, str] = {}
    rows = []
    results = model.embed(list(found.values()), cache=cache, max_pixels=max_pixels, progress=progress)
    for name, result in zip(found, results, strict=True):
        if result.vector is None:
            unreadable[name] = str(result.error)
        else:
            digests[name] = result.digest
            rows.append(result.vector)
    if not rows:
        first, reason = next(iter(unreadable.items()), ("", "there are no images"))
        raise DatasetError(
            f"none of the {len(unreadable)} rated images can be read; pass the folder that holds them with "
            f"--images, or repair them. The first is {first!r}: {reason}"
        )
    pixels = LazyPixels([found[name] for name in digests], model.size, fit=model.fit, max_pixels=max_pixels)
    vectors = Vectors(names=tuple(digests), matrix=np.stack(rows), pixels=pixels)
    return Embedded(vectors=vectors, digests=digests, unreadable=unreadable)


def readable(ratings: Ratings, vectors: Vectors) -> Ratings:
    """The ratings of images that have a vector."""
    known = set(vectors.names)
    return ratings.take([row for row, image in enumerate(ratings.images) if image in known])
