"""A person's own data: one long table of ratings and a folder of images.

Terms and citation: the person's own.

ROOT holds ``ratings.csv`` (``user,image,score``, or any format of ``piaa.ratings.table.read_ratings``) and
the images in ``images/`` or in ROOT itself; each may be named instead.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from piaa.ratings.locate import locate_images, respelled
from piaa.ratings.scale import Scale
from piaa.ratings.table import Duplicates, read_ratings
from protocols.datasets.counts import PublishedCount
from protocols.datasets.dataset import Dataset, mean_scores
from protocols.datasets.files import read_users
from protocols.datasets.root import Root, labels_only

NAME = "table"
RATINGS = "ratings.csv"
IMAGES = ("images",)

PUBLISHED: tuple[PublishedCount, ...] = ()


def load(
    root: Path | str,
    *,
    ratings: Path | str | None = None,
    images: Path | str | None = None,
    users: Path | str | None = None,
    scale: Scale = Scale(1, 5),  # noqa: B008 - frozen
    duplicates: Duplicates = "error",
) -> Dataset:
    """One table of ratings as a dataset.

    Args:
        root: the folder that holds ``ratings.csv``, in it or one folder deep.
        ratings: the table, where it is another file.
        images: the folder of the images, where it is not ``images`` in ROOT.
        users: a file that lists the test users, one a line.
        scale: the units of the scores.
        duplicates: what to do when a user rated an image twice.

    Raises:
        DatasetError: a file is missing, or a listed user has no ratings.
        RatingsError: rows of the table are bad.
    """
    place = Root(root, dataset=NAME, holds=RATINGS, source="you")
    path = place.need(RATINGS) if ratings is None else Path(ratings)
    folder = place.images(IMAGES, images)
    files: dict[str, Path] = {}

    def same(names: Iterable[str]) -> Mapping[str, Path]:
        if folder is not None:
            files.update(locate_images(names, folder)[0])
        return files

    table = read_ratings(path, scale=scale, duplicates=duplicates, same=same)
    return Dataset(
        name=NAME,
        scale=scale,
        ratings=table,
        means=mean_scores(table),
        counts={},
        images=folder,
        lists={},
        test_users=() if users is None else read_users(users, table),
        notes=(*table.notes, *respelled(files), *labels_only(folder)),
    )
