"""``piaa-lite``: an EfficientNet-Lite stem, EAT stages, and heads for the score and the embedding.

The stem's blocks are tapped: mean and standard deviation over positions of every block output
from ``first_tap`` on say what is in a photo and how it looks. They are projected to the embedding,
on which a kernel head (Gaussian kernel, one centre per training photo) gives the score. EAT stages
attend over the stride-16 and the stride-32 map and add what pooling cannot see.

Notation: b images, c channels, d embedding size, s centres of the kernel head.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import numpy as np
import timm
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from generic.eat.attention import DeformableAttention
from generic.eat.layers import Block, Mlp

STEM = "tf_efficientnet_lite2"
FIRST_TAP = 4
"""Index of the first stage whose blocks are tapped; it is the stride-16 map's stage."""
_ROWS = 4
"""Rows that a matrix product has at least, filled up with zeros."""


def moments(x: Tensor) -> Tensor:
    """Mean and standard deviation over positions, shape (b, 2c), of a map of shape (b, c, h, w)."""
    flat = x.float().flatten(2)
    return torch.cat((flat.mean(2), flat.var(2, correction=0).add(1e-6).sqrt()), 1)


class Stem(nn.Module):
    """An EfficientNet of timm without its classifier, tapped at every late block."""

    def __init__(self) -> None:
        super().__init__()
        net = cast("Any", timm.create_model(STEM, num_classes=0))
        self.conv_stem: nn.Module = net.conv_stem
        self.bn1: nn.Module = net.bn1
        self.blocks: nn.Sequential = net.blocks
        self.conv_head: nn.Module = net.conv_head
        self.bn2: nn.Module = net.bn2

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Features of photos.

        Args:
            x: shape (b, 3, size, size), RGB in [-1, 1].

        Returns:
            pooled moments (b, taps), the stride-16 map, the stride-32 map.
        """
        x = self.bn1(self.conv_stem(x))
        taps = []
        middle = x
        for index, stage in enumerate(self.blocks):
            for block in cast("nn.Sequential", stage):
                x = block(x)
                if index >= FIRST_TAP:
                    taps.append(moments(x))
            if index == FIRST_TAP:
                middle = x
        before = self.conv_head(x)
        taps += [moments(before), moments(self.bn2(before))]
        return torch.cat(taps, 1), middle, x


class EATBranch(nn.Module):
    """EAT stages over the stem's two coarsest maps.

    Args:
        channels: of the stride-16 and the stride-32 map.
        sizes: side of each map.
        dims: width of each stage.
        k_in: interest kernel of the stride-16 stage; 8 leaves (side - 7)^2 points.
        drop_path: see :class:`generic.eat.layers.Block`.
    """

    def __init__(
        self,
        channels: tuple[int, int],
        sizes: tuple[int, int],
        dims: tuple[int, int],
        *,
        k_in: int,
        drop_path: float = 0.1,
    ) -> None:
        super().__init__()
        self.enter = nn.ModuleList(nn.Conv2d(c, d, 1) for c, d in zip(channels, dims, strict=True))
        self.stages = nn.ModuleList(
            Block(
                DeformableAttention(dim, (side, side), heads=dim // 32, k_in=kernel),
                dim,
                Mlp(dim, 2 * dim),
                drop_path=drop_path,
            )
            for dim, side, kernel in zip(dims, sizes, (k_in, 1), strict=True)
        )
        self.norm = nn.LayerNorm(sum(dims))

    def forward(self, middle: Tensor, last: Tensor) -> Tensor:
        """Attended features, shape (b, sum(dims)), of the stride-16 and the stride-32 map."""
        pooled = [
            stage(enter(x)).mean((2, 3))
            for x, enter, stage in zip((middle, last), self.enter, self.stages, strict=True)
        ]
        normed: Tensor = self.norm(torch.cat(pooled, 1))
        return normed


class KernelHead(nn.Module):
    """A Gaussian-kernel expansion: sum over centres of weight * exp(-gamma * |z - centre|^2).

    Kernel ridge regression gives the weights in closed form (see ``generic/train_lite.py``); here they
    are a layer like any other. ``gamma`` is in units of the mean squared length of training
    embeddings, to which ``scale`` divides.
    """

    def __init__(self, n_centres: int, dim: int) -> None:
        super().__init__()
        self.centres = nn.Parameter(torch.zeros(n_centres, dim))
        self.weights = nn.Parameter(torch.zeros(n_centres))
        self.gamma = nn.Parameter(torch.ones(()))
        self.offset = nn.Parameter(torch.zeros(()))

    def forward(self, z: Tensor) -> Tensor:
        """Scores, shape (b,), of embeddings, shape (b, d)."""
        # Squared distances through the product: (b, s), never (b, s, d).
        squares = (z**2).sum(1, keepdim=True) + (self.centres**2).sum(1) - 2 * z @ self.centres.T
        return torch.exp(-self.gamma * squares.clamp(min=0)) @ self.weights + self.offset


class PiaaLite(nn.Module):
    """The embedded default.

    Args:
        size: side of the input square in pixels; a multiple of 32.
        taps: number of pooled stem features.
        n_embedding: d.
        n_centres: s.
        eat_dims: widths of the two EAT stages.
        k_in: interest kernel of the stride-16 stage.
    """

    def __init__(
        self,
        *,
        size: int,
        taps: int,
        n_embedding: int,
        n_centres: int,
        eat_dims: tuple[int, int],
        k_in: int,
    ) -> None:
        super().__init__()
        self.stem = Stem()
        self.register_buffer("tap_mean", torch.zeros(taps))
        self.project = nn.Linear(taps, n_embedding, bias=False)
        self.register_buffer("whiten", torch.ones(n_embedding))
        self.kernel = KernelHead(n_centres, n_embedding)
        self.eat = EATBranch((120, 352), (size // 16, size // 32), eat_dims, k_in=k_in)
        self.eat_head = nn.Linear(sum(eat_dims), 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Score and embed photos.

        Args:
            x: shape (b, 3, size, size), RGB in [-1, 1].

        Returns:
            unit scores (b,), not confined to [0, 1], and the embedding (b, d), each direction of
            unit variance over the training photos, the widest first.
        """
        taps, middle, last = self.stem(x)
        attended = self.eat(middle, last)
        # Products of one to three rows are summed in another order than those of more.
        b, filling = len(x), (0, 0, 0, max(0, _ROWS - len(x)))
        z = self.project(nn.functional.pad(taps - self.tap_mean, filling))
        score = self.kernel(z) + self.eat_head(nn.functional.pad(attended, filling))[:, 0]
        return score[:b], (z * self.whiten)[:b]


