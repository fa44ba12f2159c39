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
from piaa.adapters.base import Prediction, State, check_support, fitted
from piaa.prior import Prior, normal_log_density, spectrum


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
        residual = y - basis @ prior.mean
        covariances = prior.covariances()
        spectra = [spectrum(basis, covariance) for covariance in covariances]
        evidence = [normal_log_density(*pair, residual, prior.noise) for pair in spectra]
        joint = np.array(evidence) + prior.log_weights
        weights = np.exp(joint - joint.max())
        weights /= weights.sum()

        # With C the prior covariance and V diag(s) V^T the spectrum, the posterior for noise n is
        #   mean + B diag(1 / (s + n)) V^T residual,   C - B diag(1 / (s + n)) B^T,   B = C basis^T V.
        shifts, covariance = [], np.zeros_like(prior.covariance)
        for (values, vectors), prior_covariance, row in zip(spectra, covariances, weights, strict=True):
            reach = prior_covariance @ basis.T @ vectors  # B, shape (p, k)
            shrink = 1.0 / (values[:, None] + prior.noise)  # shape (k, n_noise)
            shifts.append(reach @ (shrink * (vectors.T @ residual)[:, None]))
            covariance += row.sum() * prior_covariance - (reach * (shrink @ row)) @ reach.T
        flat, every = weights.ravel(), np.concatenate(shifts, axis=1)  # shapes (cells,), (p, cells)
        shift = every @ flat
        apart = every - shift[:, None]
        self._state = {
            "mean": prior.mean + shift,
            "covariance": covariance + (apart * flat) @ apart.T,
            "noise": np.array(weights.sum(axis=0) @ prior.noise),
        }
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
