"""What a person of many ratings costs: one fit of ``auto``, and the estimate that ``fit-user`` prints.

    uv run python benchmarks/many_ratings.py

Random vectors of 256 numbers, with a prior of the size of ``piaa-lite``'s and without one, one thread. Times
are those of the processor, which other work beside it lengthens less than those of the clock. Memory is what
the fit and the estimate take beside the vectors. Writes ``benchmarks/results/many_ratings.json``;
``benchmarks/report.py`` puts its table into docs/adapters.md.
"""

from __future__ import annotations

import argparse
import time
import tracemalloc

import numpy as np
from fit_many import WIDTH, make_prior
from record import table, tell, write_result
from threadpoolctl import threadpool_limits

from generic.seeds import stream
from piaa.adapters.auto import AutoAdapter
from piaa.adapters.prior import Prior
from piaa.people.estimate import estimate_ranking, refits_of

RATINGS = (100, 300, 512, 1000, 10_000)


def measure(k: int, prior: Prior | None) -> dict[str, float]:
    """Seconds of one fit of k ratings, and of the estimate; bytes of both."""
    rng = stream(0, "many ratings", k)
    x = rng.standard_normal((k, WIDTH))
    x[:, 0] = 0.5 + 0.1 * x[:, 0]
    scores = np.clip(x[:, 0] + 0.1 * x[:, 1] + 0.1 * rng.standard_normal(k), 0, 1)
    tracemalloc.start()
    started = time.process_time()
    AutoAdapter(prior).fit(x, scores)
    fitted = time.process_time()
    estimate_ranking(lambda: AutoAdapter(prior), x, scores)
    ended = time.process_time()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    tell(
        f"{k} ratings: fit {fitted - started:.2f} s, estimate {ended - fitted:.1f} s, {peak / 2**20:.0f} MiB"
    )
    return {
        "fit_s": fitted - started,
        "refits": refits_of(k),
        "estimate_s": ended - fitted,
        "peak_bytes": peak,
    }


def main() -> None:
    """Measure, print, write."""
    argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    ).parse_args()
    with threadpool_limits(1):
        found = {k: {"with": measure(k, make_prior()), "without": measure(k, None)} for k in RATINGS}
    rows = [
        (
            f"{k:,}",
            f"{refits_of(k)}",
            *(
                text
                for one in both.values()
                for text in (
                    f"{one['fit_s']:.2f} s",
                    f"{one['estimate_s']:.1f} s",
                    f"{one['peak_bytes'] / 2**20:.0f} MiB",
                )
            ),
        )
        for k, both in found.items()
    ]
    header = ("ratings", "fits of the estimate", "fit", "estimate", "memory")
    text = table((*header, "fit without a prior", "estimate", "memory"), rows)
    print(text)
    figures = {"ratings": {str(k): both for k, both in found.items()}, "markdown": text}
    write_result("many_ratings", "uv run python benchmarks/many_ratings.py", figures)


if __name__ == "__main__":
    main()
