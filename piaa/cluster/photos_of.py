"""Photos by their names, out of all shards: those that people rated are a few among many."""

from __future__ import annotations

from collections.abc import Iterable

from piaa.cluster.current import read_current
from piaa.cluster.vectors import Seen, VectorFolder


def photos_of(uris: Iterable[str], vectors: VectorFolder) -> dict[str, Seen]:
    """Those photos that have a vector; one shard at a time is in memory beside them.

    Raises:
        ClusterError: there are no vectors, or a shard is damaged.
    """
    wanted = set(uris)
    found: dict[str, Seen] = {}
    done = vectors.done()
    for shard in read_current(vectors):
        if len(found) == len(wanted):
            break
        if shard.name in done:
            found |= {photo.uri: photo for photo in vectors.seen(shard.name, wanted)}
    return found
