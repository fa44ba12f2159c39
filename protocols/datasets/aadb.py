"""AADB: 10,000 Flickr photos, each rated 1 to 5 by about five of 190 Mechanical Turk workers.

Terms: the photos are under Creative Commons licences of their owners; the data are for research only.
Cite: Kong, Shen, Lin, Mech and Fowlkes, "Photo Aesthetics Ranking Network with Attributes and Content
Adaptation", ECCV 2016.
From: https://github.com/aimerykong/deepImageAestheticsAnalysis (links to a Google Drive folder; the
per-rater file is ``AllinAll.csv`` there, see issue 29).

ROOT holds at least one of
- ``AllinAll.csv`` (or ``AADB_AllinAll.csv``): the export of Mechanical Turk. One row is one worker with
  ten photos: ``WorkerId``, ``Input.image_url1..10``, ``Answer.overallScore1..10``. A score of 0 flags a
  bad photo; it is no rating, so it is dropped and counted.
- ``imgListTrainRegression_score.txt``, ``imgListValidationRegression_score.txt`` and
  ``imgListTestNewRegression_score.txt`` (``image score``), often in ``imgListFiles_label/``.
- ``AADBinfo.mat``: the same for training and test images only.
and the photos in ``datasetImages_originalSize/`` (or ``datasetImages_warp256/``).

The published means are in [0, 1]. They are (score - 1) / 4, since 96 % of them are multiples of 1/20
(five raters, steps of 1/4) and hardly any of 1/25, so on 1..5 they are exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from generic.errors import DatasetError
from generic.photos.find import printable
from piaa.ratings.scale import Scale
from piaa.ratings.table import Ratings
from protocols.datasets.counts import PublishedCount
from protocols.datasets.dataset import Dataset, mean_scores
from protocols.datasets.files import averaged, bad_rows, cut, read_columns, read_scores
from protocols.datasets.root import Root, labels_only

NAME = "aadb"
SCALE = Scale(1, 5)
SOURCE = "https://github.com/aimerykong/deepImageAestheticsAnalysis"
RATINGS = ("AllinAll.csv", "AADB_AllinAll.csv")
INFO = "AADBinfo.mat"
LISTS = {
    "train": "imgListTrainRegression_score.txt",
    "validation": "imgListValidationRegression_score.txt",
    "test": "imgListTestNewRegression_score.txt",
}
IMAGES = ("datasetImages_originalSize", "datasetImages_warp256")

_CURE = f"fetch the released file again, see {SOURCE}"
_PHOTOS = range(1, 11)
_COLUMNS = (
    "WorkerId",
    *(f"Input.image_url{n}" for n in _PHOTOS),
    *(f"Answer.overallScore{n}" for n in _PHOTOS),
)
_FLAGGED = "0"
_ANSWERS = ("0", "1", "2", "3", "4", "5")

PUBLISHED = (
    # The paper's section 3: photos, raters, and the partition.
    PublishedCount("images", 10_000, "Kong et al. 2016"),
    # Files in datasetImages_originalSize.zip (issue 28 of the repository) = 8,458 + 500 + 1,000.
    PublishedCount("images", 9_958, "the released photos"),
    PublishedCount("users", 190, "Kong et al. 2016"),
    PublishedCount("list train", 8_500, "Kong et al. 2016"),
    PublishedCount("list train", 8_458, "the released labels"),
    PublishedCount("list validation", 500, "Kong et al. 2016"),
    PublishedCount("list test", 1_000, "Kong et al. 2016"),
)


def load(root: Path | str, *, images: Path | str | None = None) -> Dataset:
    """AADB from whatever of its released files ROOT holds.

    Args:
        root: the folder that holds the labels, in it or one folder deep.
        images: the folder of the photos, where it is not an official one in ROOT.

    Raises:
        DatasetError: no label file is there, or a file is not in the released format.
    """
    place = Root(root, dataset=NAME, holds=RATINGS[0], source=SOURCE)
    rated = place.find(*RATINGS)
    official, lists, about_means = _official(place)
    if rated is None and not official:
        place.need(RATINGS[0], INFO, LISTS["train"])
    ratings: Ratings | None = None
    means = official
    notes: tuple[str, ...] = (f"no {RATINGS[0]}: means only",)
    if rated is not None:
        ratings, notes = _ratings(rated)
        means = official or mean_scores(ratings)
    folder = place.images(IMAGES, images)
    return Dataset(
        name=NAME,
        scale=SCALE,
        ratings=ratings,
        means=means,
        counts={},
        images=folder,
        lists=lists,
        test_users=(),
        notes=(*notes, *about_means, *labels_only(folder)),
    )


def image_name(url: str) -> str | None:
    """The file of a rated photo: first part of the host, then the last two parts of the path.

    Returns:
        the name, or None where the address is not of that form.

    Example:
        >>> image_name("https://farm1.staticflickr.com/450/20131843366_5df791e881_b.jpg")
        'farm1_450_20131843366_5df791e881_b.jpg'
    """
    try:
        address = urlsplit(url)
    except ValueError:
        return None
    parts = address.path.strip("/").split("/")
    if not address.netloc or len(parts) < 2 or not all(parts):
        return None
    return f"{address.netloc.partition('.')[0]}_{parts[-2]}_{parts[-1]}"


def _ratings(path: Path) -> tuple[Ratings, tuple[str, ...]]:
    """The ratings of the per-rater file, and what to know about them."""
    rows: list[tuple[str, str, float]] = []
    problems: list[tuple[int, str]] = []
    n_flagged = 0
    table = read_columns(path, _COLUMNS, _CURE)
    for line, (worker, *cells) in table:
        problems += [(line, "WorkerId is empty")] if not worker else []
        for number, url, answer in zip(_PHOTOS, cells[:10], cells[10:], strict=True):
            name = image_name(url)
            problems += _problems(line, number, url, name, answer)
            if name is None or answer not in _ANSWERS:
                continue
            n_flagged += answer == _FLAGGED
            if answer != _FLAGGED:
                rows.append((worker, name, float(answer)))
    if problems:
        raise bad_rows(path, len(table), problems, _CURE)
    if not rows:
        raise DatasetError(f"{printable(str(path))} flags every photo with 0 and rates none; {_CURE}")
    ratings = Ratings.from_rows(rows, scale=SCALE, duplicates="mean", source=printable(str(path)))
    notes = averaged(len(rows), ratings)
    if n_flagged:
        flags = f"{n_flagged:,} {'score' if n_flagged == 1 else 'scores'} of 0 (photo flagged as bad)"
        notes = (f"{flags} dropped", *notes)
    return ratings, notes


def _problems(line: int, number: int, url: str, name: str | None, answer: str) -> list[tuple[int, str]]:
    found = []
    if name is None:
        found.append((line, f"Input.image_url{number} {cut(url)} is not the address of a photo"))
    if answer not in _ANSWERS:
        found.append((line, f"Answer.overallScore{number} {cut(answer)} is not one of 0 to 5"))
    return found


def _official(place: Root) -> tuple[dict[str, float], dict[str, tuple[str, ...]], tuple[str, ...]]:
    """Official means on 1..5, image lists and notes; the list files tell more than the .mat file."""
    found = {part: place.find(name) for part, name in LISTS.items()}
    info = place.find(INFO)
    if any(found.values()):
        unit = {part: read_scores(path, _CURE) for part, path in found.items() if path is not None}
        missing = [LISTS[part] for part, path in found.items() if path is None]
        origin, notes = "the list files", tuple(f"no {name}" for name in missing)
    elif info is not None:
        unit, origin = _read_info(info), INFO
        notes = (f"{INFO} lists no validation images",)
    else:
        return {}, {}, ("no official means: the means are those of the ratings",)
    _check_unit(unit, origin, place)
    unit_means = {image: score for scores in unit.values() for image, score in scores.items()}
    on_scale = SCALE.from_unit(list(unit_means.values())).tolist()
    lists = {part: tuple(scores) for part, scores in unit.items()}
    return dict(zip(unit_means, on_scale, strict=True)), lists, notes


def _check_unit(unit: dict[str, dict[str, float]], origin: str, place: Root) -> None:
    """Raise unless every score is in [0, 1]."""
    outside = [
        (image, score) for part in unit.values() for image, score in part.items() if not 0 <= score <= 1
    ]
    if outside:
        n, (image, score) = len(outside), outside[0]
        counted = f"{n} {'score' if n == 1 else 'scores'}"
        raise DatasetError(
            f"{place}: {counted} of {origin} outside 0..1, the first is {score:g} of {cut(image)}; {_CURE}"
        )


def _read_info(path: Path) -> dict[str, dict[str, float]]:
    """Train and test scores in [0, 1] of ``AADBinfo.mat``."""
    from scipy.io import loadmat

    shown = printable(str(path))
    try:
        content = loadmat(path, simplify_cells=True)
    except (OSError, ValueError, TypeError, NotImplementedError, EOFError, IndexError, KeyError) as error:
        raise DatasetError(
            f"{shown} is not a readable MATLAB file ({type(error).__name__}); {_CURE}"
        ) from None
    fields = ("trainNameList", "trainScore", "testNameList", "testScore")
    missing = [field for field in fields if field not in content]
    if missing:
        raise DatasetError(f"{shown} has no {' and no '.join(missing)}; {_CURE}")
    return {
        part: _pairs(content[f"{part}NameList"], content[f"{part}Score"], shown) for part in ("train", "test")
    }


def _pairs(names: Sequence[object], scores: Sequence[float], shown: str) -> dict[str, float]:
    if len(names) != len(scores):
        raise DatasetError(f"{shown} has {len(names)} names but {len(scores)} scores; {_CURE}")
    return {str(name): float(score) for name, score in zip(names, scores, strict=True)}
