"""A model's vectors of photos that are gone, from those of another model: a linear map, and what it loses.

The map is a ridge regression on photos that both models have seen. What it loses is measured as people will
feel it: somebody is learned from half of her ratings once with the model's own vectors and once with mapped
ones, of photos that the map was not learned from, and the other half is predicted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from generic.errors import ModelMismatch
from generic.metrics import spearman
from generic.seeds import stream
from piaa.adapters.base import Adapter
from piaa.store.mapping import Judge, Pairs

Array = NDArray[np.float64]
LEAST_PHOTOS = 50
"""Photos that both models have seen, or there is no map."""
LEAST_RATINGS, LEAST_PEOPLE, MOST_PEOPLE = 20, 5, 30
"""Of such photos by one person; people with so many, or the loss cannot be told; people that are asked."""
_FOLDS = 5
_PENALTIES = 10.0 ** np.arange(-4, 2)


@dataclass(frozen=True, kw_only=True)
class Loss:
    """What people lose who are learned from mapped vectors."""

    n_photos: int
    """That the map was learned from."""
    n_people: int
    """Of whom the loss was measured."""
    own: float
    """Mean SRCC of people learned from the model's own vectors."""
    mapped: float
    """The same, learned from mapped ones."""
    error: float
    """Standard error of the mean difference."""
    explained: float
    """Share of the own vectors' variance that the map explains, on photos that it was not learned from."""


class VectorMap:
    """A linear map from one model's vectors to another's.

    Args:
        old: shape (n, 1 + d_old).
        new: of the same photos, shape (n, 1 + d_new).
        penalty: of the slopes, as a share of the old vectors' mean variance.
    """

    def __init__(self, old: NDArray[np.float32], new: NDArray[np.float32], penalty: float) -> None:
        x, y = old.astype(np.float64), new.astype(np.float64)
        self._x, self._y = x.mean(0), y.mean(0)
        gram = (x - self._x).T @ (x - self._x)
        gram.flat[:: len(gram) + 1] += penalty * np.trace(gram) / len(gram) + 1e-12
        self._slopes = np.linalg.solve(gram, (x - self._x).T @ (y - self._y))
        self._range = (float(y[:, 0].min()), float(y[:, 0].max()))

    def __call__(self, old: NDArray[np.float32]) -> NDArray[np.float32]:
        """The new model's vectors, (n, 1 + d_new), of photos with these old ones, (n, 1 + d_old)."""
        found = (old.astype(np.float64) - self._x) @ self._slopes + self._y
        found[:, 0] = np.clip(found[:, 0], *self._range)  # a generic score beyond all that were seen is none
        return np.asarray(found, np.float32)


def learn_map(pairs: Pairs, judges: Sequence[Judge], make: Callable[[], Adapter]) -> tuple[VectorMap, Loss]:
    """The map, and what it loses.

    Args:
        pairs: photos that both models have seen.
        judges: people who rated such photos.
        make: gives a new adapter of the new model.

    Raises:
        ModelMismatch: there are too few photos or people to learn and to measure it.
    """
    n = len(pairs.photos)
    if n < LEAST_PHOTOS or len(judges) < LEAST_PEOPLE:
        raise ModelMismatch(
            f"{n} photos have vectors of both models, and {len(judges)} people rated {LEAST_RATINGS} of them "
            f"or more; a map whose loss can be told needs {LEAST_PHOTOS} photos and {LEAST_PEOPLE} people: "
            "pass more photos with --images"
        )
    apart = {float(one): _out_of_fold(pairs, float(one)) for one in _PENALTIES}
    errors = {one: float(((found - pairs.new) ** 2).sum()) for one, found in apart.items()}
    penalty = min(errors, key=errors.__getitem__)
    both = np.array([_srcc(judge, pairs.new, apart[penalty], make) for judge in judges])
    difference = both[:, 1] - both[:, 0]
    return VectorMap(pairs.old, pairs.new, penalty), Loss(
        n_photos=n,
        n_people=len(judges),
        own=float(both[:, 0].mean()),
        mapped=float(both[:, 1].mean()),
        error=float(difference.std(ddof=1) / np.sqrt(len(judges))),
        explained=1 - errors[penalty] / float(((pairs.new - pairs.new.mean(0)) ** 2).sum()),
    )


def _out_of_fold(pairs: Pairs, penalty: float) -> NDArray[np.float32]:
    """Mapped vectors of all photos, each by a map that was not learned from it."""
    fold = stream(0, "vector map").permutation(len(pairs.photos)) % _FOLDS
    found = np.empty_like(pairs.new)
    for number in range(_FOLDS):
        rest = fold != number
        found[~rest] = VectorMap(pairs.old[rest], pairs.new[rest], penalty)(pairs.old[~rest])
    return found


def _srcc(
    judge: Judge, own: NDArray[np.float32], mapped: NDArray[np.float32], make: Callable[[], Adapter]
) -> tuple[float, float]:
    """One person's mean SRCC, learned from each kind of vectors; 0 where all predictions are equal."""
    found: list[tuple[float, float]] = []
    for taught, asked in _halves(judge):
        row: list[float] = []
        for vectors in (own, mapped):
            adapter = make()
            adapter.fit(vectors[judge.rows[taught]], judge.scores[taught])
            predicted = adapter.predict(own[judge.rows[asked]]).score
            row.append(float(np.nan_to_num(spearman(predicted, judge.scores[asked]))))
        found.append((row[0], row[1]))
    one, other = np.mean(found, axis=0)
    return float(one), float(other)


def _halves(judge: Judge) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    order = stream(0, "vector map", judge.user).permutation(len(judge.rows))
    middle = len(order) // 2
    yield order[:middle], order[middle:]
    yield order[middle:], order[:middle]
