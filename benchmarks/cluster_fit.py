"""``piaa fit-users`` on generated ratings: people a second with one and with two workers, and one by one.

    uv run --group dev python benchmarks/cluster_fit.py --people 100000 --work DIR

Each person rated 100 of 100,000 photos; the prior is that of piaa-lite, and vectors are as long as its small
ones (130 numbers). Workers are processes with ``--shard I/N`` and a core each (taskset). One by one: ``fit``
of the same adapter for each of 200 people, whose vectors are in memory. Figures so far are in ``--work``, and
are not measured again. About 20 minutes of two idle cores.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np
from cluster_data import D, make_ratings, make_vectors, vectors_of
from cluster_rank import run
from record import PIAA, table, tell, write_result

import piaa
from generic.parts import Parts
from piaa.cluster.vectors import SMALL

PHOTOS, EACH, ALONE = 100_000, 100, 200


def words(work: Path, out: str, people: int, core: int, *more: object) -> list[str]:
    """The command, on one core."""
    source = (work / f"ratings-{people}.parquet", "--vectors", work / "vectors-to-fit", "--out", work / out)
    return ["taskset", "-c", str(core), *PIAA, "fit-users", *map(str, source), *map(str, more)]


def workers(work: Path, people: int, n: int) -> dict[str, Any]:
    """Seconds until the last of n workers ends."""
    out = f"forms-{people}-{n}"
    for left in (work / out).glob("*"):  # of a run that was broken off
        left.unlink()
    if n == 1:
        return run(words(work, out, people, 0))
    started = time.perf_counter()
    quiet = {"stdout": subprocess.DEVNULL}
    processes = [
        subprocess.Popen(words(work, out, people, i, "--shard", f"{i}/{n}"), **quiet) for i in range(n)
    ]
    if any(process.wait() for process in processes):
        raise SystemExit("a worker failed; its message is above")
    return {"seconds": time.perf_counter() - started}


def one_by_one(model: piaa.Model, d: int) -> float:
    """Seconds for one person."""
    x, rng = vectors_of(0, d), np.random.default_rng(0)
    seconds = 0.0
    for _ in range(ALONE):
        rows = rng.choice(len(x), EACH, replace=False)
        y = np.round(4 * np.clip(x[rows, 0] + 0.1 * x[rows, 1], 0, 1)) / 4
        started = time.perf_counter()
        model.maker("bayes")().fit(x[rows], y).linear_form()
        seconds += time.perf_counter() - started
    return seconds / ALONE


def main() -> None:
    """Measure what is missing and write the results; see the module's text."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--people", type=int, default=100_000)
    parser.add_argument("--work", type=Path, required=True)
    arguments = parser.parse_args()
    work, people = arguments.work, arguments.people
    work.mkdir(parents=True, exist_ok=True)
    model = piaa.load_model("piaa-lite", cache=False)
    d = (Parts.small_of(model.generic.header.architecture) or 1 + D) - 1
    make_vectors(work / "vectors-to-fit", model.generic.hash, PHOTOS, d, SMALL)
    if not (ratings := work / f"ratings-{people}.parquet").exists():
        make_ratings(ratings.with_suffix(".part"), people, EACH, PHOTOS, d)
        ratings.with_suffix(".part").rename(ratings)
    kept = work / f"fit-{people}.json"
    found = json.loads(kept.read_text()) if kept.exists() else {}
    for n in (1, 2):
        if str(n) not in found:
            tell(f"{n} workers")
            found[str(n)] = workers(work, people, n)
            kept.write_text(json.dumps(found))
    if "alone" not in found:
        found["alone"] = one_by_one(model, d)
        kept.write_text(json.dumps(found))
    size = sum(it.stat().st_size for it in (work / f"forms-{people}-1").iterdir()) / people
    rates = {n: people / found[n]["seconds"] for n in ("1", "2")}
    rows = [
        (f"{n} at {people:,} people", f"{found[n]['seconds']:.0f} s", f"{rates[n]:,.0f}") for n in ("1", "2")
    ]
    rows.append(
        ("one by one, vectors in memory", f"{found['alone']:.4f} s each", f"{1 / found['alone']:,.0f}")
    )
    text = table(("workers", "time", "people a second"), rows)
    text += f"\n\n{size:,.0f} bytes a person; peak memory of one worker {found['1']['peak_mib']:,.0f} MiB"
    command = f"python benchmarks/cluster_fit.py --people {people} --work DIR"
    write_result("cluster_fit", command, {**found, "bytes_a_person": size, "markdown": text})
    print(text)


if __name__ == "__main__":
    main()
