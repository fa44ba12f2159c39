"""``finetune`` and ``lora`` ungated, gated by one standard error, and averaged with the generic score.

    uv run --extra train --group train python benchmarks/finetune_gate.py ROOT --away AI --models runs/lite

ROOT is OASIS: 14 people of each list, in a fixed random order, on ``piaa-lite-without-N.safetensors`` of
``train_piaa_lite.py --ava FILE``, at 10, 30 and 100 ratings. AI is ``ai_pictures``: everybody, on the shipped
model, which has not seen it, at 10 and 30. One training gives all three, since they differ only in what they
make of held-out errors. Each person's figures are a line of ``benchmarks/results/finetune_gate.csv``. What
stands there is not measured again, on another machine neither: a stopped run goes on, and several can run
side by side on other ``--shots`` or ``--adapter``, which takes options: ``finetune@part=last``. Writes
``benchmarks/results/finetune_gate.json`` of all that is measured.
"""

from __future__ import annotations

import argparse
import csv
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np
from auto_best import AWAY, Array, vectors
from oasis import LISTS, load_oasis
from oasis_people import bootstrap
from record import RESULTS, table, tell, write_result

from generic.cache.features import FeatureCache
from generic.metrics import spearman
from generic.model.generic_model import GenericModel
from generic.model.registry import find_model
from generic.photos.lazy_pixels import LazyPixels
from generic.seeds import stream
from piaa.adapters.base import Photos
from piaa.adapters.network import tune
from piaa.adapters.network.options import Gate
from piaa.adapters.prior import PREFIX, Prior
from piaa.adapters.registry import make_adapter
from piaa.ratings.table import read_ratings

ADAPTERS = ("finetune", "finetune@part=last", "lora")
SHOTS = {"home": (10, 30, 100), "away": (10, 30)}
N_QUERY = 60
"""Photos to predict, of the same random order for all: each takes the whole network a tenth of a second."""
KEYS = ("place", "person", "k", "adapter")
"""First columns of a line: what was measured."""
Cell = dict[str, Any]
"""The other columns."""


@dataclass(frozen=True, kw_only=True)
class Person:
    """One to test."""

    place: str
    name: str
    model: GenericModel
    photos: Photos
    scores: Array


def people(given: argparse.Namespace, cache: FeatureCache) -> Iterator[Person]:
    """Those of the lists, then those of the other domain."""
    for number in LISTS:
        yield from of_list(given.root, given.models, number, slice(given.users), cache)
    yield from _away(given.away, GenericModel(find_model("piaa-lite")), cache)


def of_list(root: Path, models: Path, number: int, some: slice, cache: FeatureCache) -> Iterator[Person]:
    """Some of a list, in their random order, on the model that left it out."""
    data = load_oasis(root)
    model = GenericModel(models / f"piaa-lite-without-{number}.safetensors")
    x, pixels = vectors(model, data.paths, cache), LazyPixels(data.paths, model.size, fit=model.fit)
    users = data.users_of(number)
    for place in stream(0, "network users", number).permutation(len(users))[some]:
        rows, scores = data.users[users[place]]
        photos = Photos(vectors=x[rows], pixels=pixels.take(rows))
        yield Person(place="home", name=users[place], model=model, photos=photos, scores=scores)


def _away(root: Path, model: GenericModel, cache: FeatureCache) -> Iterator[Person]:
    paths = sorted((root / "images").iterdir())
    rows_of = {path.name: row for row, path in enumerate(paths)}
    x, pixels = vectors(model, paths, cache), LazyPixels(paths, model.size, fit=model.fit)
    ratings = read_ratings(root / "ratings.csv", scale=AWAY)
    users, rows = np.array(ratings.users), np.array([rows_of[name] for name in ratings.images])
    for user in sorted(set(ratings.users)):
        own = rows[users == user]
        photos = Photos(vectors=x[own], pixels=pixels.take(own))
        scores = ratings.unit_scores[users == user]
        yield Person(place="away", name=user, model=model, photos=photos, scores=scores)


def measure(person: Person, adapter: str, k: int) -> Cell:
    """SRCC of each gate, of the generic score and of ``auto``; and what the gates chose."""
    seed = "oasis" if person.place == "home" else person.place
    order = stream(0, "kshot", seed, person.name, 0).permutation(len(person.scores))
    asked = order[k : k + N_QUERY]
    support, query, rated = person.photos.take(order[:k]), person.photos.take(asked), person.scores[asked]
    prior = Prior.from_tensors(person.model.tensors(PREFIX))
    held: list[Array] = []
    decide = tune.chosen

    def noted(errors: Array, gate: Gate) -> tune.Tuned:
        held.append(errors)
        return decide(errors, gate)

    tune.chosen = noted
    try:
        started = time.process_time()
        made = make_adapter(f"{adapter}@gate=none", prior, generic=person.model, keep_epochs=True)
        fitted = made.fit(support, person.scores[order[:k]])
        seconds = time.process_time() - started
    finally:
        tune.chosen = decide
    gates = {gate: decide(held[0], gate) for gate in get_args(Gate)}
    wanted = sorted({0, *(tuned.epochs for tuned in gates.values())})
    scores = dict(zip(wanted, (one.score for one in fitted.predict_epochs(query, wanted)), strict=True))
    auto = make_adapter("auto", prior).fit(support.vectors, person.scores[order[:k]])
    found: Cell = {
        "generic": spearman(query.vectors[:, 0], rated),
        "auto": spearman(auto.predict(query.vectors).score, rated),
        "fit_cpu_s": seconds,
        "state_kib": sum(value.nbytes for value in fitted.state().values()) / 1024,
    }
    for gate, tuned in gates.items():
        mixed = (1 - tuned.weight) * scores[0] + tuned.weight * scores[tuned.epochs]
        found |= {
            gate: spearman(mixed, rated),
            f"{gate} weight": tuned.weight,
            f"{gate} epochs": tuned.epochs,
        }
    return found


