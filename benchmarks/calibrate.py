r"""What a group's own raters bring: people and photos held out, on a set like home or foreign to the model.

    uv run python benchmarks/calibrate.py ROOT --low 1 --high 5 --by '_(p\d+)' --name prompts --grid
    uv run python benchmarks/calibrate.py ROOT --low 1 --high 7 --where list=1 --people 60 --model WITHOUT-1

ROOT holds ``ratings.csv`` (user,image,score) and ``images/``. Photos are held out in three folds, all of
those together whose names have the same part in ``--by`` (a prompt, a generator), people in three; ``auto``
learns each person held out from 10 of her ratings of other photos, and from all of them, on the model as it
is and on what the other people's ratings of the other photos make of it. ``--grid`` says what fewer photos
and raters bring. ``--where`` takes some of the photos, by a column of ROOT's ``images.csv``. Writes its part
of ``benchmarks/results/calibrate.json``, whose tables go into docs/calibrate.md.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from record import RESULTS, table, tell, write_result
from scipy.stats import t

from generic.cache.features import default_cache_folder
from generic.model.generic_model import GenericModel
from generic.model.registry import find_model
from generic.parts import Parts
from generic.progress import no_progress
from generic.seeds import stream
from generic.threads import one_blas_thread
from piaa.adapters.auto import AutoAdapter
from piaa.adapters.prior import Prior
from piaa.calibrate.people import of_the_group
from piaa.calibrate.photos import read_group
from piaa.calibrate.raters import Table
from piaa.calibrate.trial import as_calibrated, of_each_photo
from piaa.people.opened_model import OpenedModel, Settings
from piaa.ratings.scale import Scale
from piaa.ratings.table import Ratings, read_ratings

Array = NDArray[np.float64]
FOLDS = 3
SHOTS = (10, 1_000_000)
PHOTOS, RATERS = (20, 40, 80), (1, 3, 8, 20)
GRID_SEEDS = 2
WAYS = {"generic": "0", "auto at 10": "10", "auto at all": "all"}
"""What is compared, and of how many of her ratings a person is learned."""


class Study:
    """One set of photos and raters.

    Args:
        root: its folder.
        scale: of its scores.
        by: a pattern; photos whose names match it alike are held out together. Empty: each by itself.
        model: a name or a file.
        where: COLUMN=VALUE of the photos that are taken; empty: all.
        people: at most so many, chosen by chance.
    """

    def __init__(
        self, root: Path, scale: Scale, by: str, model: str, *, where: str = "", people: int = 10**6
    ) -> None:
        opened = OpenedModel(GenericModel(find_model(model)), Settings(cache=default_cache_folder()))
        ratings = _some_of(read_ratings(root / "ratings.csv", scale=scale), root, where, people)
        group = read_group(opened, ratings, root / "images", progress=no_progress)
        self.table, self.prior = group.table, opened.prior
        self.vectors = np.asarray(group.vectors, np.float64)
        self.parts = Parts.declared(opened.generic.header.architecture, self.vectors.shape[1] - 1)
        keys = [_key(name, by) for name in group.names]
        self.units = np.unique(keys, return_inverse=True)[1]

    def folds(self, seed: int) -> Iterator[tuple[NDArray[np.bool_], NDArray[np.bool_]]]:
        """Photos and people held out."""
        n_units = int(self.units.max()) + 1
        photos = (stream(seed, "study", "photos").permutation(n_units) % FOLDS)[self.units]
        people = stream(seed, "study", "people").permutation(self.table.n_people) % FOLDS
        for i in range(FOLDS):
            for j in range(FOLDS):
                yield photos == i, people == j

    def taught(
        self, photos: NDArray[np.bool_], people: NDArray[np.bool_], seed: int, most: tuple[int, int] | None
    ) -> Table:
        """Ratings of the other photos by the other people: all, or by so many people of so many photos."""
        photos, people = ~photos, ~people
        if most is not None:
            photos = _some(photos, most[0], stream(seed, "study", "some", "photos"))
            people = _some(people, most[1], stream(seed, "study", "some", "people"))
        return self.table.where(photos[self.table.rows] & people[self.table.people])

    def measure(
        self, seed: int, most: tuple[int, int] | None = None, shots: tuple[int, ...] = SHOTS
    ) -> dict[str, Array]:
        """What each photo adds to the SRCC of each person, by each way, shape (people, photos)."""
        found: dict[str, Array] = {}
        for photos, people in self.folds(seed):
            taught = self.taught(photos, people, seed, most)
            changed = as_calibrated(taught, self.vectors, self.parts)
            x = self.vectors if changed is None else changed
            theirs = self.prior if changed is None else self.prior and of_the_group(self.prior, x, taught)
            ways = {"as shipped": (self.vectors, self.prior), "calibrated": (x, theirs)}
            for person in np.flatnonzero(people):
                own = self.table.where(self.table.people == person)
                for name, values in self._person(own, photos, ways, seed, int(person), shots).items():
                    empty = np.full((self.table.n_people, self.table.n_photos), np.nan)
                    found.setdefault(name, empty)[person, own.rows[photos[own.rows]]] = values
        return found

    def _person(
        self,
        own: Table,
        photos: NDArray[np.bool_],
        ways: dict[str, tuple[Array, Prior | None]],
        seed: int,
        person: int,
        shots: tuple[int, ...],
    ) -> dict[str, Array]:
        held = photos[own.rows]
        query, asked = own.rows[held], own.scores[held]
        order = stream(seed, "study", "support", person).permutation(np.flatnonzero(~held))
        found = {}
        for way, (x, prior) in ways.items():
            found[f"{way}, generic"] = of_each_photo(x[query, 0], asked)
            for k in shots:
                fitted = AutoAdapter(prior).fit(x[own.rows[order[:k]]], own.scores[order[:k]])
                name = f"{way}, auto at {k if k < len(order) else 'all'}"
                found[name] = of_each_photo(fitted.predict(x[query]).score, asked)
        return found


def _key(name: str, by: str) -> str:
    match = re.search(by, name) if by else None
    return name if match is None else match.group(1)


def _some_of(ratings: Ratings, root: Path, where: str, people: int) -> Ratings:
    """Ratings of some photos by some people."""
    column, _, value = where.partition("=")
    kept = set(ratings.images)
    if where:
        rows = csv.DictReader((root / "images.csv").read_text().splitlines())
        kept = {row["image"] for row in rows if row[column] == value}
    users = sorted({user for user, image in zip(ratings.users, ratings.images, strict=True) if image in kept})
    chosen = {users[number] for number in stream(0, "study", "who").permutation(len(users))[:people]}
    lines = zip(ratings.users, ratings.images, ratings.scores.tolist(), strict=True)
    return Ratings.from_rows(
        [line for line in lines if line[1] in kept and line[0] in chosen], scale=ratings.scale
    )


def _some(able: NDArray[np.bool_], n: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    chosen = np.zeros(len(able), bool)
    chosen[rng.permutation(np.flatnonzero(able))[:n]] = True
    return chosen


def _mean(runs: list[Array]) -> Array:
    """Over the runs that have a value; nan where none has."""
    values = np.array(runs)
    n = (~np.isnan(values)).sum(axis=0)
    return np.where(n > 0, np.nansum(values, axis=0) / np.maximum(n, 1), np.nan)


def gain(found: dict[str, Array], way: str, units: NDArray[np.intp]) -> dict[str, float]:
    """Mean gain with its 95 % interval over people and over what is held out together."""
    gaps = found[f"calibrated, {way}"] - found[f"as shipped, {way}"]
    tested = ~np.isnan(gaps).all(axis=1)
    by_person = np.nanmean(gaps[tested], axis=1)
    by_unit = np.array([np.nanmean(gaps[tested][:, units == unit]) for unit in np.unique(units)])
    square = sum(float(values.var(ddof=1)) / len(values) for values in (by_person, by_unit))
    reach = float(t.ppf(0.975, min(len(by_person), len(by_unit)) - 1) * np.sqrt(square))
    middle = float(by_person.mean())
    return {"gain": middle, "low": middle - reach, "high": middle + reach}


def average(study: Study, seeds: int, **options: Any) -> dict[str, Array]:
    """As :meth:`Study.measure`, the mean over seeds."""
    runs = [study.measure(seed, **options) for seed in range(seeds)]
    return {name: _mean([run[name] for run in runs]) for name in runs[0]}


def grid(study: Study) -> list[list[str]]:
    """Gains at 10 of so many photos (rows) by so many raters."""
    n, u = int(study.table.n_photos * (1 - 1 / FOLDS)), int(study.table.n_people * (1 - 1 / FOLDS))
    photos, raters = (
        [*(one for one in sizes if one < most), most] for sizes, most in ((PHOTOS, n), (RATERS, u))
    )
    rows = [["photos \\ raters", *map(str, raters)]]
    for size in photos:
        found = [average(study, GRID_SEEDS, most=(size, one), shots=(10,)) for one in raters]
        rows.append([str(size), *(f"{gain(one, 'auto at 10', study.units)['gain']:+.3f}" for one in found)])
    return rows


def markdown(sets: dict[str, Any]) -> str:
    """The tables of all sets that were measured."""
    lines = [
        (
            name,
            k,
            f"{one['levels'][f'as shipped, {way}']:.3f}",
            f"{one['levels'][f'calibrated, {way}']:.3f}",
            _gain(one["gains"][way]),
        )
        for name, one in sets.items()
        for way, k in WAYS.items()
    ]
    parts = [table(("held out", "ratings", "as shipped", "calibrated", "gain, 95 %"), lines)]
    for name, one in sets.items():
        if one["grid"]:
            parts.append(f"Gain at 10 ratings by who teaches, {GRID_SEEDS} draws, {name}:")
            parts.append(table(tuple(one["grid"][0]), [tuple(row) for row in one["grid"][1:]]))
    return "\n\n".join(parts)


def _gain(one: dict[str, float]) -> str:
    return f"{one['gain']:+.3f} [{one['low']:+.3f}, {one['high']:+.3f}]"


def main() -> None:
    """Parse, measure, write, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("root", type=Path, help="folder of the data set")
    parser.add_argument("--low", type=float, required=True)
    parser.add_argument("--high", type=float, required=True)
    parser.add_argument("--by", default="", help="pattern with one group: what is held out together")
    parser.add_argument("--where", default="", help="COLUMN=VALUE in images.csv: photos that are taken")
    parser.add_argument("--people", type=int, default=10**6, help="at most so many")
    parser.add_argument("--name", default="", help="what the tables call it")
    parser.add_argument("--model", default="piaa-lite")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--grid", action="store_true", help="what fewer photos and raters bring, too")
    given = parser.parse_args()
    scale = Scale(given.low, given.high)
    study = Study(given.root, scale, given.by, given.model, where=given.where, people=given.people)
    with one_blas_thread():
        mean = average(study, given.seeds)
        levels = {name: float(np.nanmean(values)) for name, values in mean.items()}
        gains = {way: gain(mean, way, study.units) for way in WAYS}
        tell(json.dumps(gains))
        found = {
            "levels": levels,
            "gains": gains,
            "grid": grid(study) if given.grid else [],
            "seeds": given.seeds,
        }
    file = RESULTS / "calibrate.json"
    sets: dict[str, Any] = json.loads(file.read_text())["sets"] if file.exists() else {}
    sets[given.name or given.root.name] = found
    write_result(
        "calibrate",
        "python benchmarks/calibrate.py ROOT --low LOW --high HIGH --grid",
        {"sets": sets, "markdown": markdown(sets)},
    )
    print(markdown(sets))


if __name__ == "__main__":
    main()
