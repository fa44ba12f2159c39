"""Label files of a dataset: what they hold; all bad rows of a file are reported together."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path

from generic.errors import DatasetError
from generic.photos.find import printable
from generic.words import counted
from piaa.ratings.files.problems import RowProblem, bad_rows_message
from piaa.ratings.files.problems import cut as cut
from piaa.ratings.files.read import COMMAS, RawTable, TableKind, read_lines, read_table
from piaa.ratings.scale import Scale
from piaa.ratings.table import BadRowsError, Duplicates, Ratings, read_ratings

LABEL_FILE = TableKind(
    what="labels",
    error=DatasetError,
    missing="cannot be read: No such file or directory; check the path and its permissions",
    empty="is empty, expected labels; fetch the file again",
    not_utf8=": the byte at offset {offset} is not UTF-8; save the file as UTF-8 text",
)


def bad_rows(path: Path, n_rows: int, problems: Iterable[tuple[int, str]], cure: str) -> DatasetError:
    """The error that reports every bad row of a file in one line.

    Args:
        path: the file.
        n_rows: how many rows it has.
        problems: line number from 1 and what is wrong there, in order of lines.
        cure: what to do about all of them.
    """
    told = [RowProblem(line=line, column="", value="", reason=text, cure=cure) for line, text in problems]
    return DatasetError(bad_rows_message(printable(str(path)), n_rows, told))


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
    return take_columns(read_table(path, LABEL_FILE, COMMAS), names, cure)


def take_columns(table: RawTable, names: Sequence[str], cure: str) -> list[tuple[int, list[str]]]:
    """As ``read_columns``, of a table that was read."""
    header = table.names
    missing = [name for name in names if name not in header]
    if missing:
        more = f" and {len(header) - 10} more" if len(header) > 10 else ""
        raise DatasetError(
            f"{table.source} has no column {' or '.join(map(repr, missing[:3]))}; "
            f"its columns are {', '.join(map(cut, header[:10])) or 'none'}{more}; {cure}"
        )
    if table.problems:
        raise DatasetError(bad_rows_message(table.source, table.n_rows, _problems(table, cure)))
    if not table.lines:
        raise DatasetError(table.without_rows("rows", cure))
    columns = ([str(value).strip() for value in table.column(header.index(name))] for name in names)
    return list(zip(table.lines, map(list, zip(*columns, strict=True)), strict=True))


def _problems(table: RawTable, cure: str) -> list[RowProblem]:
    """The broken rows of a released file, which is not to be mended by hand."""
    # Where quotes are broken there are no fields that could be shown.
    return [
        RowProblem(
            line=problem.line,
            column="",
            value="",
            reason=problem.reason if problem.value else "has a broken double quote",
            cure=cure,
        )
        for problem in table.problems
    ]


def read_scores(path: Path, cure: str) -> dict[str, float]:
    """A file of ``image score`` lines, separated by spaces, without a header.

    Returns:
        image -> score, as the file gives it.

    Raises:
        DatasetError: lines are not a name and a finite number, or name an image twice.
    """
    scores: dict[str, float] = {}
    problems: list[tuple[int, str]] = []
    lines = [(number, line.split()) for number, line in read_lines(path, LABEL_FILE)]
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
    names = [(number, line.strip().strip('"')) for number, line in read_lines(path, LABEL_FILE)]
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
        return read_ratings(path, scale=scale, user=user, duplicates=duplicates, strict=True)
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
        f"{n_rows:,} rows hold {counted(len(ratings), 'rating')}: {n_repeats:,} {what} of user and image; "
        "their scores were averaged",
    )
