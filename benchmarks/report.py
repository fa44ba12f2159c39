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

ROOT = Path(__file__).parent.parent
RESULTS = Path(__file__).parent / "results"
SHOTS = (1, 3, 10, 30, 100)
DOCUMENTS = ("README.md", "docs/adapters.md", "docs/meta-learning.md", "docs/piaa-lite.md", "docs/eat.md")


def load(name: str) -> dict[str, Any]:
    """One result file."""
    content: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text())
    return content


def table(header: list[str], rows: list[list[str]]) -> str:
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def personal(lists: dict[str, Any], number: str, adapter: str, k: int) -> dict[str, float]:
    """One cell of the adapter tables."""
    figures: dict[str, float] = lists[number]["personal"][f"{adapter} k={k}"]
    return figures


def main_table() -> str:
    """README: SRCC of every adapter on the users of list 3."""
    lists = load("piaa_lite")
    rows = []
    for adapter in ("generic", "ridge", "bayes"):
        cells = [personal(lists, "3", adapter, k) for k in SHOTS]
        rows.append([f"`{adapter}`", *(f"{c['srcc']:.3f}±{c['std_over_repeats']:.3f}" for c in cells)])
    covered = [personal(lists, "3", "bayes", k)["coverage"] for k in SHOTS]
    rows.append(["`bayes`, share of ratings in the 80 % interval", *(f"{100 * c:.0f} %" for c in covered)])
    return table(["adapter", *(f"{k} rating{'s' * (k > 1)}" for k in SHOTS)], rows)


def lists_table() -> str:
    """Model card: SRCC of every adapter on every list left out."""
    lists = load("piaa_lite")
    rows = []
    for number in sorted(lists):
        for adapter in ("generic", "ridge", "bayes"):
            cells = [personal(lists, number, adapter, k) for k in SHOTS]
            values = (
                f"{c['srcc']:.3f}±{c['std_over_repeats']:.3f} ({100 * c['coverage']:.0f} %)" for c in cells
            )
            dropped = max(c["dropped"] for c in cells)
            rows.append([f"{number} ({cells[0]['users']} users)", f"`{adapter}`", *values, f"{dropped}"])
    return table(["list left out", "adapter", *(f"k = {k}" for k in SHOTS), "dropped, at most"], rows)


def generic_table() -> str:
    """Model card: the generic score against the mean of raters, with the baselines beside it."""
    lists = load("piaa_lite")
    numbers = sorted(lists)

    def row(name: str, values: list[float]) -> list[str]:
        return [name, *(f"{value:.3f}" for value in values), f"**{np.mean(values):.3f}**"]

    rows = [
        row("`piaa-lite` (the file, through `piaa score`)", [lists[n]["generic"]["srcc"] for n in numbers])
    ]
    for name in lists[numbers[0]]["ablation"]:
        rows.append(row(name, [lists[n]["ablation"][name] for n in numbers]))
    for name in lists[numbers[0]]["baselines"]:
        rows.append(row(name, [lists[n]["baselines"][name] for n in numbers]))
    shares = [f"{lists[n]['eat_share']:.2f}" for n in numbers]
    rows.append(["share of the EAT head", *shares, ""])
    return table(["", *(f"list {n}" for n in numbers), "mean"], rows)


def section(name: str) -> str:
    """The text of a marked section."""
    makers = {"main": main_table, "lists": lists_table, "generic": generic_table}
    if name in makers:
        return makers[name]()
    content: str = load(name)["markdown"]
    return content


def render(text: str) -> str:
    """The document with what lies between ``<!-- results:NAME -->`` and ``<!-- /results -->`` made anew."""
    pattern = re.compile(r"(<!-- results:(\w+) -->\n)(?:(?!<!-- ).)*(<!-- /results -->)", re.DOTALL)
    return pattern.sub(lambda match: f"{match[1]}{section(match[2]).strip()}\n{match[3]}", text)


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
