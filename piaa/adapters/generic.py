"""``generic``: no adaptation; the floor that every table shows. Costs nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from piaa.adapters.base import Prediction, State, check_support, fitted
from piaa.prior import Prior


class GenericAdapter:
    """Predicts what people on average think; ratings only say how wide the interval must be.

    Args:
        prior: gives the spread of ratings around the generic score; without one it is taken from
            the support.
    """

    name: ClassVar[str] = "generic"

    def __init__(self, prior: Prior | None = None) -> None:
        self._prior = prior
        self._state: State | None = None

    def fit(self, features: NDArray[Any], unit_scores: NDArray[Any]) -> Self:
        """See :class:`piaa.adapters.base.Adapter`."""
        x, y = check_support(features, unit_scores)
        # The population's spread counts as much as ten ratings of this person's own.
        prior = self._prior.residual if self._prior else 0.25
        spread = np.sqrt((10 * prior**2 + np.sum((y - x[:, 0]) ** 2)) / (10 + len(y)))
        self._state = {"deviation": np.array(spread)}
        return self

    def predict(self, features: NDArray[Any]) -> Prediction:
        """See :class:`piaa.adapters.base.Adapter`."""
        state = fitted(self._state, self.name)
        mean = np.asarray(features, dtype=np.float64)[:, 0]
        return Prediction.from_normal(mean, np.full_like(mean, state["deviation"]))

    def state(self) -> State:
        """See :class:`piaa.adapters.base.Adapter`."""
        return dict(fitted(self._state, self.name))

    def restore(self, state: Mapping[str, NDArray[Any]]) -> Self:
        """See :class:`piaa.adapters.base.Adapter`."""
        self._state = dict(state)
        return self
