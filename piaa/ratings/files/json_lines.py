"""Tables of JSON: one object a line, or one list of objects; their keys are the columns."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from typing import Literal

from piaa.ratings.files.problems import MOST_PROBLEMS, RowProblem
from piaa.ratings.files.raw_table import RawTable, TableKind


def read_json_lines(text: str, source: str, kind: TableKind, notes: tuple[str, ...] = ()) -> RawTable:
    """Read a table of one object a line; a key that a row lacks is None there, empty lines are skipped."""
    lines: list[int] = []
    rows: list[dict[str, object]] = []
    problems: list[RowProblem] = []
    for line, content in enumerate(io.StringIO(text, newline=""), start=1):
        if not (content := content.strip()):
            continue
        parsed = _parse_object(content)
        if isinstance(parsed, str):
            cure = f"write one object per line, such as {kind.example}"
            problems.append(RowProblem(line=line, column="", value=content, reason=parsed, cure=cure))
            if len(problems) == MOST_PROBLEMS:
                raise kind.error(
                    f"{source} is no table: {MOST_PROBLEMS} lines are no objects, the first is line "
                    f"{problems[0].line}; {cure}"
                )
        else:
            lines.append(line)
            rows.append({key.strip(): value for key, value in parsed.items()})
    return _table(rows, lines, problems, source, kind, notes, "line")


def read_json(text: str, source: str, kind: TableKind, notes: tuple[str, ...] = ()) -> RawTable:
    """Read a document that is a list of objects, or an object with one such list; else lines of objects.

    What such an object says beside its list, as a text or a number, it says of every row.
    """
    try:
        document = json.loads(text, object_pairs_hook=_object)
    except (ValueError, RecursionError):
        return read_json_lines(text, source, kind, notes)
    found, common = _rows_of(document)
    if found is None:
        raise kind.error(f"{source} is no list of objects; write a list of objects such as {kind.example}")
    rows: list[dict[str, object]] = []
    lines: list[int] = []
    problems: list[RowProblem] = []
    for number, row in enumerate(found, 1):
        if isinstance(row, dict):
            lines.append(number)
            rows.append({key.strip(): value for key, value in {**common, **row}.items()})
        else:
            problems.append(_no_object(number, row, kind))
    return _table(rows, lines, problems, source, kind, notes, "row")


def _rows_of(document: object) -> tuple[list[object] | None, dict[str, object]]:
    """The rows of a document, None if it has none; and what it says of all of them."""
    if isinstance(document, list):
        return document, {}
    if not isinstance(document, dict):
        return None, {}
    values = [value for value in document.values() if isinstance(value, list)]
    lists = [value for value in values if any(isinstance(row, dict) for row in value)]
    if len(lists) != 1:
        return [document], {}
    return lists[0], {key: value for key, value in document.items() if isinstance(value, str | int | float)}


def _no_object(number: int, row: object, kind: TableKind) -> RowProblem:
    cure = f"write one object per row, such as {kind.example}"
    return RowProblem(line=number, column="", value=str(row), reason="is not a JSON object", cure=cure)


def _table(
    rows: Sequence[Mapping[str, object]],
    lines: Sequence[int],
    problems: Sequence[RowProblem],
    source: str,
    kind: TableKind,
    notes: tuple[str, ...],
    unit: Literal["line", "row"],
) -> RawTable:
    kind.check_size(source, len(rows))
    # Where no row can be read there are no columns to look for; the broken ones are the news.
    names = tuple(dict.fromkeys(key for row in rows for key in row)) if rows else kind.columns
    kind.check_size(source, 0, len(names))
    return RawTable(
        source=source,
        unit=unit,
        names=names,
        lines=lines,
        column=lambda place: [row.get(names[place]) for row in rows],
        problems=tuple(problems),
        notes=notes,
    )


def _parse_object(line: str) -> dict[str, object] | str:
    """The object on one line, or what is wrong with the line."""
    try:
        value = json.loads(line, object_pairs_hook=_object)
    except _RepeatedKeyError:
        return "names a key twice"
    except (ValueError, RecursionError):  # Broken, a number of thousands of digits, or nested beyond reason.
        return "is not valid JSON"
    return value if isinstance(value, dict) else "is not a JSON object"


class _RepeatedKeyError(ValueError):
    """A JSON object names a key twice; Python would silently keep the last."""


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    keys = [key for key, _ in pairs]
    if len(set(keys)) < len(keys):
        raise _RepeatedKeyError
    return dict(pairs)
