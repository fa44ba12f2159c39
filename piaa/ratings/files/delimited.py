"""Tables of text: fields separated by a comma, a semicolon, a tab or spaces, after a header."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from piaa.ratings.files.problems import MOST_PROBLEMS, RowProblem
from piaa.ratings.files.raw_table import MOST_ROWS, RawTable, TableKind

_SHOWN_FIELDS = 100
"""Of a broken row: one of a million fields is none to print, nor to keep."""

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


_HINT = re.compile(r'\s*"?sep=([^\w\s"\']|\t)"?[^\S\r\n]*(\r\n|\r|\n|$)', re.IGNORECASE)
"""A first line for Excel alone that names the delimiter."""


def read_delimited(
    text: str, source: str, kind: TableKind, layout: Layout, notes: tuple[str, ...] = ()
) -> RawTable:
    """Read a table of text; lines without anything on them are skipped.

    Args:
        text: the whole file.
        source: its name for messages.
        kind: what it should hold.
        layout: how its fields are told apart.
        notes: what to know of it so far.

    Raises:
        PiaaError: ``kind.error``, as the header's quotes are broken, or hardly a row is whole.
    """
    hint = _HINT.match(text) if kind.by_people and layout.quotes else None
    if hint is not None:
        # Empty lines in its place: those below keep their numbers.
        text = "\n" * len(hint[0].splitlines()) + text[hint.end() :]
    delimiter = hint[1] if hint is not None else _delimiter(text, layout)
    if delimiter is None or not layout.quotes:
        records = _split_plain(text, delimiter)
    else:
        records = _split_quoted(text, delimiter, strict=not kind.forgiving)
    if kind.by_people or kind.forgiving:
        records = _filled(records)
    line, header = next(records, (1, []))
    if isinstance(header, csv.Error):
        problem = _quote_problem(line, header)
        raise kind.error(f"{source} line {line}: {problem.reason}; {problem.cure}")
    kind.check_size(source, 0, len(header))
    names = tuple(name.strip() for name in header)
    if kind.forgiving:
        records = _fitted(records, len(names))
    elif kind.by_people:
        records = _trimmed(records, names)
    lines, values, problems = _collect(records, len(names), delimiter)
    kind.check_size(source, len(lines))
    if len(problems) >= MOST_PROBLEMS:
        raise kind.error(
            f"{source} is no table: more than {MOST_PROBLEMS} lines are broken, the first is line "
            f"{problems[0].line}, {problems[0]}; save the {kind.what} again as .csv"
        )
    return RawTable(
        source=source,
        unit="line",
        names=names,
        lines=lines,
        column=lambda place: values[place :: len(names)],
        problems=tuple(problems),
        notes=notes,
    )


def _delimiter(text: str, layout: Layout) -> str | None:
    """What separates the fields; None stands for spaces. Data lines have no say: names may hold anything."""
    lines = (match[0] for match in re.finditer(r"[^\r\n]+", text))
    header = next((line for line in lines if line.strip(' ",;\t')), "")
    bare = re.sub(r'"[^"]*"', "", header)  # what stands in quotes separates nothing
    delimiter = max(layout.delimiters, key=bare.count)
    return None if layout.spaces and delimiter not in bare else delimiter


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


def _filled(records: Iterator[Record]) -> Iterator[Record]:
    """Records without those that are empty throughout, as spreadsheets write them below a table."""
    for line, fields in records:
        if isinstance(fields, csv.Error) or any(map(str.strip, fields)):
            yield line, fields


def _fitted(records: Iterator[Record], n_columns: int) -> Iterator[Record]:
    """Records with as many fields as there are columns."""
    for line, fields in records:
        if isinstance(fields, csv.Error):
            yield line, fields
        else:
            yield line, (fields + [""] * n_columns)[:n_columns]


def _trimmed(records: Iterator[Record], names: Sequence[str]) -> Iterator[Record]:
    """Records in which empty fields at the end are as many as in the header: a delimiter may end a line.

    One with something under no name, and a delimiter more at its end, stays as it is, and is refused: the
    comma of 3,5 may have split it.
    """
    n_columns, n_named = len(names), len(names)
    while n_named and not names[n_named - 1]:
        n_named -= 1
    for line, fields in records:
        if not isinstance(fields, csv.Error) and len(fields) != n_columns:
            if n_named <= len(fields) < n_columns:
                fields = fields + [""] * (n_columns - len(fields))
            elif not any(map(str.strip, fields[n_named:])):
                fields = fields[:n_columns]
        yield line, fields


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
        if len(problems) == MOST_PROBLEMS or len(lines) > MOST_ROWS:
            break
    return lines, values, problems


def _quote_problem(line: int, error: csv.Error) -> RowProblem:
    # The csv module tells them apart only by its message.
    reason = "a double quote is never closed"
    if "expected after" in str(error):
        reason = "text follows a closing double quote"
    elif "field limit" in str(error):
        reason = f"a double quote is never closed, or a field has more than {csv.field_size_limit()} letters"
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
        value=(delimiter or " ").join(fields[:_SHOWN_FIELDS]),
        reason=reason,
        cure=f"write {n_columns} fields on every line, {how}",
    )
