"""Vectors of photos with a model's own generic score; what is remembered is what its network gives.

So a model that was calibrated knows every photo that the plain one has seen, and the other way round.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from generic.cache.contents import Content
from generic.cache.features import FeatureCache, Features
from generic.engine.calibrated import Calibration


@dataclass(frozen=True)
class Remembered:
    """A cache of photos, as one model sees them."""

    cache: FeatureCache
    network: str
    """Hash of the model without its calibration."""
    calibration: Calibration | None

    def find(self, contents: Collection[Content]) -> dict[str, Features]:
        """Vectors (1 + d,) of pictures that are known, by key."""
        return self._scored(self.cache.find_many(contents, self.network))

    def get(self, digests: Sequence[str]) -> dict[str, Features]:
        """Vectors (1 + d,) of files that are known, by SHA-256."""
        return self._scored(self.cache.get_many(digests, self.network))

    def of_pictures(self, identities: Collection[str]) -> dict[str, Features]:
        """Vectors (1 + d,) of pictures of which only the identity is at hand, by that."""
        held = self.cache.holders(identities)
        found = self.find(held)
        return {one.identity: found[one.key] for one in held if one.key in found}

    def put(self, plain: Mapping[str, Features]) -> dict[str, Features]:
        """Remember what the network gave, by the pictures' keys; returns it with the model's score."""
        self.cache.put_many(plain, self.network)
        return self._scored(plain)

    def scored(self, plain: Features) -> Features:
        """What the network gave for one photo (1 + d,), with the model's score."""
        return plain if self.calibration is None else self.calibration(plain)

    def _scored(self, plain: Mapping[str, Features]) -> dict[str, Features]:
        return {key: self.scored(one) for key, one in plain.items()}
