"""Attention maps: points, offsets and weights of every deformable layer of a network.

Nothing is recorded while a network scores; looking runs the layers' first half once more.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from generic.eat.attention import DeformableAttention, Look
from generic.hooks import hooked


@contextmanager
def _evaluation(network: nn.Module) -> Iterator[None]:
    modes = {module: module.training for module in network.modules()}
    network.eval()
    try:
        yield
    finally:
        for module, training in modes.items():
            module.training = training


def look(network: nn.Module, x: Tensor) -> tuple[Any, dict[str, Look]]:
    """Run a network once and see where each of its deformable layers looks.

    Args:
        network: any network with deformable attention in it; run in evaluation mode, so nothing turns.
        x: its input.

    Returns:
        the network's output, and where each layer looked by the layer's name, in the order of the network;
        empty if it has no such layer.
    """
    names = {m: n for n, m in network.named_modules() if isinstance(m, DeformableAttention)}
    looks: dict[str, Look] = {}

    def keep(layer: DeformableAttention, inputs: tuple[Tensor, ...], _output: Tensor) -> None:
        looks[names[layer]] = layer.look(inputs[0])

    with hooked(names, keep), _evaluation(network), torch.no_grad():
        output = network(x)
    return output, looks
