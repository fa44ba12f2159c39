"""Tables of JSON lines: one object per line, whose keys are the columns."""

from __future__ import annotations

import io
import json

from piaa.ratings.files.problems import RowProblem
from piaa.ratings.files.raw_table import RawTable, TableKind


def read_json_lines(text: str, source: str, kind: TableKind) -> RawTable:
    """Read a table of objects; a key that a row lacks is None there, and empty lines are skipped."""
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
        else:
            lines.append(line)
            rows.append({key.strip(): value for key, value in parsed.items()})
    # Where no line can be read there are no columns to look for; the broken lines are the news.
    names = tuple(dict.fromkeys(key for row in rows for key in row)) if rows else kind.columns
    return RawTable(
        source=source,
        unit="line",
        names=names,
        lines=lines,
        column=lambda place: [row.get(names[place]) for row in rows],
        problems=tuple(problems),
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
