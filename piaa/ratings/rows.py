"""Rows of ratings, checked together: all bad rows are reported, with lines and cures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from piaa.ratings.columns import find_columns
from piaa.ratings.files.problems import (
    MOST_PROBLEMS,
    BadRowsError,
    RowProblem,
    bad_rows_message,
    cut,
)
from piaa.ratings.files.raw_table import RawTable
from piaa.ratings.values import BadValue, NoScore, parse_name, parse_score, require_score

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from piaa.ratings.scale import Scale

Duplicates = Literal["error", "last", "mean"]
"""What to do when a user rated an image twice: refuse, keep the last score, or average the scores."""

_LONGEST_VALUE = 1000
_ONE_RATING = "delete one of the two rows, or pass --duplicates last or --duplicates mean"


class CleanRows(NamedTuple):
    """Columns of n rows in which every pair stands once, where it first appeared."""

    users: tuple[str, ...]
    images: tuple[str, ...]
    scores: NDArray[np.float64]
    """Shape (n,), in the units of the scale."""

    notes: tuple[str, ...]
    """What to know of how the table was read, and of what it says of no score."""


def check_rows(
    table: RawTable,
    *,
    scale: Scale,
    duplicates: Duplicates,
    user: str | None = None,
    strict: bool = False,
    same: Callable[[Iterable[str]], Mapping[str, object]] | None = None,
) -> CleanRows:
    """Turn a raw table into clean columns, or report every bad row at once.

    Args:
        table: with the columns that ``find_columns`` knows.
        scale: the units of the scores.
        duplicates: what to do when a user rated an image twice.
        user: to whom all rows belong when there is no user column.
        strict: whether every row must have a score; else rows without one are left out and counted.
        same: finds the file of each name, as far as there is one: names of one file are one image.

    Raises:
        RatingsError: columns are missing or ambiguous.
        BadRowsError: a field is empty or of the wrong kind, a score is outside the scale, or
            a pair is repeated.
    """
    columns = find_columns(table.names, source=table.source, user=user)
    whose = [user] * len(table.lines) if columns.user is None else table.column(columns.user)
    name_of = ["user" if columns.user is None else table.names[columns.user], table.names[columns.image]]
    users, bad_users = _parse(table.lines, name_of[0], whose, parse_name)
    images, bad_images = _parse(table.lines, name_of[1], table.column(columns.image), parse_name)
    on_scale = partial(require_score if strict else parse_score, scale=scale)
    scores, bad_scores = _parse(
        table.lines, table.names[columns.score], table.column(columns.score), on_scale
    )
    given = [row for row, score in enumerate(scores) if not isinstance(score, NoScore)]
    problems = [*table.problems, *bad_users, *bad_images, *bad_scores]
    files = same(dict.fromkeys(images[row] for row in given)) if same and not problems else {}
    repeats = _repeats(users, images, given, files)
    names = _one_name(images, given, files)
    if duplicates == "error":
        contradict = _repeat_problems(table, name_of[1], (users, images, scores), repeats)
        problems += islice(contradict, MOST_PROBLEMS)
    if problems:
        problems.sort(key=lambda problem: problem.line)
        message = bad_rows_message(table.source, table.n_rows, problems, table.unit)
        raise BadRowsError(message, tuple(problems))
    notes = (*table.notes, *columns.notes, *_without(scores, table.source))
    return CleanRows(*_merge((users, names, scores), given, repeats, duplicates), notes)


def _without(scores: Sequence[object], source: str) -> tuple[str, ...]:
    """How many rows have no score, in words."""
    kinds = ((NoScore.UNRATED, "unrated (blank or 0)"), (NoScore.REJECTED, "rejected (-1)"))
    counts = [f"{n} {what}" for kind, what in kinds if (n := scores.count(kind))]
    if not counts:
        return ()
    n_left = sum(isinstance(score, NoScore) for score in scores)
    rows = "row" if len(scores) == 1 else "rows"
    return (f"{source}: left out {n_left} of {len(scores)} {rows}: {', '.join(counts)}",)


def _parse(
    lines: Sequence[int], column: str, values: Sequence[object], parse: Callable[[object], Any]
) -> tuple[list[Any], list[RowProblem]]:
    """Each value of a column parsed, or a ``BadValue``; and the problems that these are."""
    # Texts repeat a lot, so each is parsed once. Only texts: as keys of a dictionary, 1 and True would be
    # the same.
    if all(type(value) is str for value in values):
        known = {value: parse(value) for value in set(values)}
        parsed = [known[value] for value in values]
    else:
        parsed = [parse(value) for value in values]
    problems = (
        _value_problem(line, column, value, found)
        for line, value, found in zip(lines, values, parsed, strict=True)
        if isinstance(found, BadValue)
    )
    return parsed, list(islice(problems, MOST_PROBLEMS))


def _value_problem(line: int, column: str, value: object, bad: BadValue) -> RowProblem:
    text = "" if value is None else str(value).strip()[:_LONGEST_VALUE]
    return RowProblem(line=line, column=column, value=text, reason=bad.reason, cure=bad.cure)


def _repeats(
    users: Sequence[object],
    images: Sequence[object],
    given: Sequence[int],
    files: Mapping[Any, object],
) -> list[tuple[int, int]]:
    """The rows whose pair an earlier row already has, each with the first such row."""
    keys = [(users[row], files.get(images[row], images[row]) if files else images[row]) for row in given]
    if len(set(keys)) == len(keys):
        return []
    first_row: dict[tuple[object, object], int] = {}
    found: list[tuple[int, int]] = []
    for row, key in zip(given, keys, strict=True):
        first = first_row.setdefault(key, row)
        if first != row and not any(isinstance(name, BadValue) for name in key):
            found.append((row, first))
    return found


def _one_name(images: list[Any], given: Sequence[int], files: Mapping[Any, object]) -> list[Any]:
    """The images, each file under the first of its names, whoever gave it."""
    if not files:
        return images
    first: dict[object, str] = {}
    names = list(images)
    for row in given:
        names[row] = first.setdefault(files.get(images[row], images[row]), images[row])
    return names


def _repeat_problems(
    table: RawTable,
    column: str,
    columns: tuple[Sequence[Any], Sequence[Any], Sequence[Any]],
    repeats: Iterable[tuple[int, int]],
) -> Iterator[RowProblem]:
    """What is wrong with rows that repeat a pair; one score under two names of a photo does not."""
    users, images, scores = columns
    for row, first in repeats:
        respelled = images[row] != images[first]
        if respelled and scores[row] == scores[first]:
            continue
        as_what = f" as {cut(images[first])}" if respelled else ""
        yield RowProblem(
            line=table.lines[row],
            column=column,
            value=images[row],
            reason=f"was already rated by user {users[row]!r} on {table.unit} {table.lines[first]}{as_what}",
            cure=_ONE_RATING,
        )


def _merge(
    columns: tuple[Sequence[str], Sequence[str], list[Any]],
    given: Sequence[int],
    repeats: Sequence[tuple[int, int]],
    duplicates: Duplicates,
) -> tuple[tuple[str, ...], tuple[str, ...], NDArray[np.float64]]:
    """Clean columns in which every pair stands once, where it first appeared."""
    users, images, scores = columns
    several: dict[int, list[float]] = {}
    for row, first in repeats:
        several.setdefault(first, [scores[first]]).append(scores[row])
    for first, values in several.items():
        scores[first] = _mean(values) if duplicates == "mean" else values[-1]
    dropped = {row for row, _ in repeats}
    kept = [row for row in given if row not in dropped] if dropped else given
    return (
        tuple(users[row] for row in kept),
        tuple(images[row] for row in kept),
        np.array([scores[row] for row in kept], dtype=np.float64),
    )


def _mean(scores: list[float]) -> float:
    """The mean, rounded once: it cannot leave the scale by a rounding error, and whole means stay whole."""
    return float(sum(map(Fraction, scores)) / len(scores))
