"""What adapters on frozen vectors share: they remember what they were fitted on, and many are fitted at once.

The support is a part of an adapter's state. A rating that is added or withdrawn means a fit of what
remains; a fit does not depend on the order of the ratings, so whatever the history, the adapter is the
same to the bit. A fit of 100 ratings takes milliseconds.

Notation: u people who are fitted together, k ratings each; n photos, d embedding size.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from copy import copy
from typing import Any, ClassVar, Self, cast

import numpy as np
from numpy.typing import NDArray

from generic.errors import StoreError
from piaa.adapters.base import Adapter
from piaa.adapters.checks import check_finite, check_most, check_support, check_width, fitted
from piaa.adapters.prediction import Array, Prediction, State
from piaa.adapters.prior import Prior
from piaa.adapters.prior_checks import check_prior_memory
from piaa.adapters.state_format import FORMAT, VERSION, check_format

FEATURES, SCORES = "support.features", "support.scores"
_AT_ONCE = 2**19
"""Numbers in the largest array of people who are fitted together: 4 MiB, which a processor's caches hold."""


class VectorAdapter(Adapter):
    """An adapter that learns from model vectors alone.

    A method says what it learns (:meth:`_learn`) and what that predicts (:meth:`_normal`); the rest is here.

    Raises:
        TooLarge: it needs the prior, whose covariances would not fit into memory.
    """

    fits_many: ClassVar[bool] = True
    keeps_support: ClassVar[bool] = True
    most: ClassVar[int | None] = None
    """Most ratings that it learns from, if more would take hours; None: as many as there are."""
    derived: ClassVar[tuple[str, ...]] = ()
    """What of the learned arrays follows from the support alone, and is not kept twice."""

    def __init__(self, prior: Prior | None = None) -> None:
        super().__init__(prior)
        if self.needs_prior:
            check_prior_memory(self.prior)
        self._learned: State | None = None
        self._support: tuple[NDArray[Any], Array] | None = None

    @abstractmethod
    def _learn(self, x: Array, y: Array) -> list[State]:
        """What each of u people teaches: features (u, k, 1 + d), unit scores (u, k), both checked.

        A person's ratings are in a fixed order, and what is learned must not depend on who else is there.
        """

    @abstractmethod
    def _normal(self, learned: State, x: Array) -> tuple[Array, Array]:
        """Mean and standard deviation of the ratings of photos (n, 1 + d), each (n,), row by row."""

    def _side(self, k: int) -> int:
        """Rows of the largest square matrix that the fit of k ratings holds for each person."""
        return k

    # ---- one person ----

    def fit(self, features: NDArray[Any], unit_scores: NDArray[Any]) -> Self:
        """See :class:`piaa.adapters.base.Adapter`. The order of the ratings makes no difference."""
        support = self._checked(features, unit_scores)
        (learned,) = self._learn(*_batch([support]))
        self._accept(features, support[1], learned)
        return self

    def _checked(self, features: NDArray[Any], unit_scores: NDArray[Any]) -> tuple[Array, Array]:
        """The support, checked."""
        support = check_support(features, unit_scores)
        check_most(len(support[1]), self.most, self.name)
        return support

    def _accept(self, features: NDArray[Any], unit_scores: Array, learned: State) -> None:
        self._learned = learned
        self._support = (np.array(features), np.array(unit_scores))

    def predict(self, features: NDArray[Any]) -> Prediction:
        """See :class:`piaa.adapters.base.Adapter`."""
        learned = fitted(self._learned, self.name)
        # Sums run along a row, in one order: a score must not depend on what is scored with it.
        x = np.asarray(features, dtype=np.float64, order="C")
        check_width(x, self.support[0].shape[1], self.name)
        check_finite(x, "features")
        return Prediction.from_normal(*self._normal(learned, x))

    def state(self) -> State:
        """See :class:`piaa.adapters.base.Adapter`."""
        learned = fitted(self._learned, self.name)
        features, scores = self.support
        kept = {key: value for key, value in learned.items() if key not in self.derived}
        return {**kept, FEATURES: features, SCORES: scores, VERSION: np.array(FORMAT)}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> Self:
        """See :class:`piaa.adapters.base.Adapter`.

        Raises:
            StoreError: an older or a newer piaa saved it, or the store lost a vector that it needs.
        """
        check_format(state, self.name)
        learned = {key: value for key, value in state.items() if key not in (FEATURES, SCORES, VERSION)}
        if FEATURES not in state:  # the store has none of the vectors any more
            raise StoreError(lost(self.name))
        self._support = (state[FEATURES], state[SCORES])
        if not learned.keys() >= set(self.derived):  # releases before kept it
            learned |= self._derive(self._whole(), learned)
        self._learned = learned
        return self

    def _whole(self) -> Array:
        """The support's features in canonical order, shape (k, 1 + d)."""
        features, scores = cast("tuple[NDArray[Any], Array]", self._support)
        if not np.isfinite(features).all():
            raise StoreError(lost(self.name))
        x, _ = _batch([check_support(features, scores)])
        return np.asarray(x[0])

    def _derive(self, x: Array, learned: State) -> State:
        """The arrays named in ``derived``, from the features (k, 1 + d) in canonical order and the others."""
        del x, learned
        return {}

    @property
    def support(self) -> tuple[NDArray[Any], Array]:
        """See :class:`piaa.adapters.base.Adapter`."""
        fitted(self._learned, self.name)
        return cast("tuple[NDArray[Any], Array]", self._support)

    # ---- many people ----

    def at_once(self, k: int, width: int) -> int:
        """See :class:`piaa.adapters.base.Adapter`."""
        # With few ratings a posterior's covariance is far larger than the features that it was learned from.
        return max(1, _AT_ONCE // max(1, k * width, self._side(k) ** 2))

    def fit_many(self, features: Sequence[NDArray[Any]], unit_scores: Sequence[NDArray[Any]]) -> list[Self]:
        """See :class:`piaa.adapters.base.Adapter`; people with the same number of ratings are one batch."""
        people = list(zip(features, unit_scores, strict=True))
        places: dict[tuple[int, ...], list[int]] = {}
        for place, (x, _) in enumerate(people):
            places.setdefault(np.shape(x), []).append(place)
        fits = [copy(self) for _ in people]
        for shape, same in places.items():
            # Vectors of another shape are refused below.
            size = self.at_once(*shape) if len(shape) == 2 else 1
            for start in range(0, len(same), size):
                some = same[start : start + size]
                # Checked and widened batch by batch: doing all people first would leave the caches.
                supports = [self._checked(*people[place]) for place in some]
                learned = self._learn(*_batch(supports))
                for place, (_, y), one in zip(some, supports, learned, strict=True):
                    fits[place]._accept(features[place], y, one)
        return fits


def lost(name: str) -> str:
    """What is said of an adapter whose vectors the store lost."""
    return (
        f"adapter {name!r} was learned with vectors of photos that are damaged in the store; learn again "
        "without them: piaa fit-user --user NAME"
    )


def _batch(supports: Sequence[tuple[Array, Array]]) -> tuple[Array, Array]:
    """Features (u, k, 1 + d) and unit scores (u, k) of people, each in canonical order; one copy, not two."""
    x = np.empty((len(supports), *supports[0][0].shape))
    y = np.empty(x.shape[:2])
    for own_x, own_y, features, scores in zip(x, y, *zip(*supports, strict=True), strict=True):
        order = canonical_order(features, scores)
        # With a mode other than "raise", take writes into ``out`` without a buffer of its own.
        features.take(order, axis=0, out=own_x, mode="clip")
        scores.take(order, out=own_y, mode="clip")
    return x, y


def canonical_order(x: Array, y: Array) -> NDArray[np.intp]:
    """An order of the ratings that does not depend on the order given, so that sums round alike.

    Ratings that tie in their score and in three features are as good as the same photo.
    """
    return np.lexsort((y, *x[:, :3].T))
