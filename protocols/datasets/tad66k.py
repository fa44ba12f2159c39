"""TAD66K: 66,327 Flickr photos of 47 themes with a mean score from 1 to 10.

Terms: code and labels are published under Apache-2.0; the photos belong to their owners.
Cite: He, Zhang, Xie, Jiang and Ming, "Rethinking Image Aesthetics Assessment: Models, Datasets and
Benchmarks", IJCAI 2022.
From: https://github.com/woshidandan/TANet-image-aesthetics-and-quality-assessment (links to the files).

ROOT holds ``train.csv`` and ``test.csv`` (``image,score``), often in ``labels/merge/``, and the photos in
``TAD66K/``.
"""

from __future__ import annotations

from pathlib import Path

from piaa.ratings.scale import Scale
from protocols.datasets.counts import PublishedCount
from protocols.datasets.dataset import Dataset
from protocols.datasets.files import official_ratings
from protocols.datasets.root import Root, labels_only

NAME = "tad66k"
SCALE = Scale(1, 10)
SOURCE = "https://github.com/woshidandan/TANet-image-aesthetics-and-quality-assessment"
IMAGES = ("TAD66K", "images")

_CURE = f"fetch the released file again from {SOURCE}, or correct these rows"
_CROWD = "the crowd"

PUBLISHED = (
    # The sum of the two lists below; "66K" in the paper.
    PublishedCount("images", 66_327, "the released labels"),
    # The EAT paper's section 5.1, "the official train-test split".
    PublishedCount("list train", 52_248, "EAT paper"),
    PublishedCount("list test", 14_079, "EAT paper"),
)


def load(root: Path | str, *, images: Path | str | None = None) -> Dataset:
    """TAD66K from its two released tables.

    Args:
        root: the folder that holds both, in it or one folder deep.
        images: the folder of the photos, where it is not ``TAD66K`` in ROOT.

    Raises:
        DatasetError: a table is missing.
        RatingsError: rows are bad.
    """
    place = Root(root, dataset=NAME, holds="train.csv and test.csv", source=SOURCE)
    means: dict[str, float] = {}
    lists: dict[str, tuple[str, ...]] = {}
    for part in ("train", "test"):
        path = place.need(f"{part}.csv", f"merge/{part}.csv")
        # Means of all raters, read as the ratings of one: the same checks apply.
        table = official_ratings(path, scale=SCALE, cure=_CURE, user=_CROWD)
        lists[part] = table.images
        means |= dict(zip(table.images, table.scores.tolist(), strict=True))
    folder = place.images(IMAGES, images)
    return Dataset(
        name=NAME,
        scale=SCALE,
        ratings=None,
        means=means,
        counts={},
        images=folder,
        lists=lists,
        test_users=(),
        notes=labels_only(folder),
    )
