"""``ridge``: ridge regression on the residual to the generic score.

The residual form is that of Ren et al., "Personalized Image Aesthetics", ICCV 2017, with a linear
model; the penalty is chosen by exact leave-one-out on the support (Golub, Heath & Wahba 1979), as
scikit-learn's ``RidgeCV`` does. Costs one eigendecomposition of a k x k matrix, beyond some hundred ratings
one of the vectors themselves; many users of the same k are one batch of them.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from piaa.adapters.checks import fitted
from piaa.adapters.linear_form import LinearForm
from piaa.adapters.many import MOST
from piaa.adapters.prediction import Array, State
from piaa.adapters.spread import level_alone, ratings_alone
from piaa.adapters.vectors import VectorAdapter

ALPHAS = np.logspace(0, 6, 25)
"""Penalties on directions of unit variance; the largest leaves the generic score as it is."""


class RidgeAdapter(VectorAdapter):
    """Residual ridge regression on the whole embedding. Fewer than 3 ratings teach the level alone.

    Args:
        prior: says how far ratings lie from the generic score; nothing else of it is used.
    """

    name: ClassVar[str] = "ridge"
    has_linear_form: ClassVar[bool] = True

    def _learn(self, x: Array, y: Array) -> list[State]:
        residual = y - x[:, :, 0]
        k = y.shape[1]
        level = residual.mean(1)
        weights = np.zeros((len(x), x.shape[2] - 1))
        if k < 3:
            deviation = level_alone(residual - level[:, None], self._prior)
        else:
            embedding = x[:, :, 1:]
            leave_one_out = _leave_one_out if k <= MOST else _leave_one_of_many_out
            weights, errors = leave_one_out(embedding, residual - level[:, None])
            level = level - (embedding @ weights[:, :, None]).mean((1, 2))
            deviation = ratings_alone(errors, self._prior)
        return [
            {"weights": w, "level": np.array(b), "deviation": np.array(s)}
            for w, b, s in zip(weights, level, deviation, strict=True)
        ]

    def _normal(self, learned: State, x: Array) -> tuple[Array, Array]:
        mean = x[:, 0] + np.einsum("nd,d->n", x[:, 1:], learned["weights"]) + learned["level"]
        return mean, np.full(len(x), learned["deviation"])

    def linear_form(self) -> LinearForm:
        """See :class:`piaa.adapters.base.Adapter`."""
        learned = fitted(self._learned, self.name)
        level = learned["level"].item()
        return LinearForm(coefficients=np.concatenate(([level, 1.0], learned["weights"])))


def _leave_one_out(x: Array, y: Array) -> tuple[Array, Array]:
    """Ridge weights (u, d) at the penalty with the least leave-one-out error, and those errors (u, k).

    y is centred over the support, and x by way of K, which leaves the level unpenalised. With K =
    C x x^T C = V diag(s) V^T, C taking the mean out, the fit of the support is V diag(s / (s + a)) V^T y
    plus the level, whose own share of the hat matrix is 1 / k; error i without rating i is error i over
    1 - hat_ii. The dual weights sum to 0, so that x needs no centring: a copy of it would cost as much as K.
    """
    u, k, _ = x.shape
    kernel = x @ x.transpose(0, 2, 1)
    kernel -= kernel.mean(2, keepdims=True)
    kernel -= kernel.mean(1, keepdims=True)
    values, vectors = np.linalg.eigh(kernel)
    values = np.maximum(values, 0.0)
    along = np.einsum("uki,uk->ui", vectors, y)
    kept = ALPHAS / (values[:, :, None] + ALPHAS)  # (u, k, alphas): what the fit leaves over
    left = vectors @ (along[:, :, None] * kept)
    one_minus_hat = vectors**2 @ kept - 1 / k
    errors = left / np.maximum(one_minus_hat, 1e-12)
    best = (errors**2).mean(1).argmin(1)
    people = np.arange(u)
    dual = np.einsum("uki,ui->uk", vectors, along / (values + ALPHAS[best][:, None]))
    return (dual[:, None] @ x)[:, 0], errors[people, :, best]


def _leave_one_of_many_out(x: Array, y: Array) -> tuple[Array, Array]:
    """As :func:`_leave_one_out` from x itself, C x = V diag(root) W^T: nothing is of k x k."""
    vectors, root, turn = np.linalg.svd(x - x.mean(1, keepdims=True), full_matrices=False)
    along = np.einsum("uki,uk->ui", vectors, y)
    values = root[:, :, None] ** 2
    fitted_share = values / (values + ALPHAS)
    left = y[:, :, None] - vectors @ (along[:, :, None] * fitted_share)
    one_minus_hat = 1 - vectors**2 @ fitted_share - 1 / y.shape[1]
    errors = left / np.maximum(one_minus_hat, 1e-12)
    best = (errors**2).mean(1).argmin(1)
    weights = np.einsum("ui,uid->ud", along * root / (root**2 + ALPHAS[best][:, None]), turn)
    return weights, errors[np.arange(len(y)), :, best]
