"""Tables in Parquet files; only these pay for the import of pyarrow, which takes as long as a command may."""

from __future__ import annotations

import json
from collections.abc import Mapping

from generic.extras import cure, installed
from piaa.ratings.files.raw_table import RawTable, TableKind

_FACTS = b"PANDAS_ATTRS"
"""What pandas keeps of a whole frame, as JSON."""


def read_parquet(content: bytes, source: str, kind: TableKind) -> RawTable:
    """Read a Parquet file; its rows are counted from 1.

    Raises:
        PiaaError: ``kind.error``, as it is not such a file, or pyarrow is missing.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        if not installed("pyarrow"):
            raise kind.error(f"{source} needs {cure('pyarrow')}, or save the {kind.what} as .csv") from None
        # A pyarrow that is too new for the numpy beside it.
        raise kind.error(
            f"{source} needs pyarrow, which cannot be imported ({error}); "
            f"repair the installation, or save the {kind.what} as .csv"
        ) from None
    try:
        file = pyarrow.parquet.ParquetFile(pyarrow.BufferReader(content))
        # A file of a few kilobytes may repeat one value a thousand million times.
        kind.check_size(source, file.metadata.num_rows, file.metadata.num_columns)
        table = file.read()
    except (pyarrow.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__
        raise kind.error(f"{source} is not a readable Parquet file ({reason}); write it again") from None
    facts = _facts(table.schema.metadata or {})
    names = tuple(name.strip() for name in table.column_names)

    def column(place: int) -> list[object]:
        if place < len(names):
            return list(table.column(place).to_pylist())
        return [list(facts.values())[place - len(names)]] * table.num_rows

    return RawTable(source=source, names=(*names, *facts), lines=range(1, table.num_rows + 1), column=column)


def _facts(metadata: Mapping[bytes, bytes]) -> dict[str, object]:
    """What is said of the table, and so of every row."""
    try:
        facts = json.loads(metadata.get(_FACTS, b"{}"))
    except (ValueError, RecursionError):
        return {}
    if not isinstance(facts, dict):
        return {}
    return {key.strip(): value for key, value in facts.items() if isinstance(value, str | int | float)}
