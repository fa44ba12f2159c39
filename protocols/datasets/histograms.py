"""A folder of photos with the distribution of their ratings: the form of the second paper's GBR data.

Terms and citation: the person's own. The paper is "Residual Attention Network vs Real Attention on
Aesthetic Assessment"; its 5,417 photos of the Great Barrier Reef were rated by at least 10 people each, and
80 % of them trained the networks. They were not published.

ROOT holds the photos in ``images/`` or in ROOT itself, and one of

- ``histograms.csv``: ``image`` and a column for each whole score, such as ``1,2,...,10``, with the number of
  raters who gave it. A column ``n`` with the number of raters is compared with the sum.
- ``ratings.csv``: single ratings, ``user,image,score``, from which the histograms are counted.

The paper's 20 % serve "the test and validation phases" and it does not say how they are shared: here half
of them validates and half tests. Which images those are depends on their names alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from generic.errors import DatasetError
from generic.photos.find import printable
from generic.words import counted, none_of
from piaa.ratings.files.read import COMMAS, read_table
from piaa.ratings.scale import Scale
from piaa.ratings.table import Duplicates, Ratings, read_ratings
from protocols.datasets.counts import PublishedCount
from protocols.datasets.dataset import Dataset
from protocols.datasets.files import LABEL_FILE, bad_rows, cut, read_names, take_columns
from protocols.datasets.root import Root, labels_only
from protocols.datasets.shares import shares_of_images

NAME = "histograms"
HISTOGRAMS, RATINGS = "histograms.csv", "ratings.csv"
IMAGES = ("images",)
MIN_RATERS = 10
"""Of an image, as in the paper."""
SHARES = {"train": 0.8, "validation": 0.1, "test": 0.1}

PUBLISHED: tuple[PublishedCount, ...] = ()

_COLUMNS = "name one column image and one for each whole score without gaps, such as image,1,2,3,4,5"
_CURE = "write how many raters gave each score: whole numbers of at least 0, and one row an image"
Counts = dict[str, tuple[int, ...]]


def load(
    root: Path | str,
    *,
    ratings: Path | str | None = None,
    images: Path | str | None = None,
    scale: Scale = Scale(1, 10),  # noqa: B008 - frozen
    duplicates: Duplicates = "error",
    train: Path | str | None = None,
    test: Path | str | None = None,
    min_raters: int = MIN_RATERS,
) -> Dataset:
    """Histograms of ratings, read or counted.

    Args:
        root: the folder that holds the table, in it or one folder deep.
        ratings: a table of single ratings, where it is another file; it goes before ``histograms.csv``.
        images: the folder of the images, where it is not ``images`` in ROOT.
        scale: the units of single ratings; histograms name their scores themselves.
        duplicates: what to do when a user rated an image twice.
        train: a list of training images, one a line, with ``test``; else 80, 10 and 10 % by their names.
        test: the same for the test images.
        min_raters: images with fewer are left out, and counted in the notes.

    Raises:
        DatasetError: a file is missing, the table is not such a table, its rows are bad, or no image has
            enough raters.
        RatingsError: single ratings are bad.
    """
    place = Root(root, dataset=NAME, holds=f"{HISTOGRAMS} or {RATINGS}", source="you")
    path = Path(ratings) if ratings is not None else place.need(HISTOGRAMS, RATINGS)
    told: tuple[str, ...] = ()
    if ratings is None and path.name == HISTOGRAMS:
        counts, scale = read_histograms(path)
    else:
        table = read_ratings(path, scale=scale, duplicates=duplicates)
        counts, told = count_ratings(table), table.notes
    enough = {image: row for image, row in counts.items() if sum(row) >= min_raters}
    if not enough:
        most, none = max(map(sum, counts.values())), none_of(len(counts), "image")
        raise DatasetError(
            f"{printable(str(path))}: {none} has {counted(min_raters, 'rater')}, the most "
            f"has {most}; add ratings, or lower --min-raters"
        )
    lists, rule = _lists(list(enough), train, test)
    folder = place.images(IMAGES, images)
    n_few = len(counts) - len(enough)
    have, were = ("has", "was") if n_few == 1 else ("have", "were")
    n_images = counted(len(counts), "image")
    few = (f"{n_few:,} of {n_images} {have} fewer than {min_raters} raters and {were} left out",)
    low = int(scale.low)
    return Dataset(
        name=NAME,
        scale=scale,
        ratings=None,
        means={
            image: sum(score * n for score, n in enumerate(row, low)) / sum(row)
            for image, row in enough.items()
        },
        counts=enough,
        images=folder,
        lists=lists,
        test_users=(),
        notes=(*told, *(few if n_few else ()), rule, *labels_only(folder)),
    )


def read_histograms(path: Path) -> tuple[Counts, Scale]:
    """Counts of each image, and the scale that the columns are of.

    Raises:
        DatasetError: columns are missing or leave a gap, or rows are bad; all of them are named.
    """
    table = read_table(path, LABEL_FILE, COMMAS)
    header = table.names
    scores = sorted(int(name) for name in header if name.lstrip("-").isdecimal())
    if "image" not in header or len(scores) < 2 or scores != list(range(scores[0], scores[-1] + 1)):
        shown = ", ".join(map(cut, header[:12])) + (" and more" if len(header) > 12 else "")
        raise DatasetError(f"{table.source} is no table of histograms; its columns are {shown}; {_COLUMNS}")
    named = ["image", *map(str, scores), *(["n"] if "n" in header else [])]
    counts: Counts = {}
    problems: list[tuple[int, str]] = []
    rows = take_columns(table, named, _COLUMNS)
    for line, (image, *fields) in rows:
        row, stated = fields[: len(scores)], fields[len(scores) :]
        wrong = f"image {cut(image)} stands twice" if image in counts else _wrong(image, row, stated, scores)
        if wrong:
            problems.append((line, wrong))
        else:
            counts[image] = tuple(map(int, row))
    if problems:
        raise bad_rows(path, len(rows), problems, _CURE)
    return counts, Scale(scores[0], scores[-1])


def _wrong(image: str, row: Sequence[str], stated: Sequence[str], scores: Sequence[int]) -> str:
    """What is wrong with one image's counts; empty if nothing is."""
    if not image:
        return "the image is empty"
    for score, text in zip(scores, row, strict=True):
        if text.startswith("-") and text[1:].isdecimal():
            return f"image {cut(image)} has a negative count {text} of score {score}"
        if not text.isdecimal():
            return f"image {cut(image)} has {cut(text)} raters of score {score}"
    total = sum(map(int, row))
    if total == 0:
        return f"image {cut(image)} has an empty histogram"
    if stated and stated[0] != str(total):
        return f"image {cut(image)} has counts that sum to {total}, but n is {cut(stated[0])}"
    return ""


