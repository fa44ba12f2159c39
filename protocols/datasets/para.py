"""PARA: 31,220 photos, each rated 1 to 5 (in halves) by about 25 of 438 people who also describe themselves.

Terms: for research and learning only, no commercial use, no redistribution; name the source.
Cite: Yang, Xu, Li, Qie, Li, Zhang and Guo, "Personalized Image Aesthetics Assessment with Rich
Attributes", CVPR 2022.
From: https://cv-datasets.institutecv.com/#/data-sets

ROOT holds ``annotation/PARA-Images.csv`` (columns ``sessionId``, ``imageName``, ``userId``,
``aestheticScore`` and more), optionally ``PARA-GiaaTrain.csv`` and ``PARA-GiaaTest.csv`` beside it (the
official lists of training and test images), and the photos in ``imgs/<sessionId>/<imageName>``.

An image is named ``<sessionId>/<imageName>`` here, which is its path below ``imgs``.
"""

from __future__ import annotations

from pathlib import Path

from generic.photos.find import printable
from piaa.ratings.scale import Scale
from piaa.ratings.table import Ratings
from protocols.datasets.counts import PublishedCount
from protocols.datasets.dataset import Dataset, mean_scores
from protocols.datasets.files import averaged, bad_rows, cut, read_columns
from protocols.datasets.root import Root, labels_only

NAME = "para"
SCALE = Scale(1, 5)
SOURCE = "https://cv-datasets.institutecv.com/#/data-sets"
RATINGS = "PARA-Images.csv"
LISTS = {"train": "PARA-GiaaTrain.csv", "test": "PARA-GiaaTest.csv"}
IMAGES = ("imgs",)

_CURE = f"fetch the released file again from {SOURCE}, or correct these rows"

PUBLISHED = (
    # The paper's abstract.
    PublishedCount("images", 31_220, "Yang et al. 2022"),
    PublishedCount("users", 438, "Yang et al. 2022"),
)


def load(root: Path | str, *, images: Path | str | None = None) -> Dataset:
    """PARA from its released tables.

    Args:
        root: the folder that holds ``PARA-Images.csv``, in it or one folder deep.
        images: the folder of the sessions, where it is not ``imgs`` in ROOT.

    Raises:
        DatasetError: the ratings are missing, or rows are bad.
    """
    place = Root(root, dataset=NAME, holds=RATINGS, source=SOURCE)
    path = place.need(RATINGS)
    rows = _read_rows(path)
    ratings = Ratings.from_rows(rows, scale=SCALE, duplicates="mean", source=printable(str(path)))
    folder = place.images(IMAGES, images)
    found = {part: place.find(name) for part, name in LISTS.items()}
    lists = {part: _read_list(file) for part, file in found.items() if file is not None}
    return Dataset(
        name=NAME,
        scale=SCALE,
        ratings=ratings,
        means=mean_scores(ratings),
        counts={},
        images=folder,
        paths=True,
        lists=lists,
        test_users=(),
        notes=(*averaged(len(rows), ratings), *labels_only(folder)),
    )


def _read_rows(path: Path) -> list[tuple[str, str, float]]:
    """User, image and score of every row."""
    table = read_columns(path, ("sessionId", "imageName", "userId", "aestheticScore"), _CURE)
    rows: list[tuple[str, str, float]] = []
    problems: list[tuple[int, str]] = []
    scores: dict[str, float | None] = {}
    for line, (session, image, user, text) in table:
        if text not in scores:
            scores[text] = _score(text)
        score = scores[text]
        if not (session and image and user):
            problems.append((line, "sessionId, imageName or userId is empty"))
        elif score is None:
            problems.append((line, f"aestheticScore {cut(text)} is not a number within {SCALE}"))
        else:
            rows.append((user, f"{session}/{image}", score))
    if problems:
        raise bad_rows(path, len(table), problems, _CURE)
    return rows


def _score(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if SCALE.contains(value) else None


def _read_list(path: Path) -> tuple[str, ...]:
    rows = read_columns(path, ("sessionId", "imageName"), _CURE)
    return tuple(dict.fromkeys(f"{session}/{image}" for _, (session, image) in rows))
