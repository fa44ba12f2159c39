"""``pam``: support vector regression on the residual to the generic score.

Ren, Shen, Lin, Mech & Foran, "Personalized Image Aesthetics", ICCV 2017 (PAM): a radial-basis SVR predicts
what a person's rating adds to the generic score. Penalty, width and tolerance are chosen by cross-validation
on the support. Costs some dozens of small SVR fits; its state keeps the support vectors' weights.
"""

from __future__ import annotations

from itertools import product
from typing import ClassVar

import numpy as np

from piaa.adapters.kernel import squared_distances
from piaa.adapters.prediction import Array, State
from piaa.adapters.spread import level_alone, ratings_alone
from piaa.adapters.vectors import VectorAdapter

PENALTIES = (0.01, 0.1, 1.0)
WIDTHS = (0.1, 0.5)
"""Times one over the support's mean squared distance to its centre."""
TOLERANCE = 0.05
"""Errors below it cost nothing; unit scores. A fifth of a step between two of five stars."""
FOLDS = 5


class PamAdapter(VectorAdapter):
    """Residual support vector regression. Fewer than 3 ratings teach the level alone.

    Args:
        prior: says how far ratings lie from the generic score; nothing else of it is used.
    """

    name: ClassVar[str] = "pam"
    most: ClassVar[int | None] = 3_000

    def _learn(self, x: Array, y: Array) -> list[State]:
        return [self._learn_one(*person) for person in zip(x, y, strict=True)]

    def _learn_one(self, x: Array, y: Array) -> State:
        residual = y - x[:, 0]
        level = residual.mean()
        z, rest = x[:, 1:], residual - level
        if len(y) < 3:
            deviation = level_alone(rest[None], self._prior)[0]
            return _state(np.zeros((0, z.shape[1])), np.zeros(0), 0.0, level, deviation)
        squares = squared_distances(z, z)
        scale = max(float(squares.mean()) / 2, 1e-12)
        kernels = {width: np.exp(-squares * (width / scale)) for width in WIDTHS}
        errors = {
            (penalty, width): _left_out(kernels[width], rest, penalty)
            for penalty, width in product(PENALTIES, WIDTHS)
        }
        errors[0.0, WIDTHS[0]] = rest * len(rest) / (len(rest) - 1)  # the level alone, each rating left out
        penalty, width = min(errors, key=lambda cell: (float((errors[cell] ** 2).mean()), cell[0]))
        deviation = ratings_alone(errors[penalty, width][None], self._prior)[0]
        if penalty == 0.0:
            return _state(np.zeros((0, z.shape[1])), np.zeros(0), 0.0, level, deviation)
        held, weights, offset = _support_vectors(kernels[width], rest, penalty)
        return _state(z[held], weights, width / scale, level + offset, deviation)

    def _normal(self, learned: State, x: Array) -> tuple[Array, Array]:
        kernel = np.exp(-squared_distances(x[:, 1:], learned["vectors"]) * learned["gamma"])
        mean = x[:, 0] + np.einsum("ns,s->n", kernel, learned["weights"]) + learned["level"]
        return mean, np.full(len(x), learned["deviation"])


def _state(vectors: Array, weights: Array, gamma: float, level: float, deviation: float) -> State:
    numbers = {"gamma": gamma, "level": level, "deviation": deviation}
    return {
        "vectors": vectors,
        "weights": weights,
        **{key: np.array(value) for key, value in numbers.items()},
    }


def _left_out(kernel: Array, y: Array, penalty: float) -> Array:
    """Errors (k,) on ratings left out, a fold at a time; each rating alone while there are few."""
    k, errors = len(y), np.empty(len(y))
    for fold in range(min(FOLDS, k)):
        held = np.arange(fold, k, FOLDS)
        rest = np.setdiff1d(np.arange(k), held)
        machine = _machine(penalty).fit(kernel[np.ix_(rest, rest)], y[rest])
        errors[held] = y[held] - machine.predict(kernel[np.ix_(held, rest)])
    return errors


def _support_vectors(kernel: Array, y: Array, penalty: float) -> tuple[Array, Array, float]:
    machine = _machine(penalty).fit(kernel, y)
    return machine.support_, machine.dual_coef_[0], float(machine.intercept_[0])


def _machine(penalty: float):  # type: ignore[no-untyped-def]  # noqa: ANN202 - scikit-learn has no types
    from sklearn.svm import SVR

    return SVR(kernel="precomputed", C=penalty, epsilon=TOLERANCE, tol=1e-6)
