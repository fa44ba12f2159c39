"""PS-ViT, a transformer that moves its sampling points step by step, and the same with EAT's enhancement.

Xiaoyu Yue et al., "Vision Transformer with Progressive Sampling", ICCV 2021: the second host of EAT's
Table 8 (Shuai He et al., ACM MM 2023, section 5.3, Fig. 6; equation numbers are that paper's).

Notation: b images, c channels of a token, s side of the stem's map, n sampling points. Points are pairs
(x, y); -1 is the centre of the map's first column or row, +1 of the last, as in
:mod:`generic.eat.points`. An offset is predicted in positions of the map, 2 / (s - 1) of these units.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, cast

import torch
from huggingface_hub import PyTorchModelHubMixin
from timm.models.vision_transformer import Block
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from generic.eat.attention import sample
from generic.eat.points import Guidance, InterestPoints, Rotation, cell_grid
from generic.errors import ShapeError

STRIDE = 4
"""Pixels for each position of the stem's map."""


@dataclass(frozen=True, kw_only=True)
class PSViTConfig:
    """A PS-ViT network; the defaults are the authors' base."""

    img_size: int = 224
    """Side of the input square in pixels, a multiple of 4."""
    in_chans: int = 3
    """Channels of the input."""
    num_classes: int = 10
    """Outputs: bins of the distribution of ratings, or 1 for a score. 0 leaves the head out."""
    dim: int = 384
    """Channels of a token."""
    heads: int = 6
    """Attention heads; they divide ``dim``."""
    mlp_ratio: float = 3.0
    """Hidden channels of an MLP over ``dim``."""
    depth: int = 14
    """Encoder layers, those of the sampling steps included."""
    num_iters: int = 4
    """Sampling steps, one encoder layer each."""
    grid: int = 14
    """Points along each side of the image: n = grid^2."""
    enhanced: bool = False
    """EAT's enhancement, see :class:`Enhancement`."""
    eta: float = 0.25
    """Weight of an offset out of its point's quadrant (eq. 7). At 0 the offsets, which begin at zero and
    so in no quadrant, never begin to learn."""
    rotate: Rotation = "point"
    """What shares a random angle while training (eq. 9)."""
    drop_rate: float = 0.0
    """Probability of leaving out a feature while training."""
    attn_drop_rate: float = 0.0
    """Probability of leaving out an attention weight while training."""
    drop_path_rate: float = 0.0
    """Probability of leaving out the last layer's branches for an image while training; from 0 it grows
    with depth."""

    def __post_init__(self) -> None:
        problems = list(self._problems())
        if problems:
            raise ShapeError(f"PS-ViT cannot be built: {'; '.join(problems)}")

    def _problems(self) -> Iterator[str]:
        if self.img_size < 2 * STRIDE or self.img_size % STRIDE:
            yield f"img_size {self.img_size} is not a multiple of {STRIDE} from {2 * STRIDE} up"
        elif not 1 <= self.grid <= self.map_side:
            yield (
                f"a grid of {self.grid}x{self.grid} points does not fit the "
                f"{self.map_side}x{self.map_side} map; choose from 1 to {self.map_side}"
            )
        if min(self.dim, self.heads) < 1 or self.dim % self.heads:
            yield f"dim {self.dim} does not divide into {self.heads} heads"
        if not 1 <= self.num_iters <= self.depth:
            yield (
                f"{self.num_iters} sampling steps do not fit a depth of {self.depth}; "
                f"choose from 1 to {self.depth}"
            )

    @property
    def map_side(self) -> int:
        """Side s of the stem's map, in positions."""
        return self.img_size // STRIDE


class Bottleneck(nn.Module):
    """ResNet's block of three convolutions; the way round them is projected where channels differ."""

    def __init__(self, dim_in: int, inner: int, dim: int) -> None:
        super().__init__()
        self.reduce = nn.Sequential(nn.Conv2d(dim_in, inner, 1, bias=False), nn.BatchNorm2d(inner))
        self.mix = nn.Sequential(nn.Conv2d(inner, inner, 3, padding=1, bias=False), nn.BatchNorm2d(inner))
        self.expand = nn.Sequential(nn.Conv2d(inner, dim, 1, bias=False), nn.BatchNorm2d(dim))
        self.shortcut: nn.Module = nn.Identity()
        if dim_in != dim:
            self.shortcut = nn.Sequential(nn.Conv2d(dim_in, dim, 1, bias=False), nn.BatchNorm2d(dim))

    def forward(self, x: Tensor) -> Tensor:
        """From (b, dim_in, h, w) to (b, dim, h, w)."""
        inner = F.relu(self.mix(F.relu(self.reduce(x))))
        return F.relu(self.expand(inner) + self.shortcut(x))


def stem(in_chans: int, dim: int) -> nn.Sequential:
    """The convolutions before the points: (b, in_chans, 4s, 4s) to (b, dim, s, s)."""
    return nn.Sequential(
        nn.Conv2d(in_chans, 64, 7, stride=2, padding=3, bias=False),
        nn.BatchNorm2d(64),
        nn.ReLU(),
        nn.MaxPool2d(3, stride=2, padding=1),
        Bottleneck(64, 64, 256),
        Bottleneck(256, 64, dim),
    )


