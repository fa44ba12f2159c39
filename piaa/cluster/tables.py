"""Parquet in memory: what is small enough to be read and written at once, always as the same bytes."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any, TypeAlias

from generic.errors import ClusterError
from piaa.cluster.folder import Folder

Table: TypeAlias = Any
"""A ``pyarrow.Table``; pyarrow, which has no types, belongs to an extra."""


def packed(table: Table, facts: Mapping[str, str] | None = None) -> bytes:
    """A table as a Parquet file.

    Args:
        table: the rows.
        facts: what the file says of itself.
    """
    import pyarrow.parquet

    whole = table.replace_schema_metadata(dict(facts)) if facts else table
    stream = io.BytesIO()
    pyarrow.parquet.write_table(whole, stream, compression="zstd", store_schema=True)
    return stream.getvalue()


def read_table(folder: Folder, name: str, columns: list[str] | None = None) -> Table | None:
    """A table that :func:`packed` made; None if there is no such file.

    Args:
        folder: where it lies.
        name: the file's.
        columns: only these.

    Raises:
        ClusterError: it cannot be read, or is damaged.
    """
    import pyarrow
    import pyarrow.parquet

    content = folder.read(name)
    if content is None:
        return None
    try:
        return pyarrow.parquet.read_table(pyarrow.BufferReader(content), columns=columns)
    except (pyarrow.ArrowException, OSError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ClusterError(
            f"{name} in {folder.shown} is damaged: {reason}; remove it, and give the command again "
            "that made it"
        ) from None


def facts_of(table: Table) -> dict[str, str]:
    """What a file says of itself."""
    return {key.decode(): value.decode() for key, value in (table.schema.metadata or {}).items()}
