"""A generic model on frozen stems, with the prior of the people who rated: ``piaa models build``.

The model is made in closed form by :mod:`generic.stems.build`; what people differ in is learned here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generic.errors import ImageError
from generic.extras import require
from generic.model.checkpoint import Header
from generic.model.graph_file import save_graph
from generic.progress import Progress, no_progress
from generic.seeds import stream
from generic.threads import one_blas_thread
from piaa.adapters.prior import PREFIX, Prior, learn_prior
from piaa.ratings.locate import locate_images
from piaa.ratings.table import Ratings

FEWEST_PEOPLE, MOST_PEOPLE = 20, 2_000
"""Who a prior is learned from: fewer say nothing of how people differ, more take long and add little."""
FEWEST_RATERS = 5
"""Of a photo that a prior is learned from: the mean of fewer is mostly the person's own taste."""
N_JOINT = 32
"""Directions that share a full covariance, see :func:`piaa.adapters.prior.learn_prior`."""


@dataclass(frozen=True, kw_only=True)
class BuiltModel:
    """What was written, and from what."""

    header: Header
    skipped: dict[str, str]
    """Photos that could not be used, with the reason."""
    left_out: int
    """Photos above the number that a model is built from."""
    no_prior: str
    """Why the file has no prior; empty: it has one."""


def build_model(
    stems: Sequence[str],
    ratings: Ratings,
    images: Path,
    out: Path,
    *,
    name: str | None = None,
    jobs: int | None = None,
    progress: Progress = no_progress,
) -> BuiltModel:
    """Build a model and write it as one file, whole or not at all.

    Args:
        stems: stem files, or networks of timm, see :func:`generic.stems.merge.load_stem`.
        ratings: of many people, or mean ratings as those of one.
        images: the folder that the image names are relative to.
        out: the file to write; it ends in ``.onnx``.
        name: the model's; None: that of the file.
        jobs: photos at once; None: one for each core.
        progress: called with the number of photos newly done.

    Raises:
        CheckpointError: a stem cannot be had or used.
        ImageError: the folder is missing, or no photo in it is rated.
        MissingPackage: a package for training is not installed.
        OutputError: the file cannot be written.
        TooFewRatings: there are too few photos.
    """
    require("building a model", "onnx")
    from generic.stems.build import MOST, build, check, look
    from generic.stems.merge import load_stem, merge

    found, missing = locate_images(dict.fromkeys(ratings.images), images)
    if not found:
        raise ImageError(
            f"none of the {len(missing)} rated photos is in {images}; pass the folder that has them"
        )
    names = sorted(found)
    if len(names) > MOST:
        names = sorted(stream(0, "build", len(names)).permutation(names)[:MOST].tolist())
    loaded = [load_stem(stem) for stem in stems]
    merged, paths = merge(loaded), [found[photo] for photo in names]
    seen = look(merged, paths, jobs=jobs, progress=progress)
    skipped = {item.name: item.reason for item in missing}
    skipped |= {names[row]: reason for row, reason in seen.errors.items()}
    photos = [names[row] for row in seen.rows]
    table = _of_photos(ratings, photos)
    with one_blas_thread():
        built = build(merged, seen, table.means)
        prior, reason = _learn_prior(table, built.vectors, built.out_of_fold)
    header = Header(
        name=name or out.stem,
        architecture={"size": merged.size},
        scale=(ratings.scale.low, ratings.scale.high),
        training={
            "summary": f"{' + '.join(stem.name for stem in loaded)}, built on {len(photos)} photos",
            "data": f"{len(photos)} photos of {Path(ratings.source).name}, mean of {table.n_people} people",
            "people": table.n_people,
            "ratings": len(table.rows),
            "rating_scale": ratings.scale.to_json(),
            "stems": [stem.facts for stem in loaded],
            "settings": built.settings,
            "prior": reason or "learned from these people",
            "images_sha256": sorted({_sha256(found[photo]) for photo in photos}),
        },
        figures={**built.figures, "protocol": "cross-validation over the photos it was built from"},
        engine={"checked": {"largest": check(built, seen, merged, paths)}},
    )
    arrays = {} if prior is None else {PREFIX + key: value for key, value in prior.tensors().items()}
    return BuiltModel(
        header=save_graph(out, header, "graph", built.graph, arrays),
        skipped=skipped,
        left_out=len(found) - len(names),
        no_prior=reason,
    )


@dataclass(frozen=True, kw_only=True)
class _Table:
    """Ratings of some photos: n photos, m ratings."""

    means: NDArray[np.float64]
    """Unit scores, shape (n,)."""
    rows: NDArray[np.intp]
    """Photo of each rating, shape (m,)."""
    people: NDArray[np.intp]
    """Who gave it, shape (m,)."""
    scores: NDArray[np.float64]
    """Unit scores, shape (m,)."""
    n_people: int


def _of_photos(ratings: Ratings, photos: Sequence[str]) -> _Table:
    place = {photo: row for row, photo in enumerate(photos)}
    kept = np.array([image in place for image in ratings.images], bool)
    rows = np.array([place[image] for image in ratings.images if image in place], np.intp)
    names, people = np.unique(np.array(ratings.users, object)[kept].astype(str), return_inverse=True)
    scores = np.asarray(ratings.unit_scores[kept])
    counts = np.maximum(np.bincount(rows, minlength=len(photos)), 1)
    means = np.bincount(rows, scores, minlength=len(photos)) / counts
    return _Table(means=means, rows=rows, people=people, scores=scores, n_people=len(names))


def _learn_prior(
    table: _Table, vectors: NDArray[np.float64], out_of_fold: NDArray[np.float64]
) -> tuple[Prior | None, str]:
    """The prior, or why there is none; with generic scores of photos as if never seen."""
    if table.n_people == 1:
        return None, "the table has no people but one mean a photo, which does not say how people differ"
    often = np.bincount(table.rows, minlength=len(table.means))[table.rows] >= FEWEST_RATERS
    people = [
        (table.rows[own], table.scores[own])
        for person in range(table.n_people)
        if (own := often & (table.people == person)).any()
    ]
    if len(people) < FEWEST_PEOPLE:
        return None, (
            f"{len(people)} people rated photos that {FEWEST_RATERS} or more rated, and {FEWEST_PEOPLE} are "
            f"needed to tell how people differ"
        )
    if len(people) > MOST_PEOPLE:
        chosen = stream(0, "build", "people", len(people)).permutation(len(people))[:MOST_PEOPLE]
        people = [people[number] for number in sorted(chosen)]
    honest: NDArray[Any] = vectors.copy()
    honest[:, 0] = out_of_fold
    return learn_prior(honest, table.means, people, n_joint=min(N_JOINT, vectors.shape[1] - 1)), ""


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