def fold_batch_norms(network: PiaaLite) -> PiaaLite:
    """Fold every batch norm of the stem into the convolution before it; exact in evaluation mode."""
    stem = network.stem
    for block in [block for stage in stem.blocks for block in cast("nn.Sequential", stage)]:
        separable = not hasattr(block, "conv_pwl")  # depthwise first, no expansion
        pairs = (("conv_dw", "bn1"), ("conv_pw", "bn2")) if separable else _INVERTED
        for conv, norm in pairs:
            _fold(block, conv, norm)
    _fold(stem, "conv_stem", "bn1")
    return network


_INVERTED = (("conv_pw", "bn1"), ("conv_dw", "bn2"), ("conv_pwl", "bn3"))


def _fold(module: nn.Module, conv: str, norm: str) -> None:
    batch_norm = getattr(module, norm)
    setattr(module, conv, fuse_conv_bn_eval(getattr(module, conv).eval(), batch_norm.eval()))
    setattr(module, norm, batch_norm.act)


_RENAMED = (
    (".attention.point_start", ".attention.interest.start"),
    (".attention.interest.weight", ".attention.interest.conv.weight"),
    (".attention.interest.bias", ".attention.interest.conv.bias"),
    (".attention.offset_", ".attention.offset."),
    (".mlp.0.", ".mlp.expand."),
    (".mlp.2.", ".mlp.reduce."),
)
"""Names of EAT's layers in model files of 0.1, and now."""


def _current_name(name: str) -> str:
    for before, now in _RENAMED:
        name = name.replace(before, now) if name.startswith("eat.") else name
    return name


def build(architecture: Mapping[str, Any], state: Mapping[str, NDArray[Any]]) -> PiaaLite:
    """The network of a model file, ready to score.

    Args:
        architecture: the header's; ``kind`` aside, the arguments of :class:`PiaaLite`.
        state: the network's tensors with batch norms folded, in any float type.

    Raises:
        RuntimeError: tensors that do not fit.
        TypeError: an argument that the network does not have, or one that is missing.
    """
    options = {key: value for key, value in architecture.items() if key != "kind"}
    tensors = {_current_name(key): torch.from_numpy(value.astype(np.float32)) for key, value in state.items()}
    with torch.device("meta"):  # no random start that the file would overwrite
        network = fold_batch_norms(PiaaLite(**options))
    network.load_state_dict(tensors, assign=True)
    return network.eval().requires_grad_(requires_grad=False).to(memory_format=torch.channels_last)
