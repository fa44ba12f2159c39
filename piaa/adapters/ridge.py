"""``ridge``: ridge regression on the residual to the generic score.

The residual form is that of Ren et al., "Personalized Image Aesthetics", ICCV 2017, with a linear
model; the penalty is chosen by leave-one-out on the support (scikit-learn's ``RidgeCV``).
Costs one eigendecomposition of a k x k matrix.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from piaa.adapters.base import Prediction, State, check_support, fitted
from piaa.prior import Prior

ALPHAS = np.logspace(0, 6, 25)
"""Penalties on directions of unit variance; the largest leaves the generic score as it is."""


class RidgeAdapter:
    """Residual ridge regression on the whole embedding.

    Args:
        prior: not used; every adapter is built alike.
    """

    name: ClassVar[str] = "ridge"

    def __init__(self, prior: Prior | None = None) -> None:
        del prior
        self._state: State | None = None

    def fit(self, features: NDArray[Any], unit_scores: NDArray[Any]) -> Self:
        """See :class:`piaa.adapters.base.Adapter`. With fewer than 3 ratings only the level is learned."""
        x, y = check_support(features, unit_scores)
        residual = y - x[:, 0]
        weights, level, errors = np.zeros(x.shape[1] - 1), float(residual.mean()), residual - residual.mean()
        if len(y) >= 3:
            from sklearn.linear_model import RidgeCV

            model = RidgeCV(ALPHAS, store_cv_results=True).fit(x[:, 1:], residual)
            weights, level = model.coef_, float(model.intercept_)
            errors = np.sqrt(model.cv_results_[:, list(ALPHAS).index(model.alpha_)])
        # Two imaginary errors of 0.25 keep the interval of a few lucky ratings honest.
        deviation = np.sqrt((np.sum(errors**2) + 2 * 0.25**2) / (len(y) + 2))
        self._state = {"weights": weights, "level": np.array(level), "deviation": np.array(deviation)}
        return self

    def predict(self, features: NDArray[Any]) -> Prediction:
        """See :class:`piaa.adapters.base.Adapter`."""
        state = fitted(self._state, self.name)
        # Row by row, not as one product: a score must not depend on what is scored with it.
        x = np.asarray(features, dtype=np.float64, order="C")
        mean = x[:, 0] + np.einsum("nd,d->n", x[:, 1:], state["weights"]) + state["level"]
        return Prediction.from_normal(mean, np.full_like(mean, state["deviation"]))

    def state(self) -> State:
        """See :class:`piaa.adapters.base.Adapter`."""
        return dict(fitted(self._state, self.name))

    def restore(self, state: Mapping[str, NDArray[Any]]) -> Self:
        """See :class:`piaa.adapters.base.Adapter`."""
        self._state = dict(state)
        return self
