"""Files of ratings, read into raw rows: CSV, TSV, text columns, JSON lines and Parquet.

Reading uses ``csv`` and ``json`` of the standard library, since importing pandas alone takes
longer than the command line may; only a Parquet file pays for pyarrow.
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from generic.errors import RatingsError
from piaa.ratings.columns import find_columns
from piaa.ratings.rows import RawRows, RowProblem

SUFFIXES = (".csv", ".tsv", ".txt", ".jsonl", ".ndjson", ".parquet")
"""The files that can be read."""


def read_rows(path: Path, *, user: str | None = None) -> RawRows:
    """Read a table of ratings without judging its values.

    ``.csv`` is separated by the one of comma, semicolon and tab that is most frequent in its
    first line, ``.tsv`` by tabs, ``.txt`` as ``.csv`` or else by spaces; ``.jsonl`` and
    ``.ndjson`` hold one object per line. Lines without anything on them are skipped.

    Args:
        path: the file; its suffix tells the format.
        user: to whom all rows belong when the table has no user column.

    Returns:
        the rows, with the line on which each begins (the row, from 1, in Parquet).

    Raises:
        RatingsError: the file cannot be read or is not such a table; columns are missing or ambiguous.
    """
    suffix = path.suffix.lower()
    if os.path.isdir(path):  # noqa: PTH112 - Path.is_dir raises on names that are too long.
        raise RatingsError(f"{path} is a folder, expected a file of ratings; name the file itself")
    if suffix not in SUFFIXES:
        raise RatingsError(
            f"{path} has the suffix {path.suffix!r}, expected one of {', '.join(SUFFIXES)}; "
            "save the ratings in one of these formats"
        )
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise RatingsError(f"{path} does not exist; check the path of the ratings") from None
    except OSError as error:
        raise RatingsError(
            f"{path} cannot be read: {error.strerror}; check the path and its permissions"
        ) from None
    if suffix == ".parquet":
        return _read_parquet(content, str(path), user)
    text = _decode(content, str(path))
    if suffix in (".jsonl", ".ndjson"):
        return _read_json_lines(text, str(path), user)
    return _read_delimited(text, str(path), suffix, user)


def _decode(content: bytes, source: str) -> str:
    """The text of a UTF-8 file, its byte order mark removed."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise RatingsError(f"{source} is UTF-16 text, expected UTF-8; save it as UTF-8")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = len((content[: error.start] + b"x").splitlines())
        raise RatingsError(
            f"{source} line {line}: byte 0x{content[error.start]:02x} at offset {error.start} is not UTF-8; "
            "save the file as UTF-8"
        ) from None
    if "\0" in text:
        line = len((content[: content.index(0)] + b"x").splitlines())
        raise RatingsError(
            f"{source} line {line}: NUL byte at offset {content.index(0)}, expected text; "
            "save the file as UTF-8 text"
        )
    text = text.removeprefix("\ufeff")
    if not text.strip():
        raise RatingsError(f"{source} is empty, expected ratings; give it the columns user, image, score")
    return text


def _read_delimited(text: str, source: str, suffix: str, user: str | None) -> RawRows:
    delimiter = "\t" if suffix == ".tsv" else _delimiter(text.lstrip().splitlines()[0], suffix)
    records = _split_spaces(text) if delimiter is None else _split(text, delimiter)
    line, header = next(records, (1, []))
    if isinstance(header, csv.Error):
        problem = _quote_problem(line, header)
        raise RatingsError(f"{source} line {line}: {problem.reason}; {problem.cure}")
    names = [name.strip() for name in header]
    columns = find_columns(names, source=source, user=user)
    cure = _fields_cure(delimiter, len(names))
    image_at, score_at = names.index(columns.image), names.index(columns.score)
    user_at = image_at if columns.user is None else names.index(columns.user)
    lines: list[int] = []
    users: list[str] = []
    images: list[str] = []
    scores: list[str] = []
    problems: list[RowProblem] = []
    for line, fields in records:
        if isinstance(fields, csv.Error):
            problems.append(_quote_problem(line, fields))
        elif len(fields) != len(names):
            problems.append(_fields_problem(line, fields, len(names), delimiter or " ", cure))
        else:
            lines.append(line)
            users.append(fields[user_at])
            images.append(fields[image_at])
            scores.append(fields[score_at])
    if not lines and not problems:
        raise RatingsError(f"{source} has a header but no ratings; add one row per rating")
    return RawRows(
        source=source,
        unit="line",
        columns=columns,
        lines=lines,
        users=[user] * len(lines) if columns.user is None else users,
        images=images,
        scores=scores,
        problems=tuple(problems),
    )


def _delimiter(header: str, suffix: str) -> str | None:
    """What separates the fields; None stands for spaces. Data lines have no say: names may hold anything."""
    delimiter = max((",", ";", "\t"), key=header.count)
    return None if suffix == ".txt" and delimiter not in header else delimiter


