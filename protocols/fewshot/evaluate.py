"""Few-shot evaluation: fit every adapter on every episode's support, score its query.

The work is cut into units of one adapter, k and repeat, over all users. A unit's numbers depend on
nothing outside of it, so units run in any order, on any number of cores, and a run that was killed goes
on with the units that are missing and ends with the same numbers to the bit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generic.errors import DatasetError, PiaaError
from generic.progress import Progress, no_progress
from generic.threads import one_blas_thread
from piaa.adapters.base import Adapter, Photos, Prediction
from piaa.ratings.table import Ratings
from protocols.fewshot.crowd import CROWD, CrowdOracle
from protocols.fewshot.episode_metrics import measure
from protocols.fewshot.episodes import Episode, EpisodePlan
from protocols.fewshot.results import ORACLE
from protocols.fewshot.vectors import Vectors

Array = NDArray[Any]
MakeAdapter = Callable[[], Adapter]
Cells = list[dict[str, Any]]
"""Rows with the columns of :data:`protocols.fewshot.results.COLUMNS`."""


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
        adapters: how to make each adapter, by name. A name that ends in ``ORACLE`` of
            :mod:`protocols.fewshot.results` is measured at the epoch that is best on the query.
        train: name of what the generic model and the priors were trained on.
        test: name of the dataset that ``ratings`` are of.
        crowd: everybody's ratings of the plan's photos, for the crowd oracle; None leaves it out.

    Raises:
        DatasetError: a rated image has no vector, the crowd oracle knows nobody else's rating of one, or an
            adapter needs pixels and ``vectors`` has none.
        RatingsError: a user of the plan has no ratings.
        PiaaError: the epoch of an adapter is asked for that has none.
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
        self._vectors = vectors
        self._check_adapters()
        self._episodes: dict[tuple[int, int], list[Episode]] = {}
        for episode in plan.episodes:
            self._episodes.setdefault((episode.k, episode.repeat), []).append(episode)
        self._people = _people(ratings, vectors, (episode.user for episode in plan.episodes))
        self._crowd = None if crowd is None else CrowdOracle(crowd, vectors.names, self._people)

    def _check_adapters(self) -> None:
        for name, make in self._adapters.items():
            adapter = make()
            if not isinstance(adapter, Adapter):  # of somebody's own class
                raise PiaaError(
                    f"adapter {name!r} is of class {type(adapter).__name__}, which is no Adapter; derive the "
                    f"class from piaa.adapters.base.Adapter"
                )
            if name.endswith(ORACLE) and not adapter.learns_in_epochs:
                raise PiaaError(
                    f"adapter {name.removesuffix(ORACLE)!r} does not learn in epochs, so there is no "
                    f"{name!r}; leave that out"
                )
            if adapter.needs_pixels and self._vectors.pixels is None:
                raise DatasetError(
                    f"adapter {name!r} needs the photos themselves, but only their vectors are here; "
                    f"give Vectors their pixels"
                )

    def identities(self) -> dict[str, str]:
        """What tells adapters of one name apart, such as the hash of a meta-learned start."""
        found = {name: make().identity for name, make in self._adapters.items()}
        return {name: identity for name, identity in found.items() if identity}

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
                self._cell(unit, episode, [self._crowd.predict(episode.user, episode.query)])
                for episode in episodes
            ]
        cells: Cells = []
        # No more people's fits are held together than share the cost of a call.
        size = self._adapters[unit.adapter]().at_once(unit.k, int(self._vectors.matrix.shape[1]))
        for start in range(0, len(episodes), size):
            some = episodes[start : start + size]
            fits = self._fit(unit.adapter, some)
            for episode, adapter in zip(some, fits, strict=True):
                cells.append(self._cell(unit, episode, self._predict(unit.adapter, adapter, episode)))
        return cells

    def _pick(self, adapter: Adapter, user: str, chosen: NDArray[np.intp]) -> tuple[Any, Array]:
        """What an adapter is given of some of a user's photos, and their unit scores."""
        rows, scores = self._people[user]
        vectors, pixels = self._vectors.matrix, self._vectors.pixels
        if adapter.needs_pixels and pixels is not None:
            return Photos(vectors=vectors, pixels=pixels).take(rows[chosen]), scores[chosen]
        return vectors[rows[chosen]], scores[chosen]

    def _fit(self, name: str, episodes: Sequence[Episode]) -> Sequence[Adapter]:
        """One adapter for each episode, fitted on its support."""
        make = self._adapters[name]
        first = make()
        supports = [self._pick(first, episode.user, episode.support) for episode in episodes]
        if first.fits_many:
            return first.fit_many([x for x, _ in supports], [y for _, y in supports])
        return [make().fit(x, y) for x, y in supports]

    def _predict(self, name: str, adapter: Adapter, episode: Episode) -> list[Prediction]:
        """What a fitted adapter says of the query; after each epoch where the best on it is asked for."""
        features, _ = self._pick(adapter, episode.user, episode.query)
        if name.endswith(ORACLE):
            return list(adapter.predict_epochs(features))
        return [adapter.predict(features)]

    def _cell(self, unit: Unit, episode: Episode, predictions: Sequence[Prediction]) -> dict[str, Any]:
        rated = self._people[episode.user][1][episode.query]
        measured = [measure(prediction, rated, width=self._width) for prediction in predictions]
        return {
            **self._names,
            "adapter": unit.adapter,
            "k": unit.k,
            "repeat": unit.repeat,
            "user": episode.user,
            "n_query": len(episode.query),
            **max(measured, key=lambda metrics: np.nan_to_num(metrics["srcc"], nan=-2.0)),
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
        units, known = self.units(), done or {}
        cells = {unit.key: known[unit.key] for unit in units if self._is_whole(unit, known.get(unit.key))}
        progress(len(cells))
        todo = [unit for unit in units if unit.key not in cells]
        with one_blas_thread():
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
