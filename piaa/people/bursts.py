"""Bursts: photos of one scene, told by when they were taken and by how alike they look.

Two photos belong together if they were taken within seconds of each other and look alike, or, where a file
does not say when, if they look so much alike that they hardly can be two scenes. A burst holds no pair that
does not belong together: a walk along a beach, photo by photo alike, does not become one burst. Likeness is
the distance in the model's embedding, in units of what parts two photos on average, whatever the model;
``benchmarks/bursts.py`` chose them, and measured them on other photos.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generic.photos.facts import photo_facts
from piaa.adapters.kernel import places
from piaa.adapters.prediction import Array
from piaa.adapters.prior import Prior

Numbers = NDArray[np.intp]
MOST = 300
"""Of each photo no more pairs are kept, which no camera's burst exceeds: a film of thousands of frames, each
like each, becomes several bursts, in memory that there is."""
_BLOCK = 1024
_EPOCH = datetime(1970, 1, 1)


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What makes two photos one scene."""

    seconds: float = 10.0
    """Between two photos whose files say when they were taken, at most."""
    timed: float = 0.38
    """Distance of such photos, at most; 1 parts two photos on average (root mean square)."""
    untimed: float = 0.22
    """Distance of photos of which one file does not say when, at most."""


LIMITS = Limits()


def scene_places(vectors: NDArray[Any], prior: Prior | None) -> Array:
    """Where photos lie, shape (n, m), in units of what parts two photos on average.

    With a prior these are all photos that it was learned from; without one, those of the album, so that in an
    album of one scene hardly any two are alike.

    Args:
        vectors: the model's, shape (n, 1 + d).
        prior: the model's.
    """
    if prior is not None:
        return places(vectors.astype(np.float64), prior)
    embedding = vectors[:, 1:].astype(np.float64)
    if not len(embedding):
        return embedding
    apart = float(np.sqrt(2 * embedding.var(axis=0).sum()))
    return np.asarray((embedding - embedding.mean(axis=0)) / (apart or 1.0))


def bursts(at: Array, moments: Array | None = None, limits: Limits = LIMITS) -> Numbers:
    """The burst that each photo belongs to; a photo alone is a burst of one.

    Args:
        at: where the photos lie, shape (n, m), see :func:`scene_places`.
        moments: when they were taken, in seconds, shape (n,), NaN where unknown; None is all unknown.
        limits: what makes two photos one scene.

    Returns:
        shape (n,): numbers from 0, in the order of the bursts' first photos.

    Example:
        >>> beach, same, forest = [1.0, 0.0], [1.0, 0.01], [-1.0, 0.5]
        >>> bursts(np.array([beach, forest, same])).tolist()
        [0, 1, 0]
    """
    distinct, copy_of = np.unique(at, axis=0, return_inverse=True)
    copy_of = copy_of.reshape(-1)
    times = _of_distinct(np.full(len(at), np.nan) if moments is None else moments, copy_of, len(distinct))
    groups = _joined(len(distinct), _close_pairs(distinct, times, limits), times, limits)
    return _in_order(groups[copy_of])


def first_of_each(numbers: Sequence[int] | Numbers, n: int = 1) -> NDArray[np.intp]:
    """Rows of the first n photos of each burst, in order.

    Args:
        numbers: the bursts of photos, the best photo first.
        n: how many of each, at least 1.

    Example:
        >>> first_of_each([4, 4, 2, 4, 2], 2).tolist()
        [0, 1, 2, 4]
    """
    seen: dict[int, int] = {}
    kept = []
    for row, number in enumerate(numbers):
        seen[int(number)] = seen.get(int(number), 0) + 1
        if seen[int(number)] <= n:
            kept.append(row)
    return np.array(kept, dtype=np.intp)


def moments_of(paths: Sequence[Path]) -> Array:
    """When photos were taken, by their files: seconds of local time, shape (n,), NaN where unknown."""
    return np.array([moment(photo_facts(path).taken) for path in paths], dtype=np.float64)


def moment(taken: str | None) -> float:
    """A capture time (ISO 8601) in seconds; NaN if there is none.

    It is the local time: a burst has one zone, and cameras that write none mix with those that do.

    Example:
        >>> moment("2024-05-06T07:08:09.25+02:00") - moment("2024-05-06T07:08:08")
        1.25
    """
    try:
        return (datetime.fromisoformat(taken or "").replace(tzinfo=None) - _EPOCH).total_seconds()
    except ValueError:
        return float("nan")


