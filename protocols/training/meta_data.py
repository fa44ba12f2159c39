"""What training users say of training photos, as vectors and rows: all that meta-training may learn from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generic.cache.features import FeatureCache
from generic.errors import DatasetError
from generic.model.generic_model import GenericModel
from generic.progress import Progress, no_progress
from generic.words import counted
from piaa.ratings.table import Ratings
from protocols.datasets.dataset import Dataset
from protocols.fewshot.vectors import embed, readable
from protocols.splits.rules import make_split
from protocols.splits.split import Split


@dataclass(frozen=True, kw_only=True)
class TrainingData:
    """Ready to learn from."""

    vectors: NDArray[Any]
    """Model vectors of the photos, shape (n, 1 + d)."""
    digests: tuple[str, ...]
    """SHA-256 of each photo's file."""
    people: list[tuple[str, NDArray[np.intp], NDArray[np.float64]]]
    """Each user's name, photos (rows of ``vectors``) and unit scores; users and photos in order of names."""
    origin: Mapping[str, Any]
    """Dataset, users and SHA-256 of the photos, so that an evaluation finds leaks."""
    unreadable: Mapping[str, str]
    """Photo without a vector -> why."""
    n_known: int
    """Photos that the generic model was trained on: its scores of these are too good."""


def training_split(dataset: Dataset) -> Split:
    """The dataset's own split; everybody teaches in a person's own table that names no test users.

    Raises:
        DatasetError: the dataset has no individual ratings, or no split of its own.
    """
    if dataset.name != "table" or dataset.test_users or dataset.ratings is None:
        return make_split(dataset)
    return Split(
        dataset=dataset.name,
        rule="Training users: everybody; training images: all that they rated; nobody to test.",
        train_users=dataset.ratings.users,
        test_users=(),
        train_images=dataset.ratings.images,
        test_images=(),
    )


def training_ratings(dataset: Dataset, split: Split, *, min_ratings: int = 0) -> Ratings:
    """The ratings to learn from.

    Args:
        dataset: labels are enough.
        split: its training side is taken.
        min_ratings: users with fewer are left out.

    Raises:
        DatasetError: the split is not of this dataset, or leaves nobody to learn from.
    """
    split.check(dataset)
    if dataset.ratings is None:
        raise DatasetError(
            f"dataset {dataset.name!r} has no individual ratings, so nothing can be learned of how people "
            f"differ; use one that has, such as flickr-aes, aadb, para or table"
        )
    rated = split.training_ratings(dataset.ratings)
    counts = Counter(rated.users)
    kept = rated.take([row for row, user in enumerate(rated.users) if counts[user] >= min_ratings])
    if not len(kept):
        raise DatasetError(
            f"nobody is left to learn from: {_why_nobody(dataset, split, counts, min_ratings)}"
        )
    return kept


def _why_nobody(dataset: Dataset, split: Split, counts: Mapping[str, int], min_ratings: int) -> str:
    """Why a training side teaches nothing, and the cure.

    Args:
        dataset: the data.
        split: whose training side it is.
        counts: ratings of each training user of training images, who has some.
        min_ratings: users with fewer are left out.
    """
    if counts:
        return (
            f"the {counted(len(counts), 'training user')} in the split of {dataset.name!r} rated at most "
            f"{counted(max(counts.values()), 'photo')}, --min-ratings asks for {min_ratings}; lower it, or "
            "make another split"
        )
    teachers, tested = frozenset(split.train_users), frozenset(split.test_images)
    pairs = () if dataset.ratings is None else zip(dataset.ratings.users, dataset.ratings.images, strict=True)
    shared = sorted({image for user, image in pairs if user in teachers and image in tested})
    if not shared:
        return f"the split of {dataset.name!r} has no training user with a rating; make another split"
    one = len(shared) == 1
    return (
        f"{'the only photo' if one else f'all {len(shared):,} photos'} that the "
        f"{counted(len(teachers), 'training user')} of {dataset.name!r} rated "
        f"{'is a test photo' if one else 'are test photos'}, as test users rated {'it' if one else 'them'} "
        f"too, the first is {shared[0]!r}; list the photos to test on, which leaves the others to training: "
        "piaa data split --test-users FILE --test-images FILE"
    )


def training_data(
    dataset: Dataset,
    ratings: Ratings,
    model: GenericModel,
    *,
    cache: FeatureCache,
    max_pixels: int | None = None,
    progress: Progress = no_progress,
) -> TrainingData:
    """Vectors of the training photos.

    Args:
        dataset: where the photos are.
        ratings: of :func:`training_ratings`.
        model: the frozen generic model.
        cache: of features.
        max_pixels: photos with more pixels are left out; None is the default of :mod:`generic.photos.open`.
        progress: called with the number of photos newly done.

    Raises:
        DatasetError: there are no photos.
    """
    if dataset.images is None:
        raise DatasetError(
            f"dataset {dataset.name!r} has no images here, and meta-training needs them; "
            f"name their folder with --images"
        )
    names = sorted(set(ratings.images))
    embedded = embed(
        model,
        names,
        dataset.images,
        cache=cache,
        exact=dataset.paths,
        max_pixels=max_pixels,
        progress=progress,
    )
    used = readable(ratings, embedded.vectors)
    rows, scores, users = embedded.vectors.rows(used.images), used.unit_scores, np.array(used.users)
    people = []
    for user in sorted(set(used.users)):
        mine = np.flatnonzero(users == user)
        mine = mine[np.argsort(rows[mine])]
        people.append((user, rows[mine], scores[mine]))
    known = set(model.header.training.get("images_sha256", ()))
    return TrainingData(
        vectors=embedded.vectors.matrix,
        digests=tuple(embedded.digests[name] for name in embedded.vectors.names),
        people=people,
        origin={
            "dataset": dataset.name,
            "users": [user for user, _, _ in people],
            "images_sha256": sorted(set(embedded.digests.values())),
        },
        unreadable=embedded.unreadable,
        n_known=sum(digest in known for digest in embedded.digests.values()),
    )
