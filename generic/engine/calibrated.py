"""A network whose generic score was learned again from a group's own raters: a linear function of its vector.

It is kept beside the network in the model file, and the embedding is left as it is. Photos that it was
learned from have the scores that they would have had they been left out: it knows more of them than of any
other, and who learns a person from such photos would trust the score too much. They are known by the first
numbers of their embedding, which other machines give to a few digits less.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generic.cache.features import Features
from generic.engine.engine import Engine
from generic.errors import CheckpointError

PREFIX = "calibrated."
"""Of the arrays in a model file."""
BEFORE = PREFIX + "before."
"""Of arrays as the plain model had them, by their names there, where a calibration put others: of a prior."""
ORIGIN = "calibrated_from"
"""Where a header's training says whom and what the generic score was learned from."""
KNOWN_BY = 16
"""Numbers of an embedding that tell one photo from all others."""
SAME = 1e-3
"""How far machines differ in one of them, in its standard deviation over the photos."""


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """A generic score in terms of the network's vector; n photos were learned from."""

    coefficients: NDArray[np.float64]
    """On (1, vector), shape (2 + d,)."""
    taught: NDArray[np.float32]
    """The first numbers of their embeddings, shape (n, min(d, KNOWN_BY))."""
    left_out: NDArray[np.float32]
    """Unit scores of them as if left out, shape (n,)."""

    def __call__(self, vector: Features) -> Features:
        """The vector (1 + d,) with this score in place of the network's."""
        changed = vector.copy()
        gaps = np.abs(self.taught - vector[1 : 1 + self.taught.shape[1]]).max(axis=1)
        nearest = int(gaps.argmin())
        if gaps[nearest] <= SAME * self._typical:
            changed[0] = self.left_out[nearest]
        else:
            changed[0] = self.coefficients[0] + np.float64(vector) @ self.coefficients[1:]
        return changed

    @cached_property
    def _typical(self) -> float:
        return float(self.taught.std(axis=0).mean())

    def tensors(self) -> dict[str, NDArray[Any]]:
        """For a model file, without ``PREFIX``; :meth:`from_tensors` is the inverse."""
        return {"coefficients": self.coefficients, "taught": self.taught, "left_out": self.left_out}

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, NDArray[Any]]) -> Calibration | None:
        """That of a model file, or None if it has none.

        Raises:
            CheckpointError: some of its arrays are missing.
        """
        if not tensors:
            return None
        try:
            return cls(**{key: tensors[key] for key in ("coefficients", "taught", "left_out")})
        except KeyError as error:
            raise CheckpointError(
                f"the model file's calibration has no array {error.args[0]!r}; calibrate the model again"
            ) from error


class CalibratedEngine(Engine):
    """An engine with another generic score.

    Args:
        inner: runs the network.
        calibration: gives the score.
    """

    def __init__(self, inner: Engine, calibration: Calibration) -> None:
        self.inner, self.calibration, self.callers = inner, calibration, inner.callers

    def vector(self, pixels: NDArray[np.uint8]) -> Features:
        """See :class:`generic.engine.engine.Engine`."""
        return self.calibration(self.inner.vector(pixels))
