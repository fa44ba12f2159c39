"""Attention within windows, plain or shifted: the blocks of EAT's first two stages.

Ze Liu et al., "Swin Transformer: Hierarchical Vision Transformer using Shifted Windows", ICCV 2021.

Notation: b images, c channels, h, w size of the map, s side of a window, m heads,
r = (h / s) * (w / s) windows.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from generic.eat.layers import Pointwise, attend, settled
from generic.errors import ShapeError


def relative_index(side: int) -> Tensor:
    """Which entry of a (2s - 1)^2 table belongs to query i and key j of a window, shape (s*s, s*s)."""
    axis = torch.arange(side, device="cpu")
    rows, columns = torch.meshgrid(axis, axis, indexing="ij")
    row = rows.flatten()[:, None] - rows.flatten() + side - 1
    column = columns.flatten()[:, None] - columns.flatten() + side - 1
    return row * (2 * side - 1) + column


def shift_mask(size: tuple[int, int], side: int, shift: int) -> Tensor:
    """Who may see whom once the map is rolled by ``shift``, shape (r, s*s, s*s), True where allowed.

    A window over the seam holds positions from opposite borders of the image; they stay apart.
    """

    def regions(n: int) -> Tensor:
        position = torch.arange(n, device="cpu")
        return (position >= n - side).long() + (position >= n - shift).long()

    h, w = size
    region = regions(h)[:, None] * 3 + regions(w)
    windows = region.reshape(h // side, side, w // side, side).transpose(1, 2).reshape(-1, side * side)
    return windows[:, :, None] == windows[:, None, :]


class WindowAttention(nn.Module):
    """Attention among the positions of each window.

    Args:
        dim: channels c.
        size: (h, w) of the maps it will see.
        heads: m; must divide ``dim``.
        window: side s; must divide both sides of the map.
        shifted: move the windows by half a side (rounded up), so that neighbours meet.
        attn_drop: probability of leaving out an attention weight while training.
        proj_drop: probability of leaving out an output feature while training.

    Raises:
        ShapeError: the numbers do not divide, or a shifted window has one position only.
    """

    def __init__(
        self,
        dim: int,
        size: tuple[int, int],
        *,
        heads: int,
        window: int,
        shifted: bool = False,
        attn_drop: float = 0.0,
        proj_drop: float = 0.0,
    ) -> None:
        super().__init__()
        if min(dim, heads) < 1 or dim % heads:
            raise ShapeError(
                f"attention with dim {dim} and {heads} heads does not divide; choose heads that divide dim"
            )
        if window < 1 or size[0] % window or size[1] % window:
            raise ShapeError(
                f"windows of {window}x{window} do not tile the {size[0]}x{size[1]} map; "
                f"choose a window that divides both sides"
            )
        if shifted and window == 1:
            raise ShapeError("a window of one position cannot be shifted; choose a window of at least 2")
        self.size, self.heads, self.window, self.attn_drop = size, heads, window, attn_drop
        self.shift = (window + 1) // 2 if shifted else 0
        self.qkv = Pointwise(dim, 3 * dim)
        self.out = Pointwise(dim, dim)
        self.proj_drop = nn.Dropout(proj_drop)
        self.bias_table = nn.Parameter(torch.empty(heads, 2 * window - 1, 2 * window - 1))
        nn.init.trunc_normal_(self.bias_table, std=0.01)
        self.register_buffer("index", relative_index(window).flatten(), persistent=False)
        self.index: Tensor
        mask = shift_mask(size, window, self.shift) if shifted else None
        self.register_buffer("mask", mask, persistent=False)
        self.mask: Tensor | None

    def _bias(self) -> Tensor:
        """Position bias, shape (1, m, s*s, s*s); with a mask, (1, r * m, s*s, s*s)."""
        n = self.window**2
        bias = self.bias_table.flatten(1)[:, self.index].reshape(1, self.heads, n, n)
        if self.mask is None:
            return bias
        # Every position sees itself, so no row is all minus infinity.
        return bias.masked_fill(~self.mask[:, None], float("-inf")).reshape(1, -1, n, n)

    def forward(self, x: Tensor) -> Tensor:
        """Attend; input and output have shape (b, c, h, w).

        Raises:
            ShapeError: (h, w) is not the size the module was built for.
        """
        b, c, h, w = x.shape
        if (h, w) != self.size:
            raise ShapeError(f"attention was built for {self.size[0]}x{self.size[1]} maps, got {h}x{w}")
        s, m, shift = self.window, self.heads, self.shift
        rows, columns, n = h // s, w // s, s * s
        x = x.movedim(1, -1)
        if shift:
            x = x.roll((-shift, -shift), (1, 2))
        # The map with its positions window by window. The projection comes after, so that one copy of c
        # channels is made here, and none of the 3 c that it gives.
        x = x.reshape(b, rows, s, columns, s, c).transpose(2, 3).reshape(b, h, w, c)
        qkv = self.qkv(x.movedim(-1, 1)).movedim(1, -1)
        q, k, v = qkv.reshape(b, rows * columns, n, 3, m, c // m).permute(3, 0, 1, 4, 2, 5).unbind(0)
        bias = self._bias().to(qkv.dtype)
        # Windows are a part of the batch; or of the heads where each has its own mask.
        q, k, v = (t.reshape(-1, bias.shape[1], n, c // m) for t in (q, k, v))
        attended = attend(q, k, v, bias, drop=self.attn_drop if self.training else 0.0)
        attended = settled(attended.reshape(b, rows * columns, m, n, c // m).transpose(2, 3))
        attended = attended.reshape(b, h, w, c)
        mixed = self.proj_drop(self.out(attended.movedim(-1, 1))).movedim(1, -1)
        mixed = mixed.reshape(b, rows, columns, s, s, c).transpose(2, 3).reshape(b, h, w, c)
        if shift:
            mixed = mixed.roll((shift, shift), (1, 2))
        restored: Tensor = mixed.movedim(-1, 1)
        return restored
