"""Reports for programs: one CSV line for each row and k, or JSON with everything down to single cells."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterator
from io import StringIO
from typing import Any

from protocols.report.table import Cell, Report

COLUMNS = (
    *("test", "train", "method", "source", "cite", "k", "srcc", "srcc_std", "srcc_low", "srcc_high"),
    *("srcc_std_users", "users", "repeats", "dropped_users", "dropped_cells"),
    *("plcc", "pairwise", "mae", "coverage", "p_holm", "oracle_epoch", "oracle_epoch_std"),
)
"""``mae`` in the dataset's units; what was not measured, or not published, is empty."""
FORMAT = 1


def rows(report: Report) -> Iterator[dict[str, Any]]:
    """Every number of the report, unrounded: a mapping with ``COLUMNS`` for each row and k; None for nothing.

    Figures of a published matrix follow the tables; they name their training dataset.
    """
    for table in report.tables:
        for row in table.rows:
            for k, cell in row.cells.items():
                facts = (table.test, row.train, row.name, row.source, row.cite, k)
                yield _row(facts, cell)
    for matrix in report.matrices:
        if matrix.cite is not None:
            for (train, test), cell in matrix.cells.items():
                yield _row((test, train, matrix.name, matrix.source, matrix.cite, matrix.k), cell)


def to_csv(report: Report) -> str:
    """The long form with a header line; numbers read back to the bit."""
    text = StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows(report))
    return text.getvalue()


def to_json(report: Report) -> str:
    """The long form, the notes, and the results themselves: config, and every user's every repeat."""
    content = {
        "format": FORMAT,
        "nan": report.nan,
        "rows": list(rows(report)),
        "notes": {table.test: [*table.notes, *table.cautions] for table in report.tables},
        "results": json.loads(report.results.to_json()),
    }
    return json.dumps(content, ensure_ascii=False, allow_nan=False) + "\n"


def _row(facts: tuple[Any, ...], cell: Cell) -> dict[str, Any]:
    values = [*facts, cell.mean, cell.std]
    if cell.detail is not None:
        line, others, chosen = cell.detail.srcc, cell.detail.others, cell.detail.oracle_epoch
        values += [line.low, line.high, line.std_users, line.n_users, line.n_repeats]
        values += [line.dropped_users, line.dropped_cells]
        values += [others[name] for name in ("plcc", "pairwise", "mae", "coverage")]
        values += [cell.detail.p_holm, *((chosen.mean, chosen.std) if chosen is not None else ())]
    values += [None] * (len(COLUMNS) - len(values))
    return {name: None if _is_nan(value) else value for name, value in zip(COLUMNS, values, strict=True)}


def _is_nan(value: object) -> bool:
    return isinstance(value, float) and math.isnan(value)
