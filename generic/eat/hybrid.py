"""EAT stages on any timm model: small enough for a CPU, with that model's ImageNet weights.

Each of the stem's coarsest maps enters an EAT stage of its own through a 1x1 convolution; the stages'
outputs are averaged over positions and joined. The blocks are those of Shuai He et al., "EAT: An Enhancer
for Aesthetics-Oriented Transformers", ACM MM 2023, section 4.1; the stem and the joining are ours.

Importing this module registers ``eat_lite`` with timm; :mod:`generic.eat` does.

Notation: b images, c channels, h, w size of a map.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any, cast

import torch
from timm.data import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD
from timm.models import build_model_with_cfg, generate_default_cfgs, register_model
from torch import Tensor, nn

from generic.eat.attention import DeformableAttention
from generic.eat.eat import Stage
from generic.eat.layers import Block, Mlp
from generic.eat.stems import Stem, nchw, open_stem
from generic.errors import ShapeError

HEAD_DIM = 32
"""Channels of an attention head, as in the paper's networks."""


class EATLite(nn.Module):
    """EAT stages over a stem's coarsest maps.

    An image's outputs depend on that image alone in evaluation mode; while training, a stem with batch
    norms mixes its batch.

    Args:
        stem: any timm model with ``features_only``.
        img_size: side of the input square in pixels, or (height, width).
        in_chans: channels of the input.
        num_classes: outputs; 0 leaves the head out.
        layers: EAT blocks on each tapped map, the finest first; as many maps are tapped, from the coarsest.
        dims: channels of each stage; None: those of its map, to a multiple of 32 from 32 to 256.
        heads: attention heads, one number or one a stage; None: a head for every 32 channels, at least one.
        groups: offset groups, one number or one a stage.
        k_in: interest kernel, one number or one a stage, clipped to the map's shorter side; None: the one
            that leaves 7 points along that side, as at 14 x 14 and 7 x 7 in the paper, or 1 on smaller maps.
        drop_path_rate: probability of leaving out the last block's branches for an image while training;
            from 0 it grows with depth.
        pretrained_stem: fetch the stem's published weights from timm's hub.
        stem_weights: read them from this file instead, see :func:`generic.eat.stems.open_stem`.

    Raises:
        ShapeError: an unknown stem or one without maps, an ``img_size`` that the stem cannot take or that
            leaves a map of one row or column, or numbers that contradict each other.
        CheckpointError: weights that cannot be had, or do not fit.
    """

    def __init__(
        self,
        stem: str = "mobilenetv3_small_050",
        *,
        img_size: int | tuple[int, int],
        in_chans: int = 3,
        num_classes: int = 1,
        layers: Sequence[int] = (2, 2),
        dims: Sequence[int] | None = None,
        heads: Sequence[int] | int | None = None,
        groups: Sequence[int] | int = 1,
        k_in: Sequence[int] | int | None = None,
        drop_path_rate: float = 0.0,
        pretrained_stem: bool = False,
        stem_weights: Path | None = None,
    ) -> None:
        super().__init__()
        h, w = (img_size, img_size) if isinstance(img_size, int) else img_size
        _check(layers, dims=dims, heads=heads, groups=groups, k_in=k_in)
        opened = open_stem(
            stem, len(layers), (h, w), in_chans=in_chans, pretrained=pretrained_stem, weights=stem_weights
        )
        _check_sizes(stem, (h, w), opened)
        widths = [_default_dim(c) for c in opened.channels] if dims is None else list(dims)
        points = [_default_kernel(size) for size in opened.sizes] if k_in is None else _each(k_in, layers)
        kernels = [min(k, *size) for k, size in zip(points, opened.sizes, strict=True)]
        per_stage = [max(dim // HEAD_DIM, 1) for dim in widths] if heads is None else _each(heads, layers)

        self.options: dict[str, Any] = {
            "stem": stem,
            "img_size": (h, w),
            "in_chans": in_chans,
            "num_classes": num_classes,
            "layers": tuple(layers),
            "dims": tuple(widths),
            "heads": tuple(per_stage),
            "groups": tuple(_each(groups, layers)),
            "k_in": tuple(kernels),
            "drop_path_rate": drop_path_rate,
        }
        """The keyword arguments that build this network again, ready for JSON; without the weights."""
        self.preprocessing = opened.preprocessing
        """``mean`` and ``std`` that images are normalised with."""
        self.num_classes = num_classes
        self.num_features = self.head_hidden_size = sum(widths)
        self.stem = opened.network
        rates = iter(torch.linspace(0, drop_path_rate, sum(layers), device="cpu").tolist())
        self.stages = nn.ModuleList(
            _stage(
                index,
                nn.Conv2d(opened.channels[index], dim, 1),
                opened.sizes[index],
                dim=dim,
                heads=per_stage[index],
                groups=_each(groups, layers)[index],
                k_in=kernels[index],
                drop_path=list(islice(rates, layers[index])),
            )
            for index, dim in enumerate(widths)
        )
        self.norm = nn.LayerNorm(self.num_features)
        self.head = _head(self.num_features, num_classes)

    # ---- what timm asks of a model ----

    @torch.jit.ignore  # type: ignore[untyped-decorator]
    def no_weight_decay(self) -> set[str]:
        """Parameters that weight decay would pull towards nothing useful: position tables, point starts."""
        endings = ("bias_table", "interest.start", "pos_embed")
        return {name for name, _ in self.named_parameters() if name.endswith(endings)}

    @torch.jit.ignore  # type: ignore[untyped-decorator]
    def group_matcher(self, *, coarse: bool = False) -> dict[str, Any]:
        """Layers in order, for layer-wise learning rates: the stem, then each block, or all EAT stages."""
        if coarse:
            return {"stem": r"^stem", "blocks": [(r"^stages", (0,)), (r"^norm", (99999,))]}
        return {
            "stem": r"^stem",
            "blocks": [
                (r"^stages\.\d+\.enter", (0,)),
                (r"^stages\.\d+\.blocks\.(\d+)", None),
                (r"^norm", (99999,)),
            ],
        }

    @torch.jit.ignore  # type: ignore[untyped-decorator]
    def set_grad_checkpointing(self, enable: bool = True) -> None:
        """Keep only the blocks' inputs while training, and compute the rest again: less memory, more time.

        The stem takes part where timm can do it.
        """
        inner = getattr(self.stem, "model", self.stem)
        if hasattr(inner, "set_grad_checkpointing"):
            cast("Any", inner).set_grad_checkpointing(enable)
        for stage in self.stages:
            cast("Stage", stage).grad_checkpointing = enable

    @torch.jit.ignore  # type: ignore[untyped-decorator]
    def get_classifier(self) -> nn.Module:
        """The last layer."""
        return self.head

    def reset_classifier(self, num_classes: int) -> None:
        """Replace the last layer by a fresh one; 0 outputs leave it out."""
        self.num_classes = self.options["num_classes"] = num_classes
        self.head = _head(self.num_features, num_classes)

    # ---- the network ----

    def forward_features(self, x: Tensor) -> Tensor:
        """Pooled and normalised features, shape (b, sum(dims)), the finest map's first.

        Args:
            x: normalised images, shape (b, in_chans, *img_size).

        Raises:
            ShapeError: images of another size.
        """
        expected = (self.options["in_chans"], *self.options["img_size"])
        if x.ndim != 4 or tuple(x.shape[1:]) != expected:
            raise ShapeError(
                f"this EATLite takes images of shape (b, {', '.join(map(str, expected))}), got "
                f"{tuple(x.shape)}; resize them, or build one with another img_size"
            )
        pooled = [
            stage(features.contiguous(memory_format=torch.channels_last)).mean((2, 3))
            for features, stage in zip(nchw(self.stem, x), self.stages, strict=True)
        ]
        return cast("Tensor", self.norm(torch.cat(pooled, 1)))

    def forward_head(self, x: Tensor, pre_logits: bool = False) -> Tensor:
        """Outputs (b, num_classes) of :meth:`forward_features`; with ``pre_logits`` those features."""
        return x if pre_logits else cast("Tensor", self.head(x))

    def forward(self, x: Tensor) -> Tensor:
        """Raw outputs, shape (b, num_classes), of normalised images of shape (b, in_chans, *img_size)."""
        return self.forward_head(self.forward_features(x))


def _head(dim: int, num_classes: int) -> nn.Module:
    return nn.Linear(dim, num_classes) if num_classes > 0 else nn.Identity()


def _stage(
    index: int,
    enter: nn.Module,
    size: tuple[int, int],
    *,
    dim: int,
    heads: int,
    groups: int,
    k_in: int,
    drop_path: Sequence[float],
) -> Stage:
    try:
        blocks = [
            Block(
                DeformableAttention(dim, size, heads=heads, groups=groups, k_in=k_in),
                dim,
                Mlp(dim, 2 * dim),
                drop_path=rate,
            )
            for rate in drop_path
        ]
    except ShapeError as error:
        raise ShapeError(f"EATLite stage {index + 1}: {error}") from error
    return Stage(enter, nn.Identity(), nn.Sequential(*blocks))


def _each(value: Sequence[int] | int, layers: Sequence[int]) -> list[int]:
    return [value] * len(layers) if isinstance(value, int) else list(value)


def _default_dim(channels: int) -> int:
    return max(HEAD_DIM, min(256, (channels + HEAD_DIM // 2) // HEAD_DIM * HEAD_DIM))


def _default_kernel(size: tuple[int, int]) -> int:
    return max(min(size) - 6, 1)


def _check(layers: Sequence[int], **per_stage: Sequence[int] | int | None) -> None:
    problems = []
    if not layers or min(layers) < 1:
        problems.append(f"layers {tuple(layers)} must name at least one map, and one block or more for each")
    problems += [
        f"{name} has {len(value)} values for {len(layers)} stages"
        for name, value in per_stage.items()
        if isinstance(value, Sequence) and len(value) != len(layers)
    ]
    if problems:
        raise ShapeError(f"EATLite cannot be built: {'; '.join(problems)}")


def _check_sizes(name: str, img_size: tuple[int, int], stem: Stem) -> None:
    for h, w in stem.sizes:
        if min(h, w) < 2:
            least = 2 * stem.reduction
            larger = tuple(
                max(least, 2 * side) if n < 2 else side for side, n in zip(img_size, (h, w), strict=True)
            )
            raise ShapeError(
                f"stem {name!r} has a map of {h}x{w} at images of {img_size[0]}x{img_size[1]} pixels, where "
                f"attention has nothing to choose from; choose a larger img_size, such as {larger}"
            )


# ---- timm's registry ----

default_cfgs = generate_default_cfgs(
    {
        "eat_lite": {
            "num_classes": 1,
            "input_size": (3, 224, 224),
            "fixed_input_size": True,
            # Cropping would change what is judged: photos are resized as they are.
            "crop_pct": 1.0,
            "crop_mode": "squash",
            "interpolation": "bicubic",
            "mean": IMAGENET_DEFAULT_MEAN,
            "std": IMAGENET_DEFAULT_STD,
            "classifier": "head",
            "license": "apache-2.0",
        }
    }
)


@register_model
def eat_lite(pretrained: bool = False, **kwargs: Any) -> EATLite:
    """``timm.create_model("eat_lite", stem=..., img_size=...)``: options of :class:`EATLite`."""
    network: EATLite = build_model_with_cfg(EATLite, "eat_lite", pretrained, **kwargs)
    # Images are prepared for the stem that was chosen, not for the default one.
    size = (network.options["in_chans"], *network.options["img_size"])
    cfg = {**cast("Any", network).pretrained_cfg, **network.preprocessing, "input_size": size}
    cast("Any", network).pretrained_cfg = cast("Any", network).default_cfg = cfg
    return network
