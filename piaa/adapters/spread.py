"""How wide an interval must be where a method has no posterior: from errors on ratings left out.

A few errors say little of a person's noise, and nothing at all if there is one rating. Training users count
as ten more (a scaled inverse chi-square prior; Gelman et al., Bayesian Data Analysis, 2013, section 2.6), and
the Student quantile of what is known replaces the normal one.
"""

from __future__ import annotations

import numpy as np

from piaa.adapters.prediction import COVERAGE, Array, Z
from piaa.adapters.prior import Prior

IMAGINARY = 10
"""Ratings of one's own that training users count for."""
TYPICAL = 0.2
"""Standard deviation of unit ratings around a person's own level, where no training user says better."""


def level_alone(residual: Array, prior: Prior | None) -> Array:
    """Deviation of a new rating around a mean of k, shape (u,), of residuals to that mean, (u, k)."""
    k = residual.shape[1]
    return np.asarray(_deviation((residual**2).sum(1), k - 1, prior) * np.sqrt(1 + 1 / k))


def ratings_alone(errors: Array, prior: Prior | None) -> Array:
    """Deviation of a new rating, shape (u,), from errors on ratings left out, shape (u, k)."""
    return _deviation((errors**2).sum(1), errors.shape[1], prior)


def _deviation(squares: Array, degrees: int, prior: Prior | None) -> Array:
    from scipy.special import stdtrit

    known = degrees + IMAGINARY
    spread = np.sqrt((squares + IMAGINARY * own_spread(prior) ** 2) / known)
    return np.asarray(spread * stdtrit(known, (1 + COVERAGE) / 2) / Z)


def own_spread(prior: Prior | None) -> float:
    """Standard deviation of ratings around the generic score once a person's level is taken out."""
    if prior is None:
        return TYPICAL
    return float(np.sqrt(max(prior.residual**2 - prior.covariance[0, 0], (prior.residual / 2) ** 2)))
