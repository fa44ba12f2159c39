"""``pairs``: learns from which of two photos a person prefers, for people who compare rather than rate.

Bradley & Terry, "Rank analysis of incomplete block designs", Biometrika 1952, with a utility that is linear
in the features (Chu & Ghahramani, "Preference learning with Gaussian processes", ICML 2005): the probability
that a photo is preferred is a logistic function of the difference of the two scores. The weights start from
the prior over people; their mode is found by Newton's method and their spread by Laplace's approximation.
Costs a few solves of p x p. Comparisons say nothing of a person's level, which stays the crowd's.
"""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from generic.errors import ShapeError
from piaa.adapters.bayes import mixture_of
from piaa.adapters.checks import check_support
from piaa.adapters.posterior import normal_of
from piaa.adapters.prediction import Array, State
from piaa.adapters.prior_checks import check_narrow
from piaa.adapters.vectors import VectorAdapter

COMPARED = "compared"
_STEPS = 50
_CLOSE = 1e-10


class PairsAdapter(VectorAdapter):
    """Bayesian Bradley-Terry regression on pairs of photos.

    From ratings it takes every pair with different scores. A rating is then in many pairs, so that together
    they count for as many comparisons as there are ratings.
    """

    name: ClassVar[str] = "pairs"
    most: ClassVar[int | None] = 1_500
    needs_prior: ClassVar[bool] = True

    def _side(self, k: int) -> int:
        del k
        return len(self.prior.mean)

    def _learn(self, x: Array, y: Array) -> list[State]:
        check_narrow(x.shape[2], self.prior)
        return [self._learn_one(*person) for person in zip(self.prior.basis(x), y, strict=True)]

    def _learn_one(self, basis: Array, y: Array) -> State:
        better, worse = np.nonzero(y[:, None] > y[None, :])
        weight = len(y) / max(len(better), 1)
        learned = self._mode(basis[better] - basis[worse], weight)
        return {**learned, "noise": self._noise(learned, basis, y), COMPARED: np.array(0)}

    def _noise(self, learned: State, basis: Array, y: Array) -> NDArray[Any]:
        """Variance of ratings around the scores, by what was rated: comparisons do not say it."""
        grid = mixture_of(self.prior)
        gaps = y - basis @ learned["mean"]
        doubt = np.einsum("kp,pq,kq->k", basis, learned["covariance"], basis)
        total = doubt[:, None] + grid.noise
        logs = -0.5 * (np.log(total) + gaps[:, None] ** 2 / total).sum(axis=0)
        logs += np.logaddexp.reduce(grid.log_weights, axis=(0, 1))
        weights = np.exp(logs - logs.max())
        return np.array(weights @ grid.noise / weights.sum())

    def fit_pairs(self, better: NDArray[Any], worse: NDArray[Any]) -> Self:
        """Learn from comparisons; forgets earlier fits.

        Args:
            better: features of the preferred photos, shape (m, 1 + d).
            worse: of the others, shape (m, 1 + d).

        Raises:
            TooFewRatings: m is 0.
            ShapeError: the arrays do not fit together, or a number is not finite.
        """
        shapes = np.shape(better), np.shape(worse)
        if len(shapes[0]) != 2 or shapes[0] != shapes[1]:
            raise ShapeError(
                f"better photos of shape {shapes[0]}, worse ones of shape {shapes[1]}, expected (m, 1 + d)"
            )
        both = np.concatenate([better, worse])
        x, y = check_support(both, np.repeat([1.0, 0.0], [len(better), len(worse)]))
        order = np.lexsort((*x[: len(better), :3].T, *x[len(better) :, :3].T))
        check_narrow(x.shape[1], self.prior)
        basis = self.prior.basis(x)
        differences = basis[: len(better)] - basis[len(better) :]
        self._accept(both, y, {**self._mode(differences[order], 1.0), COMPARED: np.array(1)})
        return self

    def _normal(self, learned: State, x: Array) -> tuple[Array, Array]:
        return normal_of(learned, self.prior.basis(x))

    def _mode(self, differences: Array, weight: float) -> State:
        """Mode and Laplace's covariance, from phi(better) - phi(worse), shape (m, p), ``weight`` each."""
        start = mixture_of(self.prior).before()
        noise = np.exp(self.prior.log_weights).sum(axis=0) @ self.prior.noise
        # The difference of two ratings has twice the noise of one; the logistic curve of that variance.
        scaled = differences * (np.pi / np.sqrt(3 * 2 * noise))
        precision = np.linalg.inv(start["covariance"])
        offset, step = scaled @ start["mean"], np.zeros(len(start["mean"]))
        loss = _loss(offset, step, precision, weight)
        for _ in range(_STEPS):
            doubt = _logistic(-(offset + scaled @ step))
            gradient = precision @ step - weight * (scaled.T @ doubt)
            curvature = precision + weight * (scaled.T * (doubt * (1 - doubt))) @ scaled
            change = np.linalg.solve(curvature, gradient)
            while (
                found := _loss(offset + scaled @ (step - change), step - change, precision, weight)
            ) > loss:
                change = change / 2
                if np.abs(change).max() < _CLOSE:
                    break
            step, loss = step - change, found
            if np.abs(change).max() < _CLOSE:
                break
        doubt = _logistic(-(offset + scaled @ step))
        curvature = precision + weight * (scaled.T * (doubt * (1 - doubt))) @ scaled
        covariance = np.linalg.inv(curvature)
        return {**start, "mean": start["mean"] + step, "covariance": (covariance + covariance.T) / 2}


def _logistic(values: Array) -> Array:
    return np.asarray(np.exp(-np.logaddexp(0.0, -values)))


def _loss(margins: Array, step: Array, precision: Array, weight: float) -> float:
    """Negative log posterior, up to a constant."""
    return float(weight * np.logaddexp(0.0, -margins).sum() + step @ precision @ step / 2)