def summary(cells: list[Cell], *names: str | int) -> dict[str, Any]:
    """Means over people, and each gate's gain over the generic score with its interval."""
    found: dict[str, Any] = {"people": len(cells)}
    for name in ("generic", "auto", *get_args(Gate)):
        srcc = np.array([cell[name] for cell in cells])
        gain = srcc - np.array([cell["generic"] for cell in cells])
        gain = gain[~np.isnan(gain)]
        found[name] = {
            "srcc": float(np.nanmean(srcc)),
            "gain": float(gain.mean()),
            "interval": bootstrap(gain, name, *names),
        }
    found["changed"] = {
        gate: float(np.mean([cell[f"{gate} weight"] > 0 for cell in cells])) for gate in get_args(Gate)
    }
    for name in ("fit_cpu_s", "state_kib"):
        found[name] = float(np.median([cell[name] for cell in cells]))
    return found


def made(figures: dict[str, dict[str, Any]]) -> str:
    """The table of the docs."""

    def gain(one: dict[str, Any]) -> str:
        low, high = one["interval"]
        return f"{one['gain']:+.3f} [{low:+.3f}, {high:+.3f}]"

    rows = []
    for key, one in figures.items():
        place, shots, adapter = key.split(" ")
        gains = [gain(one[name]) for name in ("none", "error", "average", "auto")]
        cost = [f"{one['fit_cpu_s']:.0f} s", f"{one['state_kib']:,.0f} KiB"]
        where = f"{place}, {shots.removeprefix('k=')} ratings, {one['people']} people"
        rows.append([where, f"`{adapter}`", f"{one['generic']['srcc']:.3f}", *gains, *cost])
    header = [
        "",
        "adapter",
        "generic",
        "ungated",
        "one standard error",
        "averaged",
        "`auto`",
        "fit (CPU)",
        "state",
    ]
    return table(header, rows)


def measured(file: Path) -> dict[tuple[str, ...], Cell]:
    """Lines of the file by their first columns."""
    if not file.exists():
        return {}
    with file.open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    return {
        tuple(row[key] for key in KEYS): {name: float(row[name]) for name in row if name not in KEYS}
        for row in rows
    }


def add(file: Path, key: tuple[str, ...], cell: Cell) -> None:
    """One more line, in one write: others may write theirs at the same time."""
    with file.open("a", newline="") as lines:
        out = csv.DictWriter(lines, [*KEYS, *cell], lineterminator="\n")
        if not lines.tell():
            out.writeheader()
        figures = {name: f"{value:.5g}" for name, value in cell.items()}
        out.writerow(dict(zip(KEYS, key, strict=True)) | figures)


def main() -> None:
    """Measure what is not measured yet, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("root", type=Path)
    parser.add_argument("--away", type=Path, required=True)
    parser.add_argument("--models", type=Path, required=True)
    parser.add_argument("--adapter", default=",".join(ADAPTERS), help="of these alone")
    parser.add_argument("--shots", help="of these alone, such as 10,30")
    parser.add_argument("--users", type=int, default=14, help="of each list")
    parser.add_argument("--cache", type=Path, default=Path("runs/finetune-gate"))
    given = parser.parse_args()
    file = RESULTS / "finetune_gate.csv"
    known = measured(file)
    with FeatureCache.open(given.cache) as cache:
        for person in people(given, cache):
            for k in SHOTS[person.place]:
                if given.shots and str(k) not in given.shots.split(","):
                    continue
                for adapter in given.adapter.split(","):
                    key = (person.place, person.name, str(k), adapter)
                    if key not in known:
                        add(file, key, measure(person, adapter, k))
                        tell(" ".join(key))
    write_summary(measured(file))


def write_summary(known: dict[tuple[str, ...], Cell]) -> None:
    """Of all that is measured: places, then ratings, then adapters."""
    rows = [(place, str(k), adapter) for place, shots in SHOTS.items() for k in shots for adapter in ADAPTERS]
    cells = {row: [known[key] for key in sorted(known) if (key[0], *key[2:]) == row] for row in rows}
    names = {row: f"{row[0]} k={row[1]} {row[2]}" for row in rows}
    figures = {names[row]: summary(some, names[row]) for row, some in cells.items() if some}
    command = "python benchmarks/finetune_gate.py ROOT --away AI --models runs/lite"
    write_result("finetune_gate", command, {"figures": figures, "markdown": made(figures)})


if __name__ == "__main__":
    main()
