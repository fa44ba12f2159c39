"""Reports as LaTeX: ``booktabs`` tables to paste into a paper, and the BibTeX entries that they cite."""

from __future__ import annotations

from collections.abc import Iterator

from protocols.report.grid import Entry, Grid, matrix_grids, table_grid
from protocols.report.published import REFERENCES
from protocols.report.table import Report

_ESCAPES = str.maketrans(
    {letter: f"\\{letter}" for letter in "{}$&#%_"}
    | {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    | {"<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", "±": r"$\pm$", "–": "--"}
    # A row that begins with one of these would be read as an option of the line break before it.
    | {"[": "{[}", "*": "{*}"}
)


def to_latex(report: Report) -> str:
    r"""One ``table`` float for each test dataset, then one for each matrix across datasets.

    The document needs ``\usepackage{booktabs}``; the keys cited are those of ``to_bibtex``. Names with
    letters that are not Latin need XeLaTeX or LuaLaTeX.
    """
    grids = [*map(table_grid, report.tables), *matrix_grids(report)]
    lines = ["% needs \\usepackage{booktabs}"]
    for grid in grids:
        lines += _float(grid)
    return "\n".join(lines) + "\n"


def to_bibtex(report: Report) -> str:
    """The entries that ``to_latex`` cites, sorted by key; empty if it cites none."""
    keys = {row.cite for table in report.tables for row in table.rows}
    keys |= {matrix.cite for matrix in report.matrices}
    return "".join(_bibtex(key) for key in sorted(key for key in keys if key is not None))


def _bibtex(key: str) -> str:
    reference = REFERENCES[key]
    return (
        f"@misc{{{key},\n  author = {{{reference.authors}}},\n  title = {{{{{reference.title}}}}},\n"
        f"  howpublished = {{{reference.venue}}},\n  year = {{{reference.year}}}\n}}\n"
    )


def escape(text: str) -> str:
    r"""Text that LaTeX prints as it stands.

    Example:
        >>> print(escape("my_photos & 50 %"))
        my\_photos \& 50 \%
    """
    return " ".join(text.split()).translate(_ESCAPES)


def _float(grid: Grid) -> Iterator[str]:
    columns = "l" * grid.n_left + "c" * (len(grid.header) - grid.n_left)
    yield r"\begin{table}"
    yield r"\centering"
    yield rf"\caption{{{escape(grid.title)}}}"
    yield rf"\label{{tab:{grid.key}}}"
    yield rf"\begin{{tabular}}{{{columns}}}"
    yield r"\toprule"
    yield _line(map(escape, grid.header))
    for block in grid.blocks:
        yield r"\midrule"
        for entries in block:
            yield _line(map(_entry, entries))
    yield r"\bottomrule"
    yield r"\end{tabular}"
    if grid.remarks:
        # In a box as wide as the text, so that long notes break into lines.
        yield r"\par\smallskip"
        yield r"\begin{minipage}{\linewidth}\footnotesize"
        yield from (rf"{escape(note)}.\par" for note in grid.remarks)
        yield r"\end{minipage}"
    yield r"\end{table}"


def _line(cells: Iterator[str]) -> str:
    return rf"{' & '.join(cells)} \\"


def _entry(entry: Entry) -> str:
    text = rf"\textbf{{{escape(entry.text)}}}" if entry.best else escape(entry.text)
    return text if entry.cite is None else rf"{text}~\cite{{{entry.cite}}}"
