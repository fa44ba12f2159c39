"""Deformable attention with learned interest points and guided offsets: EAT's enhanced module.

Shuai He et al., "EAT: An Enhancer for Aesthetics-Oriented Transformers", ACM MM 2023,
section 4.1; equation numbers below are that paper's. Where its released code differs, an option
says so; the defaults are the paper made sound.

Notation used for tensor shapes:
    b: images, c: channels, h, w: rows and columns of the feature map (the queries),
    hp, wp: rows and columns of the interest points (the keys), n = hp * wp,
    m: heads, g: offset groups. A coordinate pair is (x, y); -1 is the centre of the
    first row or column, +1 the centre of the last.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from generic.eat.layers import ChannelNorm, Pointwise, attend, settled
from generic.eat.points import Guidance, InterestPoints, Rotation, cell_grid, edge_grid, map_grid
from generic.errors import ShapeError

Final = Literal["tanh", "clamp", "none"]
Bias = Literal["aligned", "edges", "depthwise", "pairs", "none"]


@dataclass(frozen=True, kw_only=True)
class Look:
    """What one attention layer looks at."""

    points: Tensor
    """Interest points, or the regular grid: shape (b, g, n, 2), pairs (x, y)."""
    offsets: Tensor
    """Guided offsets, the same shape."""
    positions: Tensor
    """Where keys and values are sampled, the same shape; [-1, 1] spans the map."""
    weights: Tensor
    """Attention of every query to every key, shape (b, m, hw, n); each row sums to 1."""
    grid: tuple[int, int]
    """(hp, wp), with n = hp * wp."""


def sample(x: Tensor, positions: Tensor) -> Tensor:
    """Features at real positions, by bilinear interpolation; zero outside of the map (eq. 10).

    Args:
        x: shape (b, c, h, w).
        positions: shape (b, g, n, 2); channel group i of the g groups is read at positions[:, i].

    Returns:
        shape (b, c, n), in the type of ``x``. Coordinates keep at least float32, because half
        precision moves a point on a large map by a good part of a pixel.
    """
    b, c, h, w = x.shape
    g, n = positions.shape[1:3]
    exact = torch.promote_types(x.dtype, torch.float32)
    sampled = F.grid_sample(
        x.to(exact).reshape(b * g, c // g, h, w),
        positions.to(exact).reshape(b * g, 1, n, 2),
        mode="bilinear",
        align_corners=True,
    )
    return sampled.reshape(b, c, n).to(x.dtype)


class OffsetNetwork(nn.Module):
    """Offsets from the queries (eq. 5): depthwise convolution, norm, GELU, 1x1 convolution.

    Args:
        dim: channels c of the queries.
        groups: g; each group of channels has its own offsets, all share the weights.
        grid: (hp, wp); the features are averaged over as many cells.
        kernel: of the depthwise convolution, odd.
    """

    def __init__(self, dim: int, *, groups: int, grid: tuple[int, int], kernel: int) -> None:
        super().__init__()
        width = dim // groups
        self.groups, self.grid = groups, grid
        self.depthwise = nn.Conv2d(width, width, kernel, padding=kernel // 2, groups=width)
        self.norm = ChannelNorm(width)
        self.out = nn.Conv2d(width, 2, 1, bias=False)

    def forward(self, q: Tensor) -> Tensor:
        """Raw offsets of queries of shape (b, c, h, w): shape (b, g, n, 2), unbounded."""
        b, c, h, w = q.shape
        g, conv = self.groups, self.depthwise
        # All groups in one convolution, so that the map need not be taken apart: the weights repeat.
        features = F.conv2d(
            q,
            conv.weight.repeat(g, 1, 1, 1),
            cast("Tensor", conv.bias).repeat(g),
            padding=conv.padding,
            groups=c,
        )
        tokens = features.movedim(1, -1).reshape(b, h, w, g, c // g)
        tokens = F.gelu(F.layer_norm(tokens, (c // g,), self.norm.weight, self.norm.bias, self.norm.eps))
        if self.grid != (h, w):
            pooled = F.adaptive_avg_pool2d(tokens.reshape(b, h, w, c).movedim(-1, 1), self.grid)
            tokens = pooled.movedim(1, -1).reshape(b, *self.grid, g, c // g)
        offsets = F.linear(tokens, self.out.weight[:, :, 0, 0])
        # (b, hp, wp, g, 2) -> (b, g, n, 2)
        offsets = offsets.reshape(b, self.grid[0] * self.grid[1], g, 2).transpose(1, 2)
        return offsets.to(torch.promote_types(offsets.dtype, torch.float32))


class DeformableAttention(nn.Module):
    """Attention from every position to a few learned interest points of the same image.

    The points come from the image itself (eq. 4), never from its batch, so that a score does not
    depend on what else is scored. Without ``interest`` and ``guide`` this is the deformable
    attention of DAT (Xia et al., CVPR 2022), which EAT enhances.

    Args:
        dim: channels c.
        size: (h, w) of the maps it will see; sizes the table of position biases.
        heads: m; must divide ``dim``.
        groups: g; must divide ``heads``.
        k_in: kernel of the interest convolution, see :class:`generic.eat.points.InterestPoints`.
        k_offset: kernel of the depthwise offset convolution (odd).
        interest: learn the points; else they are a regular grid of as many cells.
        grid_start: let learned points begin as that grid.
        over_batch: the released network's mean of the points over the batch.
        offsets: learn offsets; else the points stay where they are.
        guide: guide the offsets, see :class:`generic.eat.points.Guidance`.
        offset_range: amplitude of an offset; None leaves it unbounded, without a tanh.
        offset_unit: of ``offset_range``: half of the map (eq. 5), or half of a grid cell.
        eta: quadrant weight (eq. 7).
        rotate: what shares one random angle while training (eq. 9).
        final: what keeps positions on the map (eq. 10); ``none`` lets them leave it, as eq. 11.
        bias: position bias read from a table at each query's displacement from each key
            (``aligned``), the same with the released code's half-shifted grids (``edges``), one
            learned number for each pair of query and key (``pairs``), a depthwise convolution of
            the queries added to the result (``depthwise``), or none.
        attn_drop: probability of leaving out an attention weight while training.
        proj_drop: probability of leaving out an output feature while training.

    Raises:
        ShapeError: the numbers do not divide, ``k_in`` is larger than the map, or ``k_offset`` is even.
    """

    def __init__(
        self,
        dim: int,
        size: tuple[int, int],
        *,
        heads: int,
        groups: int = 1,
        k_in: int = 1,
        k_offset: int = 5,
        interest: bool = True,
        grid_start: bool = True,
        over_batch: bool = False,
        offsets: bool = True,
        guide: bool = True,
        offset_range: float | None = 1.0,
        offset_unit: Literal["map", "cell"] = "map",
        eta: float = 0.25,
        rotate: Rotation = "point",
        final: Final = "tanh",
        bias: Bias = "aligned",
        attn_drop: float = 0.0,
        proj_drop: float = 0.0,
    ) -> None:
        super().__init__()
        _check(dim, size, heads=heads, groups=groups, k_in=k_in, k_offset=k_offset)
        self.size, self.heads, self.groups = size, heads, groups
        self.offset_range, self.offset_unit, self.final, self.bias = offset_range, offset_unit, final, bias
        self.attn_drop = attn_drop
        self.grid = (size[0] - k_in + 1, size[1] - k_in + 1)
        self.interest = (
            InterestPoints(dim, size, k_in=k_in, start=grid_start, over_batch=over_batch)
            if interest
            else None
        )
        self.offset = OffsetNetwork(dim, groups=groups, grid=self.grid, kernel=k_offset) if offsets else None
        self.guidance = Guidance(eta=eta, rotate=rotate) if guide else None
        self.q = Pointwise(dim, dim)
        self.k = Pointwise(dim, dim)
        self.v = Pointwise(dim, dim)
        self.out = Pointwise(dim, dim)
        self.proj_drop = nn.Dropout(proj_drop)
        self.bias_table: nn.Parameter | None = None
        self.bias_conv: nn.Conv2d | None = None
        if bias == "depthwise":
            self.bias_conv = nn.Conv2d(dim, dim, 3, padding=1, groups=dim)
        elif bias != "none":
            (h, w), n = size, self.grid[0] * self.grid[1]
            shape = (h * w, n) if bias == "pairs" else (2 * h - 1, 2 * w - 1)
            self.bias_table = nn.Parameter(torch.empty(heads, *shape))
            nn.init.trunc_normal_(self.bias_table, std=0.01)

    def _queries(self, x: Tensor) -> Tensor:
        """Queries, shape (b, c, h, w)."""
        h, w = x.shape[2:]
        if (h, w) != self.size:
            raise ShapeError(f"attention was built for {self.size[0]}x{self.size[1]} maps, got {h}x{w}")
        queries: Tensor = self.q(x)
        return queries

    def _points(self, x: Tensor) -> Tensor:
        """Points before any offset, shape (b, g, n, 2)."""
        shape = (x.shape[0], self.groups, self.grid[0] * self.grid[1], 2)
        if self.interest is not None:
            points: Tensor = self.interest(x)
            return points.expand(shape)
        like = x.new_zeros((), dtype=torch.promote_types(x.dtype, torch.float32))
        grid = (
            edge_grid(*self.grid, like=like)
            if self.bias == "edges"
            else cell_grid(self.grid, self.size, like=like)
        )
        return grid.reshape(1, 1, -1, 2).expand(shape)

    def _offsets(self, q: Tensor, points: Tensor) -> Tensor:
        """Guided offsets, shape (b, g, n, 2)."""
        if self.offset is None:
            return torch.zeros_like(points)
        offsets: Tensor = self.offset(q)
        if self.offset_range is not None:
            hp, wp = self.grid if self.offset_unit == "cell" else (1, 1)
            x, y = offsets.tanh().unbind(-1)
            offsets = torch.stack((x * (self.offset_range / wp), y * (self.offset_range / hp)), -1)
        return offsets if self.guidance is None else self.guidance(offsets, points)

    def _positions(self, points: Tensor, offsets: Tensor) -> Tensor:
        """Where keys and values are sampled (eq. 10), shape (b, g, n, 2)."""
        positions = points + offsets
        if self.final == "tanh":
            return positions.tanh()
        return positions.clamp(-1, 1) if self.final == "clamp" else positions

    def _position_bias(self, positions: Tensor) -> Tensor | None:
        """Bias of every query and key, shape (b, m, hw, n) or broadcastable to it."""
        if self.bias_table is None or self.bias == "pairs":
            return self.bias_table
        b, g, n, _ = positions.shape
        h, w = self.size
        query = (edge_grid if self.bias == "edges" else map_grid)(h, w, like=positions)
        displacement = (query.reshape(1, h * w, 1, 2) - positions.reshape(b * g, 1, n, 2)) / 2
        table = self.bias_table.reshape(1, g, self.heads // g, 2 * h - 1, 2 * w - 1)
        table = table.expand(b, -1, -1, -1, -1).flatten(0, 1).to(displacement.dtype)
        bias = F.grid_sample(table, displacement, mode="bilinear", align_corners=True)
        return bias.reshape(b, self.heads, h * w, n)

    def _split(self, t: Tensor) -> Tensor:
        """From (b, c, ...) to heads, shape (b, m, positions, c / m)."""
        return t.reshape(t.shape[0], self.heads, t.shape[1] // self.heads, -1).transpose(2, 3)

    def _keys(self, x: Tensor, positions: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values, each of shape (b, m, n, c / m)."""
        sampled = sample(x, positions)[:, :, None]
        return self._split(self.k(sampled)), self._split(self.v(sampled))

    def forward(self, x: Tensor) -> Tensor:
        """Attend; input and output have shape (b, c, h, w).

        Raises:
            ShapeError: (h, w) is not the size the module was built for.
        """
        b, c, h, w = x.shape
        q = self._queries(x)
        points = self._points(x)
        positions = self._positions(points, self._offsets(q, points))
        k, v = self._keys(x, positions)
        bias = self._position_bias(positions)
        attended = attend(
            self._split(q),
            k,
            v,
            None if bias is None else bias.to(q.dtype),
            drop=self.attn_drop if self.training else 0.0,
        )
        attended = settled(attended.transpose(1, 2)).reshape(b, h, w, c).movedim(-1, 1)
        if self.bias_conv is not None:
            attended = attended + self.bias_conv(q)
        mixed: Tensor = self.proj_drop(self.out(attended))
        return mixed

    def look(self, x: Tensor) -> Look:
        """Points, offsets, positions and weights for maps of shape (b, c, h, w); costs nothing if not asked.

        Raises:
            ShapeError: (h, w) is not the size the module was built for.
        """
        q = self._queries(x)
        points = self._points(x)
        offsets = self._offsets(q, points)
        positions = self._positions(points, offsets)
        k, _ = self._keys(x, positions)
        logits = self._split(q) @ k.transpose(-1, -2) * k.shape[-1] ** -0.5
        bias = self._position_bias(positions)
        if bias is not None:
            logits = logits + bias
        return Look(
            points=points, offsets=offsets, positions=positions, weights=logits.softmax(-1), grid=self.grid
        )


def _check(dim: int, size: tuple[int, int], *, heads: int, groups: int, k_in: int, k_offset: int) -> None:
    if min(dim, heads, groups) < 1 or dim % heads or heads % groups:
        raise ShapeError(
            f"attention with dim {dim}, {heads} heads and {groups} groups does not divide; "
            f"choose heads that divide dim and groups that divide heads"
        )
    if not 1 <= k_in <= min(size):
        raise ShapeError(
            f"interest kernel k_in={k_in} does not fit the {size[0]}x{size[1]} map; "
            f"choose from 1 to {min(size)}"
        )
    if k_offset < 1 or k_offset % 2 == 0:
        raise ShapeError(f"offset kernel k_offset={k_offset} is not odd; choose 3, 5, 7 or 9")
