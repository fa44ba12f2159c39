"""The unit that the whole network is built of, and the attention module with its two branches.

Fei Wang et al., "Residual Attention Network for Image Classification", CVPR 2017.

Maps have shape (b, c, h, w).
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from generic.errors import ShapeError
from generic.residual_attention.config import EXPANSION


class PreActivationUnit(nn.Module):
    """Bottleneck with norm and ReLU before each convolution (He et al., "Identity Mappings", ECCV 2016).

    Args:
        dim_in: channels of the input.
        dim: channels of the output.
        stride: of the 3x3 convolution.
    """

    def __init__(self, dim_in: int, dim: int, *, stride: int = 1) -> None:
        super().__init__()
        width = dim // EXPANSION
        self.norm1 = nn.BatchNorm2d(dim_in)
        self.reduce = nn.Conv2d(dim_in, width, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(width)
        self.spatial = nn.Conv2d(width, width, 3, stride, padding=1, bias=False)
        self.norm3 = nn.BatchNorm2d(width)
        self.expand = nn.Conv2d(width, dim, 1, bias=False)
        same = dim_in == dim and stride == 1
        self.shortcut = None if same else nn.Conv2d(dim_in, dim, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """From (b, dim_in, h, w) to (b, dim, h', w')."""
        ready = F.relu(self.norm1(x))
        kept = x if self.shortcut is None else self.shortcut(ready)
        y = self.spatial(F.relu(self.norm2(self.reduce(ready))))
        return cast("Tensor", kept + self.expand(F.relu(self.norm3(y))))


def _units(dim: int, n: int) -> nn.Sequential:
    return nn.Sequential(*(PreActivationUnit(dim, dim) for _ in range(n)))


class MaskBranch(nn.Module):
    """Bottom-up and top-down: a mask of a map's own size that has seen far around each position.

    Max pooling and r units, as often as asked; r more units at the lowest size; then bilinear interpolation
    and r units, as often. A unit links the two ways at each size in between. Two 1x1 convolutions and a
    sigmoid end it (Fig. 2 and section 3.2).

    Args:
        dim: channels c.
        poolings: how often the map is halved.
        between: r.
    """

    def __init__(self, dim: int, *, poolings: int, between: int) -> None:
        super().__init__()
        self.pool = nn.MaxPool2d(3, stride=2, padding=1)
        self.down = nn.ModuleList(_units(dim, between) for _ in range(poolings))
        self.links = nn.ModuleList(PreActivationUnit(dim, dim) for _ in range(poolings - 1))
        self.up = nn.ModuleList(_units(dim, between) for _ in range(poolings))
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
    ) -> None:
        super().__init__()
        if min(poolings, trunk, between) < 1 or pre < 0:
            raise ShapeError(
                f"an attention module with {poolings} poolings, p = {pre}, t = {trunk}, r = {between}; "
                "expected 1 or more of each, p may be 0"
            )
        self.before = _units(dim, pre)
        self.trunk = _units(dim, trunk)
        self.mask = MaskBranch(dim, poolings=poolings, between=between)
        self.after = _units(dim, pre)
        self.residual = residual

    def forward(self, x: Tensor) -> Tensor:
        """Input and output have shape (b, c, h, w)."""
        x = self.before(x)
        features, mask = self.trunk(x), self.mask(x)
        weighted = features + mask * features if self.residual else mask * features
        return cast("Tensor", self.after(weighted))
