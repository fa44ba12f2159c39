"""Label files of a dataset, read as text; all bad rows of a file are reported together."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from generic.errors import DatasetError
from generic.photos.find import printable
from piaa.ratings.scale import Scale
from piaa.ratings.table import BadRowsError, Duplicates, Ratings, read_ratings

_SHOWN_ROWS = 5
_SHOWN_CHARACTERS = 60


def read_lines(path: Path) -> list[str]:
    """The lines of a UTF-8 text file, with or without a byte order mark.

    Raises:
        DatasetError: the file cannot be read, is not UTF-8 text or is empty.
    """
    shown = printable(str(path))
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise DatasetError(
            f"{shown} cannot be read: {error.strerror}; check the path and its permissions"
        ) from None
    except UnicodeDecodeError as error:
        raise DatasetError(
            f"{shown}: the byte at offset {error.start} is not UTF-8; save the file as UTF-8 text"
        ) from None
    if not text.strip():
        raise DatasetError(f"{shown} is empty, expected labels; fetch the file again")
    # Not splitlines: line numbers must be those of an editor.
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def bad_rows(path: Path, n_rows: int, problems: Iterable[tuple[int, str]], cure: str) -> DatasetError:
    """The error that reports every bad row of a file in one line.

    Args:
        path: the file.
        n_rows: how many rows it has.
        problems: line number from 1 and what is wrong there, in order of lines.
        cure: what to do about all of them.
    """
    by_line: dict[int, list[str]] = {}
    for line, text in problems:
        by_line.setdefault(line, []).append(text)
    shown = [f"line {line}, {' and '.join(texts)}" for line, texts in list(by_line.items())[:_SHOWN_ROWS]]
    if len(by_line) > _SHOWN_ROWS:
        shown.append(f"and {len(by_line) - _SHOWN_ROWS} more")
    counted = f"{len(by_line)} of {n_rows} {'row' if n_rows == 1 else 'rows'}"
    return DatasetError(
        f"{printable(str(path))}: {counted} {'is' if len(by_line) == 1 else 'are'} bad: "
        f"{'; '.join(shown)}. To do: {cure}"
    )


def cut(value: str) -> str:
    """A value in quotes, cut where it is long."""
    return repr(value if len(value) <= _SHOWN_CHARACTERS else value[: _SHOWN_CHARACTERS - 1] + "…")


def read_columns(path: Path, names: Sequence[str], cure: str) -> list[tuple[int, list[str]]]:
    """Some columns of a comma separated table with a header.

    Args:
        path: the file.
        names: the columns, as the header writes them; spaces around a name do not matter.
        cure: what to do about a file that is not this table.

    Returns:
        for each row the line where it begins and its fields, stripped, in the order of ``names``.

    Raises:
        DatasetError: a column is missing, a row has another number of fields, or quotes are broken.
    """
    records = _records("\n".join(read_lines(path)))
    header = [name.strip() for name in next(records)[1] or ()]
    missing = [name for name in names if name not in header]
    if missing:
        more = f" and {len(header) - 10} more" if len(header) > 10 else ""
        raise DatasetError(
            f"{printable(str(path))} has no column {' or '.join(map(repr, missing[:3]))}; "
            f"its columns are {', '.join(map(cut, header[:10])) or 'none'}{more}; {cure}"
        )
    at = [header.index(name) for name in names]
    rows: list[tuple[int, list[str]]] = []
    problems: list[tuple[int, str]] = []
    for line, fields in records:
        if fields is None:
            problems.append((line, "has a broken double quote"))
        elif len(fields) == len(header):
            rows.append((line, [fields[index].strip() for index in at]))
        elif fields:
            what = "field" if len(fields) == 1 else "fields"
            problems.append((line, f"has {len(fields)} {what} instead of {len(header)}"))
    if problems:
        raise bad_rows(path, len(rows) + len(problems), problems, cure)
    if not rows:
        raise DatasetError(f"{printable(str(path))} has a header but no rows; {cure}")
    return rows


def _records(text: str) -> Iterator[tuple[int, list[str] | None]]:
    """Each record with the line where it begins; None for one with broken quotes."""
    reader = csv.reader(io.StringIO(text, newline=""), skipinitialspace=True, strict=True)
    while True:
        line = reader.line_num + 1
        try:
            yield line, next(reader)
        except StopIteration:
            return
        except csv.Error:
            yield line, None


def read_scores(path: Path, cure: str) -> dict[str, float]:
    """A file of ``image score`` lines, separated by spaces, without a header.

    Returns:
        image -> score, as the file gives it.

    Raises:
        DatasetError: lines are not a name and a finite number, or name an image twice.
    """
    scores: dict[str, float] = {}
    problems: list[tuple[int, str]] = []
    lines = [(number, line.split()) for number, line in enumerate(read_lines(path), 1) if line.strip()]
    for number, fields in lines:
        score = _number(fields[-1])
        if len(fields) != 2 or score is None:
            problems.append((number, f"{cut(' '.join(fields))} is not an image and a score"))
        elif fields[0] in scores:
            problems.append((number, f"image {cut(fields[0])} stands twice"))
        else:
            scores[fields[0]] = score
    if problems:
        raise bad_rows(path, len(lines), problems, cure)
    return scores


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


_HEADERS = {"id", "worker", "workerid", "user", "userid", "user_id", "image", "imagename", "image_id"}


def read_names(path: Path) -> list[tuple[int, str]]:
    """A list of names, one a line: a header such as ``ID`` is skipped, empty lines too.

    Returns:
        line number from 1 and name, in order.

    Raises:
        DatasetError: the file cannot be read, holds no name, or holds one twice.
    """
    names = [(number, line.strip().strip('"')) for number, line in enumerate(read_lines(path), 1)]
    names = [(number, name) for number, name in names if name]
    if names[0][1].lower() in _HEADERS:
        del names[0]
    if not names:
        raise DatasetError(f"{printable(str(path))} has a header but no names; write one name a line")
    first: dict[str, int] = {}
    problems = [
        (number, f"{cut(name)} stands on line {first[name]} already")
        for number, name in names
        if first.setdefault(name, number) != number
    ]
    if problems:
        raise bad_rows(path, len(names), problems, "write each name once")
    return names


def read_users(path: Path | str, ratings: Ratings) -> tuple[str, ...]:
    """The test users that a person lists in a file, one a line.

    Raises:
        DatasetError: the file cannot be read, or a user has no ratings.
    """
    names = read_names(Path(path))
    known = set(ratings.users)
    problems = [
        (number, f"user {cut(name)} has no ratings in {ratings.source}")
        for number, name in names
        if name not in known
    ]
    if problems:
        raise bad_rows(Path(path), len(names), problems, "correct or delete these lines")
    return tuple(name for _, name in names)


def official_ratings(
    path: Path, *, scale: Scale, cure: str, user: str | None = None, duplicates: Duplicates = "error"
) -> Ratings:
    """As ``read_ratings``, but bad rows are answered with the cure for a released file.

    Raises:
        RatingsError: the file is not the table it should be.
    """
    try:
        return read_ratings(path, scale=scale, user=user, duplicates=duplicates)
    except BadRowsError as error:
        # The usual cures name options of the ratings of one person, which no released file has.
        found = str(error).rpartition(". To do: ")[0]
        raise BadRowsError(f"{found}. To do: {cure}", error.problems) from None


def averaged(n_rows: int, ratings: Ratings) -> tuple[str, ...]:
    """The note on pairs that the file holds more than once."""
    n_repeats = n_rows - len(ratings)
    if not n_repeats:
        return ()
    what = "row repeats a pair" if n_repeats == 1 else "rows repeat pairs"
    return (
        f"{n_rows:,} rows hold {len(ratings):,} ratings: {n_repeats:,} {what} of user and image; "
        "their scores were averaged",
    )
