"""``bayes``: the exact Gaussian posterior over a person's level, spread and tastes.

The prior is that of the model's training users (:mod:`piaa.adapters.prior`): empirical Bayes, as in
hierarchical linear models (Gelman & Hill 2007, chapter 12). With no ratings the prediction is the crowd's;
every rating moves it as far as the prior says people differ, so few ratings cannot do much harm. Costs one
small eigendecomposition for each taste of the grid; nothing is iterated. Comparisons join the ratings as rows
of the same posterior (:mod:`piaa.adapters.joint`).
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from piaa.adapters.checks import fitted
from piaa.adapters.comparing import ComparingAdapter
from piaa.adapters.joint import rows_of
from piaa.adapters.linear_form import LinearForm
from piaa.adapters.posterior import Mixture, normal_of
from piaa.adapters.prediction import Array, State
from piaa.adapters.prior import Prior
from piaa.adapters.prior_checks import check_narrow
from piaa.adapters.strangers import with_strangers


class BayesAdapter(ComparingAdapter):
    """Bayesian linear model averaged over how far and how noisily a person may differ from the crowd."""

    name: ClassVar[str] = "bayes"
    needs_prior: ClassVar[bool] = True
    has_linear_form: ClassVar[bool] = True

    def _side(self, k: int) -> int:
        del k
        return len(self.prior.mean)

    def _learn(self, x: Array, y: Array) -> list[State]:
        check_narrow(x.shape[2], self.prior)
        return mixture_of(self.prior).posterior(self.prior.basis(x), y)

    def _learn_both(self, photos: Array, y: Array, equal: NDArray[np.bool_]) -> State:
        check_narrow(photos.shape[1], self.prior)
        grid = mixture_of(self.prior)
        return rows_of(grid, self.prior.basis(photos), y, equal).posterior(grid)

    def _apart(self, learned: State, one: Array, other: Array) -> tuple[Array, Array, State]:
        gap = self.prior.basis(one) - self.prior.basis(other)
        return gap, np.zeros((len(gap), 0)), learned

    def _normal(self, learned: State, x: Array) -> tuple[Array, Array]:
        return normal_of(learned, self.prior.basis(x))

    def linear_form(self) -> LinearForm:
        """See :class:`piaa.adapters.base.Adapter`."""
        learned, width = fitted(self._learned, self.name), self.support[0].shape[1]
        return LinearForm(coefficients=self.prior.coefficients(learned["mean"], width))


def mixture_of(prior: Prior) -> Mixture:
    """The grid of (taste, noise) that the prior of a model file describes."""
    noise, log_weights = with_strangers(prior.noise, prior.log_weights)
    return Mixture(
        mean=prior.mean,
        covariances=prior.covariances(),
        noise=noise,
        log_weights=log_weights[:, None],
        n_for_mean=len(prior.noise),
    )
