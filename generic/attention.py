"""The enhanced attention module of EAT: learned interest points, guided offsets, deformable attention.

Shuai He et al., "EAT: An Enhancer for Aesthetics-Oriented Transformers", ACM MM 2023,
section 4.1; equation numbers below are that paper's.

Notation used for tensor shapes:
    b: images, c: channels, h, w: rows and columns of the feature map (the queries),
    hp, wp: rows and columns of the interest points (the keys), n = hp * wp,
    m: heads, g: offset groups. A coordinate pair is (x, y); -1 is the centre of the
    first row or column, +1 the centre of the last.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from generic.errors import ShapeError


class ChannelNorm(nn.LayerNorm):
    """Layer normalisation over the channels of a (b, c, h, w) map."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalise each position of ``x``, shape (b, c, h, w), over its channels."""
        return F.layer_norm(
            x.movedim(1, -1), self.normalized_shape, self.weight, self.bias, self.eps
        ).movedim(-1, 1)


def guide_offsets(offsets: Tensor, points: Tensor, eta: float, angles: Tensor | None = None) -> Tensor:
    """Offset guidance: weaken offsets that leave their point's quadrant, then rotate (eqs 6 to 8).

    Args:
        offsets: shape (..., 2), pairs (x, y).
        points: the same shape, in [-1, 1].
        eta: in [0, 1]; the weight of an offset whose direction is not in its point's quadrant.
        angles: radians, broadcastable to shape (...); None turns nothing.

    Returns:
        the guided offsets, shape (..., 2).

    Example:
        >>> guide_offsets(torch.tensor([[0.5, 0.5], [-0.5, 0.5]]), torch.full((2, 2), 0.1), eta=0.25)
        tensor([[ 0.5000,  0.5000],
                [-0.1250,  0.1250]])
    """
    same = ((offsets * points) > 0).all(-1, keepdim=True)
    guided = torch.where(same, offsets, offsets * eta)
    if angles is None:
        return guided
    x, y = guided.unbind(-1)
    cos, sin = angles.cos(), angles.sin()
    return torch.stack((x * cos - y * sin, y * cos + x * sin), -1)


