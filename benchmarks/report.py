"""Write the measured tables of README.md and the docs from benchmarks/results/*.json.

uv run python benchmarks/report.py            rewrites the marked sections
uv run python benchmarks/report.py --check    ends non-zero if they are not up to date
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import oasis_tables

ROOT = Path(__file__).parent.parent
RESULTS = Path(__file__).parent / "results"
SHIPPED = {"main": oasis_tables.main_table, "below": oasis_tables.below_table}
"""Sections made of results/lite3_paired.json: models made like the shipped one, ``generic`` and ``auto``."""
OASIS = {
    "lists": oasis_tables.lists_table,
    "matrix": oasis_tables.matrix_table,
    "comparisons": oasis_tables.comparisons_table,
    "costs": oasis_tables.costs_table,
    "coverage": oasis_tables.coverage_table,
}
"""Sections made of results/oasis_protocol.json: models like the one before, all adapters."""
DOCUMENTS = (
    "README.md",
    "docs/adapters.md",
    "docs/cluster.md",
    "docs/calibrate.md",
    "docs/page.md",
    "docs/photographers.md",
    "docs/piaa-lite.md",
    "docs/eat.md",
    "docs/pretrain.md",
    "docs/reproduce.md",
    "docs/second-paper.md",
    "docs/meta-learning.md",
    "docs/serve.md",
    "docs/upgrade.md",
)


def load(name: str) -> dict[str, Any]:
    """One result file."""
    content: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text())
    return content


def table(header: list[str], rows: list[list[str]]) -> str:
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def generic_table() -> str:
    """Model card: the generic score against the mean of raters, baselines beside it."""
    figures = load("lite_figures")
    lists, times = figures["lists"], figures["forward_4_photos_s"]
    numbers = sorted(lists)

    def row(name: str, values: list[float]) -> list[str]:
        return [name, *(f"{value:.3f}" for value in values), f"**{np.mean(values):.3f}**"]

    rows = [row("`piaa-lite` (its file, by `piaa score`)", [lists[n]["generic"]["srcc"] for n in numbers])]
    for name in lists[numbers[0]]["ablation"]:
        rows.append(row(name, [lists[n]["ablation"][name] for n in numbers]))
    for name in lists[numbers[0]]["baselines"]:
        rows.append(row(name, [lists[n]["baselines"][name] for n in numbers]))
    speed = (
        f"A forward pass over four photos in torch takes {times['piaa_lite']:.2f} s of the processor, "
        f"one thread, {times['ratio']:.2f} times as long as one EfficientNet-Lite2 at 288 pixels."
    )
    return table(["", *(f"list {n}" for n in numbers), "mean"], rows) + f"\n\n{speed}"


def failures_table() -> str:
    """Model card: the photos that the generic score is most wrong about."""
    lists = load("lite_figures")["lists"]

    def cell(photos: list[dict[str, Any]]) -> str:
        return "<br>".join(
            f"{one['photo']}: {one['score']:.1f}, raters {one['raters']:.1f}" for one in photos
        )

    rows = [
        [f"list {n}", cell(one["failures"]["above"]), cell(one["failures"]["below"])]
        for n, one in lists.items()
    ]
    return table(["left out", "scored too high", "scored too low"], rows)


def section(name: str) -> str:
    """The text of a marked section."""
    if name == "generic":
        return generic_table()
    if name == "failures":
        return failures_table()
    if name in SHIPPED:
        return SHIPPED[name](load("lite3_paired"))
    if name in OASIS:
        return OASIS[name](load("oasis_protocol"))
    content: str = load(name)["markdown"]
    return content


def render(text: str) -> str:
    """The document with what lies between ``<!-- results:NAME -->`` and ``<!-- /results -->`` made anew.

    What was never measured stays as it is written there.
    """
    pattern = re.compile(r"(<!-- results:(\w+) -->\n)(?:(?!<!-- ).)*(<!-- /results -->)", re.DOTALL)

    def made(match: re.Match[str]) -> str:
        try:
            return f"{match[1]}{section(match[2]).strip()}\n{match[3]}"
        except FileNotFoundError:
            return match[0]

    return pattern.sub(made, text)


def main() -> None:
    """Rewrite or check the documents."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    stale = []
    for name in DOCUMENTS:
        path = ROOT / name
        old = path.read_text()
        new = render(old)
        if new != old:
            stale.append(name)
            if not check:
                path.write_text(new)
    if check and stale:
        sys.exit(f"not up to date: {', '.join(stale)}; run `uv run python benchmarks/report.py`")


if __name__ == "__main__":
    main()
