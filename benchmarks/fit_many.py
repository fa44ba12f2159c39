"""Many people fitted at once against one by one, in the same run.

    uv run python benchmarks/fit_many.py --adapters bias ridge

10,000 people with 100 ratings each on vectors of 256 numbers, one thread; one by one every tenth of them,
in turns with the batches, so that a machine that slows down slows both. A batch has 1,000 people.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np
from record import table, tell, write_result
from threadpoolctl import threadpool_limits

from generic.seeds import stream
from piaa.adapters.prior import TASTES, Prior
from piaa.adapters.registry import ADAPTERS

RATINGS, WIDTH, DIRECTIONS, BATCH, SHARE = 100, 256, 128, 1_000, 10


def make_prior() -> Prior:
    """Of the size of piaa-lite's."""
    p = 2 + DIRECTIONS
    return Prior(
        mean=np.concatenate(([0.5, 0.1], np.zeros(DIRECTIONS))),
        covariance=np.diag(np.concatenate(([0.01, 0.002], np.full(DIRECTIONS, 1e-4))))
        + 1e-5 * np.ones((p, p)),
        noise=np.geomspace(0.005, 0.05, 7),
        log_weights=np.log(np.full((len(TASTES), 7), 1 / (7 * len(TASTES)))),
        center=0.5,
        spread=0.1,
        residual=0.2,
    )


def measure(name: str, people: int) -> dict[str, Any]:
    """Seconds for everybody in batches, and for everybody one by one as the share of them suggests."""
    prior, rng = make_prior(), stream(0, "fit_many", name)
    adapter = ADAPTERS[name](prior)
    if not adapter.fits_many:
        raise SystemExit(f"adapter {name!r} is fitted one by one only")
    together, alone, differs = 0.0, 0.0, 0.0
    for _ in range(people // BATCH):
        x = rng.standard_normal((BATCH, RATINGS, WIDTH), dtype=np.float32)
        x[..., 0] = 0.5 + 0.1 * x[..., 0]
        y = np.clip(x[..., 0] + 0.1 * x[..., 1] + 0.1 * rng.standard_normal((BATCH, RATINGS)), 0, 1)
        started = time.perf_counter()
        fits = adapter.fit_many(list(x), list(y))
        together += time.perf_counter() - started
        new = rng.standard_normal((5, WIDTH))
        for row in range(0, BATCH, SHARE):
            started = time.perf_counter()
            one = ADAPTERS[name](prior).fit(x[row], y[row])
            alone += SHARE * (time.perf_counter() - started)
            gap = np.abs(one.predict(new).score - fits[row].predict(new).score).max()
            differs = max(differs, float(gap))
        tell(f"{name}: {together:.1f} s together, {alone:.1f} s one by one")
    return {
        "people": people,
        "together_s": together,
        "alone_s": alone,
        "ratio": alone / together,
        "largest_difference": differs,
    }


def main() -> None:
    """Measure and write the results; see the module's text."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--people", type=int, default=10_000, help="a multiple of 1,000")
    parser.add_argument("--adapters", nargs="*", default=["bias", "ridge", "bayes", "auto"])
    arguments = parser.parse_args()
    with threadpool_limits(limits=1):
        found = {name: measure(name, arguments.people) for name in arguments.adapters}
    rows = [
        (
            f"`{name}`",
            f"{one['people']:,}",
            f"{one['together_s']:.1f} s",
            f"{one['alone_s']:.1f} s",
            f"{one['ratio']:.1f}",
            f"{one['largest_difference']:.0e}",
        )
        for name, one in found.items()
    ]
    text = table(
        ("adapter", "people", "together", "one by one, from a tenth", "ratio", "largest difference"), rows
    )
    command = f"python benchmarks/fit_many.py --people {arguments.people} --adapters {' '.join(found)}"
    write_result("fit_many", command, {"adapters": found, "markdown": text})
    print(text)


if __name__ == "__main__":
    main()
