"""What is wrong with rows of a table: all of it is found, and said in one message."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from generic.errors import RatingsError

MOST_PROBLEMS = 100_000
"""More are not kept: a file that is no table would be all problems, each larger than its row."""

_SHOWN_ROWS = 5
_SHOWN_CHARACTERS = 60


@dataclass(frozen=True, kw_only=True)
class RowProblem:
    """One thing that is wrong with one row."""

    line: int
    """Where the row begins: the line of a text file, header included, or else the row; both from 1."""

    column: str
    """The column, as the table names it; empty when the row as a whole is meant."""

    value: str
    """What stands there."""

    reason: str
    """What is wrong with it; continues the sentence "score 'x' ..."."""

    cure: str
    """What to do about it."""

    def __str__(self) -> str:
        # An empty value is named by its reason.
        return " ".join(
            part for part in (self.column, cut(self.value) if self.value else "", self.reason) if part
        )


class BadRowsError(RatingsError):
    """A table of ratings has bad rows; ``problems`` holds all of them, the message the first five rows."""

    def __init__(self, message: str, problems: tuple[RowProblem, ...] = ()) -> None:
        super().__init__(message)
        self.problems = problems


def bad_rows_message(source: str, n_rows: int, problems: Iterable[RowProblem], unit: str = "line") -> str:
    """One line: how many rows are bad, the first of them, and each different cure once.

    Args:
        source: the table's name.
        n_rows: how many rows it has, good and bad.
        problems: at least one, in order of lines.
        unit: what their lines count, ``line`` or ``row``.
    """
    by_line: dict[int, list[str]] = {}
    cures: dict[str, None] = {}
    for problem in problems:
        by_line.setdefault(problem.line, []).append(str(problem))
        cures[problem.cure] = None
    shown = [f"{unit} {line}, {' and '.join(texts)}" for line, texts in list(by_line.items())[:_SHOWN_ROWS]]
    if len(by_line) > _SHOWN_ROWS:
        shown.append(f"and {len(by_line) - _SHOWN_ROWS} more")
    least = "at least " if sum(map(len, by_line.values())) >= MOST_PROBLEMS else ""
    counted = f"{least}{len(by_line)} of {n_rows} {'row' if n_rows == 1 else 'rows'}"
    verb = "is" if len(by_line) == 1 else "are"
    return f"{source}: {counted} {verb} bad: {'; '.join(shown)}. To do: {'; '.join(cures)}"


def cut(value: str) -> str:
    """A value in quotes on one line, cut where it is long."""
    return repr(value if len(value) <= _SHOWN_CHARACTERS else value[: _SHOWN_CHARACTERS - 1] + "…")
