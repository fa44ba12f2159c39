"""A table as it was found, its values not yet judged; and what a file of one kind of table should hold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from generic.errors import PiaaError
from piaa.ratings.files.problems import RowProblem

MOST_ROWS = 5_000_000
"""A table of more takes gigabytes of memory while it is read."""

MOST_COLUMNS = 10_000


@dataclass(frozen=True, kw_only=True)
class TableKind:
    """One kind of table that people hand in, and what they are told about a file that is none."""

    what: str
    """Its rows in plural, such as ``ratings``."""

    error: type[PiaaError]
    """What is raised."""

    missing: str
    """Said of a file that does not exist, after its name and a space."""

    empty: str
    """Said of a file without a letter, likewise."""

    not_utf8: str
    """Said of a file that is not UTF-8, right after its name; may use {line}, {byte} and {offset}."""

    columns: tuple[str, ...] = ()
    """Its columns, as one would name them."""

    example: str = ""
    """A row as a JSON object."""

    by_people: bool = False
    """Whether people make such files themselves: with empty rows, in the encodings of their programs."""

    forgiving: bool = False
    """Whether rows may have too few or too many fields, and quotes may stand anywhere."""

    most_bytes: int = 1 << 30
    """Larger files are refused."""

    def check_size(self, source: str, n_rows: int, n_columns: int = 1) -> None:
        """Refuse what would take more memory than there may be.

        Raises:
            PiaaError: ``error``, as there are too many rows or columns.
        """
        for n, most, what in ((n_rows, MOST_ROWS, "rows"), (n_columns, MOST_COLUMNS, "columns")):
            if n > most:
                raise self.error(
                    f"{source} has more than {most:,} {what}, expected a table of {self.what}; cut it into "
                    "several files"
                )


@dataclass(frozen=True, kw_only=True)
class RawTable:
    """Names of columns and rows of values; ``lines`` and each column have one entry per row."""

    source: str
    """The table's name for messages."""

    names: tuple[str, ...]
    """Every column's name without the spaces around it, in order, repeated names included."""

    lines: Sequence[int]
    """Where each row begins."""

    column: Callable[[int], Sequence[object]]
    """The values of a column, by its place among ``names``; texts as they stand, None where nothing does."""

    unit: Literal["line", "row"] = "row"
    """What ``lines`` counts, from 1: lines of a text file, header included, or rows."""

    problems: tuple[RowProblem, ...] = ()
    """Rows too broken to have fields, one each; they are in no column."""

    notes: tuple[str, ...] = ()
    """What to know of how the file was read, each with its name; for the person who gave it."""

    @property
    def n_rows(self) -> int:
        """The number of rows, the broken ones too."""
        return len(self.lines) + len(self.problems)

    def without_rows(self, what: str, cure: str) -> str:
        """What to say of a table that has no rows."""
        begun = "a header" if self.unit == "line" else "columns"
        return f"{self.source} has {begun} but no {what}; {cure}"
