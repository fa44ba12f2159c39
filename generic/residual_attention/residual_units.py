"""Three kinds of residual units for a Residual Attention Network, with norm and ReLU before convolutions.

Wang et al. build it of pre-activation bottlenecks, and, to show that it does not depend on them, of ResNeXt
and Inception units. The channels inside of the latter two are chosen here, after the papers named below.

Maps have shape (b, c, h, w).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from generic.residual_attention.config import CARDINALITY, EXPANSION, Unit


class ResidualUnit(nn.Module, ABC):
    """Norm and ReLU, then a branch that is added to what came in (He et al., "Identity Mappings", ECCV 2016).

    Args:
        dim_in: channels of the input.
        dim: channels of the output.
        stride: of the unit.
    """

    def __init__(self, dim_in: int, dim: int, *, stride: int = 1) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(dim_in)
        same = dim_in == dim and stride == 1
        self.shortcut = None if same else nn.Conv2d(dim_in, dim, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """From (b, dim_in, h, w) to (b, dim, h', w')."""
        ready = F.relu(self.norm1(x))
        kept = x if self.shortcut is None else self.shortcut(ready)
        return cast("Tensor", kept + self.branch(ready))

    @abstractmethod
    def branch(self, ready: Tensor) -> Tensor:
        """What is added: from (b, dim_in, h, w) to (b, dim, h', w')."""


class PreActivationUnit(ResidualUnit):
    """Bottleneck: 1x1, 3x3 and 1x1 convolutions, of a quarter of the channels inside.

    Args:
        dim_in: channels of the input.
        dim: channels of the output, a multiple of 4.
        stride: of the 3x3 convolution.
        width: channels inside; None: a quarter of ``dim``.
        groups: of the 3x3 convolution.
    """

    def __init__(
        self, dim_in: int, dim: int, *, stride: int = 1, width: int | None = None, groups: int = 1
    ) -> None:
        super().__init__(dim_in, dim, stride=stride)
        inside = width or dim // EXPANSION
        self.reduce = nn.Conv2d(dim_in, inside, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(inside)
        self.spatial = nn.Conv2d(inside, inside, 3, stride, padding=1, groups=groups, bias=False)
        self.norm3 = nn.BatchNorm2d(inside)
        self.expand = nn.Conv2d(inside, dim, 1, bias=False)

    def branch(self, ready: Tensor) -> Tensor:
        """See :meth:`ResidualUnit.branch`."""
        y = self.spatial(F.relu(self.norm2(self.reduce(ready))))
        return cast("Tensor", self.expand(F.relu(self.norm3(y))))


class ResNeXtUnit(PreActivationUnit):
    """A bottleneck twice as wide whose 3x3 convolution has 32 groups (Xie et al., CVPR 2017, 32x4d).

    Args:
        dim_in: channels of the input.
        dim: channels of the output, a multiple of 64.
        stride: of the 3x3 convolution.
    """

    def __init__(self, dim_in: int, dim: int, *, stride: int = 1) -> None:
        super().__init__(dim_in, dim, stride=stride, width=dim // 2, groups=CARDINALITY)


class InceptionUnit(ResidualUnit):
    """Three branches of one, two and three convolutions, joined by a 1x1 one (Szegedy et al., AAAI 2017).

    The unit Inception-ResNet-A: 1x1; 1x1 and 3x3; 1x1 and twice 3x3, so that a position sees 1, 3x3 and 5x5
    around it. Each branch has an eighth of the output's channels.

    Args:
        dim_in: channels of the input.
        dim: channels of the output, a multiple of 8.
        stride: of the last convolution of each branch.
    """

    def __init__(self, dim_in: int, dim: int, *, stride: int = 1) -> None:
        super().__init__(dim_in, dim, stride=stride)
        width = dim // 8
        self.branches = nn.ModuleList(_branch(dim_in, width, n, stride) for n in range(3))
        self.norm2 = nn.BatchNorm2d(3 * width)
        self.expand = nn.Conv2d(3 * width, dim, 1, bias=False)

    def branch(self, ready: Tensor) -> Tensor:
        """See :meth:`ResidualUnit.branch`."""
        joined = torch.cat([branch(ready) for branch in self.branches], 1)
        return cast("Tensor", self.expand(F.relu(self.norm2(joined))))


def _branch(dim_in: int, width: int, n_spatial: int, stride: int) -> nn.Sequential:
    """A 1x1 convolution, then 3x3 ones, the last of all with the stride."""
    layers: list[nn.Module] = [nn.Conv2d(dim_in, width, 1, 1 if n_spatial else stride, bias=False)]
    for number in range(n_spatial):
        step = stride if number == n_spatial - 1 else 1
        layers += [nn.BatchNorm2d(width), nn.ReLU(), nn.Conv2d(width, width, 3, step, padding=1, bias=False)]
    return nn.Sequential(*layers)


_KINDS: dict[Unit, type[PreActivationUnit] | type[ResNeXtUnit] | type[InceptionUnit]] = {
    "bottleneck": PreActivationUnit,
    "resnext": ResNeXtUnit,
    "inception": InceptionUnit,
}


def make_unit(kind: Unit, dim_in: int, dim: int, *, stride: int = 1) -> ResidualUnit:
    """A unit by the name of its kind.

    Example:
        >>> make_unit("inception", 8, 16, stride=2)(torch.zeros(1, 8, 6, 6)).shape
        torch.Size([1, 16, 3, 3])
    """
    return _KINDS[kind](dim_in, dim, stride=stride)
