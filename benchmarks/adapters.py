"""Adapters on frozen vectors, on every user of each OASIS list left out: SRCC, coverage, cost.

    uv run python benchmarks/adapters.py ROOT --models runs/lite --out runs/adapters

ROOT holds the data; ``runs/lite`` the models of ``train_piaa_lite.py``, each trained without one list.
Supports are nested and named by (user, repeat) as there; the query is all that the user rated beyond the
support. Finished (list, adapter) pairs are kept in ``--out``. ``oracle`` is no adapter: the mean of all other
raters of the same photos, which no model of new photos has.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from oasis import LISTS, Oasis, load_oasis
from record import table, tell, write_result
from scipy.stats import wilcoxon
from threadpoolctl import threadpool_limits

from generic.atomic import write_bytes
from generic.cache import FeatureCache
from generic.metrics import coverage, spearman
from generic.model import GenericModel
from generic.seeds import stream
from piaa.adapters import ADAPTERS, make_adapter
from piaa.prior import PREFIX, Prior

SHOTS = (1, 3, 10, 30, 100)
DRAWS = 2_000


def vectors(model: GenericModel, data: Oasis, cache: Path) -> NDArray[np.float32]:
    """Model vectors of all photos, shape (n, 1 + d)."""
    with FeatureCache.open(cache) as features:
        results = list(model.embed(data.paths, cache=features))
    return np.stack([item.vector for item in results if item.vector is not None])


def measure(
    data: Oasis, matrix: NDArray[Any], prior: Prior | None, number: int, name: str, repeats: int
) -> dict[str, Any]:
    """SRCC and coverage of one adapter for each k, repeat and user, and what a fit costs."""
    users, found = data.users_of(number), {}
    for k in SHOTS:
        srcc, held = np.full((2, repeats, len(users)), np.nan)
        seconds, size = [], 0
        for repeat in range(repeats):
            for j, user in enumerate(users):
                rows, scores = data.users[user]
                order = stream(0, "kshot", "oasis", user, repeat).permutation(len(rows))
                support, query = order[:k], order[k:]
                if name == "oracle":
                    srcc[repeat, j] = spearman(others(data, rows, scores)[query], scores[query])
                    continue
                adapter = make_adapter(name, prior)
                started = time.perf_counter()
                adapter.fit(matrix[rows[support]], scores[support])
                seconds.append(time.perf_counter() - started)
                predicted = adapter.predict(matrix[rows[query]])
                srcc[repeat, j] = spearman(predicted.score, scores[query])
                held[repeat, j] = coverage(predicted.low, predicted.high, scores[query])
                size = sum(value.nbytes for value in adapter.state().values())
        found[str(k)] = {
            "srcc": srcc.tolist(),
            "coverage": None if name == "oracle" else float(held.mean()),
            "fit_ms": 1e3 * float(np.median(seconds)) if seconds else None,
            "bytes": size,
        }
        tell(f"list {number} {name} k={k}: {np.nanmean(srcc):.4f}")
    return found


def others(data: Oasis, rows: NDArray[np.intp], scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean unit score of each photo over all raters but this one."""
    n = len(data.users_of(int(data.lists[rows[0]])))
    return np.asarray((data.means[rows] * n - scores) / (n - 1))


def bootstrap(values: NDArray[np.float64], *names: str | int) -> tuple[float, float]:
    """95 % interval over users of a mean, values of shape (users,)."""
    draws = stream(0, "bootstrap", *names).integers(0, len(values), (DRAWS, len(values)))
    low, high = np.nanpercentile(np.nanmean(values[draws], axis=1), [2.5, 97.5])
    return float(low), float(high)


def summarise(cells: dict[int, dict[str, Any]]) -> dict[str, Any]:
    """For each list, adapter and k: mean, std over repeats, interval, coverage, cost, Wilcoxon of auto."""
    out: dict[str, Any] = {}
    for number, adapters in cells.items():
        for name, shots in adapters.items():
            for k, cell in shots.items():
                srcc = np.array(cell["srcc"], dtype=np.float64)
                repeats, people = np.nanmean(srcc, axis=1), np.nanmean(srcc, axis=0)
                entry = {
                    "srcc": float(repeats.mean()),
                    "std_over_repeats": float(repeats.std(ddof=1)),
                    "interval": bootstrap(people, number, name, k),
                    "users": len(people),
                    "dropped": int(np.isnan(srcc).sum()),
                    **{key: cell[key] for key in ("coverage", "fit_ms", "bytes")},
                }
                if name == "auto":
                    entry["against"] = {
                        other: compare(people, np.array(adapters[other][k]["srcc"], dtype=np.float64))
                        for other in ("generic", "ridge", "bayes")
                        if other in adapters
                    }
                out.setdefault(str(number), {}).setdefault(name, {})[k] = entry
    return out


