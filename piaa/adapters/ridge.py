"""``ridge``: ridge regression on the residual to the generic score.

The residual form is that of Ren et al., "Personalized Image Aesthetics", ICCV 2017, with a linear
model; the penalty is chosen by exact leave-one-out on the support (Golub, Heath & Wahba 1979), as
scikit-learn's ``RidgeCV`` does. Costs one eigendecomposition of a k x k matrix; many users of the
same k are one stack of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from piaa.adapters.base import Array, Prediction, State, check_support, fitted
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
        self._state = self.fit_many([features], [unit_scores])[0]._state
        return self

    def fit_many(
        self, features: Sequence[NDArray[Any]], unit_scores: Sequence[NDArray[Any]]
    ) -> list[RidgeAdapter]:
        """Fit one adapter for each of several people at once; each equals its own :meth:`fit`.

        Args:
            features: model vectors of each person's support, shapes (k, 1 + d); k may differ.
            unit_scores: each person's unit scores, shapes (k,).

        Raises:
            TooFewRatings: a k is 0.
            ShapeError: arrays do not fit together.
        """
        supports = [check_support(*pair) for pair in zip(features, unit_scores, strict=True)]
        places: dict[tuple[int, int], list[int]] = {}
        for place, (x, _) in enumerate(supports):
            places.setdefault(x.shape, []).append(place)
        fits: list[RidgeAdapter] = [RidgeAdapter() for _ in supports]
        for same in places.values():
            x = np.stack([supports[place][0] for place in same])
            y = np.stack([supports[place][1] for place in same])
            for place, state in zip(same, _fit(x, y), strict=True):
                fits[place]._state = state
        return fits

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


def _fit(x: Array, y: Array) -> list[State]:
    """States for u people with k ratings each: x of shape (u, k, 1 + d), y of shape (u, k)."""
    residual = y - x[:, :, 0]
    level = residual.mean(1)
    weights = np.zeros((len(x), x.shape[2] - 1))
    errors = residual - level[:, None]
    if y.shape[1] >= 3:
        centre = x[:, :, 1:].mean(1)
        weights, errors = _leave_one_out(x[:, :, 1:] - centre[:, None], errors)
        level = level - np.einsum("ud,ud->u", centre, weights)
    # Two imaginary errors of 0.25 keep the interval of a few lucky ratings honest.
    deviation = np.sqrt(((errors**2).sum(1) + 2 * 0.25**2) / (y.shape[1] + 2))
    return [
        {"weights": w, "level": np.array(b), "deviation": np.array(s)}
        for w, b, s in zip(weights, level, deviation, strict=True)
    ]


def _leave_one_out(x: Array, y: Array) -> tuple[Array, Array]:
    """Ridge weights (u, d) at the penalty with the least leave-one-out error, and those errors (u, k).

    Both sides are centred over the support, which leaves the level unpenalised. With K = x x^T =
    V diag(s) V^T, the fit of the support is V diag(s / (s + a)) V^T y plus the level, whose own
    share of the hat matrix is 1 / k; error i without rating i is error i over 1 - hat_ii.
    """
    u, k, _ = x.shape
    values, vectors = np.linalg.eigh(x @ x.transpose(0, 2, 1))
    values = np.maximum(values, 0.0)
    along = np.einsum("uki,uk->ui", vectors, y)
    kept = ALPHAS / (values[:, :, None] + ALPHAS)  # (u, k, alphas): what the fit leaves over
    left = vectors @ (along[:, :, None] * kept)
    one_minus_hat = vectors**2 @ kept - 1 / k
    errors = left / np.maximum(one_minus_hat, 1e-12)
    best = (errors**2).mean(1).argmin(1)
    people = np.arange(u)
    dual = np.einsum("uki,ui->uk", vectors, along / (values + ALPHAS[best][:, None]))
    return np.einsum("uk,ukd->ud", dual, x), errors[people, :, best]
