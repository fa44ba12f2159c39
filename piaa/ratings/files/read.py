"""The one reader of files of rows: finds the format, decodes, keeps line numbers, collects broken rows.

Ratings, comparisons, labels of datasets and fixations are all read here; what their columns mean is said
where they are used. A further format is one more module and one more suffix below.
"""

from __future__ import annotations

import io
import os
from pathlib import Path

from generic.photos.find import printable
from piaa.ratings.files.delimited import ANY_DELIMITER as ANY_DELIMITER
from piaa.ratings.files.delimited import COMMAS as COMMAS
from piaa.ratings.files.delimited import CSV, TSV, Layout, read_delimited
from piaa.ratings.files.delimited import TABS as TABS
from piaa.ratings.files.json_lines import read_json_lines
from piaa.ratings.files.parquet import read_parquet
from piaa.ratings.files.raw_table import RawTable as RawTable
from piaa.ratings.files.raw_table import TableKind as TableKind

LAYOUTS: dict[str, Layout] = {".csv": CSV, ".tsv": TSV, ".txt": ANY_DELIMITER}
JSON_LINES = (".jsonl", ".ndjson")
PARQUET = ".parquet"
SUFFIXES = (*LAYOUTS, *JSON_LINES, PARQUET)
"""The files that can be read."""


def read_table(path: Path, kind: TableKind, layout: Layout | None = None) -> RawTable:
    """Read a table without judging its values.

    Args:
        path: the file; its suffix tells the format.
        kind: what it should hold.
        layout: how its fields are separated, whatever its suffix.

    Raises:
        PiaaError: ``kind.error``, as the file cannot be read or is not a table.
    """
    suffix, source = path.suffix.lower(), printable(str(path))
    if layout is None and suffix not in SUFFIXES and not os.path.isdir(path):  # noqa: PTH112 - as in _content
        raise kind.error(
            f"{source} has the suffix {path.suffix!r}, expected one of {', '.join(SUFFIXES)}; "
            f"save the {kind.what} in one of these formats"
        )
    content = _content(path, kind)
    layout = layout or LAYOUTS.get(suffix)
    if layout is not None:
        return read_delimited(_decode(content, source, kind), source, kind, layout)
    if suffix in JSON_LINES:
        return read_json_lines(_decode(content, source, kind), source, kind)
    return read_parquet(content, source, kind)


def read_lines(path: Path, kind: TableKind) -> list[tuple[int, str]]:
    """The lines of a text file that hold more than spaces, with their numbers from 1.

    Raises:
        PiaaError: ``kind.error``, as the file cannot be read, is not UTF-8 text or is empty.
    """
    text = _decode(_content(path, kind), printable(str(path)), kind)
    # Not splitlines: line numbers must be those of an editor.
    return [
        (line, content) for line, content in enumerate(io.StringIO(text, newline=""), 1) if content.strip()
    ]


def _content(path: Path, kind: TableKind) -> bytes:
    source = printable(str(path))
    if os.path.isdir(path):  # noqa: PTH112 - Path.is_dir raises on names that are too long.
        raise kind.error(f"{source} is a folder, expected a file of {kind.what}; name the file itself")
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise kind.error(f"{source} {kind.missing}") from None
    except OSError as error:
        raise kind.error(
            f"{source} cannot be read: {error.strerror}; check the path and its permissions"
        ) from None


def _decode(content: bytes, source: str, kind: TableKind) -> str:
    """The text of a UTF-8 file, its byte order mark removed."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise kind.error(f"{source} is UTF-16 text, expected UTF-8; save it as UTF-8")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        at = error.start
        told = kind.not_utf8.format(line=_line_of(content, at), byte=f"0x{content[at]:02x}", offset=at)
        raise kind.error(f"{source}{told}") from None
    if "\0" in text:
        at = content.index(0)
        raise kind.error(
            f"{source} line {_line_of(content, at)}: NUL byte at offset {at}, expected text; "
            "save the file as UTF-8 text"
        )
    text = text.removeprefix("\ufeff")
    if not text.strip():
        raise kind.error(f"{source} {kind.empty}")
    return text


def _line_of(content: bytes, offset: int) -> int:
    return len((content[:offset] + b"x").splitlines())
