"""Fixations of an eye tracker, read from its tab-separated export; all bad rows are reported together.

One row is one fixation. Columns, in any order, others ignored; upper and lower case are the same:

| meaning | names | unit |
|---|---|---|
| recording | ``recording``, ``RecordingName`` | text: one person's session |
| media name | ``media``, ``MediaName`` | the image's file name |
| x | ``x``, ``FixationPointX (MCSpx)`` | media pixels from the left edge |
| y | ``y``, ``FixationPointY (MCSpx)`` | media pixels from the top edge |
| duration | ``duration``, ``GazeEventDuration`` | milliseconds |

The second names are those of Tobii Studio's export. MCS is its media coordinate system: pixels of the
image and not of the screen.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from generic.errors import DatasetError
from piaa.ratings.files.problems import RowProblem, bad_rows_message
from piaa.ratings.files.read import TABS, RawTable, read_table
from protocols.datasets.files import LABEL_FILE

COLUMNS: dict[str, tuple[str, ...]] = {
    "recording": ("recording", "RecordingName"),
    "media": ("media", "MediaName"),
    "x": ("x", "FixationPointX (MCSpx)"),
    "y": ("y", "FixationPointY (MCSpx)"),
    "duration": ("duration", "GazeEventDuration"),
}
"""Accepted names of each column."""

_SHOWN = 5

_FILL_IN = "fill in every field, and export fixations only"
_SAME_FIELDS = "write as many fields, between tabs, as the header has"
_NUMBER = "write numbers as 412.5, with a decimal point"
_POSITIVE = "write durations in milliseconds, above 0"
_KNOWN = "write media names as the image files are named, or add the images"
_INSIDE = "export media pixels (MCSpx) of the image as it was shown, and leave out gaze beside it"
_ONE_ROW = "export one row per fixation, not one per sample"


class BadGazeError(DatasetError):
    """An export has bad rows, or images without gaze; ``problems`` holds every bad row."""

    def __init__(self, message: str, problems: tuple[RowProblem, ...] = ()) -> None:
        super().__init__(message)
        self.problems = problems


@dataclass(frozen=True, kw_only=True, eq=False)
class Fixations:
    """All fixations on one image, by any number of people."""

    image: str
    """The image's file name."""
    size: tuple[int, int]
    """(height, width) of the image in pixels."""
    recordings: tuple[str, ...]
    """Whose session each of the n fixations is from."""
    points: NDArray[np.float64]
    """(x, y) in pixels from the upper left corner, shape (n, 2); within [0, width) and [0, height)."""
    durations: NDArray[np.float64]
    """Milliseconds, above 0, shape (n,)."""

    def __len__(self) -> int:
        """How many fixations, n."""
        return len(self.recordings)


@dataclass(frozen=True)
class _Row:
    """One fixation as it was read."""

    line: int
    recording: str
    media: str
    x: float
    y: float
    duration: float

    @property
    def content(self) -> tuple[object, ...]:
        return self.recording, self.media, self.x, self.y, self.duration


def read_fixations(path: Path | str, sizes: Mapping[str, tuple[int, int]]) -> dict[str, Fixations]:
    """The fixations on every image.

    Args:
        path: a tab-separated UTF-8 file with a header, see this module's columns.
        sizes: (height, width) in pixels of every image that was shown, by file name.

    Returns:
        image -> its fixations in the file's order; images in the order of ``sizes``, each with at
        least one fixation.

    Raises:
        BadGazeError: a row is bad, gaze lies outside of its image, or an image has no gaze.
        DatasetError: the file cannot be read, or its columns are not these.
    """
    table = read_table(Path(path), LABEL_FILE, TABS)
    columns = _find_columns(table)
    if not table.n_rows:
        raise DatasetError(table.without_rows("fixations", "add one row per fixation"))
    texts = {
        column: [str(value).strip() for value in table.column(at)] for column, (at, _) in columns.items()
    }
    rows: list[_Row] = []
    problems = [_problem(broken.line, "row", "", broken.reason, _SAME_FIELDS) for broken in table.problems]
    for line, *fields in zip(table.lines, *texts.values(), strict=True):
        found = _check_row(line, dict(zip(texts, fields, strict=True)), columns, sizes)
        if isinstance(found, _Row) and rows and rows[-1].content == found.content:
            what = f"is the same fixation as on line {rows[-1].line}"
            problems.append(_problem(line, "row", "", what, _ONE_ROW))
        elif isinstance(found, _Row):
            rows.append(found)
        else:
            problems += found
    named = set(texts["media"])
    _refuse(table, problems, [image for image in sizes if image not in named])
    by_image: dict[str, list[_Row]] = {}
    for row in rows:
        by_image.setdefault(row.media, []).append(row)
    return {image: _of_image(image, size, by_image[image]) for image, size in sizes.items()}


