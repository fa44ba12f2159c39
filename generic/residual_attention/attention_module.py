"""The attention module with its two branches, and the residual units that it is built of.

Fei Wang et al., "Residual Attention Network for Image Classification", CVPR 2017.

Maps have shape (b, c, h, w).
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from generic.errors import ShapeError
from generic.residual_attention.config import Unit
from generic.residual_attention.residual_units import make_unit


def _units(dim: int, n: int, unit: Unit) -> nn.Sequential:
    return nn.Sequential(*(make_unit(unit, dim, dim) for _ in range(n)))


class MaskBranch(nn.Module):
    """Bottom-up and top-down: a mask of a map's own size that has seen far around each position.

    Max pooling and r units, as often as asked; r more units at the lowest size; then bilinear interpolation
    and r units, as often. A unit links the two ways at each size in between. Two 1x1 convolutions and a
    sigmoid end it (Fig. 2 and section 3.2).

    Args:
        dim: channels c.
        poolings: how often the map is halved.
        between: r.
        unit: which unit it is built of.
    """

    def __init__(self, dim: int, *, poolings: int, between: int, unit: Unit = "bottleneck") -> None:
        super().__init__()
        self.pool = nn.MaxPool2d(3, stride=2, padding=1)
        self.down = nn.ModuleList(_units(dim, between, unit) for _ in range(poolings))
        self.links = nn.ModuleList(make_unit(unit, dim, dim) for _ in range(poolings - 1))
        self.up = nn.ModuleList(_units(dim, between, unit) for _ in range(poolings))
        self.gate = nn.Sequential(
            *(nn.BatchNorm2d(dim), nn.ReLU(), nn.Conv2d(dim, dim, 1, bias=False)),
            *(nn.BatchNorm2d(dim), nn.ReLU(), nn.Conv2d(dim, dim, 1)),
        )

    def forward(self, x: Tensor) -> Tensor:
        """The mask M of a map, both (b, c, h, w), in [0, 1]."""
        sizes, links = [], []
        for level, units in enumerate(self.down):
            sizes.append(x.shape[-2:])
            x = units(self.pool(x))
            if level < len(self.links):
                links.append(self.links[level](x))
        for level in reversed(range(len(self.up))):
            # The units of a size come before its interpolation: at the lowest there are 2r of them.
            x = self.up[level](x)
            x = F.interpolate(x, size=sizes[level], mode="bilinear", align_corners=True)
            if level:
                x = x + links[level - 1]
        return torch.sigmoid(self.gate(x))


class AttentionModule(nn.Module):
    """p units, a trunk branch of t units weighted by a mask branch, p units (Fig. 2).

    Args:
        dim: channels c.
        poolings: how often the mask branch halves the map.
        pre: p.
        trunk: t.
        between: r.
        residual: H = (1 + M) T (eq. 3); else H = M T (eq. 1).
        unit: which unit it is built of.

    Raises:
        ShapeError: no pooling, or no unit where one is needed.
    """

    def __init__(
        self,
        dim: int,
        *,
        poolings: int,
        pre: int = 1,
        trunk: int = 2,
        between: int = 1,
        residual: bool = True,
        unit: Unit = "bottleneck",
    ) -> None:
        super().__init__()
        if min(poolings, trunk, between) < 1 or pre < 0:
            raise ShapeError(
                f"an attention module with {poolings} poolings, p = {pre}, t = {trunk}, r = {between}; "
                "expected 1 or more of each, p may be 0"
            )
        self.before = _units(dim, pre, unit)
        self.trunk = _units(dim, trunk, unit)
        self.mask = MaskBranch(dim, poolings=poolings, between=between, unit=unit)
        self.after = _units(dim, pre, unit)
        self.residual = residual

    def forward(self, x: Tensor) -> Tensor:
        """Input and output have shape (b, c, h, w)."""
        x = self.before(x)
        features, mask = self.trunk(x), self.mask(x)
        weighted = features + mask * features if self.residual else mask * features
        return cast("Tensor", self.after(weighted))
