"""Low-rank updates of linear layers, by peft."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import nn

from generic.errors import PiaaError
from piaa.adapters.network.copies import outside_stem


def targets(network: nn.Module, rank: int, *, freeze_stem: bool) -> list[str]:
    """Layers to update: linear ones and 1x1 convolutions of more than ``rank`` channels on both sides.

    Raises:
        PiaaError: the network has none.
    """
    found = [
        name
        for name, layer in network.named_modules()
        if _is_linear(layer, rank) and outside_stem(network, name, frozen=freeze_stem)
    ]
    if not found:
        raise PiaaError(
            f"a {type(network).__name__} has no linear layer and no 1x1 convolution of more than {rank} "
            f"channels, so lora has nothing to update; use --adapter finetune"
        )
    return found


def _is_linear(layer: nn.Module, rank: int) -> bool:
    if isinstance(layer, nn.Linear):
        return min(layer.in_features, layer.out_features) > rank
    if isinstance(layer, nn.Conv2d):
        plain = layer.kernel_size == (1, 1) and layer.groups == 1
        return plain and min(layer.in_channels, layer.out_channels) > rank
    return False


def add_low_rank(network: nn.Module, rank: int, *, freeze_stem: bool) -> dict[str, nn.Parameter]:
    """Put low-rank updates, of nothing at first, beside the network's layers; in place.

    Returns:
        the parameters to train, by name. The first factor is the same at every call.
    """
    from peft import LoraConfig, inject_adapter_in_model

    names = targets(network, rank, freeze_stem=freeze_stem)
    for name in names:
        layer = network.get_submodule(name)
        if isinstance(layer, nn.Conv2d):
            # peft makes the factors by the layer's own class, with arguments that a subclass may not take.
            layer.__class__ = nn.Conv2d
    config = LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=names)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        inject_adapter_in_model(config, cast("Any", network))
    network.eval()
    return {name: parameter for name, parameter in network.named_parameters() if parameter.requires_grad}
