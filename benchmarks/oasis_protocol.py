"""Test every adapter on OASIS through ``protocols``: each list left out, and list against list.

    uv run --group train python benchmarks/oasis_protocol.py ROOT --models runs/lite --shots 1,3,10,30,100

takes the honest models of ``benchmarks/train_piaa_lite.py`` and tests all people of each list on the model
that learned from the other lists, then the models of one list's training side on the test sides of all
lists, its own too. Both go into run folders: what is finished is not computed again, so a stopped run goes
on. Summaries go to ``benchmarks/results/oasis_protocol.json``, each person's results beside it
(``benchmarks/oasis_users.py`` makes the cells of them again), plots to ``docs/``; then
``benchmarks/report.py`` writes the tables.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import record
from oasis import LISTS
from oasis_sides import NAME, SIDE, WITHOUT, Lists, load_lists
from oasis_users import FOLDER, PARTS, write_users
from record import tell, write_result

from cli import adapters_of
from generic.cache.features import FeatureCache
from generic.model.generic_model import GenericModel
from piaa.adapters.registry import ADAPTERS
from piaa.ratings.table import Ratings
from protocols.datasets.dataset import Dataset
from protocols.fewshot.crowd import CROWD
from protocols.fewshot.episodes import episodes
from protocols.fewshot.evaluate import MakeAdapter
from protocols.fewshot.harm import harm
from protocols.fewshot.results import Results
from protocols.fewshot.study import Prepared, Settings, prepare, run
from protocols.fewshot.summary import compare, user_means
from protocols.report.build import collect
from protocols.report.files import write_report
from protocols.report.plot_style import save_plot
from protocols.report.plots import matrix_figure, shots_figure
from protocols.report.table import Cell, Report
from protocols.splits.split import Split

DOCS = Path(__file__).parent.parent / "docs"
CROSS_SHOTS = (10, 100)
"""Of the list against list matrix, where 120 photos are tested."""
LEARNERS = ("bayes", "auto")
"""Adapters whose gain is tested for significance, as far as they exist ..."""
FLOORS = ("generic", "ridge")
"""... against these."""
TIMED_USERS = 50


class Study:
    """The tests, from the lists and the folder of the models.

    Args:
        lists: the data.
        models: folder of the models of :mod:`oasis_sides`.
        adapters: names.
        settings: how people are tested.
        cache: of features.
    """

    def __init__(
        self, lists: Lists, models: Path, adapters: Sequence[str], settings: Settings, cache: FeatureCache
    ) -> None:
        self._lists, self._folder, self._adapters = lists, models, adapters
        self._settings, self._cache = settings, cache

    def model(self, name: str) -> GenericModel:
        """One of the models."""
        return GenericModel(self._folder / f"{name}.safetensors")

    def left_out(self, numbers: Sequence[int] = LISTS) -> Iterator[Prepared]:
        """All people of each list, on the model that has seen neither them nor their photos."""
        for number in numbers:
            others = " and ".join(str(other) for other in LISTS if other != number)
            split = self._lists.without(number)
            yield self._prepare(
                self._lists.whole, split, WITHOUT[number], f"lists {others}", f"list {number}", self._settings
            )

    def sides(self) -> Iterator[Prepared]:
        """The test side of each list, on the training side of each list."""
        settings = replace(self._settings, shots=CROSS_SHOTS)
        for train in LISTS:
            for test in LISTS:
                dataset, split = self._lists.single[test], self._lists.sides(test)
                yield self._prepare(dataset, split, SIDE[train], f"list {train}", f"list {test}", settings)

    def _prepare(
        self, dataset: Dataset, split: Split, model: str, train: str, name: str, settings: Settings
    ) -> Prepared:
        opened = self.model(model)
        prepared = prepare(
            dataset,
            split,
            opened,
            adapters_of(opened, self._adapters),
            settings,
            cache=self._cache,
            train=train,
            name=name,
            crowd=True,
        )
        if not prepared.can_see_leaks:
            raise SystemExit(f"{model} does not list its training photos; train it anew")
        tell(f"{train} -> {name}: {len(set(split.test_users))} people, {prepared.n_images} photos")
        return prepared

    def costs(self, number: int) -> dict[str, dict[str, Any]]:
        """What a person costs: median milliseconds of one fit, and bytes of what is stored, by adapter, k."""
        model, dataset = self.model(WITHOUT[number]), self._lists.single[number]
        ratings = dataset.ratings
        if ratings is None or dataset.images is None:
            raise SystemExit("costs need ratings and photos")
        names = sorted(set(ratings.images))
        embedded = model.embed([dataset.images / name for name in names], cache=self._cache)
        matrix = np.stack([item.vector for item in embedded if item.vector is not None])
        makers = adapters_of(model, self._adapters)
        supports = _supports(ratings, names, self._settings)
        return {
            name: {str(k): _cost(make, matrix, supports[k]) for k in self._settings.shots}
            for name, make in makers.items()
        }


def _supports(
    ratings: Ratings, names: Sequence[str], settings: Settings
) -> dict[int, list[tuple[np.ndarray, np.ndarray]]]:
    """The first repeat's supports of some people, for each k: rows of ``names``, and unit scores."""
    users = sorted(set(ratings.users))[:TIMED_USERS]
    plan = episodes(ratings, users=users, shots=settings.shots, repeats=1, seed=settings.seed, dataset=NAME)
    rows_of = {user: np.flatnonzero(np.array(ratings.users) == user) for user in users}
    place, unit = {name: row for row, name in enumerate(names)}, ratings.unit_scores
    found: dict[int, list[tuple[np.ndarray, np.ndarray]]] = {k: [] for k in settings.shots}
    for episode in plan.episodes:
        rows = rows_of[episode.user][episode.support]
        found[episode.k].append((np.array([place[ratings.images[row]] for row in rows]), unit[rows]))
    return found