def _split(text: str, delimiter: str) -> Iterator[tuple[int, list[str] | csv.Error]]:
    """Each record with the line where it begins; a record with broken quotes gives the error instead."""
    # newline="" keeps line breaks inside quotes as they are; strict finds quotes that are never closed.
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True, strict=True
    )
    while True:
        line = reader.line_num + 1
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield line, error
            continue
        if fields and (len(fields) > 1 or fields[0].strip()):
            yield line, fields


def _split_spaces(text: str) -> Iterator[tuple[int, list[str] | csv.Error]]:
    for line, content in enumerate(io.StringIO(text, newline=""), start=1):
        if fields := content.split():
            yield line, fields


def _quote_problem(line: int, error: csv.Error) -> RowProblem:
    # The csv module tells the two apart only by its message.
    text_after = "expected after" in str(error)
    reason = "text follows a closing double quote" if text_after else "a double quote is never closed"
    cure = "put double quotes around whole fields, and write a double quote inside one twice"
    return RowProblem(line=line, column="", value="", reason=reason, cure=cure)


def _fields_problem(
    line: int, fields: Sequence[str], n_columns: int, delimiter: str, cure: str
) -> RowProblem:
    reason = f"has {len(fields)} {'field' if len(fields) == 1 else 'fields'} instead of {n_columns}"
    return RowProblem(line=line, column="", value=delimiter.join(fields), reason=reason, cure=cure)


def _fields_cure(delimiter: str | None, n_columns: int) -> str:
    if delimiter is None:
        return f"write {n_columns} fields on every line, or use a .csv file if a name holds a space"
    return (
        f"write {n_columns} fields on every line, with double quotes around a name that holds a {delimiter!r}"
    )


class _RepeatedKeyError(ValueError):
    """A JSON object names a key twice; Python would silently keep the last."""


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    keys = [key for key, _ in pairs]
    if len(set(keys)) < len(keys):
        raise _RepeatedKeyError
    return dict(pairs)


def _parse_object(line: str) -> dict[str, object] | str:
    """The object on one line, or what is wrong with the line."""
    try:
        value = json.loads(line, object_pairs_hook=_object)
    except _RepeatedKeyError:
        return "names a key twice"
    except (ValueError, RecursionError):  # Broken, a number of thousands of digits, or nested beyond reason.
        return "is not valid JSON"
    return value if isinstance(value, dict) else "is not a JSON object"


def _read_json_lines(text: str, source: str, user: str | None) -> RawRows:
    cure = 'write one object per line, such as {"user": "ana", "image": "a.jpg", "score": 4}'
    lines: list[int] = []
    rows: list[dict[str, object]] = []
    problems: list[RowProblem] = []
    for line, content in enumerate(io.StringIO(text, newline=""), start=1):
        if not (content := content.strip()):
            continue
        parsed = _parse_object(content)
        if isinstance(parsed, str):
            problems.append(RowProblem(line=line, column="", value=content, reason=parsed, cure=cure))
        else:
            lines.append(line)
            rows.append({key.strip(): value for key, value in parsed.items()})
    # Where no line can be read there are no columns to look for; the broken lines are the news.
    keys = list(dict.fromkeys(key for row in rows for key in row)) if rows else ["user", "image", "score"]
    columns = find_columns(keys, source=source, user=user)
    return RawRows(
        source=source,
        unit="line",
        columns=columns,
        lines=lines,
        users=[user if columns.user is None else row.get(columns.user) for row in rows],
        images=[row.get(columns.image) for row in rows],
        scores=[row.get(columns.score) for row in rows],
        problems=tuple(problems),
    )


def _read_parquet(content: bytes, source: str, user: str | None) -> RawRows:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:  # Also raised by a pyarrow that is too new for the numpy beside it.
        raise RatingsError(
            f"{source} needs pyarrow, which cannot be imported ({error}); "
            "repair the installation, or save the ratings as .csv"
        ) from None
    try:
        table = pyarrow.parquet.ParquetFile(pyarrow.BufferReader(content)).read()
    except (pyarrow.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__
        raise RatingsError(f"{source} is not a readable Parquet file ({reason}); write it again") from None
    raw_names = list(table.column_names)
    columns = find_columns(raw_names, source=source, user=user)
    if table.num_rows == 0:
        raise RatingsError(f"{source} has columns but no ratings; add one row per rating")
    names = [name.strip() for name in raw_names]

    def values(column: str) -> list[object]:
        return list(table.column(names.index(column)).to_pylist())

    return RawRows(
        source=source,
        unit="row",
        columns=columns,
        lines=range(1, table.num_rows + 1),
        users=[user] * table.num_rows if columns.user is None else values(columns.user),
        images=values(columns.image),
        scores=values(columns.score),
    )
