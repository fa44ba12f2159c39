"""How text fits a terminal: in a pipe nothing is broken or cut.

Sentences break between words, columns are as wide as they look, and of a path that is too long for one the
end is seen.
"""

from __future__ import annotations

import shutil
import sys
import textwrap

import typer


def sentence(text: str) -> None:
    """A sentence on stdout: one line, which a terminal shows on as many as it needs, broken between words."""
    width = columns()
    if width is not None:
        lines = textwrap.wrap(
            text, width, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
        )
        text = "\n".join(lines)
    typer.echo(text)


def columns() -> int | None:
    """How many columns stdout has; None if it is no terminal."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def width_of(text: str) -> int:
    """How many columns a terminal needs for a text: two for a Chinese character, none for a loose accent."""
    from rich.cells import cell_len

    return cell_len(text)


def end_of(text: str, width: int | None) -> str:
    """A text of at most ``width`` columns: of a longer one the end, behind an ellipsis.

    Example:
        >>> end_of("photos/2024/summer/beach.jpg", 16), end_of("a.jpg", 16)
        ('…ummer/beach.jpg', 'a.jpg')
    """
    if width is None or width_of(text) <= width:
        return text
    # An accent without its letter would join the ellipsis.
    while text and (width_of(text) >= width or not width_of(text[0])):
        text = text[1:]
    return f"…{text}"


def padded(text: str, width: int) -> str:
    """A text with spaces behind it, up to ``width`` columns."""
    return text + " " * (width - width_of(text))


def name_column(names: list[str], heading: str, others: int) -> list[str]:
    """A column of names as wide as the widest, its heading first; on a terminal the others leave it the rest.

    Args:
        names: what stands in it, each on one line.
        heading: its name.
        others: columns that the rest of a row takes.
    """
    space = columns()
    most = None if space is None else max(len(heading), 10, space - others)
    cells = [heading, *(end_of(name, most) for name in names)]
    width = max(map(width_of, cells))
    return [padded(cell, width) for cell in cells]
