"""What a person is told when a network cannot be built with the options that were given."""

from __future__ import annotations

import re
from dataclasses import fields, is_dataclass
from difflib import get_close_matches
from inspect import signature
from textwrap import shorten

import timm
import torch

from generic.errors import TrainingError


def refusal(name: str, error: Exception) -> TrainingError:
    """The error for what a network raised while it was built.

    Args:
        name: the network's, in timm's registry.
        error: what it raised.
    """
    unknown = re.search(r"unexpected keyword argument '(\w+)'", str(error))
    if unknown is None:
        return TrainingError(
            f"network {name!r} cannot be built ({shorten(str(error), 300)}); correct its options"
        )
    near = get_close_matches(unknown[1], option_names(name), n=3, cutoff=0)
    return TrainingError(
        f"network {name!r} has no option {unknown[1]!r}; the nearest of its options are {', '.join(near)}; "
        f"correct the table network of --config"
    )


def option_names(name: str) -> list[str]:
    """What a network may be told, in its own order.

    Example:
        >>> option_names("test_vit")[:2]
        ['img_size', 'patch_size']
    """
    with torch.device("meta"):  # no weights: only its class and its configuration are looked at
        network = timm.create_model(name)
    config = getattr(network, "config", None)
    if is_dataclass(config):
        return [one.name for one in fields(config)]
    return list(signature(type(network)).parameters)
