"""The released EAT's steps, one after the other, on the weights of one of our networks: a baseline.

It computes what :class:`generic.eat.EAT` computes with the options of ``generic.eat.layouts.RELEASED``
and points averaged over the batch, in the way the released code does: linear layers over reordered
tokens, einsum, an explicit softmax, the quadrant weights through NumPy on the host in every layer.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from generic.eat import EAT
from generic.eat.windows import WindowAttention


def norm(layer: nn.LayerNorm, x: Tensor) -> Tensor:
    """Layer norm over channels, there and back."""
    y = F.layer_norm(x.permute(0, 2, 3, 1), layer.normalized_shape, layer.weight, layer.bias, layer.eps)
    return y.permute(0, 3, 1, 2)


def linear(layer: nn.Conv2d, x: Tensor) -> Tensor:
    """A 1x1 convolution as the linear layer that it is."""
    return F.linear(x, layer.weight[:, :, 0, 0], layer.bias)


def mlp(layer: Any, x: Tensor) -> Tensor:  # noqa: ANN401
    """Tokens, linear, GELU, linear, map."""
    b, c, h, w = x.shape
    tokens = x.permute(0, 2, 3, 1).reshape(b, h * w, c)
    tokens = linear(layer.reduce, F.gelu(linear(layer.expand, tokens)))
    return tokens.reshape(b, h, w, c).permute(0, 3, 1, 2)


def windows(layer: WindowAttention, x: Tensor) -> Tensor:
    """Window attention with an explicit softmax; shifted windows under a mask of -100."""
    b, c, h, w = x.shape
    s, m, shift = layer.window, layer.heads, layer.shift
    if shift:
        x = torch.roll(x, (-shift, -shift), (2, 3))
    tokens = x.reshape(b, c, h // s, s, w // s, s).permute(0, 2, 4, 3, 5, 1).reshape(-1, s * s, c)
    q, k, v = linear(layer.qkv, tokens).chunk(3, 2)
    q = q * (c // m) ** -0.5
    q, k, v = (t.reshape(-1, s * s, m, c // m).transpose(1, 2) for t in (q, k, v))
    logits = torch.einsum("bhmc,bhnc->bhmn", q, k)
    bias = layer.bias_table.flatten(1)[:, layer.index].reshape(m, s * s, s * s)
    logits = logits + bias
    if layer.mask is not None:
        mask = torch.where(layer.mask, 0.0, -100.0)
        logits = logits.reshape(b, len(mask), m, s * s, s * s) + mask[None, :, None]
        logits = logits.reshape(-1, m, s * s, s * s)
    out = torch.einsum("bhmn,bhnc->bhmc", logits.softmax(3), v)
    out = linear(layer.out, out.transpose(1, 2).reshape(-1, s * s, c))
    out = out.reshape(b, h // s, w // s, s, s, c).permute(0, 5, 1, 3, 2, 4).reshape(b, c, h, w)
    return torch.roll(out, (shift, shift), (2, 3)) if shift else out


def quadrant_weights(offset: Tensor, reference: Tensor, eta: float) -> Tensor:
    """Through the host, as released: the device waits in every layer."""
    products = offset.detach().float().cpu().numpy() * reference.detach().float().cpu().numpy()
    same = np.where(products <= 0, 0, 1).prod(-1, keepdims=True)
    return torch.from_numpy(np.where(same <= 0, eta, 1.0)).float().to(offset.device)


def grid(h: int, w: int, like: Tensor) -> Tensor:
    """Centres of positions where -1 and 1 are edges, shape (h, w, 2), pairs (x, y)."""
    rows = torch.linspace(0.5, h - 0.5, h, device=like.device) / h * 2 - 1
    columns = torch.linspace(0.5, w - 0.5, w, device=like.device) / w * 2 - 1
    return torch.stack(torch.meshgrid(rows, columns, indexing="ij")[::-1], -1)


def deformable(layer: Any, x: Tensor) -> Tensor:  # noqa: ANN401
    """The released enhanced attention, step by step."""
    b, c, h, w = x.shape
    m, g, n = layer.heads, layer.groups, h * w
    q = layer.q(x)
    features = layer.offset.depthwise(q.reshape(b * g, c // g, h, w))
    offset = layer.offset.out(F.gelu(norm(layer.offset.norm, features)))
    span = torch.tensor([1.0 / w, 1.0 / h], device=x.device).reshape(1, 2, 1, 1)
    offset = (offset.tanh() * span * layer.offset_range).permute(0, 2, 3, 1)
    reference = layer.interest.conv(x).mean(0)[None].permute(0, 2, 3, 1).tanh().expand(b * g, -1, -1, -1)
    position = offset * quadrant_weights(offset, reference, layer.guidance.eta) + reference
    sampled = F.grid_sample(x.float().reshape(b * g, c // g, h, w), position.float(), align_corners=True)
    sampled = sampled.reshape(b, c, 1, n)
    q = q.reshape(b * m, c // m, n)
    k = layer.k(sampled).reshape(b * m, c // m, n)
    v = layer.v(sampled).reshape(b * m, c // m, n)
    logits = torch.einsum("bcm,bcn->bmn", q, k) * (c // m) ** -0.5
    table = layer.bias_table[None].expand(b, -1, -1, -1).reshape(b * g, m // g, 2 * h - 1, 2 * w - 1)
    query = grid(h, w, x)[None].expand(b * g, -1, -1, -1).reshape(b * g, n, 1, 2)
    displacement = (query - position.reshape(b * g, 1, n, 2)) * 0.5
    bias = F.grid_sample(table, displacement.float(), align_corners=True).reshape(b * m, n, n)
    out = torch.einsum("bmn,bcn->bcm", (logits + bias).softmax(2), v)
    mixed: Tensor = layer.out(out.reshape(b, c, h, w))
    return mixed


class PlainEAT(nn.Module):
    """The baseline around a network's own weights; no dropout, no drop path.

    Args:
        network: an EAT with the released options and ``over_batch``.
    """

    def __init__(self, network: EAT) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        """Raw outputs, shape (b, t), of images of shape (b, 3, s, s)."""
        net: Any = self.network
        x = norm(net.stem[1], net.stem[0](x))
        for stage in net.stages:
            if isinstance(stage.enter, nn.Sequential):
                x = norm(stage.enter[1], stage.enter[0](x))
            for block in stage.blocks:
                attend = windows if isinstance(block.attention, WindowAttention) else deformable
                x = x + attend(block.attention, norm(block.norm1, x))
                x = x + mlp(block.mlp, norm(block.norm2, x))
        pooled = F.adaptive_avg_pool2d(norm(net.norm, x), 1).flatten(1)
        out: Tensor = net.head(pooled)
        return out
