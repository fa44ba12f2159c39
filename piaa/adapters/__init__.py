"""Adapters by name: each learns one person on top of a frozen generic model."""

from __future__ import annotations

from collections.abc import Callable

from generic.errors import PiaaError
from piaa.adapters.base import Adapter as Adapter
from piaa.adapters.base import Prediction as Prediction
from piaa.adapters.auto import AutoAdapter
from piaa.adapters.bayes import BayesAdapter
from piaa.adapters.bias import BiasAdapter
from piaa.adapters.generic import GenericAdapter
from piaa.adapters.neighbours import NeighboursAdapter
from piaa.adapters.pam import PamAdapter
from piaa.adapters.ridge import RidgeAdapter
from piaa.prior import Prior

ADAPTERS: dict[str, Callable[[Prior | None], Adapter]] = {
    "generic": GenericAdapter,
    "bias": BiasAdapter,
    "ridge": RidgeAdapter,
    "pam": PamAdapter,
    "neighbours": NeighboursAdapter,
    "bayes": BayesAdapter,
    "auto": AutoAdapter,
}
DEFAULT = "bayes"


def make_adapter(name: str, prior: Prior | None) -> Adapter:
    """A new adapter.

    Args:
        name: one of ``ADAPTERS``.
        prior: the model's prior, if it has one.

    Raises:
        PiaaError: there is no adapter of this name.
    """
    if name not in ADAPTERS:
        raise PiaaError(f"there is no adapter {name!r}; choose one of {', '.join(ADAPTERS)}")
    return ADAPTERS[name](prior)
