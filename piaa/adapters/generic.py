"""``generic``: no adaptation; the floor that every table shows. Costs nothing."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from piaa.adapters.linear_form import LinearForm
from piaa.adapters.prediction import Array, State
from piaa.adapters.vectors import VectorAdapter


class GenericAdapter(VectorAdapter):
    """Predicts what people on average think; ratings only say how wide the interval must be.

    Args:
        prior: gives the spread of ratings around the generic score; without one it is taken from
            the support.
    """

    name: ClassVar[str] = "generic"
    has_linear_form: ClassVar[bool] = True

    def _learn(self, x: Array, y: Array) -> list[State]:
        # The population's spread counts as much as ten ratings of this person's own.
        prior = self._prior.residual if self._prior else 0.25
        squares = np.sum((y - x[:, :, 0]) ** 2, axis=1)
        spread = np.sqrt((10 * prior**2 + squares) / (10 + y.shape[1]))
        return [{"deviation": np.array(one)} for one in spread]

    def _normal(self, learned: State, x: Array) -> tuple[Array, Array]:
        return x[:, 0], np.full(len(x), learned["deviation"])

    def linear_form(self) -> LinearForm:
        """See :class:`piaa.adapters.base.Adapter`."""
        width = self.support[0].shape[1]
        return LinearForm(coefficients=np.eye(1, 1 + width, 1)[0])
