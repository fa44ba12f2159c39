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

from generic.errors import CheckpointError
from piaa.adapters.base import Ingredients
from piaa.adapters.checks import check_width
from piaa.adapters.prediction import Array, State
from piaa.adapters.spread import IMAGINARY
from piaa.adapters.vectors import VectorAdapter
from piaa.meta.head import BODY, LAST, Standard, descend, residuals
from piaa.meta.start import Start


class MetaAdapter(VectorAdapter):
    """A head that was adapted to a person; its subclasses differ in where they begin and what moves.

    What is learned holds the whole head, so that scoring needs no start.

    Args:
        start: of ``piaa meta-train``, made for the generic model at hand. Without it a stored person can
            be restored, and nobody fitted.
    """

    needs_start: ClassVar[bool] = True

    def __init__(self, start: Start | None = None) -> None:
        super().__init__()
        self._start = start

    @classmethod
    def make(cls, given: Ingredients) -> Self:
        """See :class:`piaa.adapters.base.Adapter`."""
        return cls(given.start)

    @property
    def identity(self) -> str:
        """The start's hash."""
        return "" if self._start is None else self._start.hash

    @property
    def trained_on(self) -> Mapping[str, Any]:
        """What the start was learned from."""
        return {} if self._start is None else self._start.training

    def _learn(self, x: Array, y: Array) -> list[State]:
        start = self._start
        if start is None:
            raise CheckpointError(no_start(self.name))
        return [_learn_one(start, *person) for person in zip(x, y, strict=True)]

    def _normal(self, learned: State, x: Array) -> tuple[Array, Array]:
        weights = {key: np.asarray(learned[key], np.float64) for key in (*BODY, *LAST)}
        standard = Standard(
            mean=np.asarray(learned["mean"], np.float64),
            deviation=np.asarray(learned["standard_deviation"], np.float64),
        )
        return x[:, 0] + residuals(weights, standard(x)), np.full(len(x), learned["deviation"])


def _learn_one(start: Start, x: Array, y: Array) -> State:
    """The head of a person with features (k, 1 + d) and unit scores (k,)."""
    check_width(x, len(start.standard.mean), start.algorithm)
    choices, row = start.choices, start.choices.nearest(len(y))
    z, targets = start.standard(x), y - x[:, 0]
    before = np.mean((residuals(start.weights, z) - targets) ** 2)
    with np.errstate(over="ignore", invalid="ignore"):
        weights = descend(
            start.weights,
            z,
            targets,
            rates=start.rates,
            steps=int(choices.steps[row]),
            caution=float(choices.caution[row]),
        )
        after = np.mean((residuals(weights, z) - targets) ** 2)
    if not after <= before:  # photos unlike any training photo: steps too long teach nothing
        weights, after = start.weights, before
    # How much more or less than others this person differs from her own fit.
    error = after / max(choices.support[row], 1e-6)
    share = (IMAGINARY + len(y) * error) / (IMAGINARY + len(y))
    learned = {key: weights[key] for key in (*BODY, *LAST)}
    learned |= {"mean": start.standard.mean, "standard_deviation": start.standard.deviation}
    return {
        **{key: np.asarray(value, np.float32) for key, value in learned.items()},
        "deviation": np.array(np.sqrt(choices.query[row] * share)),
    }


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
