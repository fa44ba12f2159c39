"""Adapters by name: our own, and those of other packages (:mod:`piaa.adapters.plug_ins`).

Ours are found without a look at other packages.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import cache

from generic.errors import PiaaError
from generic.model.generic_model import GenericModel
from piaa.adapters.auto import AutoAdapter
from piaa.adapters.base import Adapter, Ingredients
from piaa.adapters.bayes import BayesAdapter
from piaa.adapters.bias import BiasAdapter
from piaa.adapters.generic import GenericAdapter
from piaa.adapters.meta import AnilAdapter, MamlAdapter, MetaSGDAdapter
from piaa.adapters.neighbours import NeighboursAdapter
from piaa.adapters.network.finetune import FinetuneAdapter
from piaa.adapters.network.lora import LoraAdapter
from piaa.adapters.pairs import PairsAdapter
from piaa.adapters.pam import PamAdapter
from piaa.adapters.plug_ins import PlugIn, find
from piaa.adapters.prior import Prior
from piaa.adapters.ridge import RidgeAdapter
from piaa.meta.start import Start

ADAPTERS: dict[str, type[Adapter]] = {
    kind.name: kind
    for kind in (
        GenericAdapter,
        BiasAdapter,
        RidgeAdapter,
        PamAdapter,
        NeighboursAdapter,
        PairsAdapter,
        BayesAdapter,
        AutoAdapter,
        AnilAdapter,
        MamlAdapter,
        MetaSGDAdapter,
        LoraAdapter,
        FinetuneAdapter,
    )
}
"""Our own."""
DEFAULT = AutoAdapter.name


def adapter_class(name: str) -> type[Adapter]:
    """The adapter of a name, which says what it needs and can do.

    Raises:
        PiaaError: there is none, or the package that brings it is broken.
    """
    plain, _ = split_name(name)
    if plain in ADAPTERS:
        return ADAPTERS[plain]
    return _plug_in(plain).load()


def split_name(text: str) -> tuple[str, dict[str, str]]:
    """An adapter's name, and the options that follow it.

    Raises:
        PiaaError: an option has no value, or is there twice.

    Example:
        >>> split_name("finetune@rate=1e-4@gate=none")
        ('finetune', {'rate': '1e-4', 'gate': 'none'})
    """
    name, *parts = text.split("@")
    options: dict[str, str] = {}
    for part in parts:
        key, equals, value = part.partition("=")
        if not (key and equals and value) or key in options:
            raise PiaaError(
                f"adapter {text!r} has the option {part!r}; give each once, as in {name}@epochs=8"
            )
        options[key] = value
    return name, options


def make_adapter(
    name: str,
    prior: Prior | None,
    *,
    start: Start | None = None,
    generic: GenericModel | None = None,
    keep_epochs: bool = False,
) -> Adapter:
    """A new adapter of a name.

    Args:
        name: one of ``ADAPTERS`` or :func:`plug_ins`, with options behind it as :func:`split_name` has them.
        prior: see :class:`piaa.adapters.base.Ingredients`, as for the rest.
        start: for those that need one; without it persons can be restored, but not fitted.
        generic: for those that need pixels.
        keep_epochs: for those that learn in epochs.

    Raises:
        PiaaError: there is no adapter of this name, or the package that brings it is broken.
        CheckpointError: it needs a prior or a generic model, and there is none.
    """
    plain, options = split_name(name)
    if options and not adapter_class(plain).takes_options:
        raise PiaaError(f"adapter {plain!r} takes no options, got {name!r}; leave them out")
    given = Ingredients(prior=prior, start=start, generic=generic, keep_epochs=keep_epochs, options=options)
    if plain in ADAPTERS:
        return ADAPTERS[plain].make(given)
    return _plug_in(plain).make(given)


def adapter_names() -> list[str]:
    """Names of all adapters, our own first."""
    return [*ADAPTERS, *plug_ins()]


def names_where(able: Callable[[type[Adapter]], bool]) -> list[str]:
    """Names of the adapters that can or need something; broken ones are left out."""
    found = [name for name, kind in ADAPTERS.items() if able(kind)]
    for name, plug_in in plug_ins().items():
        with suppress(PiaaError):
            if able(plug_in.load()):
                found.append(name)
    return found


@cache
def plug_ins() -> dict[str, PlugIn]:
    """Other packages' adapters, by name; looked for once in a process."""
    return find(ADAPTERS)


def _plug_in(name: str) -> PlugIn:
    if name not in plug_ins():
        raise PiaaError(f"there is no adapter {name!r}; choose one of {', '.join(adapter_names())}")
    return plug_ins()[name]
