"""Reports for programs: one CSV line for each row and k, or JSON with everything down to single results."""

from __future__ import annotations

import json
from collections.abc import Iterator
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
                yield _row((table.test, row.train, row.name, row.source, row.cite, k), cell)
    for matrix in report.matrices:
        if matrix.cite is not None:
            for (train, test), cell in matrix.cells.items():
                yield _row((test, train, matrix.name, matrix.source, matrix.cite, matrix.k), cell)


def to_csv(report: Report) -> str:
    """The long form with a header line; numbers read back to the bit."""
    import pandas as pd

    # As objects: a whole number stays one beside what is empty.
    return pd.DataFrame(rows(report), columns=COLUMNS, dtype=object).to_csv(index=False, lineterminator="\n")


def to_json(report: Report) -> str:
    """The long form, the notes, and the results themselves: config, and every user's every repeat."""
    content = {
        "format": FORMAT,
        "nan": report.nan,
        **facts(report),
        "results": json.loads(report.results.to_json()),
    }
    return json.dumps(content, ensure_ascii=False, allow_nan=False) + "\n"


def facts(report: Report) -> dict[str, Any]:
    """The long form, and the notes of each test dataset, as plain values."""
    return {
        "rows": list(rows(report)),
        "notes": {table.test: [*table.notes, *table.cautions] for table in report.tables},
    }


def _row(key: tuple[Any, ...], cell: Cell) -> dict[str, Any]:
    values = [*key, cell.mean, cell.std]
    if cell.detail is not None:
        line, others, chosen = cell.detail.srcc, cell.detail.others, cell.detail.oracle_epoch
        values += [line.low, line.high, line.std_users, line.n_users, line.n_repeats]
        values += [line.dropped_users, line.dropped_results]
        values += [*others.values(), cell.detail.p_holm]
        values += [chosen.mean, chosen.std] if chosen is not None else []
    values += [None] * (len(COLUMNS) - len(values))
    # NaN alone differs from itself.
    return {name: None if value != value else value for name, value in zip(COLUMNS, values, strict=True)}
