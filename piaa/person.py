"""One person on top of a generic model: fit, score, save, load."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import numpy as np
from safetensors.numpy import load as unpack
from safetensors.numpy import save as pack

from generic.cache import FeatureCache, Features, default_cache_folder
from generic.errors import CheckpointError, ImageError, RatingsError, TooFewRatings
from generic.folder import find_images
from generic.model import GenericModel
from generic.pixels import LazyPixels
from generic.progress import Progress, no_progress
from piaa.adapters import DEFAULT, META, AnyAdapter, make_adapter
from piaa.adapters.base import Array, Photos, bend, needs_pixels
from piaa.adapters.meta import no_start
from piaa.adapters.pairs import PairsAdapter
from piaa.estimate import RankEstimate, estimate_ranking
from piaa.meta.start import Start
from piaa.prior import PREFIX, Prior
from piaa.rated import RatedPhotos, read_rated
from piaa.ratings import Duplicates, Ratings, read_ratings
from piaa.scale import Scale
from piaa.store import AdapterStore, check_model
from piaa.stored import AdapterRecord, StoredRating
from piaa.tables import ScoreTable

if TYPE_CHECKING:
    import pandas as pd

    from piaa.adapters import Adapter

RatingsLike: TypeAlias = (
    "Ratings | str | Path | Mapping[str, float] | Iterable[tuple[str, float]] | pd.DataFrame"
)
"""Every form in which one person's ratings can be given; see :meth:`Model.fit_user`."""
_CHUNK = 512


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How photos are read and remembered."""

    cache: Path | None = field(default_factory=default_cache_folder)
    """Folder of the feature cache; None remembers nothing."""
    max_pixels: int | None = None
    """Photos with more pixels are refused; None is the default of :mod:`generic.images`."""


class Model:
    """A generic model that persons are fitted on; see :func:`load_model`.

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

    def maker(
        self, adapter: str, meta: str | Path | None = None, *, keep_epochs: bool = False
    ) -> Callable[[], AnyAdapter]:
        """How to make an adapter that a person will be fitted with.

        Args:
            adapter: one of :mod:`piaa.adapters`.
            meta: for ``anil``, ``maml`` and ``meta-sgd``: the file of ``piaa meta-train``.
            keep_epochs: see :func:`piaa.adapters.make_adapter`.

        Raises:
            PiaaError: there is no adapter of this name.
            CheckpointError: it needs what the model has not, or a meta-learned start; or gets one in vain.
            ModelMismatch: the start was learned on another model.
        """
        start: Start | None = None
        if adapter in META:
            if meta is None:
                raise CheckpointError(no_start(adapter))
            start = Start.load(Path(meta))
            start.check(adapter, self.generic.name, self.generic.hash, Path(meta))
        elif meta is not None:
            raise CheckpointError(
                f"adapter {adapter!r} takes no meta-learned start, but {meta} was given; "
                f"leave it out, or choose one of {', '.join(META)}"
            )
        make = partial(
            make_adapter, adapter, self.prior, start=start, generic=self.generic, keep_epochs=keep_epochs
        )
        make()  # what cannot be made shows before any photo is read
        return make

    def fit_user(
        self,
        ratings: RatingsLike,
        *,
        images: str | Path,
        scale: Scale | tuple[float, float] = (1, 5),
        user: str = "me",
        adapter: str = DEFAULT,
        meta: str | Path | None = None,
        progress: Progress = no_progress,
    ) -> Person:
        """Learn one person from rated photos.

        Args:
            ratings: a :class:`~piaa.ratings.Ratings`, a file to read, a frame with the columns
                ``image, score`` (and ``user``), a mapping image -> score, or pairs (image, score).
            images: the folder that the image names are relative to.
            scale: lowest and highest score that can be given.
            user: the person's name; picks her rows if there are several users.
            adapter: one of :mod:`piaa.adapters`.
            meta: for ``anil``, ``maml`` and ``meta-sgd``: the file of ``piaa meta-train``.
            progress: called with the number of photos newly done.

        Raises:
            RatingsError: a row is bad, or the table has no such user.
            ImageError: not one rated photo can be read.
        """
        make = self.maker(adapter, meta)  # before the photos are read: a wrong name or model shows at once
        fresh = make()
        table = as_ratings(ratings, scale, user)
        read = read_rated(
            self.generic, self.settings, table.images, Path(images), user=user, progress=progress
        )
        kept = table.take([row for row, name in enumerate(table.images) if name in read.vectors])
        features = read.features(kept.images)
        given: Any = features
        if needs_pixels(fresh):
            given = self.photos(features, [read.paths[name] for name in kept.images])
        return Person(
            model=self,
            user=user,
            scale=kept.scale,
            adapter=fresh.fit(given, kept.unit_scores),
            ratings=stored_ratings(kept, read),
            # Tuning a network once takes long enough; an estimate would take 20 more.
            estimate=None
            if needs_pixels(fresh)
            else estimate_ranking(cast("Callable[[], Adapter]", make), features, kept.unit_scores),
            skipped=read.skipped,
        )

    def fit_pairs(
        self,
        pairs: Sequence[tuple[str, str]],
        *,
        images: str | Path,
        scale: Scale | tuple[float, float] = (1, 5),
        user: str = "me",
        progress: Progress = no_progress,
    ) -> Person:
        """Learn one person from comparisons, with the adapter ``pairs``.

        Args:
            pairs: names of the preferred photo and of the other; one or more.
            images: the folder that the names are relative to.
            scale: what predictions are given in; comparisons say nothing of it.
            user: the person's name.
            progress: called with the number of photos newly done.

        Raises:
            ImageError: there is no comparison of two readable photos.
        """
        fresh = PairsAdapter(self.prior)
        span = scale if isinstance(scale, Scale) else Scale(*scale)
        names = [name for pair in pairs for name in pair]
        read = read_rated(self.generic, self.settings, names, Path(images), user=user, progress=progress)
        kept = [pair for pair in pairs if all(name in read.vectors for name in pair)]
        if not kept:
            raise ImageError(
                f"in none of the {len(pairs)} comparisons of user {user!r} can both photos be used; "
                f"repair the photos, or pass the folder that holds them instead of {images}"
            )
        better, worse = zip(*kept, strict=True)
        return Person(
            model=self,
            user=user,
            scale=span,
            adapter=fresh.fit_pairs(read.features(better), read.features(worse)),
            ratings=(),
            pairs=tuple(kept),
            skipped=read.skipped,
        )

    def photos(self, vectors: Features, paths: Sequence[Path]) -> Photos:
        """Photos for an adapter that changes the network: their files are decoded when it asks for them."""
        pixels = LazyPixels(
            paths, self.generic.size, fit=self.generic.fit, max_pixels=self.settings.max_pixels
        )
        return Photos(vectors=vectors, pixels=pixels)

    def load(self, user: str, *, store: str | Path | None = None, version: int | None = None) -> Person:
        """A person that was saved.

        Args:
            user: the name she was saved under.
            store: the store file; None is the default one.
            version: None is the newest.

        Raises:
            UnknownUser: the store has no such user or version.
            ModelMismatch: she was fitted on another generic model.
        """
        stored = AdapterStore(None if store is None else Path(store)).load(user, version)
        check_model(stored, self.generic.hash, self.generic.name)
        return Person(
            model=self,
            user=user,
            scale=Scale(stored.scale_low, stored.scale_high),
            adapter=make_adapter(stored.adapter, self.prior, generic=self.generic).restore(
                unpack(stored.state)
            ),
            ratings=stored.ratings,
            pairs=tuple((better, worse) for better, worse in stored.extra.get("pairs", ())),
            version=stored.version,
        )


