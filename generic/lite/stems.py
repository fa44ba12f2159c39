"""The stems of ``piaa-lite``: EfficientNets cut at their stride-16 map, and what is read off their maps.

Notation: b images, c channels.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

import timm
import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from generic.lite.mobile_net import MobileNet

FROZEN = "tf_efficientnet_lite1"
TUNED = "tf_efficientnet_lite2"
FIRST_TAP = 4
"""Index of the first stage whose blocks are tapped; it is the stride-16 map's stage."""


def smaller(x: Tensor, size: int) -> Tensor:
    """Images (b, 3, h, w) as squares of ``size`` pixels, without aliasing."""
    return nn.functional.interpolate(x, (size, size), mode="bilinear", antialias=True, align_corners=False)


def moments(x: Tensor) -> Tensor:
    """Mean and standard deviation over positions, shape (b, 2c), of a map of shape (b, c, h, w)."""
    flat = x.float().flatten(2)
    return torch.cat((flat.mean(2), flat.var(2, correction=0).add(1e-6).sqrt()), 1)


def pooled(maps: Iterable[Tensor]) -> Tensor:
    """Moments of maps, side by side."""
    return torch.cat([moments(each) for each in maps], 1)


class Early(nn.Module):
    """An EfficientNet up to its stride-16 map.

    Args:
        name: of the network in timm.
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        net = cast("Any", timm.create_model(name, num_classes=0))
        self.conv_stem: nn.Module = net.conv_stem
        self.bn1: nn.Module = net.bn1
        self.stages: nn.Sequential = net.blocks[: FIRST_TAP + 1]

    def forward(self, x: Tensor) -> list[Tensor]:
        """Maps of every block, of images (b, 3, size, size) in [-1, 1]; the last stage's at stride 16."""
        maps = [self.bn1(self.conv_stem(x))]
        for block in (block for stage in self.stages for block in cast("nn.Sequential", stage)):
            maps.append(block(maps[-1]))
        return maps[1:]

    def tapped(self) -> list[nn.Module]:
        """The last stage's blocks, in the order in which they run."""
        return list(cast("nn.Sequential", self.stages[FIRST_TAP]))


class Late(nn.Module):
    """The same network from there on, without its classifier."""

    def __init__(self, name: str) -> None:
        super().__init__()
        net = cast("Any", timm.create_model(name, num_classes=0))
        self.stages: nn.Sequential = net.blocks[FIRST_TAP + 1 :]
        self.conv_head: nn.Module = net.conv_head
        self.bn2: nn.Module = net.bn2

    def forward(self, middle: Tensor) -> list[Tensor]:
        """Maps of every block, of the last convolution, and of its norm, of a stride-16 map."""
        maps = [middle]
        for block in self.tapped():
            maps.append(block(maps[-1]))
        before = self.conv_head(maps[-1])
        return [*maps[1:], before, self.bn2(before)]

    def tapped(self) -> list[nn.Module]:
        """The blocks, in the order in which they run."""
        return [block for stage in self.stages for block in cast("nn.Sequential", stage)]


class Stem(nn.Module):
    """All that stays as ImageNet made it: one whole network, and the other up to its stride-16 map.

    Args:
        frozen_size: side of the smaller square that the whole network sees, pixels.
        expert: whether a network that learned from AVA is asked, too.
        sketched: whether moments of the other network's last stage are told, too.
    """

    EXPERT_SIZE = 224
    """Side of the smaller square that the expert sees, pixels."""

    def __init__(self, frozen_size: int, *, expert: bool = False, sketched: bool = False) -> None:
        super().__init__()
        self.frozen_size, self.sketched = frozen_size, sketched
        self.expert = MobileNet() if expert else None
        self.frozen_early = Early(FROZEN)
        self.frozen_late = Late(FROZEN)
        self.early = Early(TUNED)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Features of photos: all that a network reads off the photos themselves.

        Args:
            x: shape (b, 3, size, size), RGB in [-1, 1].

        Returns:
            pooled moments of the whole network's late blocks (b, taps), the other's stride-16 map; if
            sketched pooled moments of the other's last stage (b, t); with an expert its score (b,).
        """
        whole, early = self.maps(x)
        told = [self.taps(whole), early[-1]]
        if self.sketched:
            told.append(pooled(early[-len(self.early.tapped()) :]))
        if self.expert is not None:
            told.append(self.expert(smaller(x, self.EXPERT_SIZE))[1])
        return tuple(told)

    def maps(self, x: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """Maps of every block of photos as in :meth:`forward`: of the whole network, and of the other."""
        whole = self.frozen_early(smaller(x, self.frozen_size))
        return [*whole, *self.frozen_late(whole[-1])], self.early(x)

    def taps(self, whole: list[Tensor]) -> Tensor:
        """Pooled moments (b, taps) of the late ones of the whole network's maps."""
        late = len(self.frozen_early.tapped()) + len(self.frozen_late.tapped()) + 2  # two of its head
        return pooled(whole[-late:])


def fold(part: Early | Late) -> None:
    """Fold the norms of a part, all but its last: that one is tapped before and after."""
    if isinstance(part, Early):
        _fold(part, "conv_stem", "bn1")
    for stage in part.stages:
        _fold_blocks(list(cast("nn.Sequential", stage)))


def fold_head(late: Late) -> None:
    """Fold the last norm too, where nothing is tapped."""
    _fold(late, "conv_head", "bn2")


def _fold_blocks(blocks: list[nn.Module]) -> None:
    for block in blocks:
        separable = not hasattr(block, "conv_pwl")  # depthwise first, no expansion
        pairs = (("conv_dw", "bn1"), ("conv_pw", "bn2")) if separable else _INVERTED
        for conv, norm in pairs:
            _fold(block, conv, norm)


_INVERTED = (("conv_pw", "bn1"), ("conv_dw", "bn2"), ("conv_pwl", "bn3"))


def _fold(module: nn.Module, conv: str, norm: str) -> None:
    batch_norm = getattr(module, norm)
    setattr(module, conv, fuse_conv_bn_eval(getattr(module, conv).eval(), batch_norm.eval()))
    setattr(module, norm, batch_norm.act)
