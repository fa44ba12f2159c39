"""``anil``, ``maml``, ``meta-sgd``: a few gradient steps from a meta-learned start.

The start is learned by ``piaa meta-train`` on training users; how many steps and how much caution k
ratings deserve was chosen on training users held out from it. Fitting costs at most a dozen passes of a
small network over the ratings, in numpy: about a millisecond.

    anil      Raghu et al., ICLR 2020: the last layer moves
    maml      Finn, Abbeel & Levine, ICML 2017: all layers move, at one rate
    meta-sgd  Li et al., arXiv:1707.09835: all layers move, at learned rates
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from generic.errors import CheckpointError
from piaa.adapters.base import Prediction, State, check_support, fitted
from piaa.meta.head import BODY, LAST, Standard, descend, residuals
from piaa.meta.start import Start

_OWN = 10.0
"""Ratings that the population's error counts as much as."""


class MetaAdapter:
    """A head that was adapted to a person; its subclasses differ in where they begin and what moves.

    Args:
        start: of ``piaa meta-train``, made for the generic model at hand. Without it a stored person can
            be restored, and nobody fitted.
    """

    name: ClassVar[str] = ""

    def __init__(self, start: Start | None = None) -> None:
        self._start = start
        self._state: State | None = None

    @property
    def identity(self) -> str:
        """What tells runs with other starts apart."""
        return "" if self._start is None else self._start.hash

    @property
    def trained_on(self) -> Mapping[str, Any]:
        """Dataset, users and photos behind the start, so that leaks can be found."""
        return {} if self._start is None else self._start.training

    def fit(self, features: NDArray[Any], unit_scores: NDArray[Any]) -> Self:
        """See :class:`piaa.adapters.base.Adapter`.

        Raises:
            CheckpointError: there is no start.
        """
        x, y = check_support(features, unit_scores)
        start = self._start
        if start is None:
            raise CheckpointError(no_start(self.name))
        order = np.lexsort((*x.T[::-1], y))  # sums in one order, whatever the order of the ratings
        x, y = x[order], y[order]
        choices, row = start.choices, start.choices.nearest(len(y))
        z, targets = start.standard(x), y - x[:, 0]
        weights = descend(
            start.weights,
            z,
            targets,
            rates=start.rates,
            steps=int(choices.steps[row]),
            caution=float(choices.caution[row]),
        )
        # How much more or less than others this person differs from her own fit.
        error = np.mean((residuals(weights, z) - targets) ** 2) / max(choices.support[row], 1e-6)
        share = (_OWN + len(y) * error) / (_OWN + len(y))
        state = {key: weights[key] for key in (*BODY, *LAST)}
        state |= {"mean": start.standard.mean, "standard_deviation": start.standard.deviation}
        self._state = {
            **{key: np.asarray(value, np.float32) for key, value in state.items()},
            "deviation": np.array(np.sqrt(choices.query[row] * share)),
        }
        return self

    def predict(self, features: NDArray[Any]) -> Prediction:
        """See :class:`piaa.adapters.base.Adapter`."""
        state = fitted(self._state, self.name)
        x = np.asarray(features, dtype=np.float64, order="C")
        weights = {key: np.asarray(state[key], np.float64) for key in (*BODY, *LAST)}
        standard = Standard(
            mean=np.asarray(state["mean"], np.float64),
            deviation=np.asarray(state["standard_deviation"], np.float64),
        )
        mean = x[:, 0] + residuals(weights, standard(x))
        return Prediction.from_normal(mean, np.full_like(mean, state["deviation"]))

    def state(self) -> State:
        """See :class:`piaa.adapters.base.Adapter`; holds the whole head, so that scoring needs no start."""
        return dict(fitted(self._state, self.name))

    def restore(self, state: Mapping[str, NDArray[Any]]) -> Self:
        """See :class:`piaa.adapters.base.Adapter`."""
        self._state = dict(state)
        return self


class AnilAdapter(MetaAdapter):
    """The last layer moves."""

    name: ClassVar[str] = "anil"


class MamlAdapter(MetaAdapter):
    """All layers move, at one rate."""

    name: ClassVar[str] = "maml"


class MetaSGDAdapter(MetaAdapter):
    """All layers move, each weight at its learned rate."""

    name: ClassVar[str] = "meta-sgd"


def no_start(name: str) -> str:
    """What to say where a start is needed."""
    return (
        f"adapter {name!r} needs a start that `piaa meta-train --algorithm {name} --out FILE` learned; "
        f"pass it with --meta FILE, or as --adapter {name}=FILE to `piaa evaluate`"
    )
