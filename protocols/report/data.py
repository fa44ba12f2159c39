"""Reports for programs: one CSV line for each row and k, or JSON with everything down to single results."""

from __future__ import annotations

import json
from collections.abc import Iterator
from io import BytesIO
from typing import Any

from protocols.fewshot.results import Results
from protocols.report.table import Cell, Detail, Report

COLUMNS = (
    *("test", "train", "method", "source", "cite", "k", "srcc", "srcc_std", "srcc_low", "srcc_high"),
    *("srcc_std_users", "users", "repeats", "dropped_users", "dropped_cells"),
    *("plcc", "pairwise", "mae", "coverage", "p_holm", "oracle_epoch", "oracle_epoch_std"),
    *("two_way_low", "two_way_high", "below", "below_one_in_twenty", "below_worst"),
)
"""``mae`` in the dataset's units; ``srcc_low`` and ``_high`` over people, ``two_way_low`` and ``_high`` over
people and photos; ``below`` is the share of people below the baseline, with the gain that one in twenty is
below and the worst. What was not measured, or not published, is empty."""
FORMAT = 2


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


def to_parquet(results: Results) -> bytes:
    """Every user's every repeat, one row each, for pandas, R, DuckDB; what is undefined is null.

    Raises:
        ImportError: pyarrow is not installed.
    """
    page = BytesIO()
    results.to_frame().to_parquet(page, engine="pyarrow", index=False)
    return page.getvalue()


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
        values += _details(cell.detail)
    values += [None] * (len(COLUMNS) - len(values))
    # NaN alone differs from itself.
    return {name: None if value != value else value for name, value in zip(COLUMNS, values, strict=True)}


def _details(detail: Detail) -> list[Any]:
    """What follows the mean and its std."""
    line, chosen, harm = detail.srcc, detail.oracle_epoch, detail.harm
    values: list[Any] = [line.low, line.high, line.std_users, line.n_users, line.n_repeats]
    values += [line.dropped_users, line.dropped_results, *detail.others.values(), detail.p_holm]
    values += [None, None] if chosen is None else [chosen.mean, chosen.std]
    values += [*detail.two_way]
    return values + ([None] * 3 if harm is None else [harm.below, harm.one_in_twenty, harm.worst])
