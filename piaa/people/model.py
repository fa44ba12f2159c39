"""A generic model that persons are fitted on, and loaded onto."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from safetensors.numpy import load as unpack

from generic.cache.features import default_cache_folder
from generic.errors import CheckpointError, ImageError
from generic.model.generic_model import GenericModel
from generic.model.registry import DEFAULT as DEFAULT_MODEL
from generic.model.registry import find_model
from generic.progress import Progress, no_progress
from piaa.adapters.base import Adapter
from piaa.adapters.meta import no_start
from piaa.adapters.pairs import PairsAdapter
from piaa.adapters.registry import DEFAULT, adapter_class, make_adapter, names_where
from piaa.meta.start import Start
from piaa.people.estimate import estimate_ranking
from piaa.people.opened_model import OpenedModel, Settings
from piaa.people.person import Person
from piaa.people.rated import read_rated, stored_ratings
from piaa.ratings.accept import RatingsLike, as_ratings
from piaa.ratings.scale import Scale
from piaa.store.adapter_store import AdapterStore, check_model


class Model(OpenedModel):
    """A generic model that persons are fitted on; see :func:`piaa.load_model`."""

    def maker(
        self, adapter: str, meta: str | Path | None = None, *, keep_epochs: bool = False
    ) -> Callable[[], Adapter]:
        """How to make an adapter that a person will be fitted with.

        Args:
            adapter: one of :mod:`piaa.adapters`.
            meta: for ``anil``, ``maml`` and ``meta-sgd``: the file of ``piaa meta-train``.
            keep_epochs: see :class:`piaa.adapters.base.Ingredients`.

        Raises:
            PiaaError: there is no adapter of this name.
            CheckpointError: it needs what the model has not, or a meta-learned start; or gets one in vain.
            ModelMismatch: the start was learned on another model.
        """
        start: Start | None = None
        if adapter_class(adapter).needs_start:
            if meta is None:
                raise CheckpointError(no_start(adapter))
            start = Start.load(Path(meta))
            start.check(adapter, self.generic.name, self.generic.hash, Path(meta))
        elif meta is not None:
            able = names_where(lambda kind: kind.needs_start)
            raise CheckpointError(
                f"adapter {adapter!r} takes no meta-learned start, but {meta} was given; "
                f"leave it out, or choose one of {', '.join(able)}"
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
            ratings: a :class:`~piaa.ratings.table.Ratings`, a file to read, a frame with the columns
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
        read = read_rated(self, table.images, Path(images), user=user, progress=progress)
        kept = table.take([row for row, name in enumerate(table.images) if name in read.vectors])
        features = read.features(kept.images)
        given: Any = features
        if fresh.needs_pixels:
            given = self.photos(features, [read.paths[name] for name in kept.images])
        return Person(
            model=self,
            user=user,
            scale=kept.scale,
            adapter=fresh.fit(given, kept.unit_scores),
            ratings=stored_ratings(kept, read),
            # Tuning a network once takes long enough; an estimate would take refits_of(k) more.
            estimate=None if fresh.needs_pixels else estimate_ranking(make, features, kept.unit_scores),
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
        read = read_rated(self, names, Path(images), user=user, progress=progress)
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


def load_model(
    name: str | Path = DEFAULT_MODEL, *, cache: str | Path | bool = True, max_pixels: int | None = None
) -> Model:
    """A generic model, ready to fit and score persons; needs no network.

    Args:
        name: an embedded model's name, or a model file.
        cache: a folder for the feature cache; True is the user's own, False remembers nothing.
        max_pixels: photos with more pixels are refused.

    Raises:
        CheckpointError: there is no such model, or the file is damaged.
    """
    folder = default_cache_folder() if cache is True else None if cache is False else Path(cache)
    return Model(GenericModel(find_model(name)), Settings(cache=folder, max_pixels=max_pixels))