def _cost(
    make: MakeAdapter, matrix: np.ndarray, supports: Sequence[tuple[np.ndarray, np.ndarray]]
) -> dict[str, Any]:
    seconds, stored = [], []
    for rows, scores in supports:
        adapter = make()
        started = time.perf_counter()
        adapter.fit(matrix[rows], scores)
        seconds.append(time.perf_counter() - started)
        stored.append(sum(array.nbytes for array in adapter.state().values()))
    return {"fit_ms": 1000 * float(np.median(seconds)), "bytes": int(np.median(stored))}


def cell_figures(cell: Cell) -> dict[str, Any]:
    """What is kept of one cell of a table."""
    if cell.detail is None:
        raise ValueError("a cell that was not measured here")
    line = cell.detail.srcc
    return {
        "srcc": cell.mean,
        "std_over_repeats": cell.std,
        "std_between_users": line.std_users,
        "interval": [line.low, line.high],
        "two_way": [None if np.isnan(end) else end for end in cell.detail.two_way],
        "users": line.n_users,
        "dropped_users": line.dropped_users,
        "dropped_cells": line.dropped_results,
        **{name: None if np.isnan(value) else value for name, value in cell.detail.others.items()},
    }


def table_figures(report: Report) -> dict[str, Any]:
    """Test -> adapter -> k -> figures; with one training set for each test."""
    return {
        table.test: {
            row.name: {str(k): cell_figures(cell) for k, cell in row.cells.items()} for row in table.rows
        }
        for table in report.tables
    }


def matrix_figures(report: Report) -> list[dict[str, Any]]:
    """One entry for each adapter and k."""
    return [
        {
            "adapter": matrix.name,
            "k": matrix.k,
            "cells": [
                {"train": train, "test": test, **cell_figures(cell)}
                for (train, test), cell in matrix.cells.items()
            ],
        }
        for matrix in report.matrices
    ]


def comparisons(results: Results) -> list[dict[str, Any]]:
    """Paired Wilcoxon over people; Holm over all pairs of adapters of the same list and k."""
    competing = np.array([name != CROWD for name in results.columns["adapter"]], dtype=bool)
    cells = {name: np.asarray(column)[competing] for name, column in results.columns.items()}
    found = []
    for pair in compare(cells):
        for first, second, sign in ((pair.first, pair.second, 1), (pair.second, pair.first, -1)):
            if first in LEARNERS and second in FLOORS:
                found.append(
                    {
                        "test": pair.test,
                        "k": pair.k,
                        "adapter": first,
                        "against": second,
                        "difference": sign * pair.difference,
                        "users": pair.n_users,
                        "p": pair.p,
                        "p_holm": pair.p_holm,
                    }
                )
    return found


