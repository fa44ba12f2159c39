"""The table from which ``piaa fit-user`` says what to expect: ``piaa/people/expected.json``.

    uv run python benchmarks/expected.py

reads what ``benchmarks/lite3_paired.py`` measured: every OASIS list left out, its people learned by
``auto`` on a model that has seen neither them nor their photos. Lists count by their number of people. Run it
when a new model is shipped and measured: the table holds for the model in the package alone.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from record import RESULTS, tell

from generic.atomic import write_bytes
from generic.model.checkpoint import read_header
from generic.model.registry import DEFAULT, find_model
from piaa.people.expected import TABLE

ADAPTER = "auto"
SOURCE = "lite3_paired.json"


def expected(results: Path) -> dict[str, Any]:
    """The table, from the results of the few-shot tests.

    Args:
        results: the file of ``benchmarks/lite3_paired.py``.
    """
    found = json.loads(results.read_text(encoding="utf-8"))
    worse = {(one["test"], str(one["k"])): one for one in found["below_the_crowd"]}
    lists = sorted(found["left_out"])
    return {
        "source": f"benchmarks/results/{SOURCE} of {found['date']}",
        "adapter": ADAPTER,
        "model": DEFAULT,
        "model_hash": read_header(find_model(DEFAULT)).hash,
        "rows": [
            _row(int(k), [found["left_out"][name] for name in lists], [worse[name, k] for name in lists])
            for k in sorted(found["left_out"][lists[0]][ADAPTER], key=int)
        ],
    }


def _row(k: int, lists: list[dict[str, Any]], worse: list[dict[str, Any]]) -> dict[str, Any]:
    users = [one["users"] for one in worse]

    def mean(values: list[float]) -> float:
        return round(float(np.average(values, weights=users)), 4)

    return {
        "k": k,
        "users": sum(users),
        "pairwise": mean([one[ADAPTER][str(k)]["pairwise"] for one in lists]),
        "pairwise_generic": mean([one["generic"][str(k)]["pairwise"] for one in lists]),
        "worse": mean([one["below"] for one in worse]),
    }


def main() -> None:
    """Read, average, write."""
    table = expected(RESULTS / SOURCE)
    write_bytes(TABLE, (json.dumps(table, indent=1) + "\n").encode())
    tell(f"{TABLE}: {len(table['rows'])} rows")


if __name__ == "__main__":
    main()
