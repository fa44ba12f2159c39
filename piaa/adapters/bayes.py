"""``bayes``: the exact Gaussian posterior over a person's level, spread and tastes.

The prior is that of the model's training users (:mod:`piaa.prior`). With no ratings the prediction
is the crowd's; every rating moves it as far as the prior says people differ, so few ratings cannot
do much harm. Costs one small eigendecomposition for each taste of the grid; nothing is iterated.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from generic.errors import CheckpointError
from piaa.adapters.base import Array, Prediction, State, check_support, fitted
from piaa.prior import Prior, log_evidence


class BayesAdapter:
    """Bayesian linear model averaged over how far and how noisily a person may differ from the crowd.

    Args:
        prior: learned with the generic model.

    Raises:
        CheckpointError: the model file has no prior.
    """

    name: ClassVar[str] = "bayes"

    def __init__(self, prior: Prior | None = None) -> None:
        if prior is None:
            raise CheckpointError(
                "adapter 'bayes' needs a prior, but the model file has none; use --adapter ridge"
            )
        self._prior = prior
        self._state: State | None = None

    def fit(self, features: NDArray[Any], unit_scores: NDArray[Any]) -> Self:
        """See :class:`piaa.adapters.base.Adapter`."""
        x, y = check_support(features, unit_scores)
        prior, basis = self._prior, self._prior.basis(x)
        joint = log_evidence(basis, y, prior) + prior.log_weights
        weights = np.exp(joint - joint.max())
        weights /= weights.sum()
        means, covariances = _posteriors(basis, y, prior)
        mean = np.einsum("ts,tsp->p", weights, means)
        centred = means - mean
        covariance = np.einsum("ts,tspq->pq", weights, covariances)
        covariance += np.einsum("ts,tsp,tsq->pq", weights, centred, centred)
        noise = float(weights.sum(axis=0) @ prior.noise)
        self._state = {"mean": mean, "covariance": covariance, "noise": np.array(noise)}
        return self

    def predict(self, features: NDArray[Any]) -> Prediction:
        """See :class:`piaa.adapters.base.Adapter`."""
        state = fitted(self._state, self.name)
        basis = self._prior.basis(features)
        # Row by row, not as one product: a score must not depend on what is scored with it.
        mean = np.einsum("np,p->n", basis, state["mean"])
        spread = np.einsum("np,pq->nq", basis, state["covariance"])
        variance = np.einsum("nq,nq->n", spread, basis) + state["noise"]
        return Prediction.from_normal(mean, np.sqrt(variance))

    def state(self) -> State:
        """See :class:`piaa.adapters.base.Adapter`."""
        return dict(fitted(self._state, self.name))

    def restore(self, state: Mapping[str, NDArray[Any]]) -> Self:
        """See :class:`piaa.adapters.base.Adapter`."""
        self._state = dict(state)
        return self


def _posteriors(basis: Array, scores: Array, prior: Prior) -> tuple[Array, Array]:
    """Posterior mean and covariance for each (taste, noise) pair.

    Returns:
        shapes (tastes, n_noise, p) and (tastes, n_noise, p, p).
    """
    gram, moment = basis.T @ basis, basis.T @ scores
    precision = np.linalg.inv(prior.covariances())[:, None]  # (tastes, 1, p, p)
    noise = prior.noise[None, :, None, None]
    covariance: Array = np.linalg.inv(precision + gram / noise).astype(np.float64)
    target = precision @ prior.mean[:, None] + moment[:, None] / noise
    return (covariance @ target)[..., 0], covariance
