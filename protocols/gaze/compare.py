"""A model's attention against people's gaze, with two bars beside it: the photo's centre, and other people.

People look at the middle of photos whatever they show, so a map is worth something only above the centre
prior. Other people are the ceiling: half of the recordings, as a map, against the fixations of the others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from generic.errors import ImageError
from generic.model.generic_model import GenericModel
from generic.progress import Progress, no_progress
from protocols.gaze.attention import attention_maps
from protocols.gaze.fixations import Fixations
from protocols.gaze.maps import Map, fixated_pixels, fixation_map
from protocols.gaze.saliency import auc_judd, correlation, nss, similarity

METRICS = ("AUC-Judd", "NSS", "CC", "SIM")
CENTRE, PEOPLE = "centre prior", "other people"


@dataclass(frozen=True, kw_only=True)
class Compared:
    """One kind of map over all photos."""

    name: str
    """The model and the kind of its map, or a bar."""
    n: int
    """Photos."""
    means: Mapping[str, float]
    """Metric -> mean over the photos where it is defined; NaN if it is nowhere."""
    undefined: Mapping[str, int]
    """Metric -> photos where it is not defined, such as of a constant map."""

    def facts(self) -> dict[str, Any]:
        """Plain values for JSON; what is undefined is None."""
        means = {key: None if value != value else value for key, value in self.means.items()}
        return {"map": self.name, "photos": self.n, **means, "undefined": dict(self.undefined)}


def centre_prior(size: tuple[int, int]) -> Map:
    """A Gaussian at the photo's centre, a quarter of its width and height wide (standard deviation)."""
    y, x = ((np.arange(n) + 0.5) / n - 0.5 for n in size)
    return np.asarray(np.exp(-(x[None] ** 2 + y[:, None] ** 2) / (2 * 0.25**2)))


def halves(gaze: Fixations) -> tuple[Fixations, Fixations] | None:
    """Fixations of every second recording and of the others, by their sorted names; None of one recording."""
    names = sorted(set(gaze.recordings))
    if len(names) < 2:
        return None
    first = np.isin(gaze.recordings, names[::2])
    one, other = (
        replace(
            gaze,
            recordings=tuple(np.array(gaze.recordings)[rows].tolist()),
            points=gaze.points[rows],
            durations=gaze.durations[rows],
        )
        for rows in (first, ~first)
    )
    return one, other


def compare(
    models: Sequence[GenericModel],
    gaze: Mapping[str, Fixations],
    folder: Path,
    *,
    pixels_per_degree: float,
    progress: Progress = no_progress,
) -> list[Compared]:
    """Agreement of every map of every model with the gaze, and of the two bars.

    Args:
        models: generic models.
        gaze: image -> its fixations.
        folder: of the images.
        pixels_per_degree: media pixels in one degree of visual angle.
        progress: called with the number of photos newly done.

    Raises:
        ImageError: a photo cannot be read.
        ShapeError: a model's maps do not lie on the photo.
    """
    scores: dict[str, list[list[float]]] = {}
    for image, fixations in gaze.items():
        if not (folder / image).is_file():
            raise ImageError(
                f"{folder / image} does not exist; name the folder of the photos that were shown"
            )
        bars = metrics(centre_prior(fixations.size), fixations, pixels_per_degree=pixels_per_degree)
        scores.setdefault(CENTRE, []).append(bars)
        for model in models:
            maps = attention_maps(model, folder / image, fixations.size, sigma=pixels_per_degree)
            for kind, one in maps.items():
                row = metrics(one, fixations, pixels_per_degree=pixels_per_degree)
                scores.setdefault(f"{model.name}: {kind}", []).append(row)
        parted = halves(fixations)
        if parted is not None:
            theirs = fixation_map(parted[0], pixels_per_degree=pixels_per_degree)
            row = metrics(theirs, parted[1], pixels_per_degree=pixels_per_degree)
            scores.setdefault(PEOPLE, []).append(row)
        progress(1)
    order = [name for name in scores if name not in (CENTRE, PEOPLE)]
    return [_summary(name, scores[name]) for name in (*order, CENTRE, PEOPLE) if name in scores]


def metrics(saliency: Map, gaze: Fixations, *, pixels_per_degree: float) -> list[float]:
    """The four metrics of ``METRICS`` of one map, see :mod:`protocols.gaze.saliency`."""
    looked = fixated_pixels(gaze)
    seen = fixation_map(gaze, pixels_per_degree=pixels_per_degree)
    return [
        *(auc_judd(saliency, looked), nss(saliency, looked)),
        *(correlation(saliency, seen), similarity(saliency, seen)),
    ]


def _summary(name: str, rows: list[list[float]]) -> Compared:
    table = np.array(rows)
    missing = np.isnan(table).sum(0)
    means = [
        float(np.nanmean(column)) if n < len(table) else float("nan")
        for column, n in zip(table.T, missing.tolist(), strict=True)
    ]
    undefined = {key: n for key, n in zip(METRICS, missing.tolist(), strict=True) if n}
    return Compared(name=name, n=len(rows), means=dict(zip(METRICS, means, strict=True)), undefined=undefined)
