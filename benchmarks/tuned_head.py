"""What becomes of ``finetune`` and ``lora`` when a head that was worked out in closed form is tuned, too.

    uv run --extra train --group train python benchmarks/tuned_head.py ROOT --models runs/lite

Four people of list 1 and four of list 2, none of those whom ``finetune_gate.py`` tests, on the model that
left their list out. Until now the head of ``piaa-lite``, a projection of thousands of moments and a kernel on
it, was tuned with the rest. A file is kept of each person, so that a stopped run goes on. Writes
``benchmarks/results/tuned_head.json``.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from finetune_gate import measure, of_list
from record import table, tell, write_result

from generic.atomic import write_bytes
from generic.cache.features import FeatureCache
from generic.lite.piaa_lite import PiaaLite

KINDS = (
    ("finetune", 10, False),
    ("finetune", 10, True),
    ("lora@rate=1e-3", 10, False),
    ("lora@rate=1e-3", 10, True),
    ("lora@rate=1e-3", 30, False),
    ("lora@rate=1e-3", 30, True),
    ("lora@rate=3e-4", 10, False),
    ("lora@rate=3e-4", 30, False),
)
"""Adapter, ratings, and whether the head is tuned."""
SOME = slice(14, 18)
"""Of a list's people in their random order: the first fourteen are tested by ``finetune_gate.py``."""
HEAD = PiaaLite.closed_form


def row(adapter: str, k: int, head: bool, cells: list[dict[str, Any]]) -> list[str]:
    """Of the table: means over people, and how many rank worse than by the generic score."""
    mean = {name: np.mean([cell[name] for cell in cells]) for name in ("generic", "none", "average")}
    worse = [sum(cell[name] < cell["generic"] for cell in cells) for name in ("none", "average")]
    levels = [f"{mean[name]:.3f}" for name in mean]
    return [
        f"`{adapter}`",
        "yes" if head else "no",
        str(k),
        *levels,
        *(f"{n} of {len(cells)}" for n in worse),
    ]


def main() -> None:
    """Measure what is not measured yet, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("root", type=Path)
    parser.add_argument("--models", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("runs/tuned-head"))
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    cells: dict[tuple[str, int, bool], list[dict[str, Any]]] = {kind: [] for kind in KINDS}
    with FeatureCache.open(given.out / "cache") as cache:
        for number in (1, 2):
            for person in of_list(given.root, given.models, number, SOME, cache):
                for adapter, k, head in KINDS:
                    file = given.out / f"{person.name}-{k}-{adapter}{'-head' if head else ''}.json"
                    if not file.exists():
                        PiaaLite.closed_form = () if head else HEAD
                        write_bytes(file, json.dumps(measure(person, adapter, k)).encode())
                        tell(f"{file.stem}: {file.read_text()}")
                    cells[adapter, k, head].append(json.loads(file.read_text()))
    header = ["adapter", "head tuned", "ratings", "generic", "ungated", "averaged"]
    header += ["ungated worse", "averaged worse"]
    write_result(
        "tuned_head",
        "uv run --extra train --group train python benchmarks/tuned_head.py ROOT --models runs/lite",
        {
            "cells": {f"{name} k={k} head={head}": rows for (name, k, head), rows in cells.items()},
            "markdown": table(header, [row(*kind, rows) for kind, rows in cells.items()]),
        },
    )


if __name__ == "__main__":
    main()
