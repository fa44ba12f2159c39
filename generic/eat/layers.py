"""The plain layers around EAT's attention: channel norm, MLP, and the block that holds them.

Maps have shape (b, c, h, w), in channels-last memory: the norm is contiguous then, and nothing is ever
reordered for a matrix product.
"""

from __future__ import annotations

from typing import cast

import torch
from timm.layers.drop import DropPath
from torch import Tensor, nn
from torch.nn import functional as F


class ChannelNorm(nn.LayerNorm):
    """Layer normalisation over the channels of a (b, c, h, w) map."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalise each position of ``x``, shape (b, c, h, w), over its channels."""
        return F.layer_norm(
            x.movedim(1, -1), self.normalized_shape, self.weight, self.bias, self.eps
        ).movedim(-1, 1)


class Pointwise(nn.Conv2d):
    """A linear map of the channels at every position: a 1x1 convolution.

    Computed as the matrix product that it is, but in float32 on a CPU, without gradients and on large
    maps as oneDNN's convolution, which was quicker there by 15 to 25 %. Its backward pass was not: not on
    small maps, and not at all beside other busy processes.

    Args:
        dim_in: channels of the input.
        dim_out: channels of the output.
    """

    FEW = 64
    """Fewer positions than this count as small."""

    def __init__(self, dim_in: int, dim_out: int) -> None:
        super().__init__(dim_in, dim_out, 1)

    def forward(self, x: Tensor) -> Tensor:
        """From (b, dim_in, h, w) to (b, dim_out, h, w)."""
        b, c, h, w = x.shape
        exact = x.device.type == "cpu" and x.dtype == torch.float32 and not torch.is_autocast_enabled("cpu")
        if exact and h * w >= self.FEW and not torch.is_grad_enabled():
            return super().forward(x)
        tokens = x.movedim(1, -1).reshape(b * h * w, c)
        mapped = F.linear(tokens, self.weight.reshape(-1, c), self.bias)
        return mapped.reshape(b, h, w, self.out_channels).movedim(-1, 1)


def attend(q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None, *, drop: float = 0.0) -> Tensor:
    """Scaled dot-product attention, softmax(q k^T / sqrt(d) + bias) v.

    Fused, but where a bias learns on a CPU. PyTorch's fused kernel gives it no gradient there, and what steps
    in for it computes bfloat16 in float32 and searches every weight for rows without a key. Written out, a
    training step's attention took 20 to 30 % less in float32, and half in bfloat16.

    Args:
        q: queries, shape (b, m, n_q, d).
        k: keys, shape (b, m, n_k, d).
        v: values, shape (b, m, n_k, d).
        bias: added to the logits, broadcastable to (b, m, n_q, n_k); every row needs a finite entry.
        drop: probability of leaving out an attention weight.

    Returns:
        shape (b, m, n_q, d).
    """
    learns = bias is not None and bias.requires_grad and torch.is_grad_enabled()
    if bias is None or not learns or q.device.type != "cpu":
        return F.scaled_dot_product_attention(q, k, v, attn_mask=bias, dropout_p=drop)
    logits = (q * q.shape[-1] ** -0.5) @ k.transpose(-2, -1) + bias
    return F.dropout(logits.softmax(-1), drop) @ v


def settled(x: Tensor) -> Tensor:
    """What came out of an attention, in an order of memory that exporters can rely on.

    They take down reshapes as they were possible after the fused attention, and then replace that by one
    whose result lies otherwise in memory. A copy settles it; nothing is copied outside of an export.
    """
    return x.clone(memory_format=torch.contiguous_format) if torch.compiler.is_exporting() else x


def gelu(x: Tensor) -> Tensor:
    """GELU of a (b, c, h, w) map, told as (b, h, w, c): some kernels answer in another memory order else."""
    return F.gelu(x.movedim(1, -1)).movedim(-1, 1)


class Mlp(nn.Module):
    """Two 1x1 convolutions with a GELU between them.

    Args:
        dim: channels c.
        hidden: channels in between.
        drop: probability of leaving out a feature while training.
        depthwise: a 3x3 depthwise convolution before the GELU.
    """

    def __init__(self, dim: int, hidden: int, *, drop: float = 0.0, depthwise: bool = False) -> None:
        super().__init__()
        self.expand = Pointwise(dim, hidden)
        self.depthwise = nn.Conv2d(hidden, hidden, 3, padding=1, groups=hidden) if depthwise else None
        self.reduce = Pointwise(hidden, dim)
        self.drop = nn.Dropout(drop)

    def forward(self, x: Tensor) -> Tensor:
        """Input and output have shape (b, c, h, w)."""
        x = self.expand(x)
        if self.depthwise is not None:
            x = self.depthwise(x)
        return cast("Tensor", self.drop(self.reduce(self.drop(gelu(x)))))


class Block(nn.Module):
    """Pre-norm block: an attention, then an MLP, both residual.

    Args:
        attention: any module from (b, c, h, w) to the same shape.
        dim: channels c.
        mlp: the MLP.
        drop_path: probability of leaving out a branch for an image while training.
    """

    def __init__(self, attention: nn.Module, dim: int, mlp: nn.Module, *, drop_path: float = 0.0) -> None:
        super().__init__()
        self.norm1 = ChannelNorm(dim)
        self.attention = attention
        self.norm2 = ChannelNorm(dim)
        self.mlp = mlp
        self.drop_path = DropPath(drop_path)

    def forward(self, x: Tensor) -> Tensor:
        """Input and output have shape (b, c, h, w)."""
        x = x + self.drop_path(self.attention(self.norm1(x)))
        return cast("Tensor", x + self.drop_path(self.mlp(self.norm2(x))))
