"""Reports for people to read: in a terminal, and as Markdown.

In every form a row says ``measured here`` or ``published``, and the notes stand below the table.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from io import StringIO
from typing import TYPE_CHECKING

from protocols.report.grid import Entry, Grid, grids
from protocols.report.table import Report

if TYPE_CHECKING:
    from rich.box import Box
    from rich.console import RenderableType
    from rich.table import Table
    from rich.text import Text


_UNBROKEN = 10_000
"""Characters of a line that no table reaches."""
_MARKDOWN = str.maketrans({letter: f"\\{letter}" for letter in "\\`*_[]<>|#~$"})


def renderables(report: Report, *, wide: bool = False) -> list[RenderableType]:
    """The tables and their notes for a ``rich`` console on a terminal, best values bold.

    Args:
        report: what to show.
        wide: also all that was measured, one row for each adapter and k; needs about 140 columns.
    """
    return [part for grid in grids(report, wide=wide) for part in _parts(grid, bold=True)]


def to_terminal(report: Report, *, wide: bool = False) -> str:
    """The same tables as plain text, as wide as they need; for pipes, where a line may have any length."""
    parts = (part for grid in grids(report, wide=wide) for part in _parts(grid, bold=False))
    return "\n".join(plain_lines(*parts)) + "\n"


def plain_lines(*parts: RenderableType) -> list[str]:
    """What ``rich`` makes of its renderables without colours, in lines as wide as they need."""
    from rich.console import Console

    page = StringIO()
    Console(file=page, width=_UNBROKEN, color_system=None, force_terminal=False).print(*parts, sep="\n")
    return "\n".join(line.rstrip() for line in page.getvalue().splitlines()).rstrip("\n").split("\n")


def rich_table(grid: Grid, *, box: Box | None) -> Table:
    """A grid's header and rows for a ``rich`` console; without a box, columns stand two spaces apart."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box, pad_edge=False)
    for place, heading in enumerate(grid.header):
        # Where the terminal is too narrow, fold: an ellipsis would cut digits off.
        table.add_column(Text(heading), justify="left" if place < grid.n_left else "right", overflow="fold")
    for block in grid.blocks:
        for entries in block:
            table.add_row(*map(_rich_cell, entries))
        table.add_section()
    return table


def to_markdown(report: Report, *, wide: bool = False) -> str:
    """The tables as Markdown (pipe tables), best values bold, notes as a list below each.

    Args:
        report: what to show.
        wide: also all that was measured, one row for each adapter and k.
    """
    return "\n".join(line for grid in grids(report, wide=wide) for line in _markdown(grid))


def _parts(grid: Grid, *, bold: bool) -> Iterator[RenderableType]:
    from rich import box
    from rich.text import Text

    yield Text(grid.title, style="bold" if bold and grid.bold else "")
    yield rich_table(grid, box=box.SIMPLE_HEAD)
    under = any(entry.under for block in grid.blocks for entries in block for entry in entries)
    lines = [*([f"under a cell {grid.under}"] if under else []), *(grid.remarks if bold else grid.notes)]
    yield Text("".join(f"* {line}\n" for line in lines))


def _rich_cell(entry: Entry) -> Text:
    from rich.text import Text

    # Text, not str: a name such as "[red]" is no markup.
    cell = Text(entry.text, style="bold" if entry.best else "")
    return cell.append(f"\n{entry.under}", style="not bold dim") if entry.under else cell


def _markdown(grid: Grid) -> Iterator[str]:
    yield f"### {_escaped(grid.title)}"
    yield ""
    yield _line(map(_escaped, grid.header))
    yield _line("---" if place < grid.n_left else "---:" for place in range(len(grid.header)))
    for block in grid.blocks:
        yield from (_line(map(_markdown_cell, entries)) for entries in block)
    yield ""
    if grid.remarks:
        yield from (f"- {_escaped(note)}" for note in grid.remarks)
        yield ""


def _markdown_cell(entry: Entry) -> str:
    return f"**{_escaped(entry.text)}**" if entry.best else _escaped(entry.text)


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _escaped(text: str) -> str:
    """Text that Markdown shows as it stands, in one line."""
    return " ".join(text.split()).translate(_MARKDOWN)
