"""Tables of comparisons: ``better,worse``, two photos a row."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from generic.errors import RatingsError
from piaa.ratings.columns import MOST_BYTES
from piaa.ratings.files.problems import BadRowsError, RowProblem, bad_rows_message
from piaa.ratings.files.read import ANY_DELIMITER, BINARIES, TEXTS, TableKind, read_table
from piaa.ratings.values import EMPTY, BadValue, parse_name

_CURE = "name two different photos in every row"

COMPARISONS = TableKind(
    what="comparisons",
    error=RatingsError,
    columns=("better", "worse"),
    example='{"better": "a.jpg", "worse": "b.jpg"}',
    missing="does not exist; check the path of the comparisons",
    empty="has no better and no worse column; its columns are none; give it the columns better,worse",
    not_utf8=" cannot be read as UTF-8 text (UnicodeDecodeError); name a CSV file with the columns "
    "better,worse",
    forgiving=True,
    by_people=True,
    most_bytes=MOST_BYTES,
)


class Comparisons(NamedTuple):
    """A table of comparisons that was read."""

    pairs: list[tuple[str, str]]
    """Names of the preferred photo and of the other, for each row."""

    notes: tuple[str, ...]
    """What to know of how it was read."""


def read_pairs(path: Path) -> Comparisons:
    """Read and check a table with the columns ``better`` and ``worse``; other columns are ignored.

    The formats are those of :func:`piaa.ratings.table.read_ratings`; a file of any other suffix is text
    with a delimiter. The same pair may stand in both orders: people change their minds, and the two cancel
    out.

    Raises:
        RatingsError: the file cannot be read, or a column is missing or there twice.
        BadRowsError: rows are bad; it lists every one of them.
    """
    structured = path.suffix.lower() in (*TEXTS, *BINARIES)
    table = read_table(path, COMPARISONS, None if structured else ANY_DELIMITER)
    names = [name.lower() for name in table.names]
    missing = [column for column in COMPARISONS.columns if column not in names]
    if missing:
        raise RatingsError(
            f"{table.source} has no {' and no '.join(missing)} column; its columns are "
            f"{', '.join(map(repr, names)) or 'none'}; give it the columns better,worse"
        )
    twice = [column for column in COMPARISONS.columns if names.count(column) > 1]
    if twice:
        raise RatingsError(f"{table.source} has two columns {twice[0]!r}; rename or delete one of them")
    better, worse = ([*map(parse_name, table.column(names.index(name)))] for name in COMPARISONS.columns)
    problems, pairs = list(table.problems), []
    for line, first, second in zip(table.lines, better, worse, strict=True):
        if isinstance(first, BadValue):
            problems.append(_bad_photo(line, first))
        elif isinstance(second, BadValue):
            problems.append(_bad_photo(line, second))
        elif first == second:
            problems.append(_problem(line, "photo", first, "is compared with itself"))
        else:
            pairs.append((first, second))
    if problems:
        problems.sort(key=lambda problem: problem.line)
        message = bad_rows_message(table.source, table.n_rows, problems, table.unit)
        raise BadRowsError(message, tuple(problems))
    if not pairs:
        raise RatingsError(table.without_rows("comparisons", "add one row per comparison"))
    return Comparisons(pairs, table.notes)


def _bad_photo(line: int, bad: BadValue) -> RowProblem:
    return _problem(line, "a photo", "", "is missing" if bad == EMPTY else bad.reason)


def _problem(line: int, column: str, value: str, reason: str) -> RowProblem:
    return RowProblem(line=line, column=column, value=value, reason=reason, cure=_CURE)
