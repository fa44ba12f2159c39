"""Noise beyond that of training users: for photos, or people, that they say nothing of.

On photos of another kind the generic score errs by more than on those that its model was trained on, and the
largest noise that training users have is too small for that. Two levels more are in every grid of noises,
with little weight: the ratings themselves decide how far they are needed. They widen the intervals and leave
the scores alone: what looks like noise to a whole grid may still be a taste.
"""

from __future__ import annotations

import numpy as np

from piaa.adapters.prediction import Array

NOISE = (3.0, 4.5)
"""Variances of a rating, in those that training users have on average."""
SHARE = 0.1
"""Weight of the two together before the ratings."""


def with_strangers(noise: Array, log_weights: Array) -> tuple[Array, Array]:
    """A grid of noise variances with the further levels, which spread as the others do over all else.

    Args:
        noise: variances, shape (v,).
        log_weights: log of the grid's weights, shape (..., v).

    Returns:
        variances, shape (v + 2,), and log weights, shape (..., v + 2), of the same sum.
    """
    weights = np.exp(log_weights - np.logaddexp.reduce(log_weights, axis=None))
    usual = float((weights * noise).sum())
    whole = np.logaddexp.reduce(log_weights, axis=-1, keepdims=True)
    further = np.repeat(whole + np.log(SHARE / len(NOISE)), len(NOISE), axis=-1)
    return (
        np.concatenate([noise, usual * np.array(NOISE)]),
        np.concatenate([log_weights + np.log(1 - SHARE), further], axis=-1),
    )
