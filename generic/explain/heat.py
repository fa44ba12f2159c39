"""Which parts of a photo raised its score: HiResCAM.

Rachel Draelos and Lawrence Carin, "Use HiResCAM instead of Grad-CAM for faithful explanations of
convolutional neural networks", 2020 (arXiv:2011.08891): a map times the score's gradient by it, summed over
channels. Grad-CAM (Ramprasaath Selvaraju et al., ICCV 2017) averages the gradient over positions first.
``piaa-lite`` reads standard deviations over positions, whose gradient has the average zero: Grad-CAM is
blind to them, and for some photos gives an empty map.

Notation: b images, c channels, h, w rows and columns of a map.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from generic.hooks import hooked
from generic.lite.piaa_lite import PiaaLite

Read = tuple[Tensor, Tensor]
"""A map that the score reads, shape (b, c, h, w), and the score's gradient by it, the same shape."""


def heat_map(network: nn.Module, x: Tensor) -> NDArray[np.float32]:
    """What raises the score of a photo.

    Args:
        network: gives unit scores (b,) first; its parameters need no gradient, and get none.
        x: the photo, shape (1, 3, size, size).

    Returns:
        shape (size, size), in [0, 1]; 0 is nothing, or lowers it.
    """
    heats = [(values * gradient).sum(1, keepdim=True) for values, gradient in maps_read(network, x)]
    return mean_heat(heats, x.shape[-1])[0, 0].numpy()


def mean_heat(heats: Iterable[Tensor], size: int) -> Tensor:
    """The mean of several heats, each of them and the mean brought to [0, 1]; what is negative is 0.

    Args:
        heats: of shapes (b, 1, h, w), any unit.
        size: of the mean, pixels; smaller heats are stretched bilinearly.

    Returns:
        shape (b, 1, size, size).
    """
    shape = (size, size)
    large = [F.interpolate(_in_range(heat), shape, mode="bilinear", align_corners=False) for heat in heats]
    return _in_range(torch.stack(large).mean(0))


def _in_range(heat: Tensor) -> Tensor:
    positive = heat.clamp(min=0)
    above = positive - positive.amin((2, 3), keepdim=True)
    return above / (above.amax((2, 3), keepdim=True) + 1e-7)  # no heat at all stays 0


def maps_read(network: nn.Module, x: Tensor) -> list[Read]:
    """The maps that the heat is made of, in the order in which they are computed.

    The score of ``piaa-lite`` reads every late block of its frozen stem, so all of these; the late blocks of
    the tuned one are taken as well, though of them the score reads the last alone. Measured on 12 photos of
    OASIS, when it had one stem, as rank correlation with what the score loses when a patch of the photo is
    blurred: 0.44 for these (0.32 with gradients averaged, as Grad-CAM does), 0.28 for the last block alone,
    0.22 for the last map that all of the score passes through. With two stems the agreement is weaker
    (docs/eat.md). Of other networks it is the last map, or the photo itself where there is none.

    Args:
        network: as in :func:`heat_map`.
        x: as in :func:`heat_map`.
    """
    if isinstance(network, PiaaLite):
        stem = network.stem
        parts = (stem.frozen_early, stem.frozen_late, network.tuned.late)
        return _maps_of(network, [block for part in parts for block in part.tapped()], x)[1:]
    return _maps_of(network, network.modules(), x)[-1:]


def _maps_of(network: nn.Module, modules: Iterable[nn.Module], x: Tensor) -> list[Read]:
    """The photo itself, then every map of some modules that the score reads."""
    x = x.detach().clone()
    maps: list[tuple[nn.Module | None, Tensor]] = [(None, x)]

    def keep(module: nn.Module, _inputs: object, output: object) -> None:
        # A map that needs no gradient comes from parameters alone, not from the photo.
        if isinstance(output, Tensor) and output.requires_grad and _is_map(output):
            maps.append((module, output))

    with torch.enable_grad(), hooked(modules, keep):
        # The gradient at the photo alone is enough to reach every map; parameters stay as they are.
        score = network(x.requires_grad_())[0]
        gradients = torch.autograd.grad(score.sum(), [values for _, values in maps], allow_unused=True)
    read = [
        (module, values.detach(), gradient)
        for (module, values), gradient in zip(maps, gradients, strict=True)
        if gradient is not None
    ]
    # Two maps of one module are of two places in the network, and its name says neither.
    ran = [module for module, _, _ in read]
    return [(values, gradient) for module, values, gradient in read if ran.count(module) == 1]


def _is_map(values: Tensor) -> bool:
    """Whether the shape is (b, c, h, w), with more than one row and one column."""
    return values.ndim == 4 and min(values.shape[2:]) > 1
