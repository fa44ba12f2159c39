"""A dataset as generic training sees it: photos with targets for training, validation and one last test.

Training images are those of the split's training side and nothing else; validation images are taken from
them; test images are looked at once, when the epoch has been chosen.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from generic.errors import DatasetError, TrainingError
from generic.photos.shards import ShardSource
from generic.pretrain.objective import Targets
from generic.pretrain.photos import FolderSource, Photos, Source
from piaa.ratings.locate import locate_images
from piaa.ratings.scale import Scale
from protocols.datasets.dataset import Dataset
from protocols.splits.rules import make_split
from protocols.splits.split import Split

THRESHOLDS: Mapping[str, float] = {"ava": 5.0, "ava1": 5.0, "ava2": 5.0, "tad66k": 5.0}
"""Scores above which a photo counts as good, as the field has it; elsewhere the middle of the scale."""

_EVERYTHING = "All images: the table names no test users, so nothing is kept for tests."


@dataclass(frozen=True, kw_only=True)
class TrainingData:
    """What a network is trained on."""

    train: Photos
    validation: Photos
    test: Photos | None
    """For one look at the end; None where there is none."""
    bins: tuple[float, ...]
    """Scores that shares are of; empty where means are learned."""
    target_scale: tuple[float, float]
    """Scores that are 0 and 1 for the network."""
    threshold: float
    """Unit score above which a photo counts as good."""
    threshold_score: float
    """The same, in units of the dataset's scale."""
    rule: str
    """How training and test images were told apart."""
    missing: Mapping[str, str]
    """Images without a file, and why."""
    side: int | None = None
    """Shorter side in pixels that photos were packed to; None: they are read as they are."""

    def fingerprint(self) -> str:
        """SHA-256 over names and targets, 64 hex digits: what a resumed run must share."""
        digest = hashlib.sha256()
        for photos in (self.train, self.validation):
            digest.update(json.dumps(list(photos.names)).encode())
            digest.update(photos.targets.scores.numpy().tobytes())
            if photos.targets.shares is not None:
                digest.update(photos.targets.shares.numpy().tobytes())
        return digest.hexdigest()


def training_data(
    dataset: Dataset,
    *,
    split: Split | None = None,
    shards: Path | None = None,
    with_shares: bool,
    target_scale: tuple[float, float] | None = None,
    validation_share: float = 0.05,
    threshold: float | None = None,
) -> TrainingData:
    """Photos and targets of a dataset.

    Args:
        dataset: with its labels, and its folder of images unless ``shards`` are given.
        split: who and what is tested; None: the dataset's own, or nobody for a table that names no one.
        shards: a folder that ``piaa data pack`` wrote, to read photos from.
        with_shares: targets are distributions, too: published counts, else those of whole ratings.
        target_scale: scores that become 0 and 1; None, and of distributions: the ends of the dataset's scale.
        validation_share: of the training images, where the dataset has no list of its own; in (0, 1).
        threshold: score above which a photo counts as good; None: see :func:`threshold_of`.

    Raises:
        DatasetError: no split, no images, or no distributions where they are needed.
        SplitLeak: never for a split of this toolkit; see :class:`protocols.splits.split.Split`.
        TrainingError: too few images, or an impossible share.
    """
    if not 0 < validation_share < 1:
        raise TrainingError(f"a validation share of {validation_share:g} is outside of (0, 1); give 0.05")
    chosen = split or own_split(dataset)
    chosen.check(dataset)
    means = chosen.training_means(dataset)
    test = {name: dataset.means[name] for name in chosen.test_images if name in dataset.means}
    bins = bins_of(dataset.scale) if with_shares else ()
    shares = shares_of(dataset, chosen, bins) if with_shares else {}
    if with_shares:
        means = {name: mean for name, mean in means.items() if name in shares}
        test = {name: mean for name, mean in test.items() if name in shares}
    source, missing = _source(dataset, [*means, *test], shards)
    named = [name for name in means if name not in missing]
    held = _validation(dataset, named, validation_share)
    # The bins of a distribution are whole scores of the dataset's own scale, and so is the expected score of
    # a network: another scale for the means would measure the two with different rulers.
    own = (dataset.scale.low, dataset.scale.high)
    low, high = own if bins else target_scale or own

    def photos(names: Sequence[str], scores: Mapping[str, float]) -> Photos:
        units = (np.array([scores[name] for name in names]) - low) / (high - low)
        rows = torch.tensor(np.array([shares[name] for name in names]), dtype=torch.float32) if bins else None
        return Photos(
            names=names,
            source=source,
            targets=Targets(scores=torch.from_numpy(units).float(), shares=rows),
        )

    tested = [name for name in test if name not in missing]
    above = threshold_of(dataset, threshold)
    return TrainingData(
        train=photos([name for name in named if name not in held], means),
        validation=photos([name for name in named if name in held], means),
        test=photos(tested, test) if tested else None,
        bins=bins,
        target_scale=(low, high),
        threshold=(above - low) / (high - low),
        threshold_score=above,
        rule=chosen.rule,
        missing=missing,
        side=source.side if isinstance(source, ShardSource) else None,
    )


