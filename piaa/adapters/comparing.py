"""Adapters that learn from ratings and comparisons in one posterior, in whatever order they were given.

Both are a part of the state, ratings first; then the photos of one side of the comparisons, and those of the
other, whose scores there say the outcome: 1 and 0, or 0.5 twice for two equals. A fit does not depend on the
order of either; something added or withdrawn means a fit of what remains.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Self, cast

import numpy as np
from numpy.typing import NDArray

from generic.errors import StoreError
from piaa.adapters.checks import check_finite, check_most, check_support, check_width, fitted
from piaa.adapters.compared import Compared
from piaa.adapters.prediction import Array, State
from piaa.adapters.preference import preferring
from piaa.adapters.vectors import FEATURES, SCORES, VectorAdapter, canonical_order, lost

COMPARISONS = "comparisons"
"""Key of their number in a state; none if there are none."""
_OF_BEFORE = "compared"
"""Key of releases before, in states of ``pairs``: 1 if all that was learned from were comparisons."""


class ComparingAdapter(VectorAdapter):
    """A vector adapter whose method takes comparisons beside ratings (:meth:`_learn_both`)."""

    takes_comparisons: ClassVar[bool] = True
    most_both: ClassVar[int] = 2_000
    _compared: Compared | None = None

    @abstractmethod
    def _learn_both(self, photos: Array, y: Array, equal: NDArray[np.bool_]) -> State:
        """What one person teaches.

        Args:
            photos: features of the k rated photos, then of one side of m comparisons, then of the other, all
                checked and in a fixed order; shape (k + 2 m, 1 + d).
            y: unit scores, shape (k,); k may be 0.
            equal: which comparisons prefer neither, shape (m,); m is 1 or more.
        """

    @abstractmethod
    def _apart(self, learned: State, one: Array, other: Array) -> tuple[Array, Array, State]:
        """Of n pairs of photos, (n, 1 + d) each, or of n and one, what their scores differ by.

        Returns:
            what the learned weights are of, shape (n, q); each function's variance beside it, at size 1,
            shape (n, m); and the state, with its covariance whole.
        """

    def preferring(self, one: NDArray[Any], other: NDArray[Any]) -> Array:
        """See :class:`piaa.adapters.base.Adapter`."""
        learned, width = fitted(self._learned, self.name), self.support[0].shape[1]
        sides = [np.asarray(side, np.float64, order="C") for side in (one, other)]
        for side in sides:
            check_width(side, width, self.name)
            check_finite(side, "features")
        gap, own, state = self._apart(learned, *sides)
        spread = np.einsum("nq,qr->nr", gap, state["covariance"])
        variance = np.einsum("nr,nr->n", spread, gap) + own @ np.atleast_1d(state["size"])[: own.shape[1]]
        mean = np.einsum("nq,q->n", gap, state["mean"])
        return preferring(mean, variance, float(np.asarray(state["noise"]).item()))

    def fit_both(self, features: NDArray[Any], unit_scores: NDArray[Any], compared: Compared) -> Self:
        """See :class:`piaa.adapters.base.Adapter`. The order of ratings and comparisons is all the same."""
        if not len(compared):
            return self.fit(features, unit_scores)
        check_most(len(unit_scores) + len(compared), self.most_both, self.name, "ratings and comparisons")
        rated = len(unit_scores) > 0
        x, y = check_support(features, unit_scores) if rated else (None, np.zeros(0))
        checked = compared.checked(None if x is None else x.shape[1])
        x = np.zeros((0, checked.one.shape[1])) if x is None else x
        given = np.array(features) if rated else np.zeros((0, x.shape[1]), compared.one.dtype)
        learned = self._learn_both(*_ordered(x, y, checked))
        self._accept(given, y, learned)
        self._compared = Compared(
            one=np.array(compared.one), other=np.array(compared.other), equal=np.array(compared.equal)
        )
        return self

    def _accept(self, features: NDArray[Any], unit_scores: Array, learned: State) -> None:
        super()._accept(features, unit_scores, learned)
        self._compared = None

    @property
    def compared(self) -> Compared | None:
        """See :class:`piaa.adapters.base.Adapter`."""
        return self._compared

    def state(self) -> State:
        """See :class:`piaa.adapters.base.Adapter`."""
        found = super().state()
        if self._compared is None:
            return found
        scores = outcome_scores(self._compared.equal)
        return {
            **found,
            FEATURES: np.concatenate([found[FEATURES], self._compared.photos]),
            SCORES: np.concatenate([found[SCORES], scores]),
            COMPARISONS: np.array(len(self._compared)),
        }

    def restore(self, state: Mapping[str, NDArray[Any]]) -> Self:
        """See :class:`piaa.adapters.base.Adapter`."""
        self._compared = None
        if FEATURES not in state:
            return super().restore(state)
        features, scores = state[FEATURES], state[SCORES]
        before = len(scores) // 2 if _number(state, _OF_BEFORE) else 0
        m = _number(state, COMPARISONS) or before
        k = len(scores) - 2 * m
        if m:
            one, other = features[k : k + m], features[k + m :]
            self._compared = Compared(one=one, other=other, equal=scores[k : k + m] == scores[k + m :])
        ratings = {key: value for key, value in state.items() if key != COMPARISONS}
        return super().restore({**ratings, FEATURES: features[:k], SCORES: scores[:k]})

    def _whole(self) -> Array:
        if self._compared is None:
            return super()._whole()
        features, scores = cast("tuple[NDArray[Any], Array]", self._support)
        if not (np.isfinite(features).all() and np.isfinite(self._compared.photos).all()):
            raise StoreError(lost(self.name))
        x, checked = np.asarray(features, np.float64), self._compared.checked(None)
        return _ordered(x, np.asarray(scores), checked)[0]


def outcome_scores(equal: NDArray[np.bool_]) -> Array:
    """What stands for comparisons among the scores of a state, shape (2 m,)."""
    return np.concatenate([np.where(equal, 0.5, 1.0), np.where(equal, 0.5, 0.0)])


def _number(state: Mapping[str, NDArray[Any]], key: str) -> int:
    return int(state[key].item()) if key in state else 0


def _ordered(x: Array, y: Array, compared: Compared) -> tuple[Array, Array, NDArray[np.bool_]]:
    """Photos, unit scores and outcomes as :meth:`ComparingAdapter._learn_both` takes them."""
    order, pairs = canonical_order(x, y), compared.in_order()
    photos = np.concatenate([x[order], pairs.one, pairs.other])
    return photos, y[order], np.asarray(pairs.equal)
