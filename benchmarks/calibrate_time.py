"""What `piaa calibrate` takes once photos are read: computing and memory, by photos, raters and ratings.

    uv run python benchmarks/calibrate_time.py

Vectors are random, people like one direction of them. All that is held out, the head and the weights of the
prior are learned as the command does, in a process of its own for each size. Writes
``benchmarks/results/calibrate_time.json``.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time

import numpy as np
from record import table, timed, write_result

from generic.model.generic_model import GenericModel
from generic.model.registry import find_model
from generic.parts import Parts
from generic.seeds import stream
from generic.threads import one_blas_thread
from piaa.adapters.prior import PREFIX, Prior
from piaa.calibrate.gate import judge
from piaa.calibrate.people import of_the_group
from piaa.calibrate.raters import Table
from piaa.calibrate.trial import as_calibrated, try_out

SIZES = ((1_000, 1_000, 100_000), (10_000, 10_000, 1_000_000))
"""Photos, raters, ratings."""


def drawn(n: int, people: int, ratings: int, width: int) -> tuple[Table, np.ndarray]:
    """A table of about so many ratings, and vectors."""
    rng = stream(0, "calibrate", "time")
    vectors = rng.normal(size=(n, 1 + width))
    vectors[:, 0] = 0.5 + 0.1 * vectors[:, 0]
    mean = 0.5 + 0.1 * vectors[:, 1] + 0.05 * rng.normal(size=n)
    pairs = np.unique(rng.integers(0, n * people, ratings))
    rows = pairs % n
    scores = np.clip(mean[rows] + 0.15 * rng.normal(size=len(rows)), 0, 1)
    return Table(rows=rows, people=pairs // n, scores=scores, n_photos=n, n_people=people), vectors


def one(n: int, people: int, ratings: int) -> dict[str, float]:
    """Seconds of computing, and the peak of the process's memory in MiB."""
    prior = Prior.from_tensors(GenericModel(find_model("piaa-lite")).tensors(PREFIX))
    assert prior is not None  # noqa: S101  (it has one)
    found, vectors = drawn(n, people, ratings, prior.n_directions)
    parts, started = Parts.declared({}, prior.n_directions), time.process_time()
    with one_blas_thread():
        opens = judge(try_out(found, vectors, parts, prior).gains).opens
        changed = as_calibrated(found, vectors, parts)
        assert opens  # noqa: S101  (planted)
        assert changed is not None  # noqa: S101
        of_the_group(prior, changed, found)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"seconds": time.process_time() - started, "mib": peak}


def main() -> None:
    """Measure each size in a process, write, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--one", type=int, nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        print(json.dumps(one(*given.one)))
        return
    rows = []
    for size in SIZES:
        figures = json.loads(timed([sys.executable, __file__, "--one", *map(str, size)])[0])
        rows.append(
            (*(f"{number:,}" for number in size), f"{figures['seconds']:.0f} s", f"{figures['mib']:.0f} MiB")
        )
    markdown = table(("photos", "raters", "ratings", "computing", "memory"), rows)
    write_result(
        "calibrate_time", "python benchmarks/calibrate_time.py", {"rows": rows, "markdown": markdown}
    )
    print(markdown)


if __name__ == "__main__":
    main()
