"""``bias``: a person's level and spread on the scale, nothing of her taste.

The user and item biases of collaborative filtering (Koren, Bell & Volinsky, "Matrix factorization techniques
for recommender systems", Computer 2009), with a slope, shrunk by how level and spread differ among training
users. Ranks as ``generic`` does, unless a person's spread is negative. Costs one decomposition of k x 2, some
microseconds.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from piaa.adapters.checks import fitted
from piaa.adapters.linear_form import LinearForm
from piaa.adapters.posterior import Mixture, normal_of
from piaa.adapters.prediction import Array, State
from piaa.adapters.prior import TASTES, Prior
from piaa.adapters.prior_checks import check_narrow
from piaa.adapters.strangers import with_strangers
from piaa.adapters.vectors import VectorAdapter


class BiasAdapter(VectorAdapter):
    """Bayesian regression of a person's ratings on the generic score alone."""

    name: ClassVar[str] = "bias"
    needs_prior: ClassVar[bool] = True
    has_linear_form: ClassVar[bool] = True

    def _learn(self, x: Array, y: Array) -> list[State]:
        check_narrow(x.shape[2], self.prior)
        return level_mixture(self.prior).posterior(self.prior.basis(x[:, :, :1]), y)

    def _normal(self, learned: State, x: Array) -> tuple[Array, Array]:
        return normal_of(learned, self.prior.basis(x[:, :1]))

    def linear_form(self) -> LinearForm:
        """See :class:`piaa.adapters.base.Adapter`."""
        learned, width = fitted(self._learned, self.name), self.support[0].shape[1]
        return LinearForm(coefficients=self.prior.coefficients(learned["mean"], width))


def level_mixture(prior: Prior) -> Mixture:
    """The prior over level and spread; what tastes make of a rating is noise here."""
    weights = np.exp(prior.log_weights)
    # Directions of the embedding have unit variance: a taste's share of a rating's variance is the trace.
    taste = weights.sum(axis=1) @ np.array(TASTES) / weights.sum() * np.trace(prior.covariance[2:, 2:])
    noise, log_weights = with_strangers(prior.noise, prior.log_weights)
    return Mixture(
        mean=prior.mean[:2],
        covariances=prior.covariance[None, :2, :2],
        noise=noise + taste,
        log_weights=np.logaddexp.reduce(log_weights, axis=0)[None, None],
        n_for_mean=len(prior.noise),
    )
