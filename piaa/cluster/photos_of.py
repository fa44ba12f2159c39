"""Photos by their names, out of all shards: those that people rated are a few among many."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Set
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from piaa.cluster.current import read_current
from piaa.cluster.vectors import Seen, VectorFolder

T = TypeVar("T")


def photos_of(uris: Iterable[str], vectors: VectorFolder) -> dict[str, Seen]:
    """Those photos that have a vector, with all that is known of them; one shard is in memory beside them.

    Raises:
        ClusterError: there are no vectors, or a shard is damaged.
    """
    return _found(uris, vectors, lambda shard, wanted: {it.uri: it for it in vectors.seen(shard, wanted)})


def vectors_of(uris: Iterable[str], vectors: VectorFolder) -> dict[str, NDArray[np.float32]]:
    """As :func:`photos_of`, only their vectors (1 + d,)."""

    def read(shard: str, wanted: Set[str]) -> dict[str, NDArray[np.float32]]:
        there = vectors.read(shard)
        return {uri: there.vectors[row].copy() for row, uri in enumerate(there.uris) if uri in wanted}

    return _found(uris, vectors, read)


def _found(
    uris: Iterable[str], vectors: VectorFolder, read: Callable[[str, Set[str]], dict[str, T]]
) -> dict[str, T]:
    wanted, done = set(uris), vectors.done()
    found: dict[str, T] = {}
    for shard in read_current(vectors):
        if len(found) == len(wanted):
            break
        if shard.name in done:
            found |= read(shard.name, wanted)
    return found
