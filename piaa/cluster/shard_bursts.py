"""Bursts among the photos of a shard, which lie side by side in the source as scenes do.

A burst that is cut by the end of a shard counts as two. They are found once a shard and remembered, in four
bytes a photo: numbers do not depend on who is ranked.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from piaa.adapters.prior import Prior
from piaa.cluster.vectors import VectorFolder
from piaa.people.bursts import bursts, moment, scene_places


class ShardBursts:
    """The bursts of the shards of one model's vectors.

    Args:
        source: the vectors.
        prior: the model's, which says how alike photos of one scene are.
    """

    def __init__(self, source: VectorFolder, prior: Prior | None) -> None:
        self._source = source
        self._prior = prior
        self._found: dict[str, NDArray[np.int32]] = {}

    def of(self, shard: str, vectors: NDArray[np.float32], first: int) -> NDArray[np.int64]:
        """A number for each photo of a shard that was read, shape (n,); those of one burst have one number.

        Args:
            shard: its name.
            vectors: all of it, shape (n, 1 + d).
            first: the place of the shard's first photo; no other shard's photo has a number of these.

        Raises:
            ClusterError: the shard is not there any more.
        """
        if shard not in self._found:
            moments = np.array([moment(taken) for taken in self._source.taken(shard)], np.float64)
            numbers = bursts(scene_places(vectors, self._prior), moments)
            self._found[shard] = numbers.astype(np.int32)
        return first + self._found[shard].astype(np.int64)
