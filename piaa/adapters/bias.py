"""``bias``: a person's level and spread on the scale, nothing of her taste.

The user and item biases of collaborative filtering (Koren, Bell & Volinsky, "Matrix factorization techniques
for recommender systems", Computer 2009), with a slope, shrunk by how level and spread differ among training
users. Ranks as ``generic`` does, unless a person's spread is negative. Costs one decomposition of k x 2, some
microseconds.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from piaa.adapters.base import Array, State
from piaa.adapters.posterior import Mixture, normal_of
from piaa.adapters.prior import TASTES, Prior
from piaa.adapters.prior_based import PriorAdapter, check_narrow
from piaa.adapters.vectors import BatchAdapter


class BiasAdapter(PriorAdapter, BatchAdapter):
    """Bayesian regression of a person's ratings on the generic score alone."""

    name: ClassVar[str] = "bias"

    def _side(self, k: int) -> int:
        del k
        return 2

    def _learn_many(self, x: Array, y: Array) -> list[State]:
        check_narrow(x.shape[2], self.prior)
        u, k, _ = x.shape
        basis = self.prior.basis(x[:, :, :1].reshape(u * k, 1)).reshape(u, k, 2)
        return level_mixture(self.prior).posterior(basis, y)

    def _normal(self, learned: State, x: Array) -> tuple[Array, Array]:
        return normal_of(learned, self.prior.basis(x[:, :1]))


def level_mixture(prior: Prior) -> Mixture:
    """The prior over level and spread; what tastes make of a rating is noise here."""
    weights = np.exp(prior.log_weights)
    # Directions of the embedding have unit variance: a taste's share of a rating's variance is the trace.
    taste = weights.sum(axis=1) @ np.array(TASTES) / weights.sum() * np.trace(prior.covariance[2:, 2:])
    return Mixture(
        mean=prior.mean[:2],
        covariances=prior.covariance[None, :2, :2],
        noise=prior.noise + taste,
        log_weights=np.log(weights.sum(axis=0))[None, None],
    )