def compare(people: NDArray[np.float64], other: NDArray[np.float64]) -> dict[str, float]:
    """Mean difference over users and the p-value of Wilcoxon's signed-rank test."""
    gap = people - np.nanmean(other, axis=0)
    gap = gap[~np.isnan(gap)]
    return {"gain": float(gap.mean()), "p": float(wilcoxon(gap).pvalue) if np.any(gap) else 1.0}


def markdown(figures: dict[str, Any]) -> dict[str, str]:
    """The tables of docs/adapters.md."""
    ranking, tests, cost = [], [], []
    for number, adapters in figures.items():
        for name, shots in adapters.items():
            cells = list(shots.values())
            ranking.append(
                (
                    f"{number} ({cells[0]['users']} users)",
                    f"`{name}`",
                    *(
                        f"{c['srcc']:.3f}±{c['std_over_repeats']:.3f} [{c['interval'][0]:.3f}, "
                        f"{c['interval'][1]:.3f}]"
                        + (f" {100 * c['coverage']:.0f} %" if c["coverage"] else "")
                        for c in cells
                    ),
                )
            )
        for other in next(iter(adapters["auto"].values()))["against"]:
            row = [shot["against"][other] for shot in adapters["auto"].values()]
            tests.append((number, f"`{other}`", *(f"{c['gain']:+.4f} (p = {c['p']:.1g})" for c in row)))
    for name in next(iter(figures.values())):
        shots = [figures[number][name] for number in figures]
        if name != "oracle":
            times = (np.median([one[k]["fit_ms"] for one in shots]) for k in ("1", "10", "100"))
            sizes = (shots[0][k]["bytes"] / 1024 for k in ("10", "100"))
            cost.append((f"`{name}`", *(f"{t:.1f} ms" for t in times), *(f"{s:.0f} KiB" for s in sizes)))
    shots = [f"k = {k}" for k in SHOTS]
    return {
        "ranking": table(("list", "adapter", *shots), ranking),
        "tests": table(("list", "`auto` against", *shots), tests),
        "cost": table(("adapter", "fit, k = 1", "k = 10", "k = 100", "state, k = 10", "k = 100"), cost),
    }


def main() -> None:
    """Measure what is missing and write the tables; see the module's text."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("root", type=Path)
    parser.add_argument("--models", type=Path, default=Path("runs/lite"))
    parser.add_argument("--out", type=Path, default=Path("runs/adapters"))
    parser.add_argument("--repeats", type=int, default=10, help="supports drawn for each user, 2 or more")
    parser.add_argument("--adapters", nargs="*", default=["oracle", *ADAPTERS])
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    data = load_oasis(arguments.root)
    cells: dict[int, dict[str, Any]] = {}
    for number in LISTS:
        model = GenericModel(arguments.models / f"piaa-lite-without-{number}.safetensors")
        matrix = vectors(model, data, arguments.out)
        prior = Prior.from_tensors(model.tensors(PREFIX))
        for name in arguments.adapters:
            file = arguments.out / f"{number}-{name}-{arguments.repeats}-{model.hash[:8]}.json"
            if not file.exists():
                with threadpool_limits(limits=1):
                    found = measure(data, matrix, prior, number, name, arguments.repeats)
                write_bytes(file, json.dumps(found).encode())
            cells.setdefault(number, {})[name] = json.loads(file.read_text())
    figures = summarise(cells)
    texts = markdown(figures)
    command = "python benchmarks/adapters.py ROOT --models runs/lite"
    command += f" --repeats {arguments.repeats}"
    for name, text in texts.items():
        write_result(f"adapters_{name}", command, {"markdown": text})
        print(text)
    write_result("adapters", command, {"repeats": arguments.repeats, "lists": figures})


if __name__ == "__main__":
    main()
