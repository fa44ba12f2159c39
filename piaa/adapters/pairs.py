"""``pairs``: learns from which of two photos a person prefers, for people who compare rather than rate.

A utility that is linear in the features, learned from preferences (Chu & Ghahramani, "Preference learning
with Gaussian processes", ICML 2005), from the prior over people: ``bayes`` without a rating. Comparisons say
nothing of a person's level, which stays the crowd's.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from piaa.adapters.bayes import BayesAdapter, mixture_of
from piaa.adapters.prediction import Array, State


class PairsAdapter(BayesAdapter):
    """What comparisons say of tastes.

    Of k ratings it takes k comparisons, which say as much: each photo against the one a third of the way on,
    in an order that has nothing to do with the scores.
    """

    name: ClassVar[str] = "pairs"
    most: ClassVar[int | None] = 1_500

    def _learn(self, x: Array, y: Array) -> list[State]:
        return [self._compare(*person) for person in zip(x, y, strict=True)]

    def _compare(self, x: Array, y: Array) -> State:
        k = len(y)
        one = np.arange(k if k > 2 else k - 1)
        other = (one + max(1, k // 3)) % k
        if not len(one):
            return mixture_of(self.prior).before()
        better, worse = np.where(y[one] < y[other], (other, one), (one, other))
        return self._learn_both(np.concatenate([x[better], x[worse]]), np.zeros(0), y[one] == y[other])
