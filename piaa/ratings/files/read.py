"""The one reader of files of rows: finds the format, decodes, keeps line numbers, collects broken rows.

Ratings, comparisons, labels of datasets and fixations are all read here; what their columns mean is said
where they are used. A further format is one more module and one more suffix below.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from generic.photos.find import printable
from piaa.ratings.files.delimited import ANY_DELIMITER as ANY_DELIMITER
from piaa.ratings.files.delimited import COMMAS as COMMAS
from piaa.ratings.files.delimited import CSV, TSV, Layout, read_delimited
from piaa.ratings.files.delimited import TABS as TABS
from piaa.ratings.files.excel import read_excel
from piaa.ratings.files.json_lines import read_json, read_json_lines
from piaa.ratings.files.parquet import read_parquet
from piaa.ratings.files.raw_table import RawTable as RawTable
from piaa.ratings.files.raw_table import TableKind as TableKind
from piaa.ratings.files.text import decode

LAYOUTS: dict[str, Layout] = {".csv": CSV, ".tsv": TSV, ".txt": ANY_DELIMITER}
TEXTS: dict[str, Callable[..., RawTable]] = {
    ".json": read_json,
    ".jsonl": read_json_lines,
    ".ndjson": read_json_lines,
}
BINARIES: dict[str, Callable[..., RawTable]] = {".parquet": read_parquet, ".xlsx": read_excel}
SUFFIXES = (*LAYOUTS, *TEXTS, *BINARIES)
"""The files that can be read."""

_PIECE = 1 << 20


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
    if layout is None and suffix in BINARIES:
        return BINARIES[suffix](content, source, kind)
    text, notes = decode(content, source, kind)
    del content
    if layout is not None:
        return read_delimited(text, source, kind, layout, notes)
    return TEXTS[suffix](text, source, kind, notes)


def read_lines(path: Path, kind: TableKind) -> list[tuple[int, str]]:
    """The lines of a text file that hold more than spaces, with their numbers from 1.

    Raises:
        PiaaError: ``kind.error``, as the file cannot be read, is not UTF-8 text or is empty.
    """
    text, _ = decode(_content(path, kind), printable(str(path)), kind)
    # Not splitlines: line numbers must be those of an editor.
    return [
        (line, content) for line, content in enumerate(io.StringIO(text, newline=""), 1) if content.strip()
    ]


def _content(path: Path, kind: TableKind) -> bytes:
    source = printable(str(path))
    if os.path.isdir(path):  # noqa: PTH112 - Path.is_dir raises on names that are too long.
        raise kind.error(f"{source} is a folder, expected a file of {kind.what}; name the file itself")
    try:
        with path.open("rb") as file:
            return _pieces(file, source, kind)
    except FileNotFoundError:
        raise kind.error(f"{source} {kind.missing}") from None
    except OSError as error:
        raise kind.error(
            f"{source} cannot be read: {error.strerror}; check the path and its permissions"
        ) from None


def _pieces(file: BinaryIO, source: str, kind: TableKind) -> bytes:
    """All of the file, unless it is too large: what it is may have no end, as a device has none."""
    pieces = []
    size = 0
    while piece := file.read(_PIECE):
        size += len(piece)
        if size > kind.most_bytes:
            raise kind.error(
                f"{source} has more than {kind.most_bytes >> 20} MiB, expected a table of {kind.what}; cut "
                "it into several files"
            )
        pieces.append(piece)
    return b"".join(pieces)
