"""Few-shot evaluation: fit every adapter on every episode's support, score its query.

The work is cut into units of one adapter, k and repeat, over all users. A unit's numbers depend on
nothing outside of it, so units run in any order, on any number of cores, and a run that was killed goes
on with the units that are missing and ends with the same numbers to the bit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
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
from protocols.fewshot.two_way import DRAWS, TwoWay
from protocols.fewshot.units import Found, Rows, Unit
from protocols.fewshot.vectors import Vectors

Array = NDArray[Any]
MakeAdapter = Callable[[], Adapter]


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
        seed: of the draws of other people and photos.

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
        seed: int = 0,
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
        photos = {user: rows for user, (rows, _) in self._people.items()}
        self._two_way = TwoWay(vectors.names, photos, seed=seed, test=test)

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

    def compute(self, unit: Unit) -> Found:
        """What comes of one unit."""
        rows: Rows = []
        drawn: list[Array] = []
        for episode, predictions in self._predictions(unit):
            row, prediction = self._result(unit, episode, predictions)
            photos, rated = self._query(episode)
            rows.append(row)
            drawn.append(self._two_way.correlations(photos, prediction.score, rated))
        return Found(rows=rows, draws=self._two_way.means([row["user"] for row in rows], drawn))

    def _predictions(self, unit: Unit) -> Iterator[tuple[Episode, Sequence[Prediction]]]:
        """What is said of each episode's query, in the order of the plan's users."""
        episodes = self._episodes[unit.k, unit.repeat]
        if self._crowd is not None and unit.adapter == CROWD:
            yield from ((episode, [self._crowd.predict(episode.user, episode.query)]) for episode in episodes)
            return
        # No more people's fits are held together than share the cost of a call.
        size = self._adapters[unit.adapter]().at_once(unit.k, int(self._vectors.matrix.shape[1]))
        for start in range(0, len(episodes), size):
            some = episodes[start : start + size]
            for episode, adapter in zip(some, self._fit(unit.adapter, some), strict=True):
                yield episode, self._predict(unit.adapter, adapter, episode)

    def _query(self, episode: Episode) -> tuple[NDArray[np.intp], Array]:
        """An episode's photos to predict, as rows of the vectors, and their unit scores."""
        rows, scores = self._people[episode.user]
        return rows[episode.query], scores[episode.query]

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

    def _result(
        self, unit: Unit, episode: Episode, predictions: Sequence[Prediction]
    ) -> tuple[dict[str, Any], Prediction]:
        """A user's row, and the prediction that it is of: the best of several on the query."""
        _, rated = self._query(episode)
        measured = [(measure(one, rated, width=self._width), one) for one in predictions]
        metrics, best = max(measured, key=lambda pair: np.nan_to_num(pair[0]["srcc"], nan=-2.0))
        names = {"adapter": unit.adapter, "k": unit.k, "repeat": unit.repeat, "user": episode.user}
        return {**self._names, **names, "n_query": len(episode.query), **metrics}, best

    def run(
        self,
        *,
        done: Mapping[str, Found] | None = None,
        keep: Callable[[str, Found], None] | None = None,
        jobs: int = 1,
        progress: Progress = no_progress,
    ) -> list[Found]:
        """What comes of all units, in the order of :meth:`units`.

        Args:
            done: units that are known already, by key; those of other users are computed anew.
            keep: called with key and results as soon as a unit is complete.
            jobs: threads; the numbers do not depend on it.
            progress: called with the number of units newly done.
        """
        units, known = self.units(), done or {}
        found = {unit.key: known[unit.key] for unit in units if self._is_whole(unit, known.get(unit.key))}
        progress(len(found))
        todo = [unit for unit in units if unit.key not in found]
        with one_blas_thread():
            for unit, results in self._compute_all(todo, jobs):
                found[unit.key] = results
                if keep is not None:
                    keep(unit.key, results)
                progress(1)
        return [found[unit.key] for unit in units]

    def _is_whole(self, unit: Unit, found: Found | None) -> bool:
        """True if there is one row of this unit for each of its users, and every draw."""
        if found is None or len(found.draws) != DRAWS:
            return False
        expected = [
            {**self._names, "adapter": unit.adapter, "k": unit.k, "repeat": unit.repeat, "user": episode.user}
            for episode in self._episodes[unit.k, unit.repeat]
        ]
        return [{name: row[name] for name in expected[0]} for row in found.rows] == expected

    def _compute_all(self, units: Sequence[Unit], jobs: int) -> Iterator[tuple[Unit, Found]]:
        """Units as they are done. LAPACK and matrix products leave Python's lock, so threads help."""
        if jobs <= 1:
            yield from ((unit, self.compute(unit)) for unit in units)
            return
        with ThreadPoolExecutor(jobs, thread_name_prefix="piaa-evaluate") as pool:
            waiting: dict[Future[Found], Unit] = {}
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


def _finished(waiting: dict[Future[Found], Unit]) -> Iterator[tuple[Unit, Found]]:
    """Take out what is done, after at least one is."""
    for future in wait(waiting, return_when=FIRST_COMPLETED).done:
        unit = waiting.pop(future)
        yield unit, future.result()