class DeformableAttention(nn.Module):
    """Attention from every position to a few learned interest points of the same image.

    The points come from the image itself (eq. 4), never from its batch, so that a score
    does not depend on what else is scored. Offsets are turned at random in training only,
    by an angle that shrinks to nothing as ``progress`` goes from 0 to 1 (eq. 9); the
    trainer sets ``progress`` to the epoch fraction e/E.

    Args:
        dim: channels c.
        size: (h, w) of the maps it will see; sizes the table of position biases.
        heads: m; must divide ``dim``.
        groups: g; must divide ``heads``. Each group has its own offsets.
        k_in: kernel of the interest convolution; hp = h - k_in + 1, so a larger kernel
            makes fewer points. At 14 x 14, k_in = 8 leaves 7 x 7.
        k_offset: kernel of the depthwise offset convolution (odd).
        offset_range: amplitude of an offset; 1 is half of the image (eq. 5).
        eta: quadrant weight (eq. 7).

    Raises:
        ShapeError: the numbers do not divide, or ``k_in`` is larger than the map.
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
        offset_range: float = 1.0,
        eta: float = 0.25,
    ) -> None:
        super().__init__()
        if dim % heads or heads % groups:
            raise ShapeError(
                f"attention with dim {dim}, {heads} heads and {groups} groups does not divide; "
                f"choose heads that divide dim and groups that divide heads"
            )
        if k_in > min(size):
            raise ShapeError(
                f"interest kernel k_in={k_in} is larger than the {size[0]}x{size[1]} map; "
                f"choose at most {min(size)}"
            )
        self.size, self.heads, self.groups = size, heads, groups
        self.eta, self.offset_range, self.progress = eta, offset_range, 1.0
        h, w = size
        self.grid = (h - k_in + 1, w - k_in + 1)
        self.interest = nn.Conv2d(dim, 2, k_in)
        self.offset_depthwise = nn.Conv2d(
            dim // groups, dim // groups, k_offset, padding=k_offset // 2, groups=dim // groups
        )
        self.offset_norm = ChannelNorm(dim // groups)
        self.offset_out = nn.Conv2d(dim // groups, 2, 1, bias=False)
        self.q = nn.Conv2d(dim, dim, 1)
        self.k = nn.Conv2d(dim, dim, 1)
        self.v = nn.Conv2d(dim, dim, 1)
        self.out = nn.Conv2d(dim, dim, 1)
        self.bias_table = nn.Parameter(torch.empty(heads, 2 * h - 1, 2 * w - 1))
        nn.init.trunc_normal_(self.bias_table, std=0.01)
        self._start_as_grid()

    def _start_as_grid(self) -> None:
        """Add the regular grid, as a learnable bias, to where the points begin.

        The convolution of eq. 4 alone begins with every point near the centre, where all
        keys are alike and nothing is learned from little data.
        """
        hp, wp = self.grid
        rows = torch.linspace(-0.9, 0.9, hp) if hp > 1 else torch.zeros(1)
        columns = torch.linspace(-0.9, 0.9, wp) if wp > 1 else torch.zeros(1)
        grid = torch.stack(torch.meshgrid(rows, columns, indexing="ij")[::-1])
        self.point_start = nn.Parameter(torch.atanh(grid)[None])
        nn.init.normal_(self.interest.weight, std=0.1 / math.sqrt(self.interest.weight[0].numel()))
        nn.init.zeros_(self.interest.bias)  # type: ignore[arg-type]

    def points(self, x: Tensor) -> Tensor:
        """Interest points of each image (eq. 4), shape (b, 1, n, 2), in (-1, 1)."""
        points = torch.tanh(self.interest(x) + self.point_start)
        return points.flatten(2).transpose(1, 2)[:, None]

    def offsets(self, q: Tensor) -> Tensor:
        """Offsets from the queries (eq. 5), shape (b, g, n, 2), in ±offset_range."""
        b = q.shape[0]
        grouped = q.reshape(b * self.groups, -1, *self.size)
        features = F.gelu(self.offset_norm(self.offset_depthwise(grouped)))
        if self.grid != self.size:
            features = F.adaptive_avg_pool2d(features, self.grid)
        offsets = torch.tanh(self.offset_out(features)) * self.offset_range
        return offsets.reshape(b, self.groups, 2, -1).transpose(2, 3)

    def _angles(self, offsets: Tensor) -> Tensor | None:
        """One random angle for each point while training (eq. 9); None when nothing turns."""
        if not self.training or self.progress >= 1.0:
            return None
        return (1.0 - self.progress) * math.pi * (torch.rand_like(offsets[..., 0]) - 0.5)

    def positions(self, x: Tensor, q: Tensor) -> Tensor:
        """Where keys and values are sampled (eq. 10), shape (b, g, n, 2), in (-1, 1)."""
        points, offsets = self.points(x), self.offsets(q)
        points = points.expand_as(offsets)
        return torch.tanh(points + guide_offsets(offsets, points, self.eta, self._angles(offsets)))

    def position_bias(self, positions: Tensor) -> Tensor:
        """Bias read from the table at each query's displacement from each key, shape (b, m, hw, n)."""
        b, g, n, _ = positions.shape
        h, w = self.size
        rows = torch.linspace(-1, 1, h, device=positions.device, dtype=positions.dtype)
        columns = torch.linspace(-1, 1, w, device=positions.device, dtype=positions.dtype)
        query = torch.stack(torch.meshgrid(rows, columns, indexing="ij")[::-1], -1)
        displacement = (query.reshape(1, h * w, 1, 2) - positions.reshape(b * g, 1, n, 2)) / 2
        table = self.bias_table.reshape(1, g, self.heads // g, *self.bias_table.shape[1:])
        table = table.expand(b, -1, -1, -1, -1).flatten(0, 1).to(displacement.dtype)
        bias = F.grid_sample(table, displacement, mode="bilinear", align_corners=True)
        return bias.reshape(b, self.heads, -1, n)

    def forward(self, x: Tensor) -> Tensor:
        """Attend; input and output have shape (b, c, h, w).

        Raises:
            ShapeError: (h, w) is not the size the module was built for.
        """
        b, c, h, w = x.shape
        if (h, w) != self.size:
            raise ShapeError(f"attention was built for {self.size[0]}x{self.size[1]} maps, got {h}x{w}")
        q = self.q(x)
        positions = self.positions(x, q)
        sampled = F.grid_sample(
            x.reshape(b * self.groups, c // self.groups, h, w),
            positions.reshape(b * self.groups, 1, -1, 2).to(x.dtype),
            mode="bilinear",
            align_corners=True,
        ).reshape(b, c, 1, -1)
        bias = self.position_bias(positions)

        def heads(t: Tensor) -> Tensor:
            return t.reshape(b, self.heads, c // self.heads, -1).transpose(2, 3)

        # (b, m, hw, c/m) x (b, m, n, c/m) -> (b, m, hw, c/m)
        attended = F.scaled_dot_product_attention(
            heads(q), heads(self.k(sampled)), heads(self.v(sampled)), attn_mask=bias.to(q.dtype)
        )
        mixed: Tensor = self.out(attended.transpose(2, 3).reshape(b, c, h, w))
        return mixed


class EATBlock(nn.Module):
    """Pre-norm block: deformable attention, then an MLP, both residual.

    Args:
        dim: channels c.
        size: (h, w) of the maps it will see.
        heads: attention heads.
        mlp_ratio: hidden channels of the MLP over ``dim``.
        drop_path: probability of leaving out a branch for an image while training.
        options: further arguments of :class:`DeformableAttention`.
    """

    def __init__(
        self,
        dim: int,
        size: tuple[int, int],
        *,
        heads: int,
        mlp_ratio: float = 4.0,
        drop_path: float = 0.0,
        **options: float,
    ) -> None:
        super().__init__()
        self.norm1 = ChannelNorm(dim)
        self.attention = DeformableAttention(dim, size, heads=heads, **options)  # type: ignore[arg-type]
        self.norm2 = ChannelNorm(dim)
        hidden = int(dim * mlp_ratio)
        self.mlp = nn.Sequential(nn.Conv2d(dim, hidden, 1), nn.GELU(), nn.Conv2d(hidden, dim, 1))
        self.drop_path = drop_path

    def _drop(self, branch: Tensor) -> Tensor:
        if not self.training or self.drop_path == 0.0:
            return branch
        keep = 1.0 - self.drop_path
        mask = torch.rand(len(branch), 1, 1, 1, device=branch.device) < keep
        return branch * mask / keep

    def forward(self, x: Tensor) -> Tensor:
        """Input and output have shape (b, c, h, w)."""
        x = x + self._drop(self.attention(self.norm1(x)))
        return x + self._drop(self.mlp(self.norm2(x)))
