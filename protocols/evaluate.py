"""Few-shot evaluation: fit every adapter on every episode's support, score its query.

The work is cut into units of one adapter, k and repeat, over all users. A unit's numbers depend on
nothing outside of it, so units run in any order, on any number of cores, and a run that was killed goes
on with the units that are missing and ends with the same numbers to the bit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from generic.progress import Progress, no_progress
from piaa.adapters.base import Adapter, Prediction
from piaa.ratings import Ratings
from protocols.crowd import CROWD, CrowdOracle
from protocols.episodes import Episode, EpisodePlan
from protocols.metrics import measure
from protocols.vectors import Vectors

Array = NDArray[Any]
MakeAdapter = Callable[[], Adapter]
Cells = list[dict[str, Any]]
"""Rows with the columns of :data:`protocols.results.COLUMNS`."""

_AT_ONCE = 2**19
"""Numbers in the supports of people fitted together: they share the cost of a call, and a processor's caches
hold them (4 MiB)."""


class FitsMany(Protocol):
    """An adapter that fits many people at once, each as if alone."""

    def fit_many(self, features: Sequence[Array], unit_scores: Sequence[Array]) -> Sequence[Adapter]:
        """One fitted adapter for each person."""


@dataclass(frozen=True, kw_only=True)
class Unit:
    """What is computed and kept as a whole."""

    adapter: str
    k: int
    repeat: int

    @property
    def key(self) -> str:
        """A name for files and logs, for example ``ridge-10-0``."""
        return f"{self.adapter}-{self.k}-{self.repeat}"


class Evaluation:
    """Adapters against the raters of one dataset.

    Args:
        ratings: individual ratings of at least the plan's users.
        vectors: of every image that they rated.
        plan: episodes of the test users.
        adapters: how to make each adapter, by name.
        train: name of what the generic model and the priors were trained on.
        test: name of the dataset that ``ratings`` are of.
        crowd: everybody's ratings of the plan's photos, for the crowd oracle; None leaves it out.

    Raises:
        DatasetError: a rated image has no vector, or the crowd oracle knows nobody else's rating of one.
        RatingsError: a user of the plan has no ratings.
    """

    def __init__(
        self,
        ratings: Ratings,
        vectors: Vectors,
        plan: EpisodePlan,
        adapters: Mapping[str, MakeAdapter],
        *,
        train: str,
        test: str,
        crowd: Ratings | None = None,
    ) -> None:
        self._adapters, self._names = dict(adapters), {"train": train, "test": test}
        self._width = ratings.scale.high - ratings.scale.low
        self._matrix = vectors.matrix
        self._episodes: dict[tuple[int, int], list[Episode]] = {}
        for episode in plan.episodes:
            self._episodes.setdefault((episode.k, episode.repeat), []).append(episode)
        self._people = _people(ratings, vectors, (episode.user for episode in plan.episodes))
        self._crowd = None if crowd is None else CrowdOracle(crowd, vectors.names, self._people)

    def units(self) -> list[Unit]:
        """All the work, in a fixed order."""
        return [
            Unit(adapter=adapter, k=k, repeat=repeat)
            for adapter in (*self._adapters, *([CROWD] if self._crowd else []))
            for k, repeat in sorted(self._episodes)
        ]

    def compute(self, unit: Unit) -> Cells:
        """The cells of one unit, in the order of the plan's users."""
        episodes = self._episodes[unit.k, unit.repeat]
        if self._crowd is not None and unit.adapter == CROWD:
            return [
                self._cell(unit, episode, self._crowd.predict(episode.user, episode.query))
                for episode in episodes
            ]
        cells: Cells = []
        size = max(1, _AT_ONCE // (unit.k * self._matrix.shape[1]))
        for start in range(0, len(episodes), size):
            some = episodes[start : start + size]
            fits = self._fit(unit.adapter, some)
            for episode, adapter in zip(some, fits, strict=True):
                features, _ = self._pick(episode.user, episode.query)
                cells.append(self._cell(unit, episode, adapter.predict(features)))
        return cells

    def _pick(self, user: str, chosen: NDArray[np.intp]) -> tuple[Array, Array]:
        """Vectors and unit scores of some of a user's ratings."""
        rows, scores = self._people[user]
        return self._matrix[rows[chosen]], scores[chosen]

    def _fit(self, name: str, episodes: Sequence[Episode]) -> Sequence[Adapter]:
        """One adapter for each episode, fitted on its support."""
        make = self._adapters[name]
        supports = [self._pick(episode.user, episode.support) for episode in episodes]
        first = make()
        if hasattr(first, "fit_many"):
            return cast("FitsMany", first).fit_many([x for x, _ in supports], [y for _, y in supports])
        return [make().fit(x, y) for x, y in supports]

    def _cell(self, unit: Unit, episode: Episode, prediction: Prediction) -> dict[str, Any]:
        rated = self._people[episode.user][1][episode.query]
        return {
            **self._names,
            "adapter": unit.adapter,
            "k": unit.k,
            "repeat": unit.repeat,
            "user": episode.user,
            "n_query": len(episode.query),
            **measure(prediction, rated, width=self._width),
        }

    def run(
        self,
        *,
        done: Mapping[str, Cells] | None = None,
        keep: Callable[[str, Cells], None] | None = None,
        jobs: int = 1,
        progress: Progress = no_progress,
    ) -> Cells:
        """The cells of all units, in the order of :meth:`units`.

        Args:
            done: cells of units that are known already, by key; those of other users are computed anew.
            keep: called with key and cells as soon as a unit is complete.
            jobs: threads; the numbers do not depend on it.
            progress: called with the number of units newly done.
        """
        from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

        units, known = self.units(), done or {}
        cells = {unit.key: known[unit.key] for unit in units if self._is_whole(unit, known.get(unit.key))}
        progress(len(cells))
        todo = [unit for unit in units if unit.key not in cells]
        # The small products of few-shot fits are slower on several BLAS threads than on one, many times so
        # beside threads of ours; and one thread gives the same bits on any number of cores.
        with threadpool_limits(limits=1, user_api="blas"):
            for unit, found in self._compute_all(todo, jobs):
                cells[unit.key] = found
                if keep is not None:
                    keep(unit.key, found)
                progress(1)
        return [cell for unit in units for cell in cells[unit.key]]

    def _is_whole(self, unit: Unit, cells: Cells | None) -> bool:
        """True if there is one cell of this unit for each of its users."""
        expected = [
            {**self._names, "adapter": unit.adapter, "k": unit.k, "repeat": unit.repeat, "user": episode.user}
            for episode in self._episodes[unit.k, unit.repeat]
        ]
        return (
            cells is not None and [{name: cell[name] for name in expected[0]} for cell in cells] == expected
        )

    def _compute_all(self, units: Sequence[Unit], jobs: int) -> Iterator[tuple[Unit, Cells]]:
        """Units as they are done. LAPACK and matrix products leave Python's lock, so threads help."""
        if jobs <= 1:
            yield from ((unit, self.compute(unit)) for unit in units)
            return
        with ThreadPoolExecutor(jobs, thread_name_prefix="piaa-evaluate") as pool:
            waiting: dict[Future[Cells], Unit] = {}
            try:
                for unit in units:
                    waiting[pool.submit(self.compute, unit)] = unit
                    if len(waiting) == 2 * jobs:
                        yield from _finished(waiting)
                while waiting:
                    yield from _finished(waiting)
            finally:
                for future in waiting:
                    future.cancel()


def _people(
    ratings: Ratings, vectors: Vectors, users: Iterable[str]
) -> dict[str, tuple[NDArray[np.intp], Array]]:
    """Each user's rows of the vectors, and unit scores, in the order of ``ratings.for_user``.

    Row numbers, not vectors: each of 10,000 people's own copy would not fit into memory. One pass, since
    ``for_user`` takes time that grows with everybody's ratings.
    """
    chosen: dict[str, list[int]] = {user: [] for user in users}
    for row, user in enumerate(ratings.users):
        if user in chosen:
            chosen[user].append(row)
    unit_scores, found = ratings.unit_scores, {}
    for user, rows in chosen.items():
        if not rows:
            ratings.for_user(user)  # Raises the error that names similar users.
        found[user] = (vectors.rows([ratings.images[row] for row in rows]), unit_scores[rows])
    return found


def _finished(waiting: dict[Future[Cells], Unit]) -> Iterator[tuple[Unit, Cells]]:
    """Take out what is done, after at least one is."""
    for future in wait(waiting, return_when=FIRST_COMPLETED).done:
        unit = waiting.pop(future)
        yield unit, future.result()
