"""The OASIS photos with individual beauty ratings (Kurdi, Lozano & Banaji 2017; Brielmann & Pelli 2019).

ROOT holds ``images/``, ``ratings.csv`` (user,image,score; 1..7) and ``images.csv`` (image,list,...). Every
user rated the photos of one list, so leaving a list out leaves out photos and users alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from piaa.ratings.scale import Scale
from piaa.ratings.table import Ratings, read_ratings

SCALE = Scale(1, 7)
LISTS = (1, 2, 3)


@dataclass(frozen=True, kw_only=True)
class Oasis:
    """Photos, lists and unit scores."""

    folder: Path
    """Folder of the photos."""
    names: list[str]
    """Photo names, n of them."""
    lists: NDArray[np.int64]
    """List of each photo, shape (n,)."""
    ratings: Ratings
    """All ratings."""
    means: NDArray[np.float64]
    """Mean unit score of each photo, shape (n,)."""
    users: dict[str, tuple[NDArray[np.intp], NDArray[np.float64]]]
    """For each user the photos she rated (indices into ``names``) and her unit scores."""

    @property
    def paths(self) -> list[Path]:
        """Photo files, in the order of ``names``."""
        return [self.folder / name for name in self.names]

    def users_of(self, *lists: int) -> list[str]:
        """Users who rated one of these lists."""
        return [user for user, (rows, _) in self.users.items() if self.lists[rows[0]] in lists]


def load_oasis(root: Path) -> Oasis:
    """Read the data set under ``root``."""
    table = pd.read_csv(root / "images.csv").sort_values("image")
    names = table["image"].tolist()
    index = {name: i for i, name in enumerate(names)}
    ratings = read_ratings(root / "ratings.csv", scale=SCALE)
    rows = np.array([index[name] for name in ratings.images])
    unit = ratings.unit_scores
    totals = np.bincount(rows, weights=unit, minlength=len(names)) / np.bincount(rows, minlength=len(names))
    names_of = np.array(ratings.users)
    order = np.argsort(names_of, kind="stable")
    edges = np.flatnonzero(names_of[order][1:] != names_of[order][:-1]) + 1
    groups = np.split(order, edges)
    return Oasis(
        folder=root / "images",
        names=names,
        lists=table["list"].to_numpy(),
        ratings=ratings,
        means=totals,
        users={str(names_of[group[0]]): (rows[group], unit[group]) for group in groups},
    )
