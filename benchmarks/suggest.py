"""Ten photos that ``piaa suggest`` names against ten at random; and 20,000 photos: time and memory.

    uv run python benchmarks/suggest.py ROOT --models runs/lite --out runs/adapters

Every user of each OASIS list left out, models as in ``oasis_protocol.py``. Of a user's photos a half drawn at
random is the pool, the other half is only ever predicted: neither way chooses from it or sees its features.
Suggestions are for somebody new, all ten before the first rating. ``equals`` is the number of random ratings
with the SRCC of ten suggested ones, on the line between the numbers measured.
"""

from __future__ import annotations

import argparse
import time
import tracemalloc
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from oasis import LISTS, Oasis, load_oasis
from oasis_people import bootstrap, vectors
from record import table, tell, write_result
from threadpoolctl import threadpool_limits

from generic.metrics import spearman
from generic.model.generic_model import GenericModel
from generic.seeds import stream
from piaa.adapters.auto import AutoAdapter
from piaa.adapters.prior import PREFIX, Prior
from piaa.people.suggest import knowledge, suggest

PICKS = 10
RANDOM = (5, 10, 15, 20, 30)
ALBUM = 20_000


def measure(data: Oasis, matrix: NDArray[Any], prior: Prior, number: int, repeats: int) -> dict[str, Any]:
    """SRCC over users, shape (repeats, users), of suggested ratings and of each number of random ones."""
    users = data.users_of(number)
    srcc = {name: np.full((repeats, len(users)), np.nan) for name in ("suggested", *map(str, RANDOM))}
    known = knowledge(prior, None)
    for repeat in range(repeats):
        supports: dict[str, list[NDArray[np.intp]]] = {name: [] for name in srcc}
        queries = []
        for user in users:
            rows, _ = data.users[user]
            order = stream(0, "suggest", "oasis", user, repeat).permutation(len(rows))
            pool, query = np.split(order, [len(rows) // 2])
            picks = suggest(prior, known, matrix[rows[pool]], PICKS)
            supports["suggested"].append(pool[[one.row for one in picks]])
            for k in RANDOM:
                supports[str(k)].append(pool[:k])
            queries.append(query)
        for name, chosen in supports.items():
            pairs = [
                (matrix[data.users[u][0][s]], data.users[u][1][s]) for u, s in zip(users, chosen, strict=True)
            ]
            fits = AutoAdapter(prior).fit_many(*zip(*pairs, strict=True))
            for j, (user, query) in enumerate(zip(users, queries, strict=True)):
                rows, scores = data.users[user]
                srcc[name][repeat, j] = spearman(fits[j].predict(matrix[rows[query]]).score, scores[query])
        tell(f"list {number} repeat {repeat}: {np.nanmean(srcc['suggested'][repeat]):.4f} suggested")
    return summary(srcc, number)


def summary(srcc: dict[str, NDArray[np.float64]], number: int) -> dict[str, Any]:
    """Means over users, the gain of suggestions over as many random ratings, and what they equal."""
    people = {name: np.nanmean(values, axis=0) for name, values in srcc.items()}
    gain = people["suggested"] - people[str(PICKS)]
    curve = [float(np.nanmean(people[str(k)])) for k in RANDOM]
    mean = float(np.nanmean(people["suggested"]))
    return {
        "users": len(gain),
        "suggested": mean,
        "suggested_interval": bootstrap(people["suggested"], number, "suggested"),
        "random": dict(zip(map(str, RANDOM), curve, strict=True)),
        "random_interval": bootstrap(people[str(PICKS)], number, "at random"),
        "gain": float(np.nanmean(gain)),
        "gain_interval": bootstrap(gain, number, "suggest"),
        "equals": float(np.interp(mean, np.maximum.accumulate(curve), RANDOM)),
    }


def many(matrix: NDArray[Any], prior: Prior) -> dict[str, float]:
    """Time and memory of ten suggestions from 20,000 vectors that spread as the photos' do."""
    rng = stream(0, "suggest", "many")
    rows = rng.integers(0, len(matrix), ALBUM)
    noise = rng.standard_normal((ALBUM, matrix.shape[1])) * matrix.std(axis=0) / 2
    album = (matrix[rows] + noise).astype(np.float32)
    del noise
    known, started = knowledge(prior, None), time.perf_counter()
    suggest(prior, known, album, PICKS)
    seconds = time.perf_counter() - started
    tracemalloc.start()
    suggest(prior, known, album, PICKS)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return {
        "photos": ALBUM,
        "seconds": seconds,
        "album_mib": album.nbytes / 2**20,
        "more_memory_mib": peak / 2**20,
    }


def interval(ends: Sequence[float], sign: str = "") -> str:
    """Two numbers as text."""
    low, high = (f"{end:{sign}.3f}" for end in ends)
    return f"[{low}, {high}]"


def markdown(lists: dict[str, Any]) -> str:
    """The table of docs/adapters.md."""
    head = ("list", "10 suggested", *(f"{k} at random" for k in RANDOM), "gain over 10", "equals at random")
    return table(
        head,
        [
            (
                f"{number} ({one['users']} users)",
                f"{one['suggested']:.3f} {interval(one['suggested_interval'])}",
                *(
                    f"{value:.3f} {interval(one['random_interval'])}" if k == str(PICKS) else f"{value:.3f}"
                    for k, value in one["random"].items()
                ),
                f"{one['gain']:+.3f} {interval(one['gain_interval'], '+')}",
                f"{one['equals']:.0f}",
            )
            for number, one in lists.items()
        ],
    )


def main() -> None:
    """Measure and write the results; see the module's text."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("root", type=Path)
    parser.add_argument("--models", type=Path, default=Path("runs/lite"))
    parser.add_argument("--out", type=Path, default=Path("runs/adapters"))
    parser.add_argument("--repeats", type=int, default=10)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    command = f"python benchmarks/suggest.py ROOT --models runs/lite --repeats {arguments.repeats}"
    data, lists, album = load_oasis(arguments.root), {}, {}
    with threadpool_limits(limits=1):
        for number in LISTS[::-1]:
            model = GenericModel(arguments.models / f"piaa-lite-without-{number}.safetensors")
            matrix, prior = vectors(model, data, arguments.out), Prior.from_tensors(model.tensors(PREFIX))
            album = album or many(matrix, prior)
            lists[str(number)] = measure(data, matrix, prior, number, arguments.repeats)
            ordered = dict(sorted(lists.items()))
            content = {"repeats": arguments.repeats, "lists": ordered, "many": album}
            write_result("suggest", command, {**content, "markdown": markdown(ordered)})
            print(markdown(ordered), album)


if __name__ == "__main__":
    main()
