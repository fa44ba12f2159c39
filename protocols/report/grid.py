"""A report's tables as rows of finished strings, which the terminal, Markdown and LaTeX forms only dress.

So a number reads the same in all of them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from protocols.fewshot.harm import Harm
from protocols.fewshot.summary import format_mean_std
from protocols.report.published import title
from protocols.report.table import (
    DIGITS,
    MEASURED,
    PUBLISHED,
    Cell,
    CrossMatrix,
    Detail,
    Report,
    ReportTable,
)

ABSENT = "–"
"""Printed where there is no number."""
_PEOPLE = "in brackets: bootstrap 95 % interval over users"
_PHOTOS = (
    "in brackets: two-way bootstrap 95 % interval over users and photos, of the level alone: rows are "
    "compared by their difference"
)


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One place of a grid."""

    text: str
    """What to print; plain text with ``±`` and ``–``, nothing escaped."""
    best: bool = False
    """Printed bold."""
    under: str = ""
    """A second, fainter line where the form has room for one."""
    cite: str | None = None
    """Key of the reference to cite behind the text."""


@dataclass(frozen=True, kw_only=True)
class Grid:
    """A table of strings under a title."""

    title: str
    """What is shown."""
    key: str
    """A name for labels: lower case letters, digits and hyphens."""
    header: tuple[str, ...]
    """One heading for each column."""
    n_left: int
    """Columns from the left that hold words; the others hold numbers."""
    blocks: tuple[tuple[tuple[Entry, ...], ...], ...]
    """Rows, in groups with a rule between them."""
    notes: tuple[str, ...] = ()
    """Sentences below the table."""
    bold: str = ""
    """What bold means; empty where nothing is."""
    under: str = ""
    """What the second lines mean, for forms that have room for them."""

    @property
    def remarks(self) -> tuple[str, ...]:
        """The notes, and what bold means."""
        return (*self.notes, *([self.bold] if self.bold else []))


def grids(report: Report, *, wide: bool = False) -> list[Grid]:
    """The tables of a report: each test dataset's, with its details if ``wide``; then across datasets."""
    found = []
    for table in report.tables:
        found += [table_grid(table), *([detail_grid(table)] if wide else [])]
    return found + matrix_grids(report)


def table_grid(table: ReportTable) -> Grid:
    """Rows against numbers of ratings; ``oracle_epoch`` results stand in columns of their own."""
    oracles = table.oracle_shots()
    best = {k: table.best(k) for k in table.shots}
    rows = [
        (
            Entry(text=table.label(row), cite=row.cite),
            Entry(text=row.source),
            *(_cell_entry(row.cells.get(k), best=place in best[k]) for k in table.shots),
            *(Entry(text=_oracle(row.cells.get(k))) for k in oracles),
        )
        for place, row in enumerate(table.rows)
    ]
    n_measured = len(table.of(MEASURED))
    return Grid(
        title=f"{title(table.test)}: SRCC of new photos by the number of ratings per user",
        key=slug(table.test),
        header=(
            *("method", "source"),
            *(shots(k) for k in table.shots),
            *(f"{shots(k)}, oracle_epoch" for k in oracles),
        ),
        n_left=2,
        blocks=tuple(filter(None, (tuple(rows[:n_measured]), tuple(rows[n_measured:])))),
        notes=(*table.notes, *table.cautions, *([_ORACLE_NOTE] if oracles else [])),
        under=_PHOTOS if table.draws_photos else _PEOPLE,
        bold=f"bold: the best {'row' if table.comparable else 'of the rows measured here'} in each column",
    )


def detail_grid(table: ReportTable) -> Grid:
    """One row for each adapter measured here and k, with all that was measured."""
    rows = [
        (Entry(text=table.label(row)), Entry(text=row.source), *_details(k, cell, cell.detail))
        for row in table.of(MEASURED)
        for k, cell in row.cells.items()
        if cell.detail is not None
    ]
    return Grid(
        title=f"{title(table.test)}: details of the rows measured here",
        key=f"{slug(table.test)}-details",
        header=(
            *("method", "source", "k", "users", "dropped", "SRCC"),
            *("95 %, users", "95 %, users and photos", "std users"),
            *("PLCC", "pairwise", "MAE", "coverage"),
            *(f"below {table.baseline}", f"p against {table.baseline}"),
        ),
        n_left=2,
        blocks=(tuple(rows),),
        notes=(
            "dropped: users / results (a user's repeat) without an SRCC; 95 %: bootstrap intervals; "
            "std users: between users; pairwise: accuracy over pairs without ties; "
            "MAE: in units of the dataset; coverage: of the predicted intervals; "
            f"below {table.baseline}: share of users whom the row ranks worse, the gain that one in twenty "
            "is below, the worst; "
            "p: paired Wilcoxon over users, Holm correction for all pairs of adapters",
        ),
    )


