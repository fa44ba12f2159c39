"""Rows of ratings as they were found, checked together: all bad rows are reported, with lines and cures."""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from generic.errors import RatingsError
from piaa.ratings.columns import Columns

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from piaa.ratings.scale import Scale

Duplicates = Literal["error", "last", "mean"]
"""What to do when a user rated an image twice: refuse, keep the last score, or average the scores."""

_SHOWN_ROWS = 5
_SHOWN_CHARACTERS = 60

_FILL_IN = "fill in every field or delete the row"
_PLAIN_NUMBER = "write every score as a plain number such as 3.5"
_PLAIN_TEXT = "write every user and image as plain text"
_RIGHT_SCALE = "correct the score or pass its real scale as --scale LOW HIGH"
_ONE_RATING = "delete one of the two rows, or pass --duplicates last or --duplicates mean"


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
        shown = (
            self.value if len(self.value) <= _SHOWN_CHARACTERS else self.value[: _SHOWN_CHARACTERS - 1] + "…"
        )
        # An empty value is named by its reason; repr keeps a value with line breaks on one line.
        return " ".join(part for part in (self.column, repr(shown) if shown else "", self.reason) if part)


class BadRowsError(RatingsError):
    """A table of ratings has bad rows; ``problems`` holds all of them, the message the first five rows."""

    def __init__(self, message: str, problems: tuple[RowProblem, ...] = ()) -> None:
        super().__init__(message)
        self.problems = problems


@dataclass(frozen=True, kw_only=True)
class RawRows:
    """Rows as they were found, not yet checked; the sequences have one entry per row."""

    source: str
    """The table's name for messages."""

    unit: Literal["line", "row"]
    """What ``lines`` counts."""

    columns: Columns
    lines: Sequence[int]
    users: Sequence[object]
    images: Sequence[object]
    scores: Sequence[object]

    problems: tuple[RowProblem, ...] = ()
    """Rows too broken to have fields, one each; they are in none of the sequences."""


def check_rows(
    rows: RawRows, *, scale: Scale, duplicates: Duplicates
) -> tuple[tuple[str, ...], tuple[str, ...], NDArray[np.float64]]:
    """Turn raw rows into clean columns, or report every bad row at once.

    Spaces around names are stripped; nothing else about a name is changed, because it must
    still match the file on disk (a backslash, for one, is a legal character there).

    Returns:
        users, images and scores, each with n entries in order of first appearance, where n
        counts a repeated pair once; scores in the units of the scale.

    Raises:
        BadRowsError: a field is empty or of the wrong kind, a score is outside the scale, or
            a pair is repeated.
    """
    users = _parse(rows.users, _name)
    images = _parse(rows.images, _name)
    scores = _parse(rows.scores, partial(_score, scale=scale))
    repeats = _repeats(users, images)
    problems = [
        *rows.problems,
        *_bad_cells(rows, rows.columns.user or "user", rows.users, users),
        *_bad_cells(rows, rows.columns.image, rows.images, images),
        *_bad_cells(rows, rows.columns.score, rows.scores, scores),
        *(
            _repeat_problem(rows, users, images, row, first)
            for row, first in repeats
            if duplicates == "error"
        ),
    ]
    if problems:
        problems.sort(key=lambda problem: problem.line)
        raise BadRowsError(_message(rows, problems), tuple(problems))
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


@dataclass(frozen=True)
class _Bad:
    """What stands in a column in place of a value that could not be read."""

    reason: str
    cure: str


def _parse(values: Sequence[object], parse: Callable[[object], Any]) -> list[Any]:
    """Each value parsed, or a ``_Bad``; texts repeat a lot in a table, so each is parsed once."""
    # Only for text: as keys of a dictionary, 1 and True would be the same.
    if all(type(value) is str for value in values):
        parsed = {value: parse(value) for value in set(values)}
        return [parsed[value] for value in values]
    return [parse(value) for value in values]