def below_the_crowd(results: Results) -> list[dict[str, Any]]:
    """For each list and k: how many people ``auto`` ranks worse than ``generic`` does, and by how much.

    Nothing where one of the two was not asked for.
    """
    people = user_means(results.columns)
    found = []
    for (train, test, adapter, k), own in people.items():
        others = people.get((train, test, "generic", k))
        if adapter == "auto" and others is not None:
            lost = harm(own, others)
            ends = {"below": lost.below, "one_in_twenty": lost.one_in_twenty, "worst": lost.worst}
            found.append({"test": test, "k": int(k), "users": lost.n_users, **ends})
    return found


def run_all(tests: Sequence[Prepared], folder: Path, jobs: int) -> Report:
    """Run, and write the full report into the run folder."""
    started = time.perf_counter()
    results = run(tests, folder, jobs=jobs)
    report = collect(results)
    write_report(report, folder)
    tell(f"{folder}: {len(results.columns['k'])} cells, {time.perf_counter() - started:.0f} s")
    return report


def draw(left_out: Report, sides: Report, folder: Path) -> None:
    """SRCC against k on list 3, and the matrix at 100 ratings."""
    tables = [table for table in left_out.tables if table.test == f"list {LISTS[-1]}"]
    if len(tables[0].shots) > 1:
        save_plot(shots_figure(tables[0]), folder / "oasis-shots.png")
    most = [matrix for matrix in sides.matrices if matrix.k == max(CROSS_SHOTS)]
    save_plot(matrix_figure(most), folder / "oasis-cross.png")


def measured(study: Study, folder: Path, jobs: int) -> tuple[Report, Report, Mapping[str, Any]]:
    """Both reports, and the figures that are kept."""
    left_out = run_all(list(study.left_out()), folder / "left-out", jobs)
    sides = run_all(list(study.sides()), folder / "sides", jobs)
    figures = {
        "config": left_out.results.config | {"skipped_users": {}, "unreadable_images": {}},
        "left_out": table_figures(left_out),
        "comparisons": comparisons(left_out.results),
        "below_the_crowd": below_the_crowd(left_out.results),
        "matrix": matrix_figures(sides),
        "matrix_models": sides.results.config["models"],
        "costs": study.costs(LISTS[-1]),
    }
    return left_out, sides, figures


def main() -> None:
    """Parse, test, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("root", type=Path, help="folder of the data set")
    parser.add_argument("--models", type=Path, default=Path("runs/lite"), help="folder of the models")
    parser.add_argument("--out", type=Path, default=Path("runs/oasis"), help="run folders")
    parser.add_argument("--shots", default="10,100")
    parser.add_argument("--repeats", type=int, default=10)
    plain = [name for name, kind in ADAPTERS.items() if not (kind.needs_pixels or kind.needs_start)]
    parser.add_argument(
        "--adapter", default=",".join(plain), help="names, default all that vectors are enough for"
    )
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args()
    shots = tuple(int(k) for k in given.shots.split(","))
    adapters = given.adapter.split(",")
    with FeatureCache.open(given.out / "cache") as cache:
        study = Study(
            load_lists(given.root),
            given.models,
            adapters,
            Settings(shots=shots, repeats=given.repeats),
            cache,
        )
        left_out, sides, figures = measured(study, given.out, given.jobs)
    command = (
        f"uv run --group train python benchmarks/oasis_protocol.py ROOT --models runs/lite "
        f"--shots {given.shots} --repeats {given.repeats} --adapter {given.adapter}"
    )
    write_result("oasis_protocol", command, dict(figures))
    for part, report in zip(PARTS, (left_out, sides), strict=True):
        write_users(report.results, part, record.RESULTS / FOLDER)
    draw(left_out, sides, DOCS)


if __name__ == "__main__":
    main()
