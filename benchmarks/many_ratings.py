"""What a person of many ratings costs: one fit of ``auto``, and the estimate that ``fit-user`` prints.

    uv run python benchmarks/many_ratings.py

Random vectors of 256 numbers, a prior of the size of ``piaa-lite``'s, one thread. Writes
``benchmarks/results/many_ratings.json``; ``benchmarks/report.py`` puts its table into docs/adapters.md.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from fit_many import WIDTH, make_prior
from record import table, tell, write_result
from threadpoolctl import threadpool_limits

from generic.seeds import stream
from piaa.adapters.registry import AutoAdapter
from piaa.people.estimate import estimate_ranking, refits_of

RATINGS = (100, 200, 300, 600, 1000)


def measure(k: int) -> dict[str, float]:
    """Seconds of one fit of k ratings, and of the estimate."""
    rng = stream(0, "many ratings", k)
    x = rng.standard_normal((k, WIDTH))
    x[:, 0] = 0.5 + 0.1 * x[:, 0]
    scores = np.clip(x[:, 0] + 0.1 * x[:, 1] + 0.1 * rng.standard_normal(k), 0, 1)
    prior = make_prior()
    started = time.perf_counter()
    AutoAdapter(prior).fit(x, scores)
    fitted = time.perf_counter()
    estimate_ranking(lambda: AutoAdapter(prior), x, scores)
    ended = time.perf_counter()
    tell(f"{k} ratings: fit {fitted - started:.2f} s, estimate {ended - fitted:.1f} s")
    return {"fit_s": fitted - started, "refits": refits_of(k), "estimate_s": ended - fitted}


def main() -> None:
    """Measure, print, write."""
    argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    ).parse_args()
    with threadpool_limits(1):
        found = {k: measure(k) for k in RATINGS}
    rows = [
        (f"{k:,}", f"{one['fit_s']:.2f} s", f"{one['refits']}", f"{one['estimate_s']:.1f} s")
        for k, one in found.items()
    ]
    text = table(("ratings", "fit", "fits of the estimate", "estimate"), rows)
    print(text)
    figures = {"ratings": {str(k): one for k, one in found.items()}, "markdown": text}
    write_result("many_ratings", "uv run python benchmarks/many_ratings.py", figures)


if __name__ == "__main__":
    main()