def _repeats(users: Sequence[object], images: Sequence[object]) -> list[tuple[int, int]]:
    """The rows whose pair an earlier row already has, each with the first such row."""
    pairs = list(zip(users, images, strict=True))
    if len(set(pairs)) == len(pairs):
        return []
    first_row: dict[tuple[object, object], int] = {}
    found: list[tuple[int, int]] = []
    for row, pair in enumerate(pairs):
        first = first_row.setdefault(pair, row)
        if first != row and not any(isinstance(name, _Bad) for name in pair):
            found.append((row, first))
    return found


def _bad_cells(
    rows: RawRows, column: str, values: Sequence[object], parsed: Sequence[object]
) -> Iterator[RowProblem]:
    for line, value, bad in zip(rows.lines, values, parsed, strict=True):
        if isinstance(bad, _Bad):
            text = "" if value is None else str(value).strip()
            yield RowProblem(line=line, column=column, value=text, reason=bad.reason, cure=bad.cure)


def _repeat_problem(
    rows: RawRows, users: Sequence[str], images: Sequence[str], row: int, first: int
) -> RowProblem:
    return RowProblem(
        line=rows.lines[row],
        column=rows.columns.image,
        value=images[row],
        reason=f"was already rated by user {users[row]!r} on {rows.unit} {rows.lines[first]}",
        cure=_ONE_RATING,
    )


def _name(value: object) -> str | _Bad:
    """A user's or an image's name, without the spaces around it; whole numbers are names too."""
    if value is None:
        return _Bad("is empty", _FILL_IN)
    if isinstance(value, numbers.Integral) and not isinstance(value, bool):
        return str(int(value))
    if not isinstance(value, str):
        return _Bad("is not text", _PLAIN_TEXT)
    name = value.strip()
    if not name:
        return _Bad("is empty", _FILL_IN)
    # JSON can smuggle in both; no file name and no database field can hold them.
    if not name.isprintable() and ("\0" in name or any("\ud800" <= letter <= "\udfff" for letter in name)):
        return _Bad("holds a NUL or half a character", _PLAIN_TEXT)
    return name


def _score(value: object, *, scale: Scale) -> float | _Bad:
    """A score on the scale, from a number or from text."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return _Bad("is empty", _FILL_IN)
    if isinstance(value, bool | np.bool_):
        return _Bad("is true or false, not a number", _PLAIN_NUMBER)
    # float() would read "1_0" as 10, which nobody means in a table.
    if not isinstance(value, str | numbers.Real | Decimal) or (isinstance(value, str) and "_" in value):
        return _Bad("is not a number", _PLAIN_NUMBER)
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return _Bad("is not a number", _PLAIN_NUMBER)
    if not math.isfinite(number):
        return _Bad("is not a finite number", _PLAIN_NUMBER)
    if not scale.low <= number <= scale.high:
        return _Bad(f"is outside the scale {scale}", _RIGHT_SCALE)
    return number


def _mean(scores: list[float]) -> float:
    """The mean, rounded once: it cannot leave the scale by a rounding error, and whole means stay whole."""
    return float(sum(map(Fraction, scores)) / len(scores))


def _message(rows: RawRows, problems: Sequence[RowProblem]) -> str:
    """One line: how many rows are bad, the first of them, and each different cure once."""
    by_line: dict[int, list[str]] = {}
    for problem in problems:
        by_line.setdefault(problem.line, []).append(str(problem))
    shown = [
        f"{rows.unit} {line}, {' and '.join(texts)}" for line, texts in list(by_line.items())[:_SHOWN_ROWS]
    ]
    if len(by_line) > _SHOWN_ROWS:
        shown.append(f"and {len(by_line) - _SHOWN_ROWS} more")
    cures = dict.fromkeys(problem.cure for problem in problems)
    n_rows = len(rows.lines) + len(rows.problems)
    counted = f"{len(by_line)} of {n_rows} {'row' if n_rows == 1 else 'rows'}"
    verb = "is" if len(by_line) == 1 else "are"
    return f"{rows.source}: {counted} {verb} bad: {'; '.join(shown)}. To do: {'; '.join(cures)}"