def _of_distinct(moments: Array, copy_of: Numbers, n: int) -> Array:
    """When the earliest copy of each picture was taken; NaN where no copy says."""
    times = np.full(n, np.inf)
    np.minimum.at(times, copy_of, np.where(np.isnan(moments), np.inf, moments))
    return np.where(np.isinf(times), np.nan, times)


def _close_pairs(at: Array, times: Array, limits: Limits) -> Array:
    """Rows (a, b, distance) of the pairs that belong together, a < b, the nearest first.

    Of each photo the nearest pairs alone, so that memory grows with n and not with its square.
    """
    found = [np.zeros((0, 3))]
    x = at.astype(np.float32)
    lengths = np.einsum("nd,nd->n", x, x)
    for start in range(0, len(at), _BLOCK):
        rows = np.arange(start, min(start + _BLOCK, len(at)))
        apart = np.sqrt(np.maximum(lengths[rows, None] + lengths - 2 * x[rows] @ x.T, 0))
        close = _belong(apart, np.abs(times[rows, None] - times), limits)
        close[rows - start, rows] = False
        _keep_nearest(close, apart)
        one, other = np.nonzero(close)
        ends = np.sort(np.column_stack((one + start, other)), axis=1)
        found.append(np.column_stack((ends, apart[one, other])))
    pairs = np.concatenate(found)
    _, first = np.unique(pairs[:, :2], axis=0, return_index=True)
    return pairs[first][np.argsort(pairs[first, 2], kind="stable")]


def _belong(apart: NDArray[np.float32], between: Array, limits: Limits) -> NDArray[np.bool_]:
    """Whether each two photos are one scene, by distance and by seconds between them."""
    timed = (between <= limits.seconds) & (apart <= limits.timed)
    return np.where(np.isnan(between), apart <= limits.untimed, timed)


def _keep_nearest(close: NDArray[np.bool_], apart: NDArray[np.float32]) -> None:
    """Leave each row no more than ``MOST`` close photos."""
    for row in np.flatnonzero(close.sum(axis=1) > MOST):
        near = np.flatnonzero(close[row])
        close[row] = False
        close[row, near[np.argsort(apart[row, near], kind="stable")[:MOST]]] = True


def _joined(n: int, pairs: Array, times: Array, limits: Limits) -> Numbers:
    """Groups in which every pair belongs together, shape (n,): the nearest are joined first."""
    group, members = _nests(n, pairs, times, limits), dict[int, set[int]]()
    for row in range(n):
        members.setdefault(int(group[row]), set()).add(row)
    close: list[set[int]] = [{row} for row in range(n)]
    ends = pairs[:, :2].astype(np.intp).tolist()
    for a, b in ends:
        close[a].add(b)
        close[b].add(a)
    for a, b in ends:
        one, other = int(group[a]), int(group[b])
        if one != other and all(members[other] <= close[row] for row in members[one]):
            group[list(members[other])] = one
            members[one] |= members.pop(other)
    return group


def _nests(n: int, pairs: Array, times: Array, limits: Limits) -> Numbers:
    """Groups of photos within half of each limit from one of them, so that any two belong together.

    Frames of a film are found so though not all pairs of them are known.
    """
    beside: dict[int, list[int]] = {}
    for a, b in pairs[pairs[:, 2] <= limits.untimed / 2, :2].astype(np.intp).tolist():
        for one, other in ((a, b), (b, a)):
            # About one whose time is unknown, two might lie that were taken at different times.
            if np.isnan(times[other]) or abs(times[one] - times[other]) <= limits.seconds / 2:
                beside.setdefault(one, []).append(other)
    group, free = np.arange(n), np.ones(n, dtype=bool)
    for row in range(n):
        if free[row]:
            nest = [row, *(other for other in beside.get(row, ()) if free[other])]
            group[nest], free[nest] = row, False
    return group


def _in_order(groups: Numbers) -> Numbers:
    """The same groups, numbered by their first photo."""
    _, first, inverse = np.unique(groups, return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.intp)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[inverse.reshape(-1)]
