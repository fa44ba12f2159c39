"""The head that is adapted to a person: a small network on a photo's vector, and how it descends.

    score = generic score + last(body(z), z_0) ,    body(z) = silu(W z + b)

with z the standardised vector, whose first entry is the generic score. The last layer sees the hidden
features and the generic score, so that it knows level, spread and tastes. At zero steps it is what
meta-training left; a person's ratings move it by gradient descent on

    sum over her k ratings of (score - rating)^2 / (k + caution) ,

where ``caution`` says how many ratings it takes to be believed half. Everything here is numpy in
float64: fitting a person needs neither torch nor learn2learn, and a test holds it against learn2learn.

Notation: n photos, d embedding size, u hidden units.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Weights = dict[str, Array]
"""``body.weight`` (u, 1 + d), ``body.bias`` (u,), ``last.weight`` (1, u + 1), ``last.bias`` (1,)."""

BODY = ("body.weight", "body.bias")
LAST = ("last.weight", "last.bias")


@dataclass(frozen=True, kw_only=True)
class Standard:
    """What makes vectors of mean 0 and variance 1, each entry over the training photos."""

    mean: Array
    """Shape (1 + d,)."""
    deviation: Array
    """Shape (1 + d,), above 0."""

    @classmethod
    def of(cls, vectors: NDArray[np.floating]) -> Standard:
        """Of training photos' vectors, shape (n, 1 + d)."""
        x = np.asarray(vectors, dtype=np.float64)
        return cls(mean=x.mean(0), deviation=np.maximum(x.std(0), 1e-6))

    def __call__(self, vectors: NDArray[np.floating]) -> Array:
        """Standardised vectors, shape (n, 1 + d), in C order."""
        x = np.asarray(vectors, dtype=np.float64, order="C")
        return np.asarray((x - self.mean) / self.deviation)


def hidden(weights: Mapping[str, Array], z: Array) -> tuple[Array, Array]:
    """Features of the last layer, shape (n, u + 1), the generic score last; and what the units got, (n, u).

    Sums run along a photo's row, in one order: a score must not depend on what is scored with it.
    """
    given = np.einsum("nd,ud->nu", z, weights["body.weight"]) + weights["body.bias"]
    return np.concatenate([given * _sigmoid(given), z[:, :1]], axis=1), given


def residuals(weights: Mapping[str, Array], z: Array) -> Array:
    """What the head adds to the generic score of each photo, shape (n,)."""
    features, _ = hidden(weights, z)
    return np.asarray(np.einsum("nu,u->n", features, weights["last.weight"][0]) + weights["last.bias"][0])


def descend(
    weights: Mapping[str, Array],
    z: Array,
    targets: Array,
    *,
    rates: Mapping[str, Array],
    steps: int,
    caution: float,
) -> Weights:
    """The weights after some gradient steps on a support.

    Args:
        weights: where to begin; left as they are.
        z: standardised vectors of the support, shape (k, 1 + d).
        targets: unit score minus generic score, shape (k,).
        rates: step size of each layer that moves, a number or an array of the layer's shape; layers
            without one stay.
        steps: how many steps.
        caution: see the module's text.
    """
    now = {key: np.array(value) for key, value in weights.items()}
    for _ in range(steps):
        features, given = hidden(now, z)
        error = features @ now["last.weight"][0] + now["last.bias"][0] - targets
        error *= 2.0 / (len(targets) + caution)
        gradients = {"last.weight": (error @ features)[None], "last.bias": error.sum(keepdims=True)}
        if "body.weight" in rates:
            gate = _sigmoid(given)
            slope = gate * (1 + given * (1 - gate))  # of silu
            back = error[:, None] * now["last.weight"][0, :-1] * slope
            gradients |= {"body.weight": back.T @ z, "body.bias": back.sum(0)}
        for key, rate in rates.items():
            now[key] = now[key] - rate * gradients[key]
    return now


def _sigmoid(x: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-np.clip(x, -500, 500))))
