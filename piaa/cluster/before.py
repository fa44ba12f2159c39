"""Which shards of earlier manifests may hold photos of a new shard: these need not be read again.

A photo that is added changes the shard in which it lies, but none of the thousands beside it. As a source is
listed in the order of names, a shard's photos were in those shards of before whose names reach over its own.
The table lies beside the manifest, which does not depend on it.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from piaa.cluster.folder import Folder
from piaa.cluster.found import Found
from piaa.cluster.tables import packed, read_table

NAME = "before.parquet"
_MOST = 16
"""Shards of before that are looked into for one new shard."""


class Range(NamedTuple):
    """From where to where a shard's photos reach, by their URIs."""

    low: str
    high: str
    shard: str


def range_of(shard: str, photos: Sequence[Found]) -> Range:
    """The range of a shard.

    Example:
        >>> range_of("ab", [Found("/b", 1, ""), Found("/a", 1, "")])
        Range(low='/a', high='/b', shard='ab')
    """
    return Range(min(it.uri for it in photos), max(it.uri for it in photos), shard)


def write_before(folder: Folder, new: Sequence[Range], gone: Iterable[Range], stay: Iterable[str]) -> None:
    """Note for new shards, which may not be embedded for a while, where their photos may have been.

    Args:
        folder: of the manifest.
        new: shards that no earlier listing had.
        gone: shards that the last listing had, and this one has not.
        stay: shards of both.

    Raises:
        ClusterError, OutputError: the folder fails.
    """
    known, there = read_before(folder), sorted(gone)
    lows, highs = [it.low for it in there], [it.high for it in there]
    rows = {shard: known[shard] for shard in stay if shard in known}
    for one in new:
        over = [it.shard for it in there[bisect_left(highs, one.low) : bisect_right(lows, one.high)]]
        # Those were not embedded, perhaps, but the ones before them.
        names = list(dict.fromkeys([*over, *(it for shard in over for it in known.get(shard, ()))]))
        if names:
            rows[one.shard] = names[:_MOST]
    if rows or known:
        folder.write(NAME, packed(_table(rows)))


def read_before(folder: Folder) -> dict[str, Sequence[str]]:
    """By new shards: those that may hold their photos.

    Raises:
        ClusterError: the table is damaged.
    """
    table = read_table(folder, NAME)
    if table is None:
        return {}
    return dict(zip(table["shard"].to_pylist(), table["before"].to_pylist(), strict=True))


def _table(rows: Mapping[str, Sequence[str]]) -> object:
    import pyarrow

    text = pyarrow.string()
    return pyarrow.table(
        {
            "shard": pyarrow.array(list(rows), text),
            "before": pyarrow.array(list(rows.values()), pyarrow.list_(text)),
        }
    )
