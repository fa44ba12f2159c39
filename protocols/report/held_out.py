"""Tests of generic models as a table: ours and the second paper's rows, each marked as what it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from generic.words import counted
from protocols.report.grid import Entry, Grid
from protocols.report.published_distributions import CAUTION, TABLE1, PublishedRow
from protocols.report.table import MEASURED, PUBLISHED
from protocols.report.text import plain_lines, rich_table
from protocols.training.held_out import HeldOut, Tested

HEADER = (
    *("model", "source", "photos", "accuracy", "LCC mean", "LCC std", "EMD r=1", "EMD r=2", "EMD ?", "SRCC"),
)
_NONE = "-"


def lines(photos: HeldOut, tested: Sequence[Tested]) -> list[str]:
    """The report as aligned text: rows measured here first, then the published ones."""
    notes = dict.fromkeys(note for one in tested for note in one.notes)
    rows = [*map(_measured, tested), *map(_published, TABLE1)]
    block = tuple(tuple(Entry(text=text) for text in row) for row in rows)
    grid = Grid(title=photos.dataset, key="held-out", header=HEADER, n_left=2, blocks=(block,))
    return [
        f"{photos.dataset}: {counted(len(photos.files), 'photo')}. {photos.rule}",
        f"accuracy: which photos are above {photos.threshold:g}; always naming the larger class would score "
        f"{_percent(photos.larger_class)}",
        *plain_lines(rich_table(grid, box=None)),
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
        "published": [{**asdict(row), "source": PUBLISHED} for row in TABLE1],
        "caution": CAUTION,
    }


def _measured(one: Tested) -> tuple[str, ...]:
    figures = [_figure(one.figures.get(key)) for key in ("plcc", "plcc_std", "emd1", "emd")]
    ends = (_NONE, _figure(one.figures.get("srcc")))
    return (one.model, MEASURED, f"{one.n:,}", _percent(one.figures.get("accuracy")), *figures, *ends)


def _published(row: PublishedRow) -> tuple[str, ...]:
    figures = (_figure(row.plcc), _figure(row.plcc_std), _NONE, _NONE, _figure(row.emd), _NONE)
    return (row.model, PUBLISHED, _NONE, _percent(row.accuracy), *figures)


def _figure(value: float | None) -> str:
    return _NONE if value is None else "undefined" if value != value else f"{value:.3f}"


def _percent(value: float | None) -> str:
    return _NONE if value is None else f"{100 * value:.2f}%"
