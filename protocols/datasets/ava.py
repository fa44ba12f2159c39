"""AVA: about 255,500 photos of DPChallenge.com, each with a histogram of some 210 votes from 1 to 10.

Terms: none are stated; the photos belong to their photographers. Use for research.
Cite: Murray, Marchesotti and Perronnin, "AVA: A Large-Scale Database for Aesthetic Visual Analysis",
CVPR 2012.
From: no official host any more; https://github.com/imfing/ava_downloader lists mirrors of labels and photos.

ROOT holds ``AVA.txt`` (separated by spaces, no header: index, image id, 10 counts of the scores 1 to 10,
two tag ids, challenge id) and the photos ``<id>.jpg`` in ``images/``. The part file ``AVA.test_part.txt``
has the same format.

There is no official split for scores, and papers differ (see ``PUBLISHED``): name one by two list files.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from generic.photos.find import printable
from piaa.ratings.files.read import read_lines
from piaa.ratings.scale import Scale
from protocols.datasets.counts import PublishedCount
from protocols.datasets.dataset import Dataset
from protocols.datasets.files import LABEL_FILE, bad_rows, cut, read_names
from protocols.datasets.root import Root, labels_only

NAME = "ava"
SCALE = Scale(1, 10)
SOURCE = "a mirror, see https://github.com/imfing/ava_downloader"
LABELS = ("AVA.txt", "AVA.test_part.txt")
IMAGES = ("images/images", "images", "image")

_FIELDS = 15
_CURE = f"fetch the file again from {SOURCE}"

PUBLISHED = (
    # Lines of AVA.txt; the paper's abstract says over 250,000.
    PublishedCount("images", 255_530, "lines of AVA.txt"),
    # The EAT paper's section 5.1: "the most commonly" used split.
    PublishedCount("list train", 235_528, "EAT paper"),
    PublishedCount("list test", 20_000, "EAT paper"),
    # The two files that the authors of MPADA publish.
    PublishedCount("list train", 229_971, "MPADA lists"),
    PublishedCount("list test", 25_551, "MPADA lists"),
    # The paper's section 2.
    PublishedCount("votes per image", "78 to 549", "Murray et al. 2012"),
)


def load(
    root: Path | str,
    *,
    train: Path | str | None = None,
    test: Path | str | None = None,
    images: Path | str | None = None,
) -> Dataset:
    """AVA from its label file, with the split of two list files if they are named.

    Args:
        root: the folder that holds the label file, in it or one folder deep.
        train: a list of image ids, one a line (``953619`` or ``953619.jpg``).
        test: the same for the test images.
        images: the folder of the photos, where it is not ``images`` in ROOT.

    Raises:
        DatasetError: a file is missing or not in the released format, or a list names an id twice.
    """
    place = Root(root, dataset=NAME, holds=LABELS[0], source=SOURCE)
    path = place.need(*LABELS)
    counts = _read_labels(path)
    table = np.array(list(counts.values()), dtype=np.float64)
    means = table @ np.arange(1.0, 11.0) / table.sum(1)
    folder = place.images(IMAGES, images)
    lists = {part: _read_list(Path(file)) for part, file in (("train", train), ("test", test)) if file}
    notes = [*_about(lists, counts, path), *labels_only(folder)]
    for part, file in (("train", train), ("test", test)):
        if file:
            notes.append(f"list {part}: {Path(file).name}")
    return Dataset(
        name=NAME,
        scale=SCALE,
        ratings=None,
        means=dict(zip(counts, means.tolist(), strict=True)),
        counts=counts,
        images=folder,
        lists=lists,
        test_users=(),
        notes=tuple(notes),
    )


def _read_labels(path: Path) -> dict[str, tuple[int, ...]]:
    """Image -> counts of the scores 1 to 10."""
    counts: dict[str, tuple[int, ...]] = {}
    problems: list[tuple[int, str]] = []
    rows = [(number, line.split()) for number, line in read_lines(path, LABEL_FILE)]
    for number, fields in rows:
        image = f"{fields[1]}.jpg" if len(fields) == _FIELDS else ""
        if image and "".join(fields[1:12]).isdecimal() and image not in counts:
            counts[image] = tuple(map(int, fields[2:12]))
            problems += [] if any(counts[image]) else [(number, f"image id {fields[1]} has no votes")]
        else:
            problems.append((number, _problem(fields)))
    if problems:
        raise bad_rows(path, len(rows), problems, _CURE)
    return counts


def _problem(fields: list[str]) -> str:
    """What is wrong with a row that has no place in the table."""
    if len(fields) != _FIELDS:
        what = "field" if len(fields) == 1 else "fields"
        return f"has {len(fields)} {what} between spaces instead of {_FIELDS}"
    bad = next((field for field in fields[1:12] if not field.isdecimal()), None)
    return f"image id {fields[1]} stands twice" if bad is None else f"{cut(bad)} is not an id or a count"


def _read_list(path: Path) -> tuple[str, ...]:
    """The images of a list file, named as the labels name them."""
    names = read_names(path)
    problems = [
        (number, f"{cut(name)} is not an image id")
        for number, name in names
        if not name.removesuffix(".jpg").isdigit()
    ]
    if problems:
        raise bad_rows(path, len(names), problems, "write one id a line, such as 953619")
    return tuple(f"{name.removesuffix('.jpg')}.jpg" for _, name in names)


def _about(lists: dict[str, tuple[str, ...]], counts: dict[str, tuple[int, ...]], path: Path) -> list[str]:
    """What to know of the split."""
    if not lists:
        return ["no split: papers use different ones, name yours by two list files, train and test"]
    notes = []
    for part, names in lists.items():
        n_bare = sum(name not in counts for name in names)
        if n_bare:
            notes.append(
                f"{n_bare:,} of {len(names):,} images of list {part} have no label in {printable(path.name)}"
            )
    return notes
