"""Photo files become a table of scores, a person's or the crowd's; nothing is learned and nothing changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from generic.cache.features import FeatureCache, Features
from generic.errors import ImageError
from generic.progress import Progress, no_progress
from generic.words import none_of
from piaa.adapters.prediction import Array, bend
from piaa.people.opened_model import OpenedModel
from piaa.people.score_table import ScoreTable
from piaa.ratings.scale import Scale
from piaa.ratings.spelling import escaped

if TYPE_CHECKING:
    from generic.model.generic_model import Embedded

Predict = Callable[[Features, Sequence[Path]], Array]
"""Given vectors (n, 1 + d) and files of n photos: score, low, high and generic, shape (4, n), in any units;
of the crowd the score alone, shape (1, n)."""
CROWD_SCALE = Scale(1, 5)
"""What the crowd's scores are given in."""
_CHUNK = 512


def score_photos(
    model: OpenedModel,
    predict: Predict,
    paths: Sequence[Path],
    names: Sequence[str],
    *,
    progress: Progress = no_progress,
    found: dict[str, Embedded] | None = None,
) -> ScoreTable:
    """Score photo files.

    Args:
        model: whose vectors the scores come from.
        predict: scores of photos.
        paths: the files.
        names: what the table calls them.
        progress: called with the number of photos newly done.
        found: takes what was read of each photo in the table, by its name there.

    Raises:
        ImageError: there is no photo, or not one can be read.
    """
    columns: list[Array] = []
    images: list[str] = []
    skipped: dict[str, str] = {}
    with FeatureCache.open(model.settings.cache) as cache:
        results = model.generic.embed(
            paths, cache=cache, max_pixels=model.settings.max_pixels, progress=progress
        )
        vectors: list[Features] = []
        files: list[Path] = []
        for name, item in zip(map(escaped, names), results, strict=True):
            if item.vector is None:
                skipped[name] = str(item.error)
                continue
            images.append(name)
            if found is not None:
                found[name] = item
            vectors.append(item.vector)
            files.append(item.path)
            if len(vectors) == _CHUNK:
                columns.append(predict(np.stack(vectors), files))
                vectors, files = [], []
        if vectors:
            columns.append(predict(np.stack(vectors), files))
    if not images:
        raise ImageError(_nothing_scored(skipped))
    return ScoreTable.ranked(images, np.concatenate(columns, axis=1), skipped)


def score_for_the_crowd(
    model: OpenedModel,
    paths: Sequence[Path],
    names: Sequence[str],
    *,
    progress: Progress = no_progress,
    found: dict[str, Embedded] | None = None,
) -> ScoreTable:
    """As :func:`score_photos`, by the generic score: what people on average are predicted to give."""

    def predict(features: Features, files: Sequence[Path]) -> Array:
        del files
        return CROWD_SCALE.from_unit(bend(features[:, 0]))[None]

    return score_photos(model, predict, paths, names, progress=progress, found=found)


def _nothing_scored(skipped: Mapping[str, str]) -> str:
    if not skipped:
        return "there is no photo to score; name a folder with photos, or photo files"
    name, reason = next(iter(skipped.items()))
    return f"{none_of(len(skipped), 'photo')} can be read; the first is {name!r}: {reason}"