def _find_columns(table: RawTable) -> dict[str, tuple[int, str]]:
    """Place and name, as the header writes it, of each column."""
    shown, header = table.source, table.names
    lowered = [name.lower() for name in header]
    found: dict[str, tuple[int, str]] = {}
    missing: list[str] = []
    for column, names in COLUMNS.items():
        at = [index for index, name in enumerate(lowered) if name in {alias.lower() for alias in names}]
        if len(at) > 1:
            both = " and ".join(repr(header[index]) for index in at)
            raise DatasetError(f"{shown}: the columns {both} both mean the {column}; delete one of them")
        if at:
            found[column] = (at[0], header[at[0]])
        else:
            missing.append(f"no {column} column (named {' or '.join(map(repr, names))})")
    if missing:
        columns = ", ".join(repr(name) for name in header)
        raise DatasetError(
            f"{shown} has {' and '.join(missing)}; its columns, between tabs, are {columns}; "
            "export fixations as tab-separated text with these columns"
        )
    return found


def _check_row(
    line: int,
    texts: Mapping[str, str],
    columns: Mapping[str, tuple[int, str]],
    sizes: Mapping[str, tuple[int, int]],
) -> _Row | list[RowProblem]:
    """The fixation on one line, or everything that is wrong with it."""
    problems = [
        _problem(line, columns[column][1], text, what, cure)
        for column, text in texts.items()
        for what, cure in [_wrong(column, text, sizes)]
        if what
    ]
    wrong = {problem.column for problem in problems}
    if columns["media"][1] not in wrong:
        for column, limit in zip("yx", sizes[texts["media"]], strict=True):
            name = columns[column][1]
            if name not in wrong and not 0 <= float(texts[column]) < limit:
                what = f"is outside of {texts['media']!r}, expected 0 to below {limit}"
                problems.append(_problem(line, name, texts[column], what, _INSIDE))
    if problems:
        return problems
    numbers = {column: float(texts[column]) for column in ("x", "y", "duration")}
    return _Row(line, texts["recording"], texts["media"], **numbers)


def _wrong(column: str, text: str, sizes: Mapping[str, tuple[int, int]]) -> tuple[str, str]:
    """What is wrong with one field, and the cure; empty texts if nothing is."""
    if not text:
        return "is empty", _FILL_IN
    if column == "recording":
        return "", ""
    if column == "media":
        return ("", "") if text in sizes else ("is none of the images", _KNOWN)
    try:
        # float() would read "1_0" as 10, which nobody means in a table.
        number = math.nan if "_" in text else float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        return "is not a finite number", _NUMBER
    return ("is not above 0", _POSITIVE) if column == "duration" and number <= 0 else ("", "")


def _problem(line: int, column: str, value: str, reason: str, cure: str) -> RowProblem:
    return RowProblem(line=line, column=column, value=value, reason=reason, cure=cure)


def _refuse(table: RawTable, problems: list[RowProblem], bare: Sequence[str]) -> None:
    """Raise one error with all bad rows and all images without gaze, if there are any."""
    without = ""
    if bare:
        names = ", ".join(map(repr, bare[:_SHOWN])) + (
            f" and {len(bare) - _SHOWN} more" if len(bare) > _SHOWN else ""
        )
        what = "image has" if len(bare) == 1 else "images have"
        without = f"{len(bare)} {what} no gaze: {names}; add their rows, or leave these images out"
    if problems:
        problems.sort(key=lambda problem: problem.line)
        message = bad_rows_message(table.source, table.n_rows, problems)
        raise BadGazeError(message + (f". Also, {without}" if bare else ""), tuple(problems))
    if bare:
        raise BadGazeError(f"{table.source}: {without}")


def _of_image(image: str, size: tuple[int, int], rows: Sequence[_Row]) -> Fixations:
    return Fixations(
        image=image,
        size=size,
        recordings=tuple(row.recording for row in rows),
        points=np.array([(row.x, row.y) for row in rows], dtype=np.float64),
        durations=np.array([row.duration for row in rows], dtype=np.float64),
    )
