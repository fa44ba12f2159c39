"""Rows of ratings, checked together: all bad rows are reported, with lines and cures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from piaa.ratings.columns import find_columns
from piaa.ratings.files.problems import BadRowsError, RowProblem, bad_rows_message
from piaa.ratings.files.raw_table import RawTable
from piaa.ratings.values import BadValue, parse_name, parse_score

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from piaa.ratings.scale import Scale

Duplicates = Literal["error", "last", "mean"]
"""What to do when a user rated an image twice: refuse, keep the last score, or average the scores."""

_ONE_RATING = "delete one of the two rows, or pass --duplicates last or --duplicates mean"


def check_rows(
    table: RawTable, *, scale: Scale, duplicates: Duplicates, user: str | None = None
) -> tuple[tuple[str, ...], tuple[str, ...], NDArray[np.float64]]:
    """Turn a raw table into clean columns, or report every bad row at once.

    Args:
        table: with the columns that ``find_columns`` knows.
        scale: the units of the scores.
        duplicates: what to do when a user rated an image twice.
        user: to whom all rows belong when there is no user column.

    Returns:
        users, images and scores, each with n entries in order of first appearance, where n
        counts a repeated pair once; scores in the units of the scale.

    Raises:
        RatingsError: columns are missing or ambiguous.
        BadRowsError: a field is empty or of the wrong kind, a score is outside the scale, or
            a pair is repeated.
    """
    columns = find_columns(table.names, source=table.source, user=user)

    def read(name: str) -> Sequence[object]:
        return table.column(table.names.index(name))

    whose = [user] * len(table.lines) if columns.user is None else read(columns.user)
    users, bad_users = _parse(table.lines, columns.user or "user", whose, parse_name)
    images, bad_images = _parse(table.lines, columns.image, read(columns.image), parse_name)
    on_scale = partial(parse_score, scale=scale)
    scores, bad_scores = _parse(table.lines, columns.score, read(columns.score), on_scale)
    repeats = _repeats(users, images)
    problems = [*table.problems, *bad_users, *bad_images, *bad_scores]
    if duplicates == "error":
        problems += (
            _repeat_problem(table, columns.image, users, images, row, first) for row, first in repeats
        )
    if problems:
        problems.sort(key=lambda problem: problem.line)
        message = bad_rows_message(table.source, table.n_rows, problems, table.unit)
        raise BadRowsError(message, tuple(problems))
    return _merge(users, images, scores, repeats, duplicates)


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
    problems = [
        _value_problem(line, column, value, found)
        for line, value, found in zip(lines, values, parsed, strict=True)
        if isinstance(found, BadValue)
    ]
    return parsed, problems


def _value_problem(line: int, column: str, value: object, bad: BadValue) -> RowProblem:
    text = "" if value is None else str(value).strip()
    return RowProblem(line=line, column=column, value=text, reason=bad.reason, cure=bad.cure)


def _repeats(users: Sequence[object], images: Sequence[object]) -> list[tuple[int, int]]:
    """The rows whose pair an earlier row already has, each with the first such row."""
    pairs = list(zip(users, images, strict=True))
    if len(set(pairs)) == len(pairs):
        return []
    first_row: dict[tuple[object, object], int] = {}
    found: list[tuple[int, int]] = []
    for row, pair in enumerate(pairs):
        first = first_row.setdefault(pair, row)
        if first != row and not any(isinstance(name, BadValue) for name in pair):
            found.append((row, first))
    return found


def _repeat_problem(
    table: RawTable, column: str, users: Sequence[str], images: Sequence[str], row: int, first: int
) -> RowProblem:
    return RowProblem(
        line=table.lines[row],
        column=column,
        value=images[row],
        reason=f"was already rated by user {users[row]!r} on {table.unit} {table.lines[first]}",
        cure=_ONE_RATING,
    )


def _merge(
    users: Sequence[str],
    images: Sequence[str],
    scores: list[float],
    repeats: Sequence[tuple[int, int]],
    duplicates: Duplicates,
) -> tuple[tuple[str, ...], tuple[str, ...], NDArray[np.float64]]:
    """Clean columns in which every pair stands once, where it first appeared."""
    given: dict[int, list[float]] = {}
    for row, first in repeats:
        given.setdefault(first, [scores[first]]).append(scores[row])
    for first, values in given.items():
        scores[first] = values[-1] if duplicates == "last" else _mean(values)
    dropped = {row for row, _ in repeats}
    kept = [row for row in range(len(users)) if row not in dropped] if dropped else range(len(users))
    return (
        tuple(users[row] for row in kept),
        tuple(images[row] for row in kept),
        np.array([scores[row] for row in kept], dtype=np.float64),
    )


def _mean(scores: list[float]) -> float:
    """The mean, rounded once: it cannot leave the scale by a rounding error, and whole means stay whole."""
    return float(sum(map(Fraction, scores)) / len(scores))
