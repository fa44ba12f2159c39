"""``piaa rank`` on generated vectors and people: time, memory, bytes, and whether it is exact.

    uv run --group dev python benchmarks/cluster_rank.py --photos 1000000 --people 10000 --work DIR

Sizes of which each is the half of the next, three of photos for all people and three of people for all
photos; each is measured in a process of its own, and what was measured is not measured again (``--work``
holds the vectors, 0.4 GB for a million photos, and the figures so far). The best of some people are held
against brute force: every score of theirs in float64, sorted. About 12 minutes of two idle cores.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as parquet
from cluster_data import SHARD, D, make_forms, make_vectors, uri_of
from memory import MIB
from record import PIAA, table, tell, write_result

from piaa.cluster.folder import Folder
from piaa.cluster.forms import form_files, read_forms
from piaa.cluster.vectors import VectorFolder

MODEL, TOP, CHECKED = "5e" * 32, 100, 20
WATCH = """
import json, os, subprocess, sys, time
started = time.perf_counter()
process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
_, status, usage = os.wait4(process.pid, 0)
seconds, cpu = time.perf_counter() - started, usage.ru_utime + usage.ru_stime
print(json.dumps({"seconds": seconds, "cpu_seconds": cpu, "peak_mib": usage.ru_maxrss}))
sys.exit(os.waitstatus_to_exitcode(status) != 0)
"""
"""A small program that starts another: on Linux a peak begins with the memory of whoever started it."""


def run(command: list[str]) -> dict[str, float]:
    """Wall and CPU seconds, and peak memory in MiB, of a program and its threads."""
    done = subprocess.run([sys.executable, "-S", "-c", WATCH, *command], stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise SystemExit(f"the command exited with {done.returncode}; its message is above")
    found: dict[str, float] = json.loads(done.stdout)
    per_unit = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss, in bytes
    return {**found, "peak_mib": found["peak_mib"] * per_unit / MIB}


def measure(work: Path, n: int, u: int, memory: int) -> dict[str, Any]:
    """One size."""
    vectors, forms, best = work / f"vectors-{n}", work / f"forms-{u}", work / f"best-{n}-{u}"
    make_vectors(vectors, MODEL, n, D)
    make_forms(forms, MODEL, u, D)
    words = ("rank", "--vectors", vectors, "--users", forms, "--out", best, "--top", TOP, "--memory", memory)
    tell(f"{n:,} photos, {u:,} people")
    found = run([*PIAA, *map(str, words)])
    size = sum(it.stat().st_size for it in best.iterdir())
    same = check(vectors, forms, best, n)
    return {"photos": n, "people": u, "memory": memory, **found, "bytes_a_person": size / u, **same}


def check(vectors: Path, forms: Path, best: Path, n: int) -> dict[str, Any]:
    """Some people's best by brute force: how many are the same to the last photo, and its time."""
    folder = Folder(str(forms))
    name = form_files(folder)[0]
    people = read_forms(folder, name)
    rows = np.linspace(0, len(people.users) - 1, CHECKED).astype(int)
    source = VectorFolder(Folder(str(vectors)), MODEL)
    started = time.perf_counter()
    scores = np.empty((CHECKED, n))
    for number in range(n // SHARD):
        x = source.read(f"{number:016x}").vectors
        x = np.column_stack((np.ones(len(x)), x)).astype(np.float64)
        for place, row in enumerate(rows):
            scores[place, number * SHARD : (number + 1) * SHARD] = (people.coefficients[row] * x).sum(axis=1)
    order = [np.lexsort((np.arange(n), -own))[:TOP] for own in scores]
    seconds = time.perf_counter() - started
    written = parquet.read_table(best / name, columns=["user", "uri"]).to_pydict()
    uris = np.array(written["uri"]).reshape(-1, TOP)
    expected = [[uri_of(it) for it in own.tolist()] for own in order]
    same = sum(uris[row].tolist() == own for row, own in zip(rows, expected, strict=True))
    return {"checked": CHECKED, "same": same, "brute_force_seconds_a_person": seconds / CHECKED}


def main() -> None:
    """Measure what is missing and write the results; see the module's text."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photos", type=int, default=1_000_000, help="a multiple of 40,000")
    parser.add_argument("--people", type=int, default=10_000)
    parser.add_argument("--memory", type=int, default=256, help="of piaa rank, in MiB")
    parser.add_argument("--work", type=Path, required=True)
    arguments = parser.parse_args()
    n, u = arguments.photos, arguments.people
    arguments.work.mkdir(parents=True, exist_ok=True)
    kept = arguments.work / f"rank-{n}-{u}-{arguments.memory}.json"
    found = json.loads(kept.read_text()) if kept.exists() else {}
    for photos, people in ((n // 4, u), (n // 2, u), (n, u // 4), (n, u // 2), (n, u)):
        if (name := f"{photos} {people}") not in found:
            found[name] = measure(arguments.work, photos, people, arguments.memory)
            kept.write_text(json.dumps(found))
    heads = ("photos", "people", "time", "CPU", "peak memory", "written a person")
    heads += ("as brute force", "that, a person")
    rows = [
        (
            f"{it['photos']:,}",
            f"{it['people']:,}",
            f"{it['seconds']:.0f} s",
            f"{it['cpu_seconds']:.0f} s",
            f"{it['peak_mib']:.0f} MiB",
            f"{it['bytes_a_person']:,.0f} bytes",
            f"{it['same']} of {it['checked']}",
            f"{it['brute_force_seconds_a_person']:.2f} s",
        )
        for it in found.values()
    ]
    text = table(heads, rows)
    command = f"python benchmarks/cluster_rank.py --photos {n} --people {u} --memory {arguments.memory}"
    write_result("cluster_rank", f"{command} --work DIR", {"sizes": list(found.values()), "markdown": text})
    print(text)


if __name__ == "__main__":
    main()
