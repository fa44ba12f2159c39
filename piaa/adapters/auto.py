"""``auto``, the default: what a person's ratings give evidence for, averaged.

A grid of models from "rates as the crowd does, on a level of her own" over the tastes that training users
differ in (``bayes``) to a smooth function of the embedding on top (``neighbours``), each with its closed-form
evidence on the support; Bayesian model averaging (:mod:`piaa.adapters.posterior`) weighs them. Tastes start
as small as those of training users and grow with the evidence, so few ratings move the ranking little.
Weights before the ratings come from training users, or where there is no prior from the constants below;
nothing is chosen on ratings to be predicted. Costs one eigendecomposition of k x k for each covariance and
size, 21 in all.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from piaa.adapters.checks import fitted
from piaa.adapters.kernel import places, squared_distances
from piaa.adapters.linear_form import LinearForm
from piaa.adapters.neighbours import LEVEL, NOISES, SLOPE
from piaa.adapters.posterior import Mixture, normal_of
from piaa.adapters.prediction import Array, State
from piaa.adapters.prior import STRANGERS, TASTES, Prior, coefficients_of
from piaa.adapters.prior_checks import check_memory, check_narrow, check_prior_memory
from piaa.adapters.spread import own_spread
from piaa.adapters.vectors import VectorAdapter, canonical_order

SIZES = (0.0, 0.1, 0.3)
"""Variances of the smooth function, in those of a person's ratings around the generic score."""
SIZE_WEIGHTS = (0.5, 0.25, 0.25)
"""Before the ratings: as likely as not there is none."""
LINE = (0.5, 1.0)
"""Centre and spread of the generic score where no prior says them."""
_WORKING = 4
"""Matrices of a cell's size that are held beside the cells, as measured at 1,000 ratings."""


class AutoAdapter(VectorAdapter):
    """Level, tastes and a smooth function of the embedding, averaged by evidence.

    Args:
        prior: the model's; without one there are no tastes that people share, only level and smooth function.

    Raises:
        TooLarge: covariances of the prior's size would not fit into memory; raised by a fit too, of many
            thousand ratings.
    """

    name: ClassVar[str] = "auto"
    has_linear_form: ClassVar[bool] = True
    derived: ClassVar[tuple[str, ...]] = ("rated",)

    def __init__(self, prior: Prior | None = None) -> None:
        if prior is not None:
            check_prior_memory(prior)
        super().__init__(prior)

    def _side(self, k: int) -> int:
        return k + (2 if self._prior is None else len(self._prior.mean))

    def _learn(self, x: Array, y: Array) -> list[State]:
        u, k, width = x.shape
        self._check_memory(k)
        if self._prior is not None:
            check_narrow(width, self._prior)
        flat = x.reshape(u * k, width)
        z = places(flat, self._prior).reshape(u, k, -1)
        kernels = np.stack([_correlation(one, one) for one in z])
        states = mixture_of(self._prior).posterior(self._basis(flat).reshape(u, k, -1), y, kernels)
        return [{**_packed(state), "rated": one} for state, one in zip(states, z, strict=True)]

    def _derive(self, x: Array) -> State:
        return {"rated": places(x, self._prior)}

    def _check_memory(self, k: int) -> None:
        """Raises TooLarge unless the cells of the average, which are held together, fit into memory."""
        if self._prior is None:
            cells, cure = len(SIZES), "leave out some of the ratings"
        else:
            cells = len(SIZES) * (1 + len(TASTES))
            cure = "use --adapter bayes, whose memory grows with the ratings only"
        check_memory(self._side(k), copies=cells + _WORKING, cure=cure)

    def _normal(self, learned: State, x: Array) -> tuple[Array, Array]:
        cross = _correlation(places(x, self._prior), learned["rated"])
        return normal_of(_unpacked(learned), np.concatenate([self._basis(x), cross], axis=1))

    def linear_form(self) -> LinearForm:
        """See :class:`piaa.adapters.base.Adapter`."""
        learned, width = fitted(self._learned, self.name), self.support[0].shape[1]
        z, prior = learned["rated"], self._prior
        features, scores = self.support
        rated = features[canonical_order(features, scores)] if features.dtype == np.float32 else None
        weights, smooth = np.split(learned["mean"], [len(learned["mean"]) - len(z)])
        center, spread = LINE if prior is None else (prior.center, prior.spread)
        coefficients = coefficients_of(weights, width, center, spread)
        return LinearForm(coefficients=coefficients, weights=smooth, places=z, rated=rated)

    def _basis(self, x: Array) -> Array:
        return line_basis(x) if self._prior is None else self._prior.basis(x)


def mixture_of(prior: Prior | None) -> Mixture:
    """The grid of (taste or none, size, noise) before any rating."""
    unit = own_spread(prior) ** 2
    sizes = np.log(SIZE_WEIGHTS)[:, None]
    if prior is None:
        return Mixture(
            mean=np.array([0.5, 1.0]),
            covariances=np.diag([LEVEL**2, SLOPE**2])[None],
            noise=unit * np.array(NOISES),
            log_weights=(sizes - np.log(len(NOISES)))[None] + np.zeros((1, 1, len(NOISES))),
            sizes=unit * np.array(SIZES),
        )
    crowd = np.zeros_like(prior.covariance)
    crowd[:2, :2] = prior.covariance[:2, :2]
    noise = np.logaddexp.reduce(prior.log_weights, axis=0)
    grid = np.concatenate([np.log(STRANGERS) + noise[None], np.log(1 - STRANGERS) + prior.log_weights])
    return Mixture(
        mean=prior.mean,
        covariances=np.concatenate([crowd[None], prior.covariances()]),
        noise=prior.noise,
        log_weights=grid[:, None] + sizes,
        sizes=unit * np.array(SIZES),
    )


def line_basis(x: Array) -> Array:
    """A level and a slope on the generic score, shape (n, 2)."""
    return np.column_stack((np.ones(len(x)), (x[:, 0] - LINE[0]) / LINE[1]))


def _correlation(a: Array, b: Array) -> Array:
    """Of the smooth function between places (n, m) and (k, m): 1 at distance 0, 0.61 at the mean distance."""
    return np.asarray(np.exp(-squared_distances(a, b) / 2))


def _packed(state: State) -> State:
    """The state with half of its symmetric covariance, in single precision: a quarter of the bytes."""
    covariance = state["covariance"]
    return {**state, "covariance": covariance[np.tril_indices(len(covariance))].astype(np.float32)}


def _unpacked(state: State) -> State:
    lower: NDArray[np.float64] = np.zeros((len(state["mean"]),) * 2)
    lower[np.tril_indices(len(lower))] = state["covariance"]
    return {**state, "covariance": lower + np.tril(lower, -1).T}