def threshold_of(dataset: Dataset, chosen: float | None = None) -> float:
    """The score above which a photo counts as good: the chosen one, the field's, or the scale's middle.

    Raises:
        TrainingError: the chosen score leaves one of the two classes no part of the scale.
    """
    low, high = dataset.scale.low, dataset.scale.high
    if chosen is None:
        return THRESHOLDS.get(dataset.name, (low + high) / 2)
    if not low <= chosen < high:
        raise TrainingError(
            f"a threshold of {chosen:g} leaves one of the two classes empty on the scale {dataset.scale}; "
            f"give a score from {low:g} to below {high:g}"
        )
    return chosen


def own_split(dataset: Dataset) -> Split:
    """The dataset's own split; a table that names no test users keeps nothing for tests.

    Raises:
        DatasetError: the dataset has no split of its own.
    """
    if dataset.name == "table" and not dataset.test_users:
        return Split(
            dataset=dataset.name,
            rule=_EVERYTHING,
            train_users=tuple(dataset.ratings.user_names() if dataset.ratings else ()),
            test_users=(),
            train_images=dataset.labelled(),
            test_images=(),
        )
    return make_split(dataset)


def bins_of(scale: Scale) -> tuple[float, ...]:
    """The whole scores of a scale.

    Raises:
        DatasetError: it has none, or too many to make a distribution of.
    """
    if not (scale.low.is_integer() and scale.high.is_integer() and 1 <= scale.high - scale.low <= 100):
        raise DatasetError(
            f"distributions need whole scores, and the scale {scale} has none or too many; train on means "
            f"with --loss mse"
        )
    return tuple(float(score) for score in range(int(scale.low), int(scale.high) + 1))


def shares_of(dataset: Dataset, split: Split, bins: Sequence[float]) -> dict[str, list[float]]:
    """Share of raters in each bin, by image: of published counts, else of whole ratings.

    Args:
        dataset: with its labels.
        split: whose ratings count for which images.
        bins: the whole scores of its scale.

    Raises:
        DatasetError: there are means only, or ratings between whole scores.
    """
    if dataset.counts:
        return {name: [n / sum(row) for n in row] for name, row in dataset.counts.items()}
    if dataset.ratings is None:
        raise DatasetError(
            f"dataset {dataset.name!r} has means but no distributions of scores; train on means with "
            f"--loss mse"
        )
    if set(dataset.ratings.scores.tolist()) - set(bins):
        raise DatasetError(
            f"dataset {dataset.name!r} has ratings between whole scores, which have no bin; train on means "
            f"with --loss mse"
        )
    # Of training images, what training users say; of test images, what test users say.
    found: dict[str, list[float]] = {}
    for ratings in (split.training_ratings(dataset.ratings), split.test_ratings(dataset.ratings)):
        counts = Counter(zip(ratings.images, ratings.scores.tolist(), strict=True))
        for name in dict.fromkeys(ratings.images):
            row = [counts[name, score] for score in bins]
            found[name] = [n / sum(row) for n in row]
    return found


def _source(dataset: Dataset, names: Iterable[str], shards: Path | None) -> tuple[Source, dict[str, str]]:
    if shards is not None:
        packed = ShardSource(shards)
        known = set(packed.names)
        return packed, {name: f"not in the shards of {shards}" for name in names if name not in known}
    if dataset.images is None:
        raise DatasetError(
            f"no folder of images of {dataset.name!r} was found; name it with --images, or packed ones with "
            f"--shards"
        )
    files, absent = locate_images(names, dataset.images)
    return FolderSource(files), dict(absent)


def _validation(dataset: Dataset, names: Sequence[str], share: float) -> set[str]:
    """The dataset's own list, or images by the hash of their names: no seed, no order, so always the same."""
    own = set(dataset.lists.get("validation", ())) & set(names)
    if own:
        return own
    n = max(2, round(share * len(names)))
    if n >= len(names):
        raise TrainingError(
            f"{len(names)} training images with a score and a file are too few to keep {n} for validation; "
            f"check the folder of the images"
        )

    def place(name: str) -> bytes:
        return hashlib.sha256(f"piaa/validation/{name}".encode("utf-8", "surrogatepass")).digest()

    return set(sorted(names, key=place)[:n])
