"""One person on top of a generic model: score, learn on, save."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors.numpy import save as pack

from generic.cache.features import FeatureCache, Features
from generic.errors import ImageError
from generic.photos.find import find_images
from generic.progress import Progress, no_progress
from piaa.adapters.base import Adapter
from piaa.adapters.prediction import Array, bend
from piaa.adapters.registry import make_adapter
from piaa.people.estimate import RankEstimate, estimate_ranking
from piaa.people.learning import learner, merge_ratings, ratings_of
from piaa.people.opened_model import OpenedModel
from piaa.people.rated import read_rated, stored_ratings
from piaa.people.score_table import ScoreTable
from piaa.ratings.accept import RatingsLike, as_ratings
from piaa.ratings.scale import Scale
from piaa.ratings.table import Duplicates
from piaa.store.adapter_store import AdapterStore
from piaa.store.records import AdapterRecord, StoredRating

if TYPE_CHECKING:
    import pandas as pd

_CHUNK = 512


@dataclass(frozen=True, kw_only=True)
class Person:
    """A fitted person; made by ``fit_user`` or ``load`` of :class:`piaa.people.model.Model`."""

    model: OpenedModel
    user: str
    scale: Scale
    adapter: Adapter
    ratings: tuple[StoredRating, ...]
    """The ratings that she was fitted on, in the order of the adapter's support."""
    pairs: tuple[tuple[str, str], ...] = ()
    """The comparisons that she was fitted on instead: names of the preferred photo and of the other."""
    version: int | None = None
    """Her version in the store that she was loaded from."""
    changed_from: int | None = None
    """The stored version that ratings were added to or taken from; :meth:`save` wants it to be the newest."""
    estimate: RankEstimate | None = None
    """How well she will be ranked, if she was fitted just now and gave enough ratings to tell."""
    skipped: Mapping[str, str] = field(default_factory=dict)
    """Rated photos that could not be used, with the reason."""

    def score(self, photos: str | Path | Sequence[str | Path]) -> pd.DataFrame:
        """Score photos; predicting learns nothing and changes nothing.

        Args:
            photos: a folder (searched with its subfolders), or photo files.

        Returns:
            a frame ``image, score, low, high, generic`` in the person's units, best first. Photos
            that cannot be read are listed in ``frame.attrs["skipped"]`` with the reason.

        Raises:
            ImageError: there is no photo, or not one can be read.
        """
        table = self.score_table(photos)
        frame = table.to_frame()
        frame.attrs["skipped"] = dict(table.skipped)
        return frame

    def score_table(
        self, photos: str | Path | Sequence[str | Path], *, progress: Progress = no_progress
    ) -> ScoreTable:
        """As :meth:`score`, without pandas."""
        root, paths = _photos(photos)
        return self.score_paths(paths, [_name(path, root) for path in paths], progress=progress)

    def score_paths(
        self, paths: Sequence[Path], names: Sequence[str], *, progress: Progress = no_progress
    ) -> ScoreTable:
        """As :meth:`score`, for photo files under given names."""
        columns: list[Array] = []
        images: list[str] = []
        skipped: dict[str, str] = {}
        with FeatureCache.open(self.model.settings.cache) as cache:
            results = self.model.generic.embed(
                paths, cache=cache, max_pixels=self.model.settings.max_pixels, progress=progress
            )
            vectors: list[Features] = []
            files: list[Path] = []
            for name, item in zip(map(_text, names), results, strict=True):
                if item.vector is None:
                    skipped[name] = str(item.error)
                    continue
                images.append(name)
                vectors.append(item.vector)
                files.append(item.path)
                if len(vectors) == _CHUNK:
                    columns.append(self._predict(np.stack(vectors), files))
                    vectors, files = [], []
            if vectors:
                columns.append(self._predict(np.stack(vectors), files))
        if not images:
            raise ImageError(_nothing_scored(skipped))
        scores, low, high, generic = np.concatenate(columns, axis=1)
        # Equal scores are ordered by name, so that the table does not depend on the folder's order.
        order = np.lexsort((np.array(images), -scores))
        return ScoreTable(
            images=tuple(images[i] for i in order),
            scores=scores[order],
            low=low[order],
            high=high[order],
            generic=generic[order],
            skipped=skipped,
        )

    def _predict(self, features: Features, files: Sequence[Path]) -> Array:
        """Score, low, high, generic in the person's units, shape (4, n)."""
        given: Any = self.model.photos(features, files) if self.adapter.needs_pixels else features
        predicted = self.adapter.predict(given)
        unit = (predicted.score, predicted.low, predicted.high, bend(features[:, 0]))
        return np.stack([self.scale.from_unit(column) for column in unit])

    def add(
        self,
        ratings: RatingsLike,
        *,
        images: str | Path,
        duplicates: Duplicates = "error",
        progress: Progress = no_progress,
    ) -> Person:
        """The person with further ratings: the same as one fitted on all of them at once.

        Args:
            ratings: as for :meth:`piaa.people.model.Model.fit_user`, on the person's scale.
            images: the folder that the image names are relative to.
            duplicates: what to do with a photo that she rated before: refuse, keep the ``last`` score, or
                take the ``mean`` of what is kept of it and of the new one.
            progress: called with the number of photos newly done.

        Raises:
            RatingsError: a row is bad, or a photo was rated before and ``duplicates`` is ``error``.
            ImageError: not one rated photo can be read.
            PiaaError: her adapter cannot learn on.
        """
        table = as_ratings(ratings, self.scale, self.user)
        read = read_rated(self.model, table.images, Path(images), user=self.user, progress=progress)
        adapter = learner(self.user, self.adapter, self.model.prior, pairs=self.pairs)
        kept = table.take([row for row, name in enumerate(table.images) if name in read.vectors])
        rows, fresh = merge_ratings(self.user, self.ratings, stored_ratings(kept, read), duplicates)
        features, scores = adapter.support
        unit = self.scale.to_unit(np.array([rating.score for rating in fresh]))
        adapter.fit(
            np.concatenate([features[rows], read.features(kept.images)]), np.concatenate([scores[rows], unit])
        )
        old = (self.ratings[row] for row in rows)
        return self._learned_on(adapter, (*old, *fresh), skipped=read.skipped)

    def forget(self, images: Sequence[str]) -> Person:
        """The person without some ratings: the same as one who never gave them.

        Args:
            images: names of photos as she rated them. Copies that she rated under other names go too.

        Raises:
            RatingsError: she rated no such photo, or no rating would be left.
            PiaaError: her adapter cannot learn on.
        """
        adapter = learner(self.user, self.adapter, self.model.prior, pairs=self.pairs)
        gone = set(ratings_of(self.user, images, self.ratings))
        adapter.forget([row for row, one in enumerate(self.ratings) if one in gone])
        return self._learned_on(adapter, tuple(one for one in self.ratings if one not in gone), skipped={})

    def _learned_on(
        self, adapter: Adapter, ratings: tuple[StoredRating, ...], *, skipped: Mapping[str, str]
    ) -> Person:
        def make() -> Adapter:
            return make_adapter(adapter.name, self.model.prior)

        return replace(
            self,
            adapter=adapter,
            ratings=ratings,
            estimate=estimate_ranking(make, *adapter.support),
            skipped=skipped,
            changed_from=self.version if self.changed_from is None else self.changed_from,
        )

    def save(self, store: str | Path | None = None, *, withdrawn: Sequence[StoredRating] = ()) -> int:
        """Keep the person in a store; earlier versions stay.

        Args:
            store: the store file, created if needed; None is the default one.
            withdrawn: ratings that must not be kept anywhere: earlier versions fitted on one of these photos
                are deleted with it, in one transaction.

        Returns:
            the version number under this name, from 1.

        Raises:
            StoreError: the store cannot be written, or somebody saved a newer version since this person was
                loaded and changed; it is as it was.
        """
        record = AdapterRecord(
            adapter=self.adapter.name,
            model_name=self.model.generic.name,
            model_hash=self.model.generic.hash,
            scale_low=self.scale.low,
            scale_high=self.scale.high,
            state=pack({key: np.ascontiguousarray(value) for key, value in self.adapter.state().items()}),
            ratings=self.ratings,
            extra={"pairs": [list(pair) for pair in self.pairs]} if self.pairs else {},
        )
        keeper = AdapterStore(None if store is None else Path(store))
        return keeper.save(self.user, record, after=self.changed_from, withdrawn=withdrawn)


def _photos(photos: str | Path | Sequence[str | Path]) -> tuple[Path | None, list[Path]]:
    """The folder that names are relative to, if it is one, and the photo files."""
    if isinstance(photos, str | os.PathLike):
        path = Path(photos)
        return (path if path.is_dir() else None), find_images(path)
    return None, [Path(photo) for photo in photos]


def _name(path: Path, root: Path | None) -> str:
    return path.as_posix() if root is None else path.relative_to(root).as_posix()


def _text(name: str) -> str:
    r"""A name that every format can hold: bytes of a file name that are not UTF-8 become ``\udc..``."""
    return name.encode(errors="backslashreplace").decode()


def _nothing_scored(skipped: Mapping[str, str]) -> str:
    if not skipped:
        return "there is no photo to score; name a folder with photos, or photo files"
    name, reason = next(iter(skipped.items()))
    return f"none of the {len(skipped)} photos can be read; the first is {name!r}: {reason}"
