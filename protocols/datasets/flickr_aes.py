"""FLICKR-AES: 40,988 Flickr photos, each rated 1 to 5 by about five of 210 Mechanical Turk workers.

Terms: the photos are under Creative Commons licences of their owners and meant for research only.
Cite: Ren, Shen, Lin, Mech and Foran, "Personalized Image Aesthetics", ICCV 2017.
From: https://github.com/alanspike/personalizedImageAesthetics (links to the files).

ROOT holds ``FLICKR-AES_image_labeled_by_each_worker.csv`` (header ``worker, imagePair, score`` with
leading spaces), optionally ``FLICKR-AES_image_score.txt`` (``image score``), and the photos in ``40K/``.
The part file ``FLICKR-AES_image_labeled_by_each_worker.test37.csv`` with the test workers alone will
do for personal tests.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from generic.errors import DatasetError
from generic.photos.find import printable
from piaa.ratings.files.read import read_lines
from piaa.ratings.scale import Scale
from piaa.ratings.table import Ratings
from protocols.datasets.counts import PublishedCount
from protocols.datasets.dataset import Dataset, mean_scores
from protocols.datasets.files import (
    LABEL_FILE,
    averaged,
    bad_rows,
    cut,
    official_ratings,
    read_columns,
    read_names,
    read_scores,
)
from protocols.datasets.root import Root, labels_only

NAME = "flickr-aes"
SCALE = Scale(1, 5)
SOURCE = "https://github.com/alanspike/personalizedImageAesthetics"
RATINGS = "FLICKR-AES_image_labeled_by_each_worker.csv"
RATINGS_PART = "FLICKR-AES_image_labeled_by_each_worker.test37.csv"
MEANS = "FLICKR-AES_image_score.txt"
TRAIN_PART = "train_image_means_zscored.csv"
"""The images that no test worker rated, as one project lists them; its z-scores are not used."""
WORKERS = "test_workers_ID.csv"
IMAGES = ("40K",)

TEST_WORKERS = tuple(
    files("protocols.datasets").joinpath("flickr_aes_test_workers.txt").read_text("ascii").split()
)
"""The 37 workers whose ratings are for tests only, in the order of the released list."""

_CURE = f"fetch the released file again from {SOURCE}, or correct these rows"
_PAPER = "Ren et al. 2017"
_RELEASED = "the released labels"

PUBLISHED = (
    # The paper's section 3: photos, workers; 173 of them for training, 37 for tests with 105 to 171 photos.
    PublishedCount("images", 40_988, _PAPER),
    PublishedCount("users", 210, _PAPER),
    PublishedCount("test users", 37, _PAPER),
    # Rows of the released file, as the dataset guide of the PMG project counts them.
    PublishedCount("ratings", 193_208, "rows of the released file"),
    # The EAT paper's section 5.1, and every paper before it.
    PublishedCount("train images", 35_263, "papers"),
    PublishedCount("test images", 4_737, "papers"),
    # Counted in the released labels; some of these photos were never released.
    PublishedCount("train images", 36_564, _RELEASED),
    PublishedCount("test images", 4_977, _RELEASED),
    PublishedCount("test ratings", 5_138, f"{_RELEASED}, 5,139 rows with one pair twice"),
    PublishedCount("ratings per test user", "105 to 171", _PAPER),
    PublishedCount("ratings per test user", "112/120/180", _RELEASED),
)


def load(root: Path | str, *, images: Path | str | None = None) -> Dataset:
    """FLICKR-AES from its released files.

    Args:
        root: the folder that holds the ratings, in it or one folder deep.
        images: the folder of the photos, where it is not ``40K`` in ROOT.

    Raises:
        DatasetError: the ratings are missing, or a file is not in the released format.
        RatingsError: rows of the ratings are bad.
    """
    place = Root(root, dataset=NAME, holds=RATINGS, source=SOURCE)
    path = place.need(RATINGS, RATINGS_PART)
    ratings = official_ratings(path, scale=SCALE, cure=_CURE, duplicates="mean")
    n_rows = len(read_lines(path, LABEL_FILE)) - 1
    listed = place.find(WORKERS)
    if listed is not None:
        _check_workers(listed)
    known = set(ratings.users)
    test_users = tuple(worker for worker in TEST_WORKERS if worker in known)
    means, about_means = _means(place.find(MEANS), ratings)
    folder = place.images(IMAGES, images)
    notes = [*averaged(n_rows, ratings), *about_means, *labels_only(folder)]
    if len(test_users) < len(TEST_WORKERS):
        notes.append(f"{len(TEST_WORKERS) - len(test_users)} of the 37 official test workers have no ratings")
    if known == set(test_users):
        notes.append(f"{path.name} holds the test workers only: nothing to train adapters' priors on")
    return Dataset(
        name=NAME,
        scale=SCALE,
        ratings=ratings,
        means=means,
        counts={},
        images=folder,
        lists=_lists(place.find(TRAIN_PART)),
        test_users=test_users,
        notes=tuple(notes),
    )


def _means(path: Path | None, ratings: Ratings) -> tuple[dict[str, float], tuple[str, ...]]:
    """Means on 1..5 and what to know about them.

    The released file holds weighted means in [0, 1] whose exact formula is not published; on 1..5 they
    are right up to a linear map, which no correlation sees.
    """
    if path is None:
        return mean_scores(ratings), (f"no {MEANS}: the means are those of the ratings",)
    scores = read_scores(path, _CURE)
    low, high = min(scores.values()), max(scores.values())
    if low >= 0 and high <= 1:
        on_scale = SCALE.from_unit(list(scores.values())).tolist()
        note = f"the means of {MEANS} were in [0, 1] and lie on 1..5 up to a linear map"
        return dict(zip(scores, on_scale, strict=True)), (note,)
    if SCALE.low <= low and high <= SCALE.high:
        return scores, ()
    raise DatasetError(
        f"{printable(str(path))} has scores from {low:g} to {high:g}, "
        f"expected all in 0..1 or all in 1..5; {_CURE}"
    )


def _check_workers(path: Path) -> None:
    """A list of test workers that lies in ROOT must name official ones only."""
    names = read_names(path)
    problems = [
        (number, f"worker {cut(name)} is not one of the 37 official test workers")
        for number, name in names
        if name not in TEST_WORKERS
    ]
    if problems:
        raise bad_rows(path, len(names), problems, "delete the file, since the official list is built in")


def _lists(path: Path | None) -> dict[str, tuple[str, ...]]:
    if path is None:
        return {}
    return {"train": tuple(image for _, (image,) in read_columns(path, ("image",), _CURE))}
