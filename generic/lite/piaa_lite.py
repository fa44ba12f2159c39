"""``piaa-lite``: two EfficientNet-Lite stems, one frozen, one tuned with EAT stages on it, and heads.

The frozen one says what is in a photo and how it looks: mean and standard deviation over positions of every
block output from ``FIRST_TAP`` on are projected to the embedding, on which a kernel head (Gaussian kernel,
one centre per training photo) gives one score. The tuned one is frozen up to its stride-16 map; its late
stages, and EAT stages that attend over the stride-16 and the stride-32 map, are trained on scores and give
another. The score is their sum.

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

FROZEN = "tf_efficientnet_lite1"
TUNED = "tf_efficientnet_lite2"
FIRST_TAP = 4
"""Index of the first stage whose blocks are tapped; it is the stride-16 map's stage."""
_ROWS = 4
"""Rows that a matrix product has at least, filled up with zeros."""


def smaller(x: Tensor, size: int) -> Tensor:
    """Images (b, 3, h, w) as squares of ``size`` pixels, without aliasing."""
    return nn.functional.interpolate(x, (size, size), mode="bilinear", antialias=True, align_corners=False)


def moments(x: Tensor) -> Tensor:
    """Mean and standard deviation over positions, shape (b, 2c), of a map of shape (b, c, h, w)."""
    flat = x.float().flatten(2)
    return torch.cat((flat.mean(2), flat.var(2, correction=0).add(1e-6).sqrt()), 1)


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
        """Maps of the last stage's blocks, of images (b, 3, size, size) in [-1, 1]; stride 16."""
        x = self.bn1(self.conv_stem(x))
        for stage in self.stages[:FIRST_TAP]:
            x = stage(x)
        maps = [x]
        for block in self.tapped():
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
    """

    def __init__(self, frozen_size: int) -> None:
        super().__init__()
        self.frozen_size = frozen_size
        self.frozen_early = Early(FROZEN)
        self.frozen_late = Late(FROZEN)
        self.early = Early(TUNED)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Features of photos.

        Args:
            x: shape (b, 3, size, size), RGB in [-1, 1].

        Returns:
            pooled moments of the whole network's late blocks (b, taps), the other's stride-16 map.
        """
        maps = self.frozen_early(smaller(x, self.frozen_size))
        maps += self.frozen_late(maps[-1])
        return torch.cat([moments(each) for each in maps], 1), self.early(x)[-1]


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


class TunedBranch(nn.Module):
    """The stem's late stages, tuned for aesthetics, and EAT stages over the maps before and after them.

    Args:
        size: see :class:`PiaaLite`.
        eat_dims: see :class:`PiaaLite`.
        k_in: see :class:`PiaaLite`.
        n_out: numbers that the heads give for a photo, the score first.
    """

    def __init__(self, *, size: int, eat_dims: tuple[int, int], k_in: int, n_out: int = 1) -> None:
        super().__init__()
        self.late = Late(TUNED)
        self.eat = EATBranch((120, 352), (size // 16, size // 32), eat_dims, k_in=k_in)
        self.out = nn.Linear(1280, n_out)
        self.eat_out = nn.Linear(sum(eat_dims), n_out)

    def features(self, middle: Tensor) -> tuple[Tensor, Tensor]:
        """Pooled features (b, 1280) and attended features (b, sum(eat_dims)) of a stride-16 map."""
        *_, last, _, head = self.late(middle)
        return head.float().mean((2, 3)), self.eat(middle, last)

    def forward(self, middle: Tensor) -> Tensor:
        """Shape (b, n_out), of a stride-16 map."""
        pooled, attended = (_filled(x) for x in self.features(middle))
        both: Tensor = self.out(pooled) + self.eat_out(attended)
        return both[: len(middle)]


def _filled(x: Tensor) -> Tensor:
    """At least ``_ROWS`` rows: products of one to three are summed in another order than those of more."""
    return nn.functional.pad(x, (0, 0, 0, max(0, _ROWS - len(x))))


class KernelHead(nn.Module):
    """A Gaussian-kernel expansion: sum over centres of weight * exp(-gamma * |z - centre|^2).

    Kernel ridge regression gives the weights in closed form (see ``generic/lite/train.py``); here they
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
        frozen_size: side of the smaller square that the frozen network sees; a multiple of 32.
        taps: number of pooled features of the frozen network.
        n_embedding: d.
        n_centres: s.
        eat_dims: widths of the two EAT stages.
        k_in: interest kernel of the stride-16 stage.
    """

    def __init__(
        self,
        *,
        size: int,
        frozen_size: int,
        taps: int,
        n_embedding: int,
        n_centres: int,
        eat_dims: tuple[int, int],
        k_in: int,
    ) -> None:
        super().__init__()
        self.stem = Stem(frozen_size)
        self.register_buffer("tap_mean", torch.zeros(taps))
        self.project = nn.Linear(taps, n_embedding, bias=False)
        self.register_buffer("whiten", torch.ones(n_embedding))
        self.kernel = KernelHead(n_centres, n_embedding)
        self.tuned = TunedBranch(size=size, eat_dims=eat_dims, k_in=k_in)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Score and embed photos.

        Args:
            x: shape (b, 3, size, size), RGB in [-1, 1].

        Returns:
            unit scores (b,), not confined to [0, 1], and the embedding (b, d), each direction of
            unit variance over the training photos, the widest first.
        """
        taps, middle = self.stem(x)
        z = self.project(_filled(taps - self.tap_mean))
        score = self.kernel(z)[: len(x)] + self.tuned(middle)[:, 0]
        return score, (z * self.whiten)[: len(x)]


def fold_batch_norms(network: PiaaLite) -> PiaaLite:
    """Fold batch norms into the convolutions before them; exact in evaluation mode."""
    for part in (network.stem.frozen_early, network.stem.frozen_late, network.stem.early):
        fold(part)
    fold(network.tuned.late)
    fold_head(network.tuned.late)
    return network


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
    tensors = {key: torch.from_numpy(value.astype(np.float32)) for key, value in state.items()}
    with torch.device("meta"):  # no random start that the file would overwrite
        network = fold_batch_norms(PiaaLite(**options))
    network.load_state_dict(tensors, assign=True)
    return network.eval().requires_grad_(requires_grad=False).to(memory_format=torch.channels_last)
