"""A model on frozen stems in closed form, from photos with mean scores: what ``piaa-lite`` is without tuning.

    taps        what the stems give for each photo and its mirror image
    embedding   principal directions of the taps, each stem with the same weight
    score       kernel ridge regression on it; width and penalty by cross-validation over photos

All of it becomes one graph. Nothing is random but the folds, whose seed is fixed.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generic.cache.features import Features
from generic.engine.engine import usable_cores
from generic.engine.onnx_engine import OUTPUT, OnnxEngine
from generic.errors import CheckpointError, ImageError, TooFewRatings
from generic.lite.pooled import Array, Pooled, find_directions, fit_head, random_folds
from generic.metrics import spearman
from generic.photos.open import MAX_PIXELS, load_pixels
from generic.progress import Progress, no_progress
from generic.stems.merge import TAPS, Merged
from generic.stems.nodes import Nodes
from generic.words import counted

FEWEST, MOST = 20, 3_000
"""Photos that a model is built from; the kernel head keeps a centre for each."""
N_EMBEDDING = 128
FOLDS = 4
GAMMAS = (0.1, 0.25, 0.5, 1.0, 2.0)
"""Kernel widths that are tried, in units of the mean squared length of training embeddings."""
ALPHAS = (0.02, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6)
"""Penalties that are tried."""
_CLOSE = 1e-3
"""How far the graph may be from the closed form, which is reckoned in more digits."""


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What the stems give for photos that can be read."""

    rows: NDArray[np.intp]
    """Which of the photos these are."""
    plain: Features
    """Taps of each photo, shape (n, t)."""
    both: Features
    """Mean of those of the photo and of its mirror image, shape (n, t)."""
    errors: dict[int, str]
    """What is wrong with the others."""


@dataclass(frozen=True, kw_only=True)
class Built:
    """A model, and what its building learned of itself."""

    graph: bytes
    """From a photo to its vector."""
    vectors: Array
    """Of the photos it was built from, shape (n, 1 + d)."""
    out_of_fold: Array
    """Their unit scores by heads that have not seen them, shape (n,)."""
    settings: dict[str, Any]
    """Width, penalty, directions, and what was tried."""
    figures: dict[str, Any]
    """Of the cross-validation."""


def look(
    merged: Merged, paths: Sequence[Path], *, jobs: int | None = None, progress: Progress = no_progress
) -> Seen:
    """Run the stems over photo files, each as it is and mirrored.

    Args:
        merged: the stems.
        paths: photo files.
        jobs: photos at once; None: one for each core.
        progress: called with the number of photos newly done.
    """
    engine = OnnxEngine(merged.taps(), "of the stems")

    def taps(path: Path) -> tuple[Features, Features] | str:
        try:
            pixels = load_pixels(path, merged.size, max_pixels=MAX_PIXELS)
        except ImageError as error:
            return str(error)
        plain = engine.vector(pixels)
        mirrored = engine.vector(np.ascontiguousarray(pixels[:, ::-1]))
        return plain, np.asarray((plain + mirrored) / 2, np.float32)

    good: dict[int, tuple[Features, Features]] = {}
    errors = {}
    with ThreadPoolExecutor(jobs or usable_cores(), thread_name_prefix="piaa-stems") as pool:
        for row, found in enumerate(pool.map(taps, paths)):
            if isinstance(found, str):
                errors[row] = found
            else:
                good[row] = found
            progress(1)
    columns = [np.stack(column) for column in zip(*good.values(), strict=True)] or [np.zeros((0, 0))] * 2
    return Seen(rows=np.array(list(good), np.intp), plain=columns[0], both=columns[1], errors=errors)


