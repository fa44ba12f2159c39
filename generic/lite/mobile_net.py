"""MobileNet (Howard et al. 2017, arXiv:1704.04861) as NIMA uses it (Talebi & Milanfar, IEEE TIP 2018).

Keras pads a convolution of stride 2 on the right and below only, and so does this network: the weights were
trained that way. Its ten outputs are the shares of people who give a photo 1, ..., 10; their mean is its
score. It was trained on AVA by idealo, see :mod:`generic.lite.ava_weights`.

Notation: b images, c channels.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

WIDTHS = (64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024)
"""Channels after each block."""
STRIDED = (1, 3, 5, 11)
"""Blocks that halve the map."""
_FIRST = 32
_BINS = 10


class MobileNet(nn.Module):
    """The convolutions, norms folded into them, and ten outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, _FIRST, 3, stride=2)
        into = (_FIRST, *WIDTHS[:-1])
        self.blocks = nn.ModuleList(
            Separable(c, d, stride=2 if number in STRIDED else 1)
            for number, (c, d) in enumerate(zip(into, WIDTHS, strict=True))
        )
        self.out = nn.Linear(WIDTHS[-1], _BINS)

    def forward(self, x: Tensor) -> tuple[list[Tensor], Tensor]:
        """Look at images.

        Args:
            x: shape (b, 3, size, size), RGB in [-1, 1].

        Returns:
            the maps (b, c, h, w) after the first convolution and after every block; the mean score (b,) in
            [0, 1], which stand for 1 and 10.
        """
        maps = [nn.functional.relu6(self.first(one_sided(x)))]
        for block in self.blocks:
            maps.append(block(maps[-1]))
        return maps, self.score(maps[-1].mean((2, 3)))

    def score(self, pooled: Tensor) -> Tensor:
        """The mean score (b,) in [0, 1], of the last map's means (b, 1024)."""
        shares = cast("Tensor", self.out(pooled)).softmax(1)
        return shares @ (torch.arange(_BINS, dtype=shares.dtype, device=shares.device) / (_BINS - 1))


class Separable(nn.Module):
    """A filter for each channel, then a mix of channels."""

    def __init__(self, c: int, d: int, *, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.depthwise = nn.Conv2d(c, c, 3, stride=stride, groups=c, padding=0 if stride == 2 else 1)
        self.pointwise = nn.Conv2d(c, d, 1)

    def forward(self, x: Tensor) -> Tensor:
        """A map (b, d, h / stride, w / stride) of a map (b, c, h, w)."""
        x = one_sided(x) if self.stride == 2 else x
        return nn.functional.relu6(self.pointwise(nn.functional.relu6(self.depthwise(x))))


def one_sided(x: Tensor) -> Tensor:
    """One row and one column of zeros, below and on the right."""
    return nn.functional.pad(x, (0, 1, 0, 1))
