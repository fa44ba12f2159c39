"""People move between a model and what was calibrated from it without a photo: the network is the same."""

from __future__ import annotations

from generic.cache.features import FeatureCache
from generic.model.generic_model import GenericModel
from piaa.store.serving import ServingStore

_AT_ONCE = 500


def carry_over(serving: ServingStore, now: GenericModel, before: GenericModel, cache: FeatureCache) -> int:
    """Keep vectors of now of photos that somebody judged, from those of before and from the cache.

    Args:
        serving: which has the vectors of before.
        now: the model that people move to.
        before: theirs; what it calibrated has to be in the cache, for it hides what the network gave.
        cache: has what networks gave.

    Returns:
        of how many photos; 0 if the models' networks differ.
    """
    if now.network_hash != before.network_hash:
        return 0
    remembered, n, after = now.remembered(cache), 0, 0
    while rows := serving.lacking(now.hash, before.hash, after, _AT_ONCE):
        vectors = remembered.of_pictures([identity for _, identity, _ in rows])
        if before.calibration is None:
            stored = {identity: vector for _, identity, vector in rows if vector is not None}
            vectors = {identity: remembered.scored(vector) for identity, vector in stored.items()} | vectors
        n += serving.complete(vectors, now.hash)
        after = rows[-1][0]
    return n
