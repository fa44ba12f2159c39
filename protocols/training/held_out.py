"""How well generic models predict what raters said of photos that they have not seen.

The figures are those of the second paper's Table 1 ("Residual Attention Network vs Real Attention on
Aesthetic Assessment"): two-class accuracy, linear correlation of the means and of the standard deviations,
and the earth mover's distance of the distributions. SRCC stands beside them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from generic.errors import DatasetError
from generic.model.generic_model import GenericModel
from generic.model.raw_outputs import RawOutputs, raw_outputs
from generic.photos.find import printable
from generic.pretrain.measure import measure
from generic.pretrain.objective import Targets
from generic.progress import Progress, no_progress
from piaa.ratings.locate import locate_images
from protocols.datasets.dataset import Dataset
from protocols.fewshot.leaks import check_model
from protocols.splits.split import Split
from protocols.training.pretrain_data import bins_of, own_split, shares_of, threshold_of


@dataclass(frozen=True, kw_only=True)
class HeldOut:
    """Photos to test generic models on."""

    dataset: str
    files: Mapping[str, Path]
    """Each photo's file by its name, n of them."""
    targets: Targets
    """Of the same photos, in their order."""
    bins: tuple[float, ...]
    """Scores that the distributions are of; empty where only means are known."""
    scale: tuple[float, float]
    """Scores that unit scores 0 and 1 stand for."""
    threshold: float
    """Score above which a photo is of the better class."""
    rule: str
    """Which photos these are."""
    missing: Mapping[str, str]
    """Images without a file, and why."""

    @property
    def unit_threshold(self) -> float:
        """The threshold as a unit score."""
        low, high = self.scale
        return (self.threshold - low) / (high - low)

    @property
    def larger_class(self) -> float:
        """Share of the photos in the larger class, in [0.5, 1]: the accuracy of always naming it."""
        # In float32, as accuracy is counted.
        above = float((self.targets.scores.numpy() > np.float32(self.unit_threshold)).mean())
        return max(above, 1 - above)


@dataclass(frozen=True, kw_only=True)
class Tested:
    """What became of one model."""

    model: str
    hash: str
    """The model's identity."""
    n: int
    """Photos that could be read."""
    figures: Mapping[str, float]
    """See :func:`generic.pretrain.measure.measure`; none of distributions where a side has none."""
    notes: tuple[str, ...]
    unreadable: Mapping[str, str]

    def facts(self) -> dict[str, Any]:
        """Plain values for JSON; what is undefined is None."""
        figures = {key: None if value != value else value for key, value in self.figures.items()}
        return {
            "model": self.model,
            "hash": self.hash,
            "source": "measured here",
            "photos": self.n,
            **figures,
            "notes": list(self.notes),
            "unreadable": dict(self.unreadable),
        }


def held_out(dataset: Dataset, *, split: Split | None = None, threshold: float | None = None) -> HeldOut:
    """The photos of a dataset's test side, with what raters said of them.

    Args:
        dataset: with its labels and its folder of images.
        split: who and what is tested; None: the dataset's own, or all photos of a table that names nobody.
        threshold: score above which a photo is of the better class; None: the dataset's.

    Raises:
        DatasetError: no images, no split, or not one test photo.
        TrainingError: an impossible threshold.
    """
    chosen = split or own_split(dataset)
    chosen.check(dataset)
    names, rule = chosen.test_images, chosen.rule
    if not names:
        names, rule = dataset.labelled(), "All images: nothing was said to be for tests."
    bins, shares = _distributions(dataset, chosen)
    known = [name for name in names if name in dataset.means and (not bins or name in shares)]
    if dataset.images is None:
        raise DatasetError(f"no folder of images of {dataset.name!r} was found; name it with --images")
    found, absent = locate_images(known, dataset.images, exact=dataset.paths)
    files = {name: found[name] for name in known if name in found}
    if not files:
        raise DatasetError(
            f"not one of {len(known)} test images of {dataset.name!r} has a file in "
            f"{printable(str(dataset.images))}; name their folder with --images"
        )
    low, high = dataset.scale.low, dataset.scale.high
    units = (np.array([dataset.means[name] for name in files]) - low) / (high - low)
    rows = torch.tensor(np.array([shares[name] for name in files]), dtype=torch.float32) if bins else None
    return HeldOut(
        dataset=dataset.name,
        files=files,
        targets=Targets(scores=torch.from_numpy(units).float(), shares=rows),
        bins=bins,
        scale=(low, high),
        threshold=threshold_of(dataset, threshold),
        rule=rule,
        missing=dict(absent),
    )


def _distributions(dataset: Dataset, split: Split) -> tuple[tuple[float, ...], dict[str, list[float]]]:
    """Bins and shares of raters by image; nothing where only means are known."""
    try:
        bins = bins_of(dataset.scale)
        return bins, shares_of(dataset, split, bins)
    except DatasetError:
        return (), {}


def evaluate_model(
    model: GenericModel,
    photos: HeldOut,
    *,
    max_pixels: int | None = None,
    progress: Progress = no_progress,
) -> Tested:
    """Figures of one model.

    Args:
        model: any generic model. One that gives a score and no distribution has no figures of distributions.
        photos: what to test on.
        max_pixels: photos with more pixels are left out; None is the default of :mod:`generic.photos.open`.
        progress: called with the number of photos newly done.

    Raises:
        SplitLeak: the model was trained on some of these photos.
        DatasetError: not one photo can be read.
    """
    known = check_model(model, _digests(photos))
    raw = raw_outputs(model, list(photos.files.values()), max_pixels=max_pixels, progress=progress)
    rows = np.flatnonzero(~np.isnan(raw.values[:, 0]))
    if not len(rows):
        first = next(iter(raw.errors.values()))
        raise DatasetError(f"not one of {len(photos.files)} test images can be read; the first: {first}")
    same = raw.bins == photos.bins
    targets = photos.targets.take(torch.from_numpy(rows))
    figures = measure(
        raw.values[rows],
        targets if same else Targets(scores=targets.scores),
        bins=raw.bins,
        softmax=raw.softmax,
        threshold=photos.unit_threshold,
    )
    return Tested(
        model=model.name,
        hash=model.hash,
        n=len(rows),
        figures=figures,
        notes=tuple(_notes(model, raw, photos, known=known)),
        unreadable={name: raw.errors[path] for name, path in photos.files.items() if path in raw.errors},
    )


def _digests(photos: HeldOut) -> dict[str, str]:
    from generic.pretrain.photos import FolderSource, Photos

    source = FolderSource(photos.files)
    return Photos(names=list(photos.files), source=source, targets=photos.targets).hashes()


def _notes(model: GenericModel, raw: RawOutputs, photos: HeldOut, *, known: bool) -> list[str]:
    found = [] if known else [f"{model.name} does not say which photos it was trained on"]
    if not raw.bins:
        found.append(f"{model.name} gives a score and no distribution")
    elif photos.bins and raw.bins != photos.bins:
        ends = [f"{bins[0]:g}..{bins[-1]:g}" for bins in (raw.bins, photos.bins)]
        found.append(
            f"{model.name} has bins {ends[0]}, the raters' are {ends[1]}: distributions not compared"
        )
    return found
