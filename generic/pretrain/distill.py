"""A small network taught by any generic model, on photos that need no labels.

The pupil learns the teacher's score and, beside it, the main directions of the teacher's embedding: a
person's taste is learned on the embedding, so a pupil that knew the score alone would know less of people.
Both count alike, by their variance.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from generic.cache.features import FeatureCache
from generic.errors import TrainingError
from generic.model.generic_model import GenericModel
from generic.pretrain.objective import Targets
from generic.pretrain.photos import FolderSource, Photos
from generic.progress import Progress, no_progress
from generic.words import counted

DIRECTIONS = 64
"""Directions of the teacher's embedding that the pupil learns, at most."""


@dataclass(frozen=True, kw_only=True)
class Lesson:
    """What the teacher says."""

    photos: Photos
    """Targets of shape (n, 1 + d): the unit score, then d directions of the embedding."""
    n_directions: int
    """d."""
    skipped: dict[str, str]
    """Photos that cannot be read, and why."""


def ask(
    teacher: GenericModel,
    paths: list[Path],
    root: Path,
    *,
    cache: FeatureCache,
    progress: Progress = no_progress,
) -> Lesson:
    """The teacher's scores and embeddings of photos.

    Args:
        teacher: any generic model.
        paths: photo files below ``root``.
        root: names are relative to it.
        cache: vectors known to it are not computed again.
        progress: called with the number of photos newly done.

    Raises:
        TrainingError: fewer than three photos can be read.
    """
    names, vectors, files, skipped = [], [], {}, {}
    for item in teacher.embed(paths, cache=cache, progress=progress):
        name = item.path.relative_to(root).as_posix() if item.path != root else item.path.name
        if item.vector is None:
            skipped[name] = str(item.error)
            continue
        names.append(name)
        files[name] = item.path
        vectors.append(item.vector)
    if len(names) < 3:
        raise TrainingError(
            f"{len(names)} of {counted(len(paths), 'photo')} can be read, too few to teach on; give a "
            "folder of more"
        )
    table = np.stack(vectors).astype(np.float64)
    directions = main_directions(table[:, 1:]) * float(table[:, 0].std())
    targets = np.concatenate((table[:, :1], directions), 1)
    photos = Photos(
        names=names,
        source=FolderSource(files),
        targets=Targets(scores=torch.from_numpy(targets).float()),
    )
    return Lesson(photos=photos, n_directions=directions.shape[1], skipped=skipped)


def main_directions(embedding: NDArray[np.float64]) -> NDArray[np.float64]:
    """Principal directions of standardised embeddings, together of variance 1.

    Args:
        embedding: shape (n, d).

    Returns:
        shape (n, at most 64), each column of mean 0; empty if nothing varies.
    """
    deviation = embedding.std(0)
    varying = deviation > 1e-9
    z = (embedding[:, varying] - embedding[:, varying].mean(0)) / deviation[varying]
    if not z.size:
        return np.zeros((len(embedding), 0))
    left, values, _ = np.linalg.svd(z, full_matrices=False)
    kept = values[:DIRECTIONS] > 1e-9 * values[0]
    scores = left[:, :DIRECTIONS][:, kept] * values[:DIRECTIONS][kept]
    # The sign of a singular vector is arbitrary and differs between libraries: fix it.
    scores *= np.sign(scores[np.abs(scores).argmax(0), np.arange(scores.shape[1])])
    return np.asarray(scores / np.sqrt((scores**2).sum() / len(scores)))