def matrix_grids(report: Report) -> list[Grid]:
    """One grid for each k in the layout of the EAT paper's Table 7; none if there are no matrices."""
    under = _PHOTOS if any(table.draws_photos for table in report.tables) else _PEOPLE
    cautions = [f"{title(table.test)}: {caution}" for table in report.tables for caution in table.cautions]
    grids = groupby(report.matrices, key=lambda matrix: matrix.k)
    return [_matrix_grid(k, list(matrices), tuple(cautions), under) for k, matrices in grids]


def _matrix_grid(k: int, matrices: Sequence[CrossMatrix], cautions: tuple[str, ...], under: str) -> Grid:
    tests = tuple(dict.fromkeys(test for matrix in matrices for test in matrix.tests))
    blocks = tuple(
        tuple(
            (
                Entry(text=matrix.name, cite=matrix.cite) if train == matrix.trains[0] else Entry(text=""),
                Entry(text=matrix.source),
                Entry(text=title(train)),
                *(_cell_entry(matrix.cells.get((train, test))) for test in tests),
            )
            for train in matrix.trains
        )
        for matrix in matrices
    )
    return Grid(
        title=f"Across datasets: SRCC at {shots(k)}",
        key=f"cross-{k}",
        header=("method", "source", "trained on", *(f"tested on {title(test)}" for test in tests)),
        n_left=3,
        blocks=blocks,
        notes=cautions if any(matrix.source == PUBLISHED for matrix in matrices) else (),
        under=under,
    )


def mean_std(cell: Cell | None) -> str:
    """A cell in the papers' format; without a std the mean alone, without a mean a dash.

    Example:
        >>> mean_std(Cell(mean=0.59349, std=0.0051)), mean_std(Cell(mean=0.612, std=math.nan)), mean_std(None)
        ('0.593±0.005', '0.612', '–')
    """
    return ABSENT if cell is None else format_mean_std(cell.mean, cell.std, digits=DIGITS)


def interval(cell: Cell | None) -> str:
    """The 95 % interval in brackets, see :attr:`Detail.interval`; empty where there is none."""
    return "" if cell is None or cell.detail is None else _range(cell.detail.interval)


def _range(ends: tuple[float, float]) -> str:
    return "" if math.isnan(ends[0]) else f"[{number(ends[0])}, {number(ends[1])}]"


def number(value: float | None) -> str:
    """Three decimals, or a dash for none and for NaN."""
    return ABSENT if value is None else format_mean_std(value, math.nan, digits=DIGITS)


def p_text(value: float | None) -> str:
    """A p-value to three decimals; below that only the bound.

    Example:
        >>> p_text(0.0312), p_text(2e-7), p_text(None)
        ('0.031', '<0.001', '–')
    """
    return "<0.001" if value is not None and value < 0.001 else number(value)


def harm_text(harm: Harm | None) -> str:
    """Who is below the baseline, and how far: one in twenty, and the worst.

    Example:
        >>> harm_text(Harm(n_users=8, below=0.25, one_in_twenty=-0.0123, worst=-0.05)), harm_text(None)
        ('25 %, -0.012, -0.050', '–')
    """
    if harm is None or not harm.n_users:
        return ABSENT
    return f"{100 * harm.below:.0f} %, {harm.one_in_twenty:+.3f}, {harm.worst:+.3f}"


def shots(k: int) -> str:
    """``10 shots`` as a heading."""
    return f"{k} shot{'' if k == 1 else 's'}"


_ORACLE_NOTE = "oracle_epoch: the epoch was chosen on the photos that were tested; too good by construction"


def _details(k: int, cell: Cell, detail: Detail) -> tuple[Entry, ...]:
    """Everything after the name and the source."""
    line = detail.srcc
    counts = (str(k), str(line.n_users), f"{line.dropped_users} / {line.dropped_results}")
    people, photos = (_range(ends) or ABSENT for ends in ((line.low, line.high), detail.two_way))
    spread = (mean_std(cell), people, photos, number(line.std_users))
    others = map(number, detail.others.values())
    ends = (harm_text(detail.harm), p_text(detail.p_holm))
    return tuple(Entry(text=text) for text in (*counts, *spread, *others, *ends))


def _oracle(cell: Cell | None) -> str:
    chosen = None if cell is None or cell.detail is None else cell.detail.oracle_epoch
    return ABSENT if chosen is None else chosen.text


def _cell_entry(cell: Cell | None, *, best: bool = False) -> Entry:
    return Entry(text=mean_std(cell), best=best, under=interval(cell))


def slug(name: str) -> str:
    """A name for labels and files.

    Example:
        >>> slug("FLICKR-AES, list 1")
        'flickr-aes-list-1'
    """
    return "-".join("".join(c if c.isascii() and c.isalnum() else " " for c in name.lower()).split())
