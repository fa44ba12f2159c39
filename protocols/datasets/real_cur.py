"""REAL-CUR: 14 people's own albums, rated 1 to 5 by their owners. For tests only: nobody shares a photo.

Terms: for research only, as FLICKR-AES, with which it is released.
Cite: Ren, Shen, Lin, Mech and Foran, "Personalized Image Aesthetics", ICCV 2017.
From: https://github.com/alanspike/personalizedImageAesthetics (links to the files).

ROOT holds one folder per owner, in it a folder per score, in it the photos: ``<worker>/<score>/<photo>``;
or a table ``REAL-CUR.csv`` (``worker,image,score``) and, optionally, those folders in ``images/``.

An image is named by that path, since owners' cameras give the same names to different photos.
"""

from __future__ import annotations

from pathlib import Path

from generic.errors import DatasetError
from generic.photos.find import SUFFIXES
from piaa.ratings.scale import Scale
from piaa.ratings.table import Ratings
from protocols.datasets.counts import PublishedCount
from protocols.datasets.dataset import Dataset, mean_scores
from protocols.datasets.files import official_ratings
from protocols.datasets.root import Root, labels_only

NAME = "real-cur"
SCALE = Scale(1, 5)
SOURCE = "https://github.com/alanspike/personalizedImageAesthetics"
RATINGS = ("REAL-CUR.csv", "real_cur.csv", "real-cur.csv")
IMAGES = ("images", "REAL-CUR")
SCORES = ("1", "2", "3", "4", "5")

_CURE = "correct these rows"

PUBLISHED = (
    # The paper's section 3.
    PublishedCount("users", 14, "Ren et al. 2017"),
)


def load(root: Path | str, *, images: Path | str | None = None) -> Dataset:
    """REAL-CUR from its table, or else from its folders alone.

    Args:
        root: the folder that holds the table in it or one folder deep, or the owners' folders.
        images: the folder of the owners' folders, where it is neither ROOT nor ``images`` in ROOT.

    Raises:
        DatasetError: there are neither a table nor rated photos.
        RatingsError: rows of the table are bad.
    """
    place = Root(root, dataset=NAME, holds=f"{RATINGS[0]} or the owners' folders", source=SOURCE)
    path = place.find(*RATINGS)
    folder = place.images(IMAGES, images)
    if path is None:
        folder = folder or place.path
        ratings = _from_folders(folder)
    else:
        table = official_ratings(path, scale=SCALE, cure=_CURE)
        rows = zip(table.users, table.images, table.scores.tolist(), strict=True)
        named = [(user, f"{user}/{score:g}/{image}", score) for user, image, score in rows]
        ratings = Ratings.from_rows(named, scale=SCALE, source=table.source)
    return Dataset(
        name=NAME,
        scale=SCALE,
        ratings=ratings,
        means=mean_scores(ratings),
        counts={},
        images=folder,
        paths=True,
        lists={},
        test_users=(),
        notes=labels_only(folder),
    )


def _from_folders(folder: Path) -> Ratings:
    """The ratings that the folders' names tell, in sorted order."""
    paths = sorted(path for score in SCORES for path in folder.glob(f"*/{score}/*"))
    photos = [path.relative_to(folder) for path in paths if path.suffix.lower() in SUFFIXES]
    if not photos:
        raise DatasetError(
            f"{folder} holds neither {RATINGS[0]} nor photos in folders OWNER/SCORE with scores 1 to 5; "
            f"put the files of {NAME} there, they come from {SOURCE}"
        )
    rows = [(photo.parts[0], photo.as_posix(), float(photo.parts[1])) for photo in photos]
    return Ratings.from_rows(rows, scale=SCALE, source=str(folder))
