"""Tables of text: fields separated by a comma, a semicolon, a tab or spaces, after a header."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from piaa.ratings.files.problems import RowProblem
from piaa.ratings.files.raw_table import RawTable, TableKind

Record = tuple[int, "list[str] | csv.Error"]
"""The line where a record begins, and its fields; or what is wrong with its quotes."""


@dataclass(frozen=True, kw_only=True)
class Layout:
    """How the fields of a row are told apart."""

    delimiters: tuple[str, ...] = (",", ";", "\t")
    """What may separate them: the one that is most frequent in the header does."""

    spaces: bool = False
    """Whether spaces do where the header has none of the delimiters."""

    quotes: bool = True
    """Whether a field in double quotes may hold delimiters and line breaks; else quotes are letters."""


CSV = Layout()
TSV = Layout(delimiters=("\t",))
ANY_DELIMITER = Layout(spaces=True)
COMMAS = Layout(delimiters=(",",))
TABS = Layout(delimiters=("\t",), quotes=False)


def read_delimited(text: str, source: str, kind: TableKind, layout: Layout) -> RawTable:
    """Read a table of text; lines without anything on them are skipped.

    Raises:
        PiaaError: ``kind.error``, as the header's quotes are broken.
    """
    delimiter = _delimiter(text.lstrip().splitlines()[0], layout)
    if delimiter is None or not layout.quotes:
        records = _split_plain(text, delimiter)
    else:
        records = _split_quoted(text, delimiter, strict=not kind.forgiving)
    line, header = next(records, (1, []))
    if isinstance(header, csv.Error):
        problem = _quote_problem(line, header)
        raise kind.error(f"{source} line {line}: {problem.reason}; {problem.cure}")
    names = tuple(name.strip() for name in header)
    if kind.forgiving:
        records = _fitted(records, len(names))
    lines, values, problems = _collect(records, len(names), delimiter)
    return RawTable(
        source=source,
        unit="line",
        names=names,
        lines=lines,
        column=lambda place: values[place :: len(names)],
        problems=tuple(problems),
    )


def _delimiter(header: str, layout: Layout) -> str | None:
    """What separates the fields; None stands for spaces. Data lines have no say: names may hold anything."""
    delimiter = max(layout.delimiters, key=header.count)
    return None if layout.spaces and delimiter not in header else delimiter


def _split_quoted(text: str, delimiter: str, *, strict: bool) -> Iterator[Record]:
    # newline="" keeps line breaks inside quotes as they are; strict finds quotes that are never closed.
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True, strict=strict
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


def _split_plain(text: str, delimiter: str | None) -> Iterator[Record]:
    for line, content in enumerate(io.StringIO(text, newline=""), start=1):
        if content.strip():
            yield line, content.rstrip("\r\n").split(delimiter)


def _fitted(records: Iterator[Record], n_columns: int) -> Iterator[Record]:
    """Records with as many fields as there are columns, without those that are empty throughout."""
    for line, fields in records:
        if isinstance(fields, csv.Error):
            yield line, fields
        elif any(map(str.strip, fields)):
            yield line, (fields + [""] * n_columns)[:n_columns]


def _collect(
    records: Iterator[Record], n_columns: int, delimiter: str | None
) -> tuple[list[int], list[str], list[RowProblem]]:
    """Lines and fields of whole rows, and what is wrong with the others."""
    lines: list[int] = []
    values: list[str] = []  # Of all rows in one list: a list for each would keep the garbage collector busy.
    problems: list[RowProblem] = []
    for line, fields in records:
        if isinstance(fields, csv.Error):
            problems.append(_quote_problem(line, fields))
        elif len(fields) == n_columns:
            lines.append(line)
            values.extend(fields)
        else:
            problems.append(_fields_problem(line, fields, n_columns, delimiter))
    return lines, values, problems


def _quote_problem(line: int, error: csv.Error) -> RowProblem:
    # The csv module tells the two apart only by its message.
    text_after = "expected after" in str(error)
    reason = "text follows a closing double quote" if text_after else "a double quote is never closed"
    cure = "put double quotes around whole fields, and write a double quote inside one twice"
    return RowProblem(line=line, column="", value="", reason=reason, cure=cure)


def _fields_problem(line: int, fields: Sequence[str], n_columns: int, delimiter: str | None) -> RowProblem:
    reason = f"has {len(fields)} {'field' if len(fields) == 1 else 'fields'} instead of {n_columns}"
    if delimiter is None:
        how = "or use a .csv file if a name holds a space"
    else:
        how = f"with double quotes around a name that holds a {delimiter!r}"
    return RowProblem(
        line=line,
        column="",
        value=(delimiter or " ").join(fields),
        reason=reason,
        cure=f"write {n_columns} fields on every line, {how}",
    )