def count_ratings(ratings: Ratings) -> Counts:
    """How often each whole score of the scale was given to each image.

    Raises:
        DatasetError: the scale or a rating is not whole.
    """
    low, high = ratings.scale.low, ratings.scale.high
    between = sorted({score for score in ratings.scores.tolist() if not float(score).is_integer()})
    if between or not (float(low).is_integer() and float(high).is_integer()):
        what = f"the score {between[0]:g}" if between else f"the scale {ratings.scale}"
        raise DatasetError(
            f"histograms need whole scores, but {ratings.source} has {what}; round them, or train on means "
            f"with --dataset table"
        )
    given = Counter(zip(ratings.images, ratings.scores.tolist(), strict=True))
    return {
        image: tuple(given[image, float(score)] for score in range(int(low), int(high) + 1))
        for image in dict.fromkeys(ratings.images)
    }


def _lists(
    names: Sequence[str], train: Path | str | None, test: Path | str | None
) -> tuple[Mapping[str, tuple[str, ...]], str]:
    """Training, validation and test images, and how they were told apart."""
    if (train is None) != (test is None):
        raise DatasetError("one of two lists is missing; give both --train and --test, or neither")
    if train is not None and test is not None:
        lists = {
            part: tuple(name for _, name in read_names(Path(file)))
            for part, file in (("train", train), ("test", test))
        }
        return lists, f"lists: {Path(train).name}, {Path(test).name}"
    return shares_of_images(
        NAME, names, SHARES
    ), "80 % of the images train, 10 % validate, 10 % test, by the hash of their names"
