"""AVA1 and AVA2: the two settings of AVA in the second paper, told apart by the photos' mean scores.

AVA1 is all of AVA, in two classes at the mean score 5 (the paper's 0.5 of 1), 90 % to train and 10 % to test.
AVA2 is the tenth with the highest means and the tenth with the lowest, as two classes; the paper says that it
trained on it and not how it was cut, so here it is cut as AVA1 is. Which images test is not published for
either: here it depends on the images' names alone, so figures are not comparable image for image.

Files, terms and citation are those of :mod:`protocols.datasets.ava`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from generic.errors import DatasetError
from protocols.datasets import ava
from protocols.datasets.counts import PublishedCount
from protocols.datasets.dataset import Dataset
from protocols.datasets.shares import shares_of_images

AVA1, AVA2 = "ava1", "ava2"
SHARES = {"train": 0.9, "test": 0.1}
THRESHOLD = 5.0
"""Mean score above which a photo of AVA1 is of the high class; every photo of AVA2 is far from it."""
_PAPER = "the second paper"

PUBLISHED: Mapping[str, tuple[PublishedCount, ...]] = {
    # Of these 181,447 are in the high class and 74,056 in the low one.
    AVA1: (
        PublishedCount("images", 255_503, _PAPER),
        PublishedCount("list train", 229_954, _PAPER),
        PublishedCount("list test", 25_549, _PAPER),
    ),
    AVA2: (PublishedCount("images", 51_100, _PAPER),),
}


def load_ava1(root: Path | str, *, images: Path | str | None = None) -> Dataset:
    """All of AVA with the second paper's shares.

    Args:
        root: as :func:`protocols.datasets.ava.load`.
        images: likewise.

    Raises:
        DatasetError: a file is missing or not in the released format.
    """
    whole = ava.load(root, images=images)
    n_high = sum(mean > THRESHOLD for mean in whole.means.values())
    rule = f"{n_high:,} images above {THRESHOLD:g}, {len(whole.means) - n_high:,} not"
    return _subset(whole, AVA1, list(whole.means), rule)


def load_ava2(root: Path | str, *, images: Path | str | None = None) -> Dataset:
    """The tenth of AVA with the highest mean scores and the tenth with the lowest.

    Args:
        root: as :func:`protocols.datasets.ava.load`.
        images: likewise.

    Raises:
        DatasetError: a file is missing or not in the released format, or has fewer than 10 images.
    """
    whole = ava.load(root, images=images)
    n = len(whole.means) // 10
    if not n:
        raise DatasetError(
            f"AVA2 takes a tenth at each end, and there are {len(whole.means)} labelled images; give all of "
            f"AVA.txt"
        )
    # Of equal means the name decides, so that the order of rows does not.
    ordered = sorted(whole.means, key=lambda name: (whole.means[name], name))
    low, high = whole.means[ordered[n - 1]], whole.means[ordered[-n]]
    rule = f"the {n:,} images with the lowest means (up to {low:.3f}) and with the highest (from {high:.3f})"
    return _subset(whole, AVA2, [*ordered[:n], *ordered[-n:]], rule)


def _subset(whole: Dataset, name: str, kept: list[str], rule: str) -> Dataset:
    return replace(
        whole,
        name=name,
        means={image: whole.means[image] for image in kept},
        counts={image: whole.counts[image] for image in kept},
        lists=shares_of_images(name, kept, SHARES),
        notes=(rule, "90 % of the images train, 10 % test, by the hash of their names", *_of_images(whole)),
    )


def _of_images(whole: Dataset) -> tuple[str, ...]:
    """What AVA's notes say of its images; the others are of its lists."""
    return tuple(note for note in whole.notes if note.startswith("labels only"))
