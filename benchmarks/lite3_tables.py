"""The tables of ``benchmarks/lite3_study.py`` and ``benchmarks/lite3_paired.py``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from oasis import LISTS
from record import table


def study_tables(recipe: Mapping[str, Any], forms: Mapping[str, Any]) -> str:
    """Both tables."""
    first = [
        [name, *(f"{x:.4f}" for x in row["srcc"]), f"{np.mean(row['gain']):+.4f}", _ends(row)]
        for name, row in recipe.items()
    ]
    lists = [f"list {number}" for number in LISTS[: len(next(iter(recipe.values()))["srcc"])]]
    before = np.array(forms["128 directions, whitened (as before)"]["srcc"])
    second = []
    for name, row in forms.items():
        gains = np.array(row["srcc"]) - before
        error = gains.std(ddof=1) / np.sqrt(len(gains))
        second.append(
            [name, f"{row['bytes']:,}", f"{np.mean(row['srcc']):.3f}", f"{gains.mean():+.3f}±{error:.3f}"]
        )
    recipes = table(["generic score", *lists, "mean gain", "95 %, photos"], first)
    kept = table(["kept of a photo", "bytes", "SRCC", "beside the whitened directions"], second)
    return f"{recipes}\n\n{kept}"


def _ends(row: Mapping[str, Any]) -> str:
    low, high = row["interval_of_the_mean"]
    return f"[{low:+.4f}, {high:+.4f}]"


def paired_tables(found: Mapping[str, Any]) -> str:
    """The generic score's table, and that of people."""
    away, each = found.get("ai_pictures"), list(found["people"])
    names = [
        *(f"list {n}" for n in LISTS[: len(found["generic"]["before"]["srcc"])]),
        "mean gain, 95 % over photos",
    ]
    first = [[name, *(f"{x:.3f}" for x in row["srcc"]), _span(row)] for name, row in found["generic"].items()]
    if away is not None:
        names += ["AI pictures", "gain, 95 % over pictures"]
        for row in first:
            other = away["generic"].get(row[0])
            row += ["", ""] if other is None else [f"{other['srcc'][0]:.3f}", _span(other)]
        each += away["people"]
    second = [
        [
            f"{one['test']}, {one['people']} people, `{one['adapter']}`",
            f"{one['k']}",
            f"{one['before']:.4f}",
            f"{one['after']:.4f}",
            f"{one['gain']:+.4f}±{one['error']:.4f}",
        ]
        for one in each
    ]
    head = ["tested on", "ratings", "before", "after", "difference, s.e. over people"]
    return f"{table(['generic score', *names], first)}\n\n{table(head, second)}"


def _span(row: Mapping[str, Any]) -> str:
    low, high = row["interval"]
    return f"{row['mean_gain']:+.4f} [{low:+.4f}, {high:+.4f}]"