@dataclass(frozen=True, kw_only=True)
class Person:
    """A fitted person; made by :meth:`Model.fit_user` or :meth:`Model.load`."""

    model: Model
    user: str
    scale: Scale
    adapter: AnyAdapter
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
        given: Any = self.model.photos(features, files) if needs_pixels(self.adapter) else features
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
            ratings: as for :meth:`Model.fit_user`, on the person's scale.
            images: the folder that the image names are relative to.
            duplicates: what to do with a photo that she rated before: refuse, keep the ``last`` score, or
                take the ``mean`` of both.
            progress: called with the number of photos newly done.

        Raises:
            RatingsError: a row is bad, or a photo was rated before and ``duplicates`` is ``error``.
            ImageError: not one rated photo can be read.
            PiaaError: her adapter cannot learn on.
        """
        from piaa.learning import add_ratings

        table = as_ratings(ratings, self.scale, self.user)
        read = read_rated(
            self.model.generic,
            self.model.settings,
            table.images,
            Path(images),
            user=self.user,
            progress=progress,
        )
        return add_ratings(self, table, read, duplicates)

    def forget(self, images: Sequence[str]) -> Person:
        """The person without some ratings: the same as one who never gave them.

        Args:
            images: names of photos as she rated them.

        Raises:
            RatingsError: she rated no such photo, or no rating would be left.
            PiaaError: her adapter cannot learn on.
        """
        from piaa.learning import forget_ratings

        return forget_ratings(self, images)

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


def stored_ratings(table: Ratings, read: RatedPhotos) -> tuple[StoredRating, ...]:
    """One person's ratings of readable photos as the store keeps them."""
    return tuple(
        StoredRating(image=name, sha256=read.digests[name], score=float(score))
        for name, score in zip(table.images, table.scores, strict=True)
    )


def as_ratings(ratings: RatingsLike, scale: Scale | tuple[float, float], user: str) -> Ratings:
    """One person's ratings from any of the forms that :meth:`Model.fit_user` takes.

    Raises:
        RatingsError: a row is bad, or the table has no such user.
    """
    span = scale if isinstance(scale, Scale) else Scale(*scale)
    if isinstance(ratings, str | os.PathLike):
        ratings = read_ratings(Path(ratings), scale=span, user=user)
    elif isinstance(ratings, Mapping):
        ratings = Ratings.from_rows([(user, name, score) for name, score in ratings.items()], scale=span)
    elif hasattr(ratings, "columns"):
        ratings = Ratings.from_frame(cast("pd.DataFrame", ratings), scale=span, user=user)
    elif not isinstance(ratings, Ratings):
        try:
            rows = [(user, name, score) for name, score in ratings]
        except (TypeError, ValueError) as error:
            raise RatingsError(
                f"ratings of type {type(ratings).__name__} are not understood; pass a file, a frame with "
                f"columns image and score, a mapping image -> score, or pairs (image, score)"
            ) from error
        ratings = Ratings.from_rows(rows, scale=span)
    if not len(ratings):
        raise TooFewRatings(f"user {user!r} has 0 ratings, but at least 1 is needed; rate some photos first")
    mine: Ratings = ratings.for_user(user)
    return mine


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
