"""Tests of generic models as a table: ours and the second paper's rows, each marked as what it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from protocols.report.published_distributions import CAUTION, TABLE1
from protocols.training.held_out import HeldOut, Tested

HEADER = (
    *("model", "source", "photos", "accuracy", "LCC mean", "LCC std", "EMD r=1", "EMD r=2", "EMD ?", "SRCC"),
)
_NONE = "-"


def rows(tested: Sequence[Tested]) -> list[tuple[str, ...]]:
    """The table's rows under ``HEADER``: measured ones first, then the published ones."""
    measured = [
        (
            one.model,
            "measured here",
            f"{one.n:,}",
            _percent(one.figures.get("accuracy")),
            *(_figure(one.figures.get(key)) for key in ("plcc", "plcc_std", "emd1", "emd")),
            _NONE,
            _figure(one.figures.get("srcc")),
        )
        for one in tested
    ]
    published = [
        (
            row.model,
            "published",
            _NONE,
            _percent(row.accuracy),
            *(_figure(row.plcc), _figure(row.plcc_std), _NONE, _NONE, _figure(row.emd), _NONE),
        )
        for row in TABLE1
    ]
    return measured + published


def lines(photos: HeldOut, tested: Sequence[Tested]) -> list[str]:
    """The report as aligned text."""
    content = [HEADER, *rows(tested)]
    widths = [max(len(row[place]) for row in content) for place in range(len(HEADER))]
    shown = []
    for row in content:
        cells = [
            cell.ljust(width) if place < 2 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        shown.append("  ".join(cells).rstrip())
    notes = dict.fromkeys(note for one in tested for note in one.notes)
    return [
        f"{photos.dataset}: {len(photos.files):,} photos. {photos.rule}",
        f"accuracy: which photos are above {photos.threshold:g}; always naming the larger class would score "
        f"{_percent(photos.larger_class)}",
        *shown,
        *(f"note: {note}" for note in notes),
        CAUTION,
    ]


def facts(photos: HeldOut, tested: Sequence[Tested]) -> dict[str, Any]:
    """The report as plain values for JSON."""
    return {
        "dataset": photos.dataset,
        "rule": photos.rule,
        "threshold": photos.threshold,
        "larger_class": photos.larger_class,
        "missing": dict(photos.missing),
        "rows": [one.facts() for one in tested],
        "published": [{**asdict(row), "source": "published"} for row in TABLE1],
        "caution": CAUTION,
    }


def _figure(value: float | None) -> str:
    return _NONE if value is None else "undefined" if value != value else f"{value:.3f}"


def _percent(value: float | None) -> str:
    return _NONE if value is None else f"{100 * value:.2f}%"