class Enhancement(nn.Module):
    """What EAT adds to PS-ViT: points from the image itself, guided offsets, positions on the map.

    The host's steps stay as they are. Points are clamped to the map after each move, instead of the tanh
    of eq. 10: that one is applied once, to points that nothing moves again. Here the tanh after each of
    three moves would pull even points that no offset moves from 0.9 to 0.55, leave the borders unseen,
    and a predicted position of the map would no longer be one. With ``eta`` 1, and as long as no point
    leaves the map, points move exactly as the plain host moves them.

    Args:
        dim: channels c of the map.
        side: s of the map.
        grid: points along each side; at most ``side``.
        eta: quadrant weight (eq. 7), in [0, 1].
        rotate: what shares one random angle while training (eq. 9).
    """

    def __init__(self, dim: int, side: int, *, grid: int, eta: float, rotate: Rotation) -> None:
        super().__init__()
        stride = side // grid
        # The one kernel that leaves as many points as the host has, and no position of the map unseen.
        self.interest = InterestPoints(dim, (side, side), k_in=side - stride * (grid - 1), stride=stride)
        self.guidance = Guidance(eta=eta, rotate=rotate)

    def forward(self, points: Tensor, offsets: Tensor) -> Tensor:
        """Move points of shape (b, 1, n, 2), in [-1, 1], by guided offsets of that shape and unit."""
        return cast("Tensor", points + self.guidance(offsets, points)).clamp(-1, 1)


