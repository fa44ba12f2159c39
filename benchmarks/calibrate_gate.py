"""How often the gate of ``piaa calibrate`` opens in vain, and how often where it should: planted truths.

    uv run python benchmarks/calibrate_gate.py --worlds 400

Each world has people, photos, and a mean score that is a line in the generic score and a planted function
of the picture, of any strength and of none; some raters are random, some reversed. The gate sees 20 to 150
photos and 8 to 40 raters; what is true is measured on 400 further photos by 100 further people. People are
ranked by the score alone. Writes ``benchmarks/results/calibrate_gate.json``.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from record import table, write_result

from generic.metrics import spearman
from generic.parts import Parts
from generic.seeds import stream
from generic.threads import one_blas_thread
from piaa.calibrate.gate import judge
from piaa.calibrate.raters import Table
from piaa.calibrate.trial import as_calibrated, try_out

Array = NDArray[np.float64]
D, PARTS = 16, Parts({"generic": 1, "directions": 16})
NEW_PHOTOS, NEW_PEOPLE = 400, 100
ENDS = (-1.0, 0.0, 0.02, 0.05, 0.1, 0.2, 1.0)
"""Of true gains, in rows of the table."""
HEADER = ("true gain", "worlds", "opened")


@dataclass(frozen=True, kw_only=True)
class World:
    """Vectors of photos, what the raters of the first of them said, and what new people think of all."""

    vectors: Array
    table: Table
    others: Array
    """Shape (NEW_PEOPLE, photos)."""

    def outcome(self) -> tuple[float, float, float]:
        """True gain, gain as told, and 1 if the gate opens."""
        verdict = judge(try_out(self.table, self.vectors, PARTS, None, k=0).gains)
        changed, n = as_calibrated(self.table, self.vectors, PARTS), self.table.n_photos
        if changed is None:
            return 0.0, verdict.gain, float(verdict.opens)
        before, after = self.vectors[n:, 0], changed[n:, 0]
        true = np.mean([spearman(after, own[n:]) - spearman(before, own[n:]) for own in self.others])
        return float(true), verdict.gain, float(verdict.opens)


def draw(rng: np.random.Generator, *, gains: bool = True) -> World:
    """A world of any kind; without ``gains`` one in which the generic score is all that people share."""
    n, raters = int(rng.choice([20, 40, 80, 150])), int(rng.choice([8, 20, 40]))
    each, bad = min(n, int(rng.choice([15, 30, 80]))), float(rng.choice([0.0, 0.3]))
    line, planted = float(rng.choice([0.0, 0.5, 1.0])), float(rng.choice([0.0, 0.0, 0.2, 0.5, 1.0]))
    pictures, generic = rng.normal(size=(n + NEW_PHOTOS, D)), rng.normal(size=n + NEW_PHOTOS)
    line, planted = (line, planted) if gains else (max(line, 0.5), 0.0)
    mean = line * generic + planted * (pictures @ rng.normal(size=D)) / np.sqrt(D)
    mean = mean + 0.3 * rng.normal(size=len(mean))
    tastes = 0.5 * rng.normal(size=(raters + NEW_PEOPLE, D)) / np.sqrt(D)
    liked = mean + tastes @ pictures.T + rng.normal(size=(len(tastes), len(mean)))
    random = rng.random(raters) < bad
    liked[:raters][random] = rng.normal(size=(random.sum(), len(mean)))
    liked[:raters][rng.random(raters) < bad / 2] *= -1
    rows = np.concatenate([rng.permutation(n)[:each] for _ in range(raters)])
    people = np.repeat(np.arange(raters), each)
    scores = np.clip(np.round((liked[people, rows] * 0.15 + 0.5) * 6) / 6, 0, 1)
    found = Table(rows=rows, people=people, scores=scores, n_photos=n, n_people=raters)
    vectors = np.column_stack([0.5 + 0.1 * generic, pictures])
    return World(vectors=vectors, table=found, others=liked[raters:])


def main() -> None:
    """Draw, judge, write, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--worlds", type=int, default=400)
    given = parser.parse_args()
    with one_blas_thread():
        worlds = [draw(stream(0, "gate", number)).outcome() for number in range(given.worlds)]
    true, _, opened = np.array(worlds).T
    rows = []
    for low, high in pairwise(ENDS):
        inside = (true > low) & (true <= high)
        rows.append((f"{low:g} to {high:g}", str(int(inside.sum())), str(int(opened[inside].sum()))))
    content = {"worlds": given.worlds, "rows": rows, "markdown": table(HEADER, rows)}
    write_result("calibrate_gate", f"python benchmarks/calibrate_gate.py --worlds {given.worlds}", content)
    print(table(HEADER, rows))


if __name__ == "__main__":
    main()
