"""Who learns and who is tested on OASIS, by ``protocols.splits.split``: what each model may be trained on.

Three kinds of honest models, each named after the list N that it is about:

- ``piaa-lite-without-N`` learned from the other lists' photos and people; tested on list N.
- ``piaa-lite-list-N`` learned from list N alone; tested on the other lists.
- ``piaa-lite-side-N`` learned from the training side of list N: the photos and the people that are not
  tested. The test side is 120 photos, so that 100 ratings leave 20 to predict, as many as FLICKR-AES
  typically does, and about half of the people; both by the hash of their names. It is tested on the test
  sides of all lists, its own too.

``piaa-lite`` learned from everything and is tested on nothing here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd
from oasis import LISTS, SCALE

from piaa.ratings.table import Ratings
from protocols.datasets.dataset import Dataset, mean_scores
from protocols.datasets.load import load_dataset
from protocols.splits.rules import hash_order, make_split
from protocols.splits.split import Split

NAME = "oasis"
"""Of the dataset: it names the random streams of the episodes."""
SHIPPED = "piaa-lite"
WITHOUT = {number: f"{SHIPPED}-without-{number}" for number in LISTS}
ALONE = {number: f"{SHIPPED}-list-{number}" for number in LISTS}
SIDE = {number: f"{SHIPPED}-side-{number}" for number in LISTS}
MODELS = (*WITHOUT.values(), *ALONE.values(), *SIDE.values(), SHIPPED)

N_TEST_PHOTOS = 120
TEST_SHARE = 0.5


@dataclass(frozen=True, kw_only=True)
class Lists:
    """The dataset as a whole and list by list."""

    whole: Dataset
    """All lists."""
    single: Mapping[int, Dataset]
    """Each list's photos and people alone."""

    def without(self, number: int) -> Split:
        """List ``number`` is tested, the others train."""
        return make_split(self.whole, test_images=self.single[number].labelled())

    def sides(self, number: int) -> Split:
        """One list cut in two: 120 photos and about half of the people are tested."""
        dataset = self.single[number]
        photos = hash_order(NAME, dataset.labelled())[:N_TEST_PHOTOS]
        return make_split(dataset, test_share=TEST_SHARE, test_images=photos)

    def learned_from(self, model: str) -> Ratings:
        """All ratings that a model of ``MODELS`` may learn from."""
        numbers = {name: number for names in (WITHOUT, ALONE, SIDE) for number, name in names.items()}
        if model == SHIPPED:
            return _ratings(self.whole)
        number = numbers[model]
        if model == ALONE[number]:
            return _ratings(self.single[number])
        if model == SIDE[number]:
            return self.sides(number).training_ratings(_ratings(self.single[number]))
        return self.without(number).training_ratings(_ratings(self.whole))


def load_lists(root: Path) -> Lists:
    """Read ``root``, which is laid out as :mod:`oasis` says."""
    whole = replace(load_dataset("table", root, scale=SCALE), name=NAME)
    table = pd.read_csv(root / "images.csv")
    lists = dict(zip(table["image"], table["list"], strict=True))
    ratings = _ratings(whole)
    single = {}
    for number in LISTS:
        own = ratings.take([row for row, image in enumerate(ratings.images) if lists[image] == number])
        single[number] = replace(whole, ratings=own, means=mean_scores(own))
    return Lists(whole=whole, single=single)


def _ratings(dataset: Dataset) -> Ratings:
    if dataset.ratings is None:
        raise ValueError(f"dataset {dataset.name} has no individual ratings")
    return dataset.ratings