class PSViT(nn.Module, PyTorchModelHubMixin):
    """Tokens sampled where the network moves its points, then a plain transformer; a citizen of timm.

    Each step reads the map at the points, adds where they are and the tokens of the step before, runs
    one encoder layer, and predicts how far each point moves before the next step. With ``enhanced`` the
    network has the same parameters and, under ``enhance.``, those of :class:`Enhancement`; weights of
    the plain network load into it with ``strict=False``. Outputs are raw, as EAT's.

    Args:
        options: fields of :class:`PSViTConfig`.

    Raises:
        ShapeError: the options contradict each other.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__()
        config = self.config = PSViTConfig(**options)
        self.num_classes = config.num_classes
        self.num_features = self.head_hidden_size = dim = config.dim
        self.grad_checkpointing = False
        rates = torch.linspace(0, config.drop_path_rate, config.depth, device="cpu").tolist()
        layers = [_layer(config, rate) for rate in rates]
        self.stem = stem(config.in_chans, dim)
        self.position = nn.Linear(2, dim)
        self.steps = nn.ModuleList(layers[: config.num_iters])
        self.offsets = nn.ModuleList(nn.Linear(dim, 2) for _ in range(config.num_iters - 1))
        self.class_token = nn.Parameter(torch.empty(1, 1, dim))
        self.blocks = nn.Sequential(*layers[config.num_iters :])
        self.norm = nn.LayerNorm(dim)
        self.head_drop = nn.Dropout(config.drop_rate)
        self.head = _head(dim, config.num_classes)
        self.apply(_init)
        nn.init.trunc_normal_(self.class_token, std=0.02)
        for offset in self.offsets:
            nn.init.zeros_(cast("nn.Linear", offset).weight)
        # Last, so that one seed gives both networks the same weights.
        self.enhance = (
            Enhancement(dim, config.map_side, grid=config.grid, eta=config.eta, rotate=config.rotate)
            if config.enhanced
            else None
        )

    @property
    def options(self) -> dict[str, Any]:
        """The keyword arguments that build this network again, ready for JSON."""
        return asdict(self.config)

    # ---- what timm asks of a model ----

    @torch.jit.ignore  # type: ignore[untyped-decorator]
    def no_weight_decay(self) -> set[str]:
        """Parameters that weight decay would pull towards nothing useful."""
        return {"class_token", *(name for name, _ in self.named_parameters() if name.endswith(".start"))}

    @torch.jit.ignore  # type: ignore[untyped-decorator]
    def group_matcher(self, *, coarse: bool = False) -> dict[str, Any]:
        """Layers in order, for layer-wise rates: stem, steps and blocks if ``coarse``, else each one."""
        first = r"^(?:stem|enhance|position)\."
        if coarse:
            return {
                "stem": first,
                "steps": r"^(?:steps|offsets)\.",
                "blocks": r"^(?:class_token|blocks|norm)",
            }
        return {
            "stem": first,
            "steps": r"^(?:steps|offsets)\.(\d+)",
            "blocks": [(r"^class_token", (0,)), (r"^blocks\.(\d+)", None), (r"^norm", (99999,))],
        }

    @torch.jit.ignore  # type: ignore[untyped-decorator]
    def set_grad_checkpointing(self, enable: bool = True) -> None:
        """Keep only the layers' inputs while training, and compute the rest again: less memory, more time."""
        self.grad_checkpointing = enable

    @torch.jit.ignore  # type: ignore[untyped-decorator]
    def get_classifier(self) -> nn.Module:
        """The last layer."""
        return self.head

    def reset_classifier(self, num_classes: int, global_pool: str | None = None) -> None:
        """Replace the last layer by a fresh one; 0 outputs leave it out.

        Raises:
            ShapeError: a pooling other than the class token.
        """
        if global_pool not in (None, "token"):
            raise ShapeError(f"PS-ViT reads its class token, not {global_pool!r}; leave global_pool out")
        self.num_classes = num_classes
        self.head = _head(self.num_features, num_classes)

    # ---- the network ----

    def _enter(self, x: Tensor) -> Tensor:
        size, chans = self.config.img_size, self.config.in_chans
        if x.ndim != 4 or tuple(x.shape[1:]) != (chans, size, size):
            raise ShapeError(
                f"this PS-ViT takes images of shape (b, {chans}, {size}, {size}), got {tuple(x.shape)}; "
                f"resize them, or build one with another img_size"
            )
        return cast("Tensor", self.stem(x.contiguous(memory_format=torch.channels_last)))

    def _start(self, features: Tensor) -> Tensor:
        """Points before any move, shape (b, 1, n, 2): the centres of equal cells, or the image's own."""
        if self.enhance is not None:
            return cast("Tensor", self.enhance.interest(features))
        grid, side = self.config.grid, self.config.map_side
        # Coordinates keep at least float32, as in `sample`.
        like = features.new_zeros((), dtype=torch.promote_types(features.dtype, torch.float32))
        cells = cell_grid((grid, grid), (side, side), like=like)
        return cells.reshape(1, 1, -1, 2).expand(len(features), -1, -1, -1)

    def _move(self, points: Tensor, offsets: Tensor) -> Tensor:
        """Points (b, 1, n, 2) moved by offsets (b, n, 2) in positions of the map."""
        moves = offsets[:, None].to(points.dtype) * (2 / (self.config.map_side - 1))
        return points + moves if self.enhance is None else cast("Tensor", self.enhance(points, moves))

    def _share(self, points: Tensor) -> Tensor:
        """Where points (b, 1, n, 2) are, from 0 at the map's left or upper edge to 1: shape (b, n, 2)."""
        side = self.config.map_side
        return (points[:, 0] * ((side - 1) / side) + 1) / 2

    def _run(self, layer: nn.Module, tokens: Tensor) -> Tensor:
        if self.grad_checkpointing and torch.is_grad_enabled():
            return cast("Tensor", checkpoint(layer, tokens, use_reentrant=False))
        return cast("Tensor", layer(tokens))

    def _sample(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Tokens (b, n, c) after the last step, and every step's points (b, 1, n, 2)."""
        features = self._enter(x)
        visited = [self._start(features)]
        tokens = features.new_zeros(())
        for index, step in enumerate(self.steps):
            if index > 0:
                visited.append(self._move(visited[-1], self.offsets[index - 1](tokens)))
            points = visited[-1]
            # The loss shapes where a point goes through what it finds there, not through its address.
            place = self.position(self._share(points.detach()).to(features.dtype))
            tokens = self._run(step, sample(features, points).transpose(1, 2) + place + tokens)
        return tokens, visited

    def sampling_points(self, x: Tensor) -> list[Tensor]:
        """Where each step samples the map, shape (b, n, 2) each, for images (b, 3, img_size, img_size).

        The network stays in its mode: while it trains, guided offsets turn at random.

        Raises:
            ShapeError: images of another size.
        """
        return [points[:, 0] for points in self._sample(x)[1]]

    def forward_features(self, x: Tensor) -> Tensor:
        """Normalised tokens (b, 1 + n, c), the class token first, of images (b, 3, img_size, img_size).

        Raises:
            ShapeError: images of another size.
        """
        tokens, _ = self._sample(x)
        tokens = torch.cat((self.class_token.expand(len(tokens), -1, -1), tokens), 1)
        for block in self.blocks:
            tokens = self._run(block, tokens)
        return cast("Tensor", self.norm(tokens))

    def forward_head(self, x: Tensor, pre_logits: bool = False) -> Tensor:
        """Outputs (b, num_classes) of normalised tokens; with ``pre_logits`` the class token, (b, c)."""
        x = self.head_drop(x[:, 0])
        return x if pre_logits else cast("Tensor", self.head(x))

    def forward(self, x: Tensor) -> Tensor:
        """Raw outputs, shape (b, num_classes), of normalised images of shape (b, 3, img_size, img_size)."""
        return self.forward_head(self.forward_features(x))


def _head(dim: int, num_classes: int) -> nn.Module:
    return nn.Linear(dim, num_classes) if num_classes > 0 else nn.Identity()


def _layer(config: PSViTConfig, drop_path: float) -> Block:
    return Block(
        config.dim,
        config.heads,
        config.mlp_ratio,
        proj_drop=config.drop_rate,
        attn_drop=config.attn_drop_rate,
        drop_path=drop_path,
        norm_layer=nn.LayerNorm,
    )


def _init(module: nn.Module) -> None:
    """Truncated normal weights of linear layers, He's of convolutions."""
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
