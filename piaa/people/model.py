"""A generic model that persons are fitted on, and loaded onto."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

from safetensors.numpy import load as unpack

from generic.cache.features import default_cache_folder
from generic.errors import CheckpointError
from generic.model.generic_model import GenericModel
from generic.model.registry import DEFAULT as DEFAULT_MODEL
from generic.model.registry import find_model
from generic.progress import Progress, no_progress
from piaa.adapters.base import Adapter
from piaa.adapters.meta import no_start
from piaa.adapters.pairs import PairsAdapter
from piaa.adapters.registry import DEFAULT, adapter_class, make_adapter, names_where
from piaa.meta.start import Start
from piaa.people.estimate import estimate_of
from piaa.people.fitted import Unsaved
from piaa.people.learn import Learned, adapter_name, learn, linear_form_of, record_of
from piaa.people.learn_on import last_adapter, said_with, said_with_pairs
from piaa.people.opened_model import OpenedModel, Settings
from piaa.people.person import Person
from piaa.people.rated import rated_once, read_compared, read_rated, same_files
from piaa.ratings.accept import RatingsLike, as_pairs, as_ratings
from piaa.ratings.scale import Scale
from piaa.ratings.table import Duplicates
from piaa.store.place import Place
from piaa.store.said import Said
from piaa.store.store import Store, check_model


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
        duplicates: Duplicates = "error",
        pairs: Iterable[tuple[str | Path, str | Path]] = (),
        progress: Progress = no_progress,
    ) -> Person:
        """Learn one person from rated photos, and from compared ones.

        Args:
            ratings: a :class:`~piaa.ratings.table.Ratings`, a file to read, a frame with the columns
                ``image, score`` (and ``user``), a mapping image -> score, or pairs (image, score).
            images: the folder that the image names are relative to.
            scale: lowest and highest score that can be given.
            user: the person's name; picks her rows if there are several users.
            adapter: one of :mod:`piaa.adapters`.
            meta: for ``anil``, ``maml`` and ``meta-sgd``: the file of ``piaa meta-train``.
            duplicates: what to do with a photo that has two scores, under one name or two: refuse, keep the
                ``last``, or take the ``mean``.
            pairs: comparisons beside the ratings: names of the preferred photo and of the other.
            progress: called with the number of photos newly done.

        Raises:
            RatingsError: a row is bad, the table has no such user, a photo has two scores, or is compared
                with itself.
            ImageError: not one rated photo can be read, or there are comparisons, but none of two readable
                photos.
        """
        make = self.maker(adapter, meta)  # before the photos are read: a wrong name or model shows at once
        table = as_ratings(ratings, scale, user, duplicates=duplicates, same=same_files(images))
        read = read_rated(self, table.images, Path(images), user=user, progress=progress)
        rated = rated_once(table, read, duplicates)
        said, unsaved = said_with(Said(), rated, table.scale), Unsaved(ratings=tuple(rated))
        skipped, notes = read.skipped, (*table.notes, *read.notes)
        if pairs := list(pairs):
            also, compared = read_compared(self, as_pairs(pairs), Path(images), user=user, progress=progress)
            said, unsaved = said_with_pairs(said, compared), unsaved.with_comparisons(compared)
            skipped, notes = {**skipped, **also.skipped}, (*notes, *also.notes)
        person = self._learn(user, said, make, read.files, replace(unsaved, said=said))
        return replace(person, skipped={**skipped, **person.skipped}, notes=notes)

    def fit_pairs(
        self,
        pairs: Iterable[tuple[str | Path, str | Path]],
        *,
        images: str | Path,
        scale: Scale | tuple[float, float] = (1, 5),
        user: str = "me",
        adapter: str = PairsAdapter.name,
        progress: Progress = no_progress,
    ) -> Person:
        """Learn one person from comparisons alone.

        Args:
            pairs: names of the preferred photo and of the other; one or more.
            images: the folder that the names are relative to.
            scale: what predictions are given in; comparisons say nothing of it.
            user: the person's name.
            adapter: one of :mod:`piaa.adapters` that takes comparisons.
            progress: called with the number of photos newly done.

        Raises:
            PiaaError: the adapter learns from ratings alone.
            RatingsError: these are no pairs of names, or a photo is compared with itself.
            ImageError: there is no comparison of two readable photos.
        """
        make = self.maker(adapter)
        span = scale if isinstance(scale, Scale) else Scale(*scale)
        read, compared = read_compared(self, as_pairs(pairs), Path(images), user=user, progress=progress)
        said = said_with_pairs(Said(scale=(span.low, span.high)), compared)
        adapter_name(said, adapter, adapter)
        person = self._learn(user, said, make, {}, Unsaved(said=said, comparisons=tuple(compared)))
        return replace(person, skipped={**read.skipped, **person.skipped}, notes=read.notes)

    def refit(
        self,
        user: str,
        *,
        store: Place = None,
        adapter: str | None = None,
        meta: str | Path | None = None,
        files: Mapping[str, Path] | None = None,
    ) -> Person:
        """Learn a person again from all that a store knows of her, and keep it there as her newest version.

        Args:
            user: the name she was saved under.
            store: a file or a PostgreSQL URL; None is the default one.
            adapter: one of :mod:`piaa.adapters`; None is that of her version that counts.
            meta: for ``anil``, ``maml`` and ``meta-sgd``: the file of ``piaa meta-train``.
            files: for an adapter that needs pixels: the file of each photo, by identity.

        Raises:
            UnknownUser: the store has no such user.
            TooFewRatings: she said nothing that could be learned from.
            ModelMismatch: there is no vector of this model of some of her photos.
        """
        keeper = Store(store)
        try:
            while True:
                said = keeper.said(user, self.generic.hash)
                name = adapter_name(said, adapter, last_adapter(keeper, user))
                person = self._learn(
                    user, said, self.maker(name, meta), files or {}, Unsaved(said=said, place=store)
                )
                learned = Learned(
                    adapter=person.adapter, ratings=person.ratings, comparisons=person.comparisons
                )
                record, form = record_of(self, learned, said.scale), linear_form_of(person.adapter)
                version = keeper.keep(user, record, said, linear_form=form)
                if version is not None:
                    return replace(person, version=version)
        finally:
            keeper.close()

    def _learn(
        self,
        user: str,
        said: Said,
        make: Callable[[], Adapter],
        files: Mapping[str, Path],
        unsaved: Unsaved,
    ) -> Person:
        learned = learn(self, user, said, make, files)
        return Person(
            model=self,
            user=user,
            scale=Scale(*said.scale),
            adapter=learned.adapter,
            ratings=learned.ratings,
            comparisons=learned.comparisons,
            n_unused=learned.n_unused,
            estimate=estimate_of(make, learned),
            skipped=learned.skipped,
            unsaved=unsaved,
        )

    def load(self, user: str, *, store: Place = None, version: int | None = None) -> Person:
        """A person that was saved.

        Args:
            user: the name she was saved under.
            store: a file or a PostgreSQL URL; None is the default one.
            version: None is the one that counts for this model.

        Raises:
            UnknownUser: the store has no such user.
            NotFitted: nothing was learned from her yet.
            ModelMismatch: she was fitted on another generic model.
        """
        keeper = Store(store)
        try:
            stored = keeper.load(user, version, model_hash=self.generic.hash)
        finally:
            keeper.close()
        check_model(stored, self.generic.hash, self.generic.name)
        return Person(
            model=self,
            user=user,
            scale=Scale(stored.scale_low, stored.scale_high),
            adapter=make_adapter(stored.adapter, self.prior, generic=self.generic).restore(
                unpack(stored.state)
            ),
            ratings=stored.ratings,
            comparisons=stored.comparisons,
            version=stored.version,
            unsaved=Unsaved(place=store),
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
