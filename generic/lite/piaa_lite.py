"""``piaa-lite``: two EfficientNet-Lite stems, one frozen, one tuned with EAT stages on it, and heads.

The frozen one says what is in a photo and how it looks: mean and standard deviation over positions of every
block output from ``FIRST_TAP`` on are projected to the embedding, on which a kernel head (Gaussian kernel,
one centre per training photo) gives one score. The tuned one is frozen up to its stride-16 map; its late
stages, and EAT stages that attend over the stride-16 and the stride-32 map, are trained on scores and give
another. The score is their sum.

A model may also ask an expert, a network that learned from AVA (:mod:`generic.lite.mobile_net`): its score is
a part of the score and of the embedding. And the embedding may end in a sketch (:mod:`generic.lite.sketch`)
of the moments of both stems' block outputs from ``FIRST_TAP`` on, the tuned ones too, for what the own
directions of the embedding do not keep. Finer maps and the expert's were measured: they add nothing to it,
and cost more time than the expert itself (``benchmarks/lite3_study.py``).

Notation: b images, c channels, d embedding size, s centres of the kernel head.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from generic.eat.attention import DeformableAttention
from generic.eat.layers import Block, Mlp
from generic.lite.sketch import Sketch
from generic.lite.stems import TUNED, Late, Stem, fold, fold_head, pooled
from generic.parts import AVA, RICHER

_ROWS = 4
"""Rows that a matrix product has at least, filled up with zeros."""


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
        return self._features(middle, self.late(middle))

    def forward(self, middle: Tensor) -> Tensor:
        """Shape (b, n_out), of a stride-16 map."""
        return self.look(middle)[0]

    def look(self, middle: Tensor) -> tuple[Tensor, list[Tensor]]:
        """As :meth:`forward`, and the maps of every late block."""
        maps = self.late(middle)
        pooled, attended = (_filled(x) for x in self._features(middle, maps))
        both: Tensor = self.out(pooled) + self.eat_out(attended)
        return both[: len(middle)], maps

    def _features(self, middle: Tensor, maps: list[Tensor]) -> tuple[Tensor, Tensor]:
        *_, last, _, head = maps
        return head.float().mean((2, 3)), self.eat(middle, last)


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


class Standard(nn.Module):
    """The expert's score, of mean 0 and variance 1 over the training photos."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(()))
        self.register_buffer("deviation", torch.ones(()))
        self.register_buffer("weight", torch.zeros(()))

    def forward(self, score: Tensor) -> Tensor:
        """Shape (b,), of scores (b,) in [0, 1]."""
        return (score - cast("Tensor", self.mean)) / cast("Tensor", self.deviation)


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
        features: number of pooled features that are sketched, if there is a sketch.
        parts: of the embedding, see :mod:`generic.parts`; None: directions alone.
    """

    closed_form: ClassVar[tuple[str, ...]] = ("project", "kernel")
    """Children whose weights were worked out and not learned by steps (see ``generic/lite/train.py``). Their
    numbers are of the scale of thousands of moments, and none is small beside a step that suits a filter."""

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
        features: int = 0,
        parts: Mapping[str, int] | None = None,
    ) -> None:
        super().__init__()
        known = parts or {}
        self.stem = Stem(frozen_size, expert=AVA in known, sketched=RICHER in known)
        self.register_buffer("tap_mean", torch.zeros(taps))
        self.project = nn.Linear(taps, n_embedding, bias=False)
        self.register_buffer("whiten", torch.ones(n_embedding))
        self.kernel = KernelHead(n_centres, n_embedding)
        self.tuned = TunedBranch(size=size, eat_dims=eat_dims, k_in=k_in)
        self.expert = Standard() if AVA in known else None
        self.sketch = Sketch(features, known[RICHER]) if RICHER in known else None

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Score and embed photos.

        Args:
            x: shape (b, 3, size, size), RGB in [-1, 1].

        Returns:
            unit scores (b,), not confined to [0, 1], and the embedding (b, d): directions, each of unit
            variance over the training photos, the widest first; before them the expert's score, of unit
            variance too, and behind them the sketch, where there are such.
        """
        taps, middle, *further = self.stem(x)  # or by what stands in for it: x may be photos' numbers
        z = self.project(_filled(taps - cast("Tensor", self.tap_mean)))
        tuned, late = self.tuned.look(middle)
        score = self.kernel(z)[: len(x)] + tuned[:, 0]
        parts = [(z * self.whiten)[: len(x)]]
        if self.expert is not None:
            expert = self.expert(further[-1])
            score = score + cast("Tensor", self.expert.weight) * expert
            parts.insert(0, expert[:, None])
        if self.sketch is not None:
            parts.append(self.sketch(torch.cat((taps, further[0], pooled(late)), 1)))
        return score, torch.cat(parts, 1)


def fold_batch_norms(network: PiaaLite) -> PiaaLite:
    """Fold batch norms into the convolutions before them; exact in evaluation mode."""
    for part in (network.stem.frozen_early, network.stem.frozen_late, network.stem.early):
        fold(part)
    fold(network.tuned.late)
    fold_head(network.tuned.late)
    return network


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
    tensors = {key: torch.from_numpy(_single(value)) for key, value in state.items()}
    with torch.device("meta"):  # no random start that the file would overwrite
        network = fold_batch_norms(PiaaLite(**options))
    network.load_state_dict(tensors, assign=True)
    return network.eval().requires_grad_(requires_grad=False).to(memory_format=torch.channels_last)


def _single(array: NDArray[Any]) -> NDArray[Any]:
    """A copy in single precision, since a file's arrays may be read-only; places are no such numbers."""
    return array.astype(np.int64 if array.dtype == np.int64 else np.float32)
