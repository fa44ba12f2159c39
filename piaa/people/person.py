"""One person on top of a generic model: score, learn on, save."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from generic.cache.features import Features
from generic.errors import PiaaError, TooFewRatings
from generic.photos.find import find_images
from generic.progress import Progress, no_progress
from piaa.adapters.base import Adapter
from piaa.adapters.prediction import Array, bend
from piaa.adapters.registry import make_adapter
from piaa.people.choose import choose_photos
from piaa.people.estimate import estimate_of
from piaa.people.fitted import Fitted, Unsaved
from piaa.people.learn import adapter_name, learn
from piaa.people.learn_on import check_learns_on, said_with, said_with_pairs, said_without
from piaa.people.rated import rated_once, read_compared, read_rated, same_files
from piaa.people.save import save_person
from piaa.people.score_photos import score_photos
from piaa.people.score_table import ScoreTable
from piaa.ratings.accept import RatingsLike, as_pairs, as_ratings
from piaa.ratings.table import Duplicates
from piaa.store.place import Place
from piaa.store.said import Said

if TYPE_CHECKING:
    import pandas as pd

    from generic.model.generic_model import Embedded

_CHUNK = 512
"""Photos that are compared with the middle one at once."""


@dataclass(frozen=True, kw_only=True)
class Person(Fitted):
    """A fitted person; made by ``fit_user`` or ``load`` of :class:`piaa.people.model.Model`."""

    def score(self, photos: str | Path | Sequence[str | Path]) -> pd.DataFrame:
        """Score photos; predicting learns nothing and changes nothing.

        Args:
            photos: a folder (searched with its subfolders), or photo files.

        Returns:
            a frame ``image, score, low, high, generic, sure`` in the person's units, best first; ``sure``
            (see :class:`piaa.people.score_table.ScoreTable`) if her adapter says it. Photos that cannot be
            read are listed in ``frame.attrs["skipped"]`` with the reason.

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
        self,
        paths: Sequence[Path],
        names: Sequence[str],
        *,
        progress: Progress = no_progress,
        found: dict[str, Embedded] | None = None,
    ) -> ScoreTable:
        """As :meth:`score`, for photo files under given names; ``found`` as in :func:`score_photos`."""
        read: dict[str, Embedded] = {} if found is None else found
        table = score_photos(self.model, self._predict, paths, names, progress=progress, found=read)
        return replace(table, sure=self._sure(table, read))

    def _sure(self, table: ScoreTable, read: Mapping[str, Embedded]) -> Array | None:
        """See :attr:`ScoreTable.sure`."""
        if not self.adapter.takes_comparisons:
            return None
        vectors = [cast("Features", read[name].vector) for name in table.images]
        middle = (len(vectors) - 1) // 2
        parts = [np.stack(vectors[start : start + _CHUNK]) for start in range(0, len(vectors), _CHUNK)]
        better = np.concatenate([self.adapter.preferring(part, vectors[middle][None]) for part in parts])
        better[middle] = better[min(middle + 1, len(better) - 1)]  # not with itself, unless it is alone
        return np.asarray(np.maximum(better, 1 - better))

    def _predict(self, features: Features, files: Sequence[Path]) -> Array:
        """Score, low, high, generic in the person's units, shape (4, n)."""
        given: Any = self.model.photos(features, files) if self.adapter.needs_pixels else features
        predicted = self.adapter.predict(given)
        unit = (predicted.score, predicted.low, predicted.high, bend(features[:, 0]))
        return np.stack([self.scale.from_unit(column) for column in unit])

    def prefers(self, one: str | Path, other: str | Path) -> float:
        """Probability that she prefers the one photo to the other if she has to choose; changes nothing.

        Args:
            one: a photo file.
            other: another one.

        Raises:
            ImageError: one of them cannot be read.
            PiaaError: her adapter does not say how sure it is of two photos.
        """
        if not self.adapter.takes_comparisons:
            raise PiaaError(
                f"adapter {self.adapter.name!r} does not say how sure it is of two photos; learn "
                f"{self.user!r} by auto or bayes"
            )
        sides = [self.model.vector_of(Path(photo))[None] for photo in (one, other)]
        return float(self.adapter.preferring(*sides)[0])

    def add(
        self,
        ratings: RatingsLike,
        *,
        images: str | Path,
        duplicates: Duplicates = "error",
        progress: Progress = no_progress,
    ) -> Person:
        """The person with further ratings: the same as one fitted on all of them at once.

        Of a photo that she rated before the new score counts; what she said before stays as history in a
        store.

        Args:
            ratings: as for :meth:`piaa.people.model.Model.fit_user`, on the person's scale. For a person who
                was loaded they join all that her store knows of her by now.
            images: the folder that the image names are relative to.
            duplicates: what to do with a photo that has two scores among the new ratings: refuse, keep the
                ``last``, or take the ``mean``.
            progress: called with the number of photos newly done.

        Raises:
            RatingsError: a row is bad, or a photo has two scores.
            ImageError: not one rated photo can be read.
            PiaaError: her adapter cannot learn on.
        """
        said = self.unsaved.known(self.user, self.model.generic.hash)
        check_learns_on(self.user, self.adapter)
        table = as_ratings(ratings, self.scale, self.user, duplicates=duplicates, same=same_files(images))
        read = read_rated(self.model, table.images, Path(images), user=self.user, progress=progress)
        more = rated_once(table, read, duplicates)
        fresh = self.unsaved.with_ratings(more)
        person = self._learned_from(said_with(said, more, self.scale), fresh, read.skipped)
        return replace(person, notes=(*table.notes, *read.notes))

    def add_pairs(
        self,
        pairs: Iterable[tuple[str | Path, str | Path]],
        *,
        images: str | Path,
        progress: Progress = no_progress,
    ) -> Person:
        """The person with further comparisons: the same as one fitted on all that she said at once.

        Args:
            pairs: names of the preferred photo and of the other. For a person who was loaded they join all
                that her store knows of her by now.
            images: the folder that the names are relative to.
            progress: called with the number of photos newly done.

        Raises:
            RatingsError: these are no pairs of names, or a photo is compared with itself.
            ImageError: there is no comparison of two readable photos.
            PiaaError: her adapter cannot learn on.
        """
        said = self.unsaved.known(self.user, self.model.generic.hash)
        check_learns_on(self.user, self.adapter)
        read, compared = read_compared(
            self.model, as_pairs(pairs), Path(images), user=self.user, progress=progress
        )
        fresh = self.unsaved.with_comparisons(compared)
        person = self._learned_from(said_with_pairs(said, compared), fresh, read.skipped)
        return replace(person, notes=read.notes)

    def forget(self, images: Sequence[str]) -> Person:
        """The person without some ratings: the same as one who never gave them.

        Args:
            images: names of photos as she rated them. Copies that she rated under other names go too, and
                comparisons with one of them.

        Raises:
            RatingsError: she rated no such photo.
            TooFewRatings: nothing would be left.
            PiaaError: her adapter cannot learn on.
        """
        said = self.unsaved.known(self.user, self.model.generic.hash)
        check_learns_on(self.user, self.adapter)
        known = [(one.image, one.photo, one.sha256) for one in said.ratings]
        for one in said.comparisons:
            known += [(one.a, one.a_photo, None), (one.b, one.b_photo, None)]
        gone = choose_photos(self.user, images, known)
        left = said_without(said, gone)
        if not (left.ratings or left.comparisons):
            raise TooFewRatings(
                f"this would forget all that user {self.user!r} said, and an adapter needs at least 1 "
                "rating; delete the person instead"
            )
        return self._learned_from(left, self.unsaved.without(gone), {})

    def _learned_from(self, said: Said, unsaved: Unsaved, skipped: Mapping[str, str]) -> Person:
        def make() -> Adapter:
            return make_adapter(adapter_name(said, None, self.adapter.name), self.model.prior)

        learned = learn(self.model, self.user, said, make)
        return replace(
            self,
            adapter=learned.adapter,
            ratings=learned.ratings,
            comparisons=learned.comparisons,
            n_unused=learned.n_unused,
            estimate=estimate_of(make, learned),
            skipped={**skipped, **learned.skipped},
            notes=(),
            unsaved=replace(unsaved, said=said),
        )

    def save(self, store: Place = None, *, add: bool = False, replace: bool = False) -> int:
        """Keep the person in a store: what she said that it does not know, and what was learned from it.

        If others said something for her meanwhile, what is stored is learned from all of it.

        Args:
            store: a file, created if needed, or a PostgreSQL URL; None is where she was loaded from, or else
                the default one.
            add: whether her ratings join those that the store knows; for a person who was loaded they do.
            replace: whether all of her ratings take the place of those, which become history.

        Returns:
            the version number under this name, from 1.

        Raises:
            StoreError: the store cannot be written, or it knows this person, who was not loaded from it, and
                neither ``add`` nor ``replace`` is given; it is as it was.
        """
        return save_person(self, store, add=add, replace=replace)


def _photos(photos: str | Path | Sequence[str | Path]) -> tuple[Path | None, list[Path]]:
    """The folder that names are relative to, if it is one, and the photo files."""
    if isinstance(photos, str | os.PathLike):
        path = Path(photos)
        return (path if path.is_dir() else None), find_images(path)
    return None, [Path(photo) for photo in photos]


def _name(path: Path, root: Path | None) -> str:
    return path.as_posix() if root is None else path.relative_to(root).as_posix()
