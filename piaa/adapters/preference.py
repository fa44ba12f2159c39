"""How likely a person is to prefer one of two photos, or neither, given how far apart they are to her.

Of the two photos she sees two noisy scores; she prefers the one that is higher by more than a band, and calls
them equal otherwise: Thurstone's model with ties (Glenn & David, "Ties in paired-comparison experiments using
a modified Thurstone-Mosteller model", Biometrics 1960). Who never calls two photos equal is taken to have
chosen always: her band is 0. A comparison's noise is that of two ratings.

Notation: m comparisons; all variances in unit scores squared.
"""

from __future__ import annotations

from math import erfc

import numpy as np
from numpy.typing import NDArray

from piaa.adapters.prediction import Array

BAND = 0.3
"""Half of the band, in standard deviations of a comparison's noise: with usual ratings half a step of a scale
of seven."""


def log_likelihood(
    mean: Array, variance: Array, noise: Array, equal: NDArray[np.bool_]
) -> tuple[Array, Array, Array]:
    """Log probability of what she said, averaged over normal differences, with two derivatives.

    Args:
        mean: of the difference of the preferred photo to the other, or of two equals; shape (..., m).
        variance: of the difference, noise left out, shape (..., m).
        noise: variance of a rating, shape (..., 1).
        equal: which comparisons prefer neither, shape (m,); the band is that of all of them.

    Returns:
        the log, its slope in the mean, and its curvature, negative: each of shape (..., m).
    """
    width = np.sqrt(variance + 2 * noise)
    if not equal.any():
        return _preferred(mean, width)
    band = BAND * np.sqrt(2 * noise)
    found = _preferred(mean - band, width)
    for values, alike in zip(found, _equal(mean[..., equal], band, width[..., equal]), strict=True):
        values[..., equal] = alike
    return found


def preferring(mean: Array, variance: Array, noise: float) -> Array:
    """Probability that she prefers the one photo to the other if she has to choose.

    Args:
        mean: of the difference of the two, shape (n,).
        variance: of the difference, noise left out, shape (n,).
        noise: variance of a rating.
    """
    at = mean / np.sqrt(2 * (np.maximum(variance, 0.0) + 2 * noise))
    return np.array(
        [0.5 * erfc(-value) for value in at.tolist()]
    )  # scipy would cost a quick command its import


def expected_information(mean: Array, variance: Array, noise: float) -> Array:
    """Curvature of the log probability of what she will say, averaged over what that may be.

    Under a normal difference the average over both answers is density^2 / (P (1 - P)) / width^2.

    Args:
        mean: of the difference of two photos, of any shape.
        variance: of the difference, noise left out, of the same shape.
        noise: variance of a rating.
    """
    from scipy.special import log_ndtr

    width = np.sqrt(np.maximum(variance, 0.0) + 2 * noise)
    at = mean / width
    log = -(at**2) - np.log(2 * np.pi) - log_ndtr(at) - log_ndtr(-at)
    return np.asarray(np.exp(log) / width**2)


def _preferred(mean: Array, width: Array) -> tuple[Array, Array, Array]:
    from scipy.special import log_ndtr

    at = mean / width
    log = log_ndtr(at)
    ratio = _density(at, log)
    return np.asarray(log), ratio / width, ratio * (ratio + at) / width**2


def _equal(mean: Array, band: Array, width: Array) -> tuple[Array, Array, Array]:
    from scipy.special import log_ndtr

    away = np.abs(mean)  # on one side, so that the ends of the band lie in the accurate tail
    upper, lower = (band - away) / width, (-band - away) / width
    top = log_ndtr(upper)
    log = top + np.log1p(-np.exp(log_ndtr(lower) - top))
    high, low = _density(upper, log), _density(lower, log)
    slope = np.where(mean < 0, -1.0, 1.0) * (low - high) / width
    return log, slope, slope**2 + (upper * high - lower * low) / width**2


def _density(at: Array, log: Array) -> Array:
    """The standard normal density over exp(log)."""
    return np.asarray(np.exp(-0.5 * at**2 - 0.5 * np.log(2 * np.pi) - log))
