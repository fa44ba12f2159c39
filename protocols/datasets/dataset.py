"""A dataset as every protocol sees it: one shape for individual ratings, means and official lists."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from piaa.ratings.scale import Scale
from piaa.ratings.table import Ratings


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """The labels of one dataset, and where its images lie.

    Image names are as the labels give them; ``images / name`` is the file in the official layout.
    """

    name: str
    """The name that ``load_dataset`` knows."""

    scale: Scale
    """The units of every score here."""

    ratings: Ratings | None
    """Individual ratings; None where only means exist."""

    means: Mapping[str, float]
    """Image -> mean score in units of ``scale``: official where published, else of the ratings."""

    counts: Mapping[str, tuple[int, ...]]
    """Image -> how often each whole score from low to high was given; empty where not published."""

    images: Path | None
    """The folder of the images; None if there are labels only."""

    paths: bool = False
    """True where folders tell images of one file name apart, so that a name means that very path."""

    lists: Mapping[str, tuple[str, ...]]
    """Official image lists by name: "train", "validation", "test"; an image may lack a label."""

    test_users: tuple[str, ...]
    """Test users that are official or named by the person; empty where there are none."""

    notes: tuple[str, ...]
    """What a person must know before trusting the figures, one sentence each."""

    def labelled(self) -> tuple[str, ...]:
        """Every image with a mean or a rating, once: those with a mean first, then by first rating."""
        rated = self.ratings.images if self.ratings is not None else ()
        return tuple(dict.fromkeys((*self.means, *rated)))


def mean_scores(ratings: Ratings) -> dict[str, float]:
    """The mean score of each image over its raters.

    Args:
        ratings: any table of ratings.

    Returns:
        image -> mean, in units of the ratings' scale, in order of first appearance.

    Example:
        >>> rows = [("ana", "a.jpg", 4), ("ben", "a.jpg", 5), ("ana", "b.jpg", 1)]
        >>> mean_scores(Ratings.from_rows(rows, scale=Scale(1, 5)))
        {'a.jpg': 4.5, 'b.jpg': 1.0}
    """
    totals: dict[str, float] = {}
    raters: dict[str, int] = {}
    for image, score in zip(ratings.images, ratings.scores.tolist(), strict=True):
        totals[image] = totals.get(image, 0.0) + score
        raters[image] = raters.get(image, 0) + 1
    return {image: total / raters[image] for image, total in totals.items()}
