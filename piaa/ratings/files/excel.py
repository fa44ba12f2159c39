"""Tables in Excel's files; only these pay for the import of openpyxl."""

from __future__ import annotations

import io
import warnings
import zipfile
from collections.abc import Iterable
from typing import Any

from piaa.ratings.files.problems import cut
from piaa.ratings.files.raw_table import RawTable, TableKind

_MOST_UNPACKED = 200 << 20
"""Bytes: a file of a few kilobytes may unpack to gigabytes."""


def read_excel(content: bytes, source: str, kind: TableKind) -> RawTable:
    """Read the one sheet of a workbook that holds anything; its rows are counted from 1, as Excel does.

    Raises:
        PiaaError: ``kind.error``, as it is no such file, several sheets hold something, or openpyxl is not
            installed.
    """
    try:
        import openpyxl  # type: ignore[import-untyped]
    except ImportError:
        raise kind.error(
            f"{source} needs openpyxl, which is not installed; install it: pip install openpyxl, or save the "
            f"{kind.what} as .csv"
        ) from None
    _check_size(content, source, kind)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of styles and validations that it does not know
        try:
            book = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=True)
            sheets = {sheet.title: _rows(sheet.iter_rows(values_only=True)) for sheet in book.worksheets}
        except Exception as error:  # it promises nothing of files that are damaged
            raise kind.error(_unreadable(source, type(error).__name__)) from None
    filled = [title for title, rows in sheets.items() if rows]
    if len(filled) > 1:
        raise kind.error(
            f"{source} has {len(filled)} sheets that hold something, {', '.join(map(cut, filled[:5]))}; keep "
            f"one of them, or save the one with the {kind.what} as .csv"
        )
    if not filled:
        raise kind.error(f"{source} {kind.empty}")
    return _table(sheets[filled[0]], source)


def _check_size(content: bytes, source: str, kind: TableKind) -> None:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            size = sum(item.file_size for item in archive.infolist())
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise kind.error(_unreadable(source, str(error) or type(error).__name__)) from None
    if size > _MOST_UNPACKED:
        raise kind.error(
            f"{source} unpacks to more than {_MOST_UNPACKED >> 20} MiB; save the {kind.what} as .csv"
        )


def _unreadable(source: str, reason: str) -> str:
    return f"{source} is not a readable Excel file ({reason.rstrip('.')}); save it again, or as .csv"


def _rows(rows: Iterable[tuple[Any, ...]]) -> list[tuple[int, tuple[Any, ...]]]:
    """Number and values of the rows that hold anything."""
    return [(number, row) for number, row in enumerate(rows, 1) if any(map(_holds, row))]


def _holds(value: object) -> bool:
    return value is not None and (not isinstance(value, str) or bool(value.strip()))


def _table(rows: list[tuple[int, tuple[Any, ...]]], source: str) -> RawTable:
    (_, header), *filled = rows
    names = [str(name).strip() if name is not None else "" for name in header]
    while names and not names[-1]:
        names.pop()

    def column(place: int) -> list[object]:
        return [row[place] if place < len(row) else None for _, row in filled]

    return RawTable(source=source, names=tuple(names), lines=[number for number, _ in filled], column=column)
