"""A report as files, each written whole or not at all: for a paper, a reader, a program."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from generic.atomic import write_bytes
from generic.extras import cure, installed
from protocols.report.data import to_csv, to_json, to_parquet
from protocols.report.grid import slug
from protocols.report.latex import to_bibtex, to_latex
from protocols.report.plot_style import plot_bytes
from protocols.report.plots import matrix_figure, shots_figure, users_figure
from protocols.report.table import Report
from protocols.report.text import to_markdown

if TYPE_CHECKING:
    from matplotlib.figure import Figure

USERS = "users.parquet"
_LOG = logging.getLogger(__name__)


def write_report(report: Report, folder: Path) -> list[Path]:
    """Writes tables and plots into a folder and replaces what an earlier report left under the same names.

    Args:
        report: what to write.
        folder: must exist.

    Returns:
        the files, in order: ``report.md`` (wide), ``.tex``, ``.bib``, ``.csv``, ``.json``, ``users.parquet``
        (every user's every repeat), then each plot as PNG and SVG: ``shots-DATASET`` (if there are several
        k), ``users-DATASET``, ``cross-K``. Without pyarrow there is no Parquet file, without matplotlib there
        are no plots, which a warning says.

    Raises:
        OutputError: a file cannot be written.
    """
    texts = {
        "report.md": to_markdown(report, wide=True),
        "report.tex": to_latex(report),
        "report.bib": to_bibtex(report),
        "report.csv": to_csv(report),
        "report.json": to_json(report),
    }
    files = []
    for name, text in texts.items():
        files.append(folder / name)
        write_bytes(files[-1], text.encode())
    if installed("pyarrow"):
        files.append(folder / USERS)
        write_bytes(files[-1], to_parquet(report.results))
    else:
        _LOG.warning("%s is left out: it needs %s", USERS, cure("pyarrow"))
    if not installed("matplotlib"):
        _LOG.warning("plots are left out: they need %s", cure("matplotlib"))
        return files
    for name, figure in figures(report):
        for suffix in (".png", ".svg"):
            files.append(folder / f"{name}{suffix}")
            write_bytes(files[-1], plot_bytes(figure, suffix))
    return files


def figures(report: Report) -> Iterator[tuple[str, Figure]]:
    """Every plot of the report with its file name, without suffix."""
    for table in report.tables:
        if len(table.shots) > 1:
            yield f"shots-{slug(table.test)}", shots_figure(table)
        yield f"users-{slug(table.test)}", users_figure(table)
    for k, matrices in groupby(report.matrices, key=lambda matrix: matrix.k):
        yield f"cross-{k}", matrix_figure(list(matrices))
