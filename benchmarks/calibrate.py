r"""What a group's own raters bring: people and photos held out, on a set like home or foreign to the model.

    uv run python benchmarks/calibrate.py ROOT --low 1 --high 5 --by '_(p\d+)'

ROOT holds ``ratings.csv`` (user,image,score) and ``images/``. Photos are held out in three folds, all of
those together whose names have the same part in ``--by`` (a prompt, a generator), people in three; ``auto``
learns each person held out from 10 of her ratings of other photos, and from all of them, on the model as it
is and on what the other people's ratings of the other photos make of it. The table says what fewer photos
and raters bring. Writes ``benchmarks/results/calibrate.json``, under the name of ROOT.
"""

from __future__ import annotations

import argparse
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
from piaa.ratings.table import read_ratings

Array = NDArray[np.float64]
FOLDS = 3
SHOTS = (10, 1_000_000)
PHOTOS, RATERS = (20, 40, 80, 160), (1, 3, 8, 20, 50)


class Study:
    """One set of photos and raters.

    Args:
        root: its folder.
        scale: of its scores.
        by: a pattern; photos whose names match it alike are held out together. Empty: each by itself.
        model: a name or a file.
    """

    def __init__(self, root: Path, scale: Scale, by: str, model: str) -> None:
        opened = OpenedModel(GenericModel(find_model(model)), Settings(cache=default_cache_folder()))
        ratings = read_ratings(root / "ratings.csv", scale=scale)
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

    def measure(self, seed: int, most: tuple[int, int] | None = None) -> dict[str, Array]:
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
                for name, values in self._person(own, photos, ways, seed, int(person)).items():
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
    ) -> dict[str, Array]:
        held = photos[own.rows]
        query, asked = own.rows[held], own.scores[held]
        order = stream(seed, "study", "support", person).permutation(np.flatnonzero(~held))
        found = {}
        for way, (x, prior) in ways.items():
            found[f"{way}, generic"] = of_each_photo(x[query, 0], asked)
            for k in SHOTS:
                fitted = AutoAdapter(prior).fit(x[own.rows[order[:k]]], own.scores[order[:k]])
                name = f"{way}, auto at {k if k < len(order) else 'all'}"
                found[name] = of_each_photo(fitted.predict(x[query]).score, asked)
        return found


def _key(name: str, by: str) -> str:
    match = re.search(by, name) if by else None
    return name if match is None else match.group(1)


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


def main() -> None:
    """Parse, measure, write, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("root", type=Path, help="folder of the data set")
    parser.add_argument("--low", type=float, required=True)
    parser.add_argument("--high", type=float, required=True)
    parser.add_argument("--by", default="", help="pattern with one group: what is held out together")
    parser.add_argument("--model", default="piaa-lite")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--grid", action="store_true", help="what fewer photos and raters bring, too")
    given = parser.parse_args()
    study = Study(given.root, Scale(given.low, given.high), given.by, given.model)
    with one_blas_thread():
        runs = [study.measure(seed) for seed in range(given.seeds)]
        mean = {name: _mean([run[name] for run in runs]) for name in runs[0]}
        levels = {name: float(np.nanmean(values)) for name, values in mean.items()}
        gains = {way: gain(mean, way, study.units) for way in ("generic", "auto at 10", "auto at all")}
        grid = {
            f"{photos} x {raters}": gain(study.measure(0, (photos, raters)), "auto at 10", study.units)
            for photos in PHOTOS
            for raters in RATERS
            if given.grid
        }
    tell(json.dumps(gains))
    file = RESULTS / "calibrate.json"
    kept: dict[str, Any] = json.loads(file.read_text())["sets"] if file.exists() else {}
    key = f"{given.root.name}{' by ' + given.by if given.by else ''}"
    kept[key] = {"levels": levels, "gains": gains, "photos x raters": grid, "seeds": given.seeds}
    write_result(
        "calibrate", "python benchmarks/calibrate.py ROOT --low LOW --high HIGH --grid", {"sets": kept}
    )
    print(
        table(
            ("photos x raters", "gain at 10"), [(name, f"{one['gain']:+.3f}") for name, one in grid.items()]
        )
    )


if __name__ == "__main__":
    main()
