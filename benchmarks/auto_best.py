"""Whether ``auto`` is ever below the best of its parts, and what 80 % intervals hold, at home and away.

    uv run --extra train --group train python benchmarks/auto_best.py ROOT --away AI --lists 1 2

ROOT is OASIS, AI a folder with ``images/`` and ``ratings.csv`` on another domain (``ai_pictures``). For each
list a model is built on the photos of the other lists by `piaa models build`, with a prior of their people;
every adapter is fitted with that prior and without it. Differences are paired over people, best part by its
mean, with 95 % bootstrap intervals. Each list's figures are kept in ``--out``, so that a stopped run goes on.
Settings were chosen on lists 1 and 2; list 3 is for one look. Writes ``benchmarks/results/auto_best.json``.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from build_model import STEMS, build
from numpy.typing import NDArray
from oasis import load_oasis
from oasis_people import bootstrap
from record import tell, write_result
from threadpoolctl import threadpool_limits

from generic.atomic import write_bytes
from generic.cache.features import FeatureCache
from generic.metrics import coverage, spearman
from generic.model.generic_model import GenericModel
from generic.seeds import stream
from piaa.adapters.prior import PREFIX, Prior
from piaa.adapters.registry import ADAPTERS, make_adapter
from piaa.ratings.scale import Scale
from piaa.ratings.table import read_ratings

Array = NDArray[np.float64]
People = Mapping[str, tuple[NDArray[np.intp], Array]]
PARTS = ("bias", "ridge", "neighbours")
NAMES = (*PARTS, "bayes", "pairs", "auto")
SHOTS = {"home": (10, 30, 100), "away": (3, 10, 30)}
AWAY = Scale(1, 5)


def kinds() -> Iterator[tuple[str, bool]]:
    """Adapters, each with a prior and, if it can do without, without one."""
    for name in NAMES:
        yield name, True
        if not ADAPTERS[name].needs_prior:
            yield name, False


def measure(
    x: Array, people: People, prior: Prior, shots: Sequence[int], place: str, repeats: int
) -> dict[str, dict[str, list[list[float]]]]:
    """By k and adapter: SRCC and coverage of each person, means over repeats."""
    found: dict[str, dict[str, list[list[float]]]] = {}
    for k in shots:
        for name, with_prior in kinds():
            used = prior if with_prior else None
            rows = []
            for user, own in people.items():
                if len(own[0]) > k + 1:
                    cells = [one(x, own, name, used, k, place, user, repeat) for repeat in range(repeats)]
                    rows.append(np.array(cells).mean(axis=0).tolist())
            found.setdefault(str(k), {})[name if with_prior else f"{name} without"] = rows
        tell(f"{place}, k = {k}: auto {np.nanmean(found[str(k)]['auto'], axis=0).round(4).tolist()}")
    return found


def one(
    x: Array,
    own: tuple[NDArray[np.intp], Array],
    name: str,
    prior: Prior | None,
    k: int,
    place: str,
    user: str,
    repeat: int,
) -> tuple[float, float]:
    """SRCC and coverage of one fit; supports as in ``oasis_protocol.py``."""
    rows, scores = own
    order = stream(0, "kshot", "oasis" if place == "home" else place, user, repeat).permutation(len(rows))
    support, query = order[:k], order[k:]
    got = make_adapter(name, prior).fit(x[rows[support]], scores[support]).predict(x[rows[query]])
    return spearman(got.score, scores[query]), coverage(got.low, got.high, scores[query])


def figures(people: Mapping[str, Mapping[str, list[list[float]]]], place: str) -> dict[str, Any]:
    """By k and adapter the means; and how far ``auto`` is above the best part, with its interval."""
    found: dict[str, Any] = {}
    for k, by_name in people.items():
        arrays = {name: np.array(rows) for name, rows in by_name.items()}
        means = {name: np.nanmean(rows, axis=0).tolist() for name, rows in arrays.items()}
        found[k] = {name: {"srcc": srcc, "coverage": held} for name, (srcc, held) in means.items()}
        for ending in ("", " without"):
            parts = [f"{part}{ending}" for part in PARTS if f"{part}{ending}" in means]
            best = max(parts, key=lambda name: means[name][0])
            gap = arrays[f"auto{ending}"][:, 0] - arrays[best][:, 0]
            gap = gap[~np.isnan(gap)]
            found[k][f"auto{ending}"] |= {
                "best part": best,
                "above it": float(gap.mean()),
                "interval": bootstrap(gap, place, k, ending),
            }
    return found


def run(given: argparse.Namespace, number: int) -> dict[str, Any]:
    """Figures of one list that was left out, and of the other domain with the same model."""
    data = load_oasis(given.root)
    table = pd.read_csv(given.root / "ratings.csv", keep_default_na=False)
    own = {name for name, place in zip(data.names, data.lists, strict=True) if place == number}
    folder = given.out / f"without-{number}"
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "model.onnx"
    if not file.exists():
        build(given.root, table[~table["image"].isin(own)], STEMS["lite1 + lite2"], folder)
    model = GenericModel(file)
    prior = Prior.from_tensors(model.tensors(PREFIX))
    if prior is None:
        raise ValueError(f"{file} has no prior")
    with FeatureCache.open(given.out / "cache") as cache:
        x = vectors(model, data.paths, cache)
        home = {user: data.users[user] for user in data.users_of(number)[: given.users]}
        cells = measure(x, home, prior, SHOTS["home"], "home", given.repeats)
        found = {"home": figures(cells, "home")}
        if given.away is not None:
            x, people = away(given.away, model, cache)
            cells = measure(x, people, prior, SHOTS["away"], "away", 5 * given.repeats)
            found["away"] = figures(cells, "away")
    return found


def vectors(model: GenericModel, paths: Sequence[Path], cache: FeatureCache) -> Array:
    """Model vectors, shape (n, 1 + d)."""
    rows = [item.vector for item in model.embed(paths, cache=cache) if item.vector is not None]
    return np.stack(rows).astype(np.float64)


def away(root: Path, model: GenericModel, cache: FeatureCache) -> tuple[Array, People]:
    """Vectors and people of the other domain."""
    paths = sorted((root / "images").iterdir())
    place = {path.name: row for row, path in enumerate(paths)}
    ratings = read_ratings(root / "ratings.csv", scale=AWAY)
    rows, users = np.array([place[name] for name in ratings.images]), np.array(ratings.users)
    return vectors(model, paths, cache), {
        user: (rows[users == user], ratings.unit_scores[users == user]) for user in sorted(set(ratings.users))
    }


def main() -> None:
    """Build, measure, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("root", type=Path, help="folder of OASIS")
    parser.add_argument("--away", type=Path, help="folder of another domain")
    parser.add_argument("--lists", type=int, nargs="*", default=(1, 2))
    parser.add_argument("--users", type=int, help="of each list; default: all")
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("runs/auto-best"))
    given = parser.parse_args()
    found = {}
    for number in given.lists:
        kept = given.out / f"{number}-{given.users}-{given.repeats}-{given.away is not None}.json"
        if not kept.exists():
            with threadpool_limits(limits=1):
                content = json.dumps(run(given, number)).encode()
            write_bytes(kept, content)
        found[str(number)] = json.loads(kept.read_text())
    command = "uv run --extra train --group train python benchmarks/auto_best.py ROOT --away AI"
    command += f" --lists {' '.join(map(str, given.lists))} --repeats {given.repeats}"
    command += f" --users {given.users}" * (given.users is not None)
    write_result("auto_best", command, {"users": given.users, "lists": found})


if __name__ == "__main__":
    main()
