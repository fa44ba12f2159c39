"""Adapters by name: each learns one person on top of a generic model."""

from __future__ import annotations

from collections.abc import Callable

from generic.errors import PiaaError
from generic.model.generic_model import GenericModel
from piaa.adapters.auto import AutoAdapter
from piaa.adapters.base import Adapter as Adapter
from piaa.adapters.base import AnyAdapter as AnyAdapter
from piaa.adapters.base import Prediction as Prediction
from piaa.adapters.bayes import BayesAdapter
from piaa.adapters.bias import BiasAdapter
from piaa.adapters.generic import GenericAdapter
from piaa.adapters.meta import AnilAdapter, MamlAdapter, MetaAdapter, MetaSGDAdapter
from piaa.adapters.neighbours import NeighboursAdapter
from piaa.adapters.network.finetune import FinetuneAdapter
from piaa.adapters.network.lora import LoraAdapter
from piaa.adapters.network.tuned import TunedNetwork
from piaa.adapters.pairs import PairsAdapter
from piaa.adapters.pam import PamAdapter
from piaa.adapters.prior import Prior
from piaa.adapters.ridge import RidgeAdapter
from piaa.meta.start import Start

ADAPTERS: dict[str, Callable[[Prior | None], Adapter]] = {
    "generic": GenericAdapter,
    "bias": BiasAdapter,
    "ridge": RidgeAdapter,
    "pam": PamAdapter,
    "neighbours": NeighboursAdapter,
    "pairs": PairsAdapter,
    "bayes": BayesAdapter,
    "auto": AutoAdapter,
}
"""Those that a prior is enough for."""
META: dict[str, Callable[[Start | None], MetaAdapter]] = {
    "anil": AnilAdapter,
    "maml": MamlAdapter,
    "meta-sgd": MetaSGDAdapter,
}
"""Those that begin where ``piaa meta-train`` ended."""
NETWORK: dict[str, type[TunedNetwork]] = {
    "lora": LoraAdapter,
    "finetune": FinetuneAdapter,
}
"""Those that change the generic model's network."""
DEFAULT = "auto"


def make_adapter(
    name: str,
    prior: Prior | None,
    *,
    start: Start | None = None,
    generic: GenericModel | None = None,
    keep_epochs: bool = False,
) -> AnyAdapter:
    """A new adapter.

    Args:
        name: one of ``ADAPTERS``, ``META`` or ``NETWORK``.
        prior: the model's prior, if it has one.
        start: for ``META``; without one persons can be restored, but not fitted.
        generic: for ``NETWORK``: the model whose network is changed.
        keep_epochs: for ``NETWORK``: also predict after each epoch of training.

    Raises:
        PiaaError: there is no adapter of this name.
        CheckpointError: it needs a prior or a generic model, and there is none.
    """
    if name in META:
        return META[name](start)
    if name in NETWORK:
        return NETWORK[name](generic, prior, keep_epochs=keep_epochs)
    if name not in ADAPTERS:
        known = ", ".join((*ADAPTERS, *META, *NETWORK))
        raise PiaaError(f"there is no adapter {name!r}; choose one of {known}")
    return ADAPTERS[name](prior)
