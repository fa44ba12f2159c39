"""Tables in Parquet files; only these pay for the import of pyarrow, which takes as long as a command may."""

from __future__ import annotations

from generic.extras import cure, installed
from piaa.ratings.files.raw_table import RawTable, TableKind


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
        table = pyarrow.parquet.ParquetFile(pyarrow.BufferReader(content)).read()
    except (pyarrow.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__
        raise kind.error(f"{source} is not a readable Parquet file ({reason}); write it again") from None
    return RawTable(
        source=source,
        names=tuple(name.strip() for name in table.column_names),
        lines=range(1, table.num_rows + 1),
        column=lambda place: list(table.column(place).to_pylist()),
    )
