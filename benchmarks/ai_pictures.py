"""Away from home: the shipped model on AI-made pictures, every adapter that vectors are enough for.

    uv run python benchmarks/ai_pictures.py ROOT --repeats 10

ROOT holds ``ratings.csv`` (user,image,score; 1..5) and ``images/``. Nothing in the package learned from any
of it. For each adapter and number of ratings: SRCC with its interval over people and pictures, the share of
ratings in the 80 % interval, and whom it ranks worse than the generic score does. The crowd oracle stands
beside them. The run folder is taken up again; figures go to ``results/ai_pictures.json``.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from record import table, tell, write_result

from cli import adapters_of
from generic.cache.features import FeatureCache
from generic.model.generic_model import GenericModel
from generic.model.registry import find_model
from piaa.adapters.registry import ADAPTERS
from piaa.ratings.scale import Scale
from protocols.datasets.load import load_dataset
from protocols.fewshot.study import Prepared, Settings, default_split, prepare, run
from protocols.report.build import collect
from protocols.report.files import write_report
from protocols.report.grid import harm_text, interval, mean_std
from protocols.report.table import Cell, ReportTable

SHOTS = (1, 3, 10, 30)
SCALE = Scale(1, 5)
MODEL = "piaa-lite"
PLAIN = tuple(name for name, kind in ADAPTERS.items() if not (kind.needs_pixels or kind.needs_start))


def prepared(root: Path, adapters: tuple[str, ...], settings: Settings, cache: FeatureCache) -> Prepared:
    """Everybody is tested, on all pictures."""
    dataset = load_dataset("table", root, scale=SCALE)
    model = GenericModel(find_model(MODEL))
    makers = adapters_of(model, adapters)
    split = default_split(dataset)
    return prepare(
        dataset,
        split,
        model,
        makers,
        settings,
        cache=cache,
        train="OASIS",
        name="AI pictures",
        crowd=True,
    )


def figures(cell: Cell) -> dict[str, Any]:
    """What is kept of one adapter at one k."""
    if cell.detail is None:
        raise ValueError("a cell that was not measured here")
    detail = cell.detail
    found = {
        "srcc": cell.mean,
        "std_over_repeats": cell.std,
        "people": [detail.srcc.low, detail.srcc.high],
        "two_way": list(detail.two_way),
        "coverage": detail.others["coverage"],
        "users": detail.srcc.n_users,
        "dropped_users": detail.srcc.dropped_users,
        "p_holm": detail.p_holm,
    }
    if detail.harm is not None:
        found |= {"below": detail.harm.below, "one_in_twenty": detail.harm.one_in_twenty}
        found["worst"] = detail.harm.worst
    return {name: _null(value) for name, value in found.items()}


def _null(value: Any) -> Any:  # noqa: ANN401 - any plain value
    return None if isinstance(value, float) and np.isnan(value) else value


def markdown(found: ReportTable) -> str:
    """One row for each adapter and k."""
    lines = [
        [row.name, str(k), mean_std(cell), interval(cell), *_ends(cell)]
        for row in found.rows
        for k, cell in row.cells.items()
    ]
    header = ("adapter", "ratings", "SRCC", "95 %, people and pictures", "in the 80 % interval")
    return table((*header, f"below {found.baseline}"), lines)


def _ends(cell: Cell) -> tuple[str, str]:
    if cell.detail is None:
        raise ValueError("a cell that was not measured here")
    held = cell.detail.others["coverage"]
    return "–" if np.isnan(held) else f"{100 * held:.0f} %", harm_text(cell.detail.harm)


def measured(found: ReportTable) -> Mapping[str, Any]:
    """Adapter -> k -> figures, and the table."""
    rows = {row.name: {str(k): figures(cell) for k, cell in row.cells.items()} for row in found.rows}
    return {"adapters": rows, "markdown": markdown(found)}


def main() -> None:
    """Test, write, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("root", type=Path, help="folder of the data set")
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--adapter", default=",".join(PLAIN), help="names, the first is compared with")
    parser.add_argument("--out", type=Path, default=Path("runs/ai-pictures"), help="run folder")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args()
    settings = Settings(shots=SHOTS, repeats=given.repeats)
    with FeatureCache.open(given.out / "cache") as cache:
        test = prepared(given.root, tuple(given.adapter.split(",")), settings, cache)
    tell(f"{test.n_users} people, {test.n_images} pictures")
    report = collect(run([test], given.out, jobs=given.jobs))
    write_report(report, given.out)
    content = {"config": {"repeats": given.repeats, "shots": SHOTS}, **measured(report.tables[0])}
    write_result("ai_pictures", f"python benchmarks/ai_pictures.py ROOT --repeats {given.repeats}", content)
    print(content["markdown"])


if __name__ == "__main__":
    main()
