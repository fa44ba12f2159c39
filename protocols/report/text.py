"""Reports for people to read: in a terminal, and as Markdown.

In every form a row says ``measured here`` or ``published``, and the notes stand below the table.
"""

from __future__ import annotations

from collections.abc import Iterator
from io import StringIO
from typing import TYPE_CHECKING

from protocols.report.grid import CELL_NOTE, Entry, Grid, detail_grid, matrix_grids, table_grid
from protocols.report.table import Report

if TYPE_CHECKING:
    from rich.console import JustifyMethod, RenderableType
    from rich.text import Text


_UNBROKEN = 10_000
"""Characters of a line that no table reaches."""


def grids(report: Report, *, wide: bool = False) -> list[Grid]:
    """The tables of a report: each test dataset's, with its details if ``wide``; then across datasets."""
    found = []
    for table in report.tables:
        found += [table_grid(table), *([detail_grid(table)] if wide else [])]
    return found + matrix_grids(report)


def renderables(report: Report, *, wide: bool = False) -> list[RenderableType]:
    """The tables and their notes for a ``rich`` console on a terminal, best values bold.

    Args:
        report: what to show.
        wide: also all that was measured, one row for each adapter and k; needs about 140 columns.
    """
    return [part for grid in grids(report, wide=wide) for part in _rich_parts(grid, bold=grid.bold)]


def to_terminal(report: Report, *, wide: bool = False) -> str:
    """The same tables as plain text, as wide as they need; for pipes, where a line may have any length."""
    from rich.console import Console

    page = StringIO()
    console = Console(file=page, width=_UNBROKEN, color_system=None, force_terminal=False)
    for grid in grids(report, wide=wide):
        console.print(*_rich_parts(grid, bold=""), sep="\n")
    return "\n".join(line.rstrip() for line in page.getvalue().splitlines()).rstrip("\n") + "\n"


def to_markdown(report: Report, *, wide: bool = False) -> str:
    """The tables as Markdown (pipe tables), best values bold, notes as a list below each.

    Args:
        report: what to show.
        wide: also all that was measured, one row for each adapter and k.
    """
    return "\n".join(line for grid in grids(report, wide=wide) for line in _markdown(grid))


def _rich_parts(grid: Grid, *, bold: str) -> Iterator[RenderableType]:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    yield Text(grid.title, style="bold" if bold else "")
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for place, heading in enumerate(grid.header):
        # Where the terminal is too narrow, fold: an ellipsis would cut digits off.
        justify: JustifyMethod = "left" if place < grid.n_left else "right"
        table.add_column(Text(heading), justify=justify, overflow="fold")
    for block in grid.blocks:
        for entries in block:
            # Text, not str: a name such as "[red]" is no markup.
            table.add_row(*map(_rich_cell, entries), end_section=entries is block[-1])
    yield table
    under = any(entry.under for block in grid.blocks for entries in block for entry in entries)
    lines = [*([CELL_NOTE] if under else []), *grid.notes, *([bold] if bold else [])]
    yield Text("".join(f"* {line}\n" for line in lines))


def _rich_cell(entry: Entry) -> Text:
    from rich.text import Text

    cell = Text(entry.text, style="bold" if entry.best else "")
    return cell.append(f"\n{entry.under}", style="not bold dim") if entry.under else cell


def _markdown(grid: Grid) -> Iterator[str]:
    yield f"### {_escaped(grid.title)}"
    yield ""
    yield _line(map(_escaped, grid.header))
    yield _line("---" if place < grid.n_left else "---:" for place in range(len(grid.header)))
    for block in grid.blocks:
        for entries in block:
            texts = (_escaped(entry.text) for entry in entries)
            yield _line(
                f"**{text}**" if entry.best else text for text, entry in zip(texts, entries, strict=True)
            )
    yield ""
    notes = (*grid.notes, *([grid.bold] if grid.bold else []))
    yield from (f"- {_escaped(note)}" for note in notes)
    if notes:
        yield ""


def _line(cells: Iterator[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _escaped(text: str) -> str:
    """Text that Markdown shows as it stands, in one line."""
    special = "\\`*_[]<>|#~$"
    return "".join(f"\\{letter}" if letter in special else letter for letter in " ".join(text.split()))
