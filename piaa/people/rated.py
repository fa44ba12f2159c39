"""Photos that a person judged, found and turned into vectors: what every kind of fit begins with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from generic.cache.features import FeatureCache, Features
from generic.errors import ImageError
from generic.progress import Progress
from piaa.ratings.locate import locate_images
from piaa.store.records import StoredRating

if TYPE_CHECKING:
    from piaa.people.opened_model import OpenedModel
    from piaa.ratings.table import Ratings


@dataclass(frozen=True, kw_only=True)
class RatedPhotos:
    """Vectors of the photos that can be read, by the name that the table gives them."""

    vectors: Mapping[str, Features]
    """Shape (1 + d,) each."""
    digests: Mapping[str, str]
    """SHA-256 of each readable photo, 64 hex digits."""
    paths: Mapping[str, Path]
    """File of each readable photo."""
    skipped: Mapping[str, str]
    """Photos that cannot be used, with the reason."""

    def features(self, names: Sequence[str]) -> Features:
        """Vectors of some of the photos, shape (n, 1 + d)."""
        return np.stack([self.vectors[name] for name in names])


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
        ImageError: the folder is missing, or not one of the photos can be read.
    """
    found, missing = locate_images(names, folder)
    skipped = {item.name: item.reason for item in missing}
    there = [name for name in dict.fromkeys(names) if name in found]
    with FeatureCache.open(model.settings.cache) as cache:
        paths = [found[name] for name in there]
        results = model.generic.embed(
            paths, cache=cache, max_pixels=model.settings.max_pixels, progress=progress
        )
        embedded = dict(zip(there, results, strict=True))
    skipped |= {name: str(item.error) for name, item in embedded.items() if item.error}
    vectors = {name: item.vector for name, item in embedded.items() if item.vector is not None}
    if not vectors:
        name, reason = next(iter(skipped.items()))
        raise ImageError(
            f"none of the {len(skipped)} photos that user {user!r} rated can be used; pass the folder "
            f"that holds them instead of {folder}, or repair them. The first is {name!r}: {reason}"
        )
    digests = {name: embedded[name].digest for name in vectors}
    files = {name: found[name] for name in vectors}
    return RatedPhotos(vectors=vectors, digests=digests, paths=files, skipped=skipped)


def stored_ratings(table: Ratings, read: RatedPhotos) -> tuple[StoredRating, ...]:
    """One person's ratings of readable photos as the store keeps them."""
    return tuple(
        StoredRating(image=name, sha256=read.digests[name], score=float(score))
        for name, score in zip(table.images, table.scores, strict=True)
    )
