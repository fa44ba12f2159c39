"""A generic model that is open: its file, its prior, and how photos are read for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from generic.cache.features import FeatureCache, Features, default_cache_folder
from generic.errors import ImageError
from generic.model.generic_model import GenericModel
from generic.photos.lazy_pixels import LazyPixels
from piaa.adapters.base import Photos
from piaa.adapters.prior import PREFIX, Prior


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How photos are read and remembered."""

    cache: Path | None = field(default_factory=default_cache_folder)
    """Folder of the feature cache; None remembers nothing."""
    max_pixels: int | None = None
    """Photos with more pixels are refused; None is the default of :mod:`generic.photos.open`."""


class OpenedModel:
    """What a fitted person needs of the model that she was fitted on.

    Args:
        generic: the generic model.
        settings: how photos are read and remembered.
    """

    def __init__(self, generic: GenericModel, settings: Settings | None = None) -> None:
        self.generic = generic
        self.settings = settings or Settings()

    @cached_property
    def prior(self) -> Prior | None:
        """What the model file knows of how people differ, if it does."""
        return Prior.from_tensors(self.generic.tensors(PREFIX))

    def vector_of(self, photo: Path) -> Features:
        """The vector of one photo, shape (1 + d,).

        Raises:
            ImageError: it cannot be read.
        """
        with FeatureCache.open(self.settings.cache) as cache:
            (found,) = self.generic.embed([photo], cache=cache, max_pixels=self.settings.max_pixels)
        if found.vector is None:
            raise found.error or ImageError(f"cannot read image {str(photo)!r}")
        return found.vector

    def photos(self, vectors: Features, paths: Sequence[Path]) -> Photos:
        """Photos for an adapter that changes the network: their files are decoded when it asks for them."""
        pixels = LazyPixels(
            paths, self.generic.size, fit=self.generic.fit, max_pixels=self.settings.max_pixels
        )
        return Photos(vectors=vectors, pixels=pixels)
