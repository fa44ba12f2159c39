"""Tables of comparisons: ``better,worse``, two photos a row."""

from __future__ import annotations

import csv
from pathlib import Path

from generic.errors import RatingsError

_COLUMNS = ("better", "worse")
_SHOWN = 5


def read_pairs(path: Path) -> list[tuple[str, str]]:
    """Read and check a CSV file with the columns ``better`` and ``worse``; other columns are ignored.

    The same pair may stand in both orders: people change their minds, and the two cancel out.

    Returns:
        names of the preferred photo and of the other, for each row.

    Raises:
        RatingsError: the file cannot be read, a column is missing, or rows are bad (all of them are counted,
            the first five named).
    """
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except FileNotFoundError:
        raise RatingsError(f"{path} does not exist; check the path of the comparisons") from None
    except (OSError, UnicodeDecodeError) as error:
        raise RatingsError(
            f"{path} cannot be read as UTF-8 text ({type(error).__name__}); name a CSV file with the columns "
            "better,worse"
        ) from None
    rows = csv.reader(lines, skipinitialspace=True)
    names = [name.strip().lower() for name in next(rows, [])]
    missing = [column for column in _COLUMNS if column not in names]
    if missing:
        raise RatingsError(
            f"{path} has no {' and no '.join(missing)} column; its columns are "
            f"{', '.join(map(repr, names)) or 'none'}; give it the columns better,worse"
        )
    places = [names.index(column) for column in _COLUMNS]
    found: list[tuple[str, str]] = []
    problems: list[str] = []
    for row in rows:
        if not any(cell.strip() for cell in row):
            continue
        better, worse = (row[place].strip() if place < len(row) else "" for place in places)
        if not better or not worse:
            problems.append(f"line {rows.line_num}, a photo is missing")
        elif better == worse:
            problems.append(f"line {rows.line_num}, photo {better!r} is compared with itself")
        found.append((better, worse))
    if problems:
        counted = f"{len(problems)} of {len(found)} row{'s' * (len(found) != 1)}"
        verb = "is" if len(problems) == 1 else "are"
        more = f"; and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
        raise RatingsError(
            f"{path}: {counted} {verb} bad: {'; '.join(problems[:_SHOWN])}{more}. "
            "To do: name two different photos in every row"
        )
    if not found:
        raise RatingsError(f"{path} has a header but no comparisons; add one row per comparison")
    return found