def build(merged: Merged, seen: Seen, means: Array) -> Built:
    """Learn embedding and head, and make the model's graph.

    Args:
        merged: the stems.
        seen: what they gave.
        means: mean unit score of each of ``seen``'s photos, shape (n,).

    Raises:
        TooFewRatings: fewer than ``FEWEST`` photos, or all their means are equal.
        CheckpointError: the graph is not the closed form.
    """
    n = len(means)
    if n < FEWEST or np.ptp(means) == 0:
        raise TooFewRatings(
            f"a model is built from at least {FEWEST} readable photos with different means, got "
            f"{counted(n, 'photo')} with {counted(len(set(means.tolist())), 'different mean')}; rate more"
        )
    widths = np.array(merged.widths)
    shares = np.repeat(1 / np.sqrt(widths), widths)
    taps, d = seen.both.astype(np.float64), min(N_EMBEDDING, n - -(-n // FOLDS) - 1)
    gamma, alpha, out_of_fold, error = _choose(taps, means, shares, d)
    directions = find_directions(taps, d, shares)
    pooled = fit_head(directions, directions.embed(taps), means, gamma=gamma, alpha=alpha)
    plain = seen.plain.astype(np.float64)
    vectors = np.column_stack((pooled.score(plain), pooled.embed(plain) * pooled.whiten))
    tail = _tail(pooled)
    return Built(
        graph=merged.ending(tail, 1 + len(pooled.project)),
        vectors=vectors,
        out_of_fold=out_of_fold,
        settings={
            "gamma": gamma,
            "alpha": alpha,
            "directions": len(pooled.project),
            "folds": FOLDS,
            "tried": {"gamma": GAMMAS, "alpha": ALPHAS},
        },
        figures={"srcc_out_of_fold": spearman(out_of_fold, means), "rmse_out_of_fold": float(np.sqrt(error))},
    )


def check(built: Built, seen: Seen, merged: Merged, paths: Sequence[Path], n: int = 8) -> float:
    """Largest difference of the graph from the closed form, over n of the photos.

    Args:
        built: the model.
        seen: what it was built from.
        merged: its stems.
        paths: files of all photos, readable or not.
        n: photos.

    Raises:
        CheckpointError: they differ.
    """
    engine, largest = OnnxEngine(built.graph, "that was built"), 0.0
    for place in np.unique(np.linspace(0, len(seen.rows) - 1, n).astype(int)):
        pixels = load_pixels(paths[seen.rows[place]], merged.size, max_pixels=MAX_PIXELS)
        largest = max(largest, float(np.abs(engine.vector(pixels) - built.vectors[place]).max()))
    if largest > _CLOSE:
        raise CheckpointError(
            f"the graph that was built is {largest:.1e} from its closed form, at most {_CLOSE} is taken; a "
            f"stem gives numbers too large for 32 bits"
        )
    return largest


def _choose(taps: Array, means: Array, shares: Array, d: int) -> tuple[float, float, Array, float]:
    """Width and penalty of the least squared error out of fold, those scores, and that error."""
    n = len(means)
    scores = {pair: np.zeros(n) for pair in product(GAMMAS, ALPHAS)}
    for held in random_folds(n, FOLDS, 0):
        rest = np.setdiff1d(np.arange(n), held)
        directions = find_directions(taps[rest], d, shares)
        centres, points = directions.embed(taps[rest]), directions.embed(taps[held])
        for (gamma, alpha), column in scores.items():
            head = fit_head(directions, centres, means[rest], gamma=gamma, alpha=alpha)
            column[held] = head.score_embedded(points)
    errors = {pair: float(np.mean((column - means) ** 2)) for pair, column in scores.items()}
    best = min(errors, key=lambda pair: errors[pair])
    return *best, scores[best], errors[best]


def _tail(pooled: Pooled) -> Nodes:
    """From taps to the vector: projection, kernel head, whitening."""
    tail = Nodes("head.")

    def single(values: Any) -> NDArray[np.float32]:  # noqa: ANN401 - a number or an array
        return np.asarray(values, np.float32)

    z = tail.add("MatMul", tail.add("Sub", TAPS, single(pooled.mean)), single(pooled.project.T))
    d = len(pooled.project)
    squares = tail.add("MatMul", tail.add("Mul", z, z), np.ones((d, 1), np.float32))
    squares = tail.add("Add", squares, single((pooled.centres**2).sum(1)))
    distances = tail.add("Add", squares, tail.add("MatMul", z, single(-2 * pooled.centres.T)))
    kernel = tail.add("Exp", tail.add("Mul", tail.add("Relu", distances), single(-pooled.gamma)))
    score = tail.add("MatMul", kernel, single(pooled.weights[:, None]))
    score = tail.add("Add", score, single([pooled.offset]))
    tail.add("Concat", score, tail.add("Mul", z, single(pooled.whiten)), axis=1, output=OUTPUT)
    return tail
