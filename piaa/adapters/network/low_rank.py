"""Low-rank updates of linear layers: Edward Hu et al., "LoRA", ICLR 2022, section 4.1.

A layer W, which stays as it is, gets two small factors beside it, which alone are trained:
W x + b + (alpha / r) B A x, with A of r rows and B of r columns.
"""

from __future__ import annotations

import math
from typing import Any, cast

import torch
from torch import Tensor, nn

from generic.errors import PiaaError
from piaa.adapters.network.copies import in_stem

SCALE = 2.0
"""alpha / r."""


class LowRank(nn.Module):
    """A layer and its update, of nothing at first: A is drawn as a layer's own weights are, B is zero.

    Args:
        layer: a linear layer or a 1x1 convolution.
        rank: r.
    """

    def __init__(self, layer: nn.Linear | nn.Conv2d, rank: int) -> None:
        super().__init__()
        self.layer = layer
        self.a: nn.Linear | nn.Conv2d
        self.b: nn.Linear | nn.Conv2d
        if isinstance(layer, nn.Linear):
            self.a = nn.Linear(layer.in_features, rank, bias=False)
            self.b = nn.Linear(rank, layer.out_features, bias=False)
        else:
            steps: dict[str, Any] = {"stride": layer.stride, "padding": layer.padding}
            self.a = nn.Conv2d(layer.in_channels, rank, 1, **steps, bias=False)
            self.b = nn.Conv2d(rank, layer.out_channels, 1, bias=False)
        # Drawn once more: the numbers that fits have begun with since the first release.
        nn.init.kaiming_uniform_(self.a.weight, a=math.sqrt(5))
        nn.init.zeros_(self.b.weight)

    def forward(self, x: Tensor) -> Tensor:
        """As the layer, for the same shapes."""
        layer = self.layer
        # A subclass may sum in another order. The plain one is what people stored before were fitted with.
        plain = nn.Conv2d.forward(layer, x) if isinstance(layer, nn.Conv2d) else layer(x)
        updated: Tensor = plain + self.b(self.a(x)) * SCALE
        return updated


def targets(network: nn.Module, rank: int) -> list[str]:
    """Layers to update: linear ones and 1x1 convolutions of more than ``rank`` channels on both sides.

    Not those of the stem, which stays as it is.

    Raises:
        PiaaError: the network has none.
    """
    found = [
        name
        for name, layer in network.named_modules()
        if _is_linear(layer, rank) and not in_stem(network, name)
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


def add_low_rank(network: nn.Module, rank: int) -> dict[str, nn.Parameter]:
    """Put low-rank updates, of nothing at first, beside the network's layers; in place.

    Returns:
        the parameters to train, by name. The first factor is the same at every call.
    """
    trained: dict[str, nn.Parameter] = {}
    names = targets(network, rank)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        for name in names:
            update = LowRank(cast("nn.Linear | nn.Conv2d", network.get_submodule(name)), rank)
            parent, _, child = name.rpartition(".")
            setattr(network.get_submodule(parent), child, update)
            # Named as they are stored: people fitted by the first release go on.
            for letter, factor in (("A", update.a), ("B", update.b)):
                (trained[f"{name}.lora_{letter}.default.weight"],) = factor.parameters()
    network.eval()
    return trained
