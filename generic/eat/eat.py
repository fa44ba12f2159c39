"""EAT: patches, four stages of window and enhanced deformable attention, a head.

Shuai He et al., "EAT: An Enhancer for Aesthetics-Oriented Transformers", ACM MM 2023, Fig. 4.

Notation: b images, c channels, h, w size of a map.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from itertools import accumulate
from pathlib import Path
from typing import Any, Self, cast

import torch
from huggingface_hub import PyTorchModelHubMixin
from huggingface_hub.constants import SAFETENSORS_SINGLE_FILE
from timm.models._features import feature_take_indices
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from generic.eat.attention import DeformableAttention
from generic.eat.config import EATConfig
from generic.eat.layers import Block, ChannelNorm, Mlp
from generic.eat.points import InterestPoints
from generic.eat.windows import WindowAttention
from generic.errors import ShapeError


class Patches(nn.Sequential):
    """A strided convolution and a norm: the patch embedding, and the halving before a stage."""

    def __init__(
        self, dim_in: int, dim: int, *, stride: int, overlap: bool, side: int, bias: bool = True
    ) -> None:
        kernel, padding = (side, side // 2) if overlap else (stride, 0)
        super().__init__(nn.Conv2d(dim_in, dim, kernel, stride, padding, bias=bias), ChannelNorm(dim))


class Stage(nn.Module):
    """One stage: an optional halving, then blocks at one map size."""

    def __init__(self, enter: nn.Module, widen: nn.Module, blocks: nn.Sequential) -> None:
        super().__init__()
        self.enter = enter
        self.widen = widen
        self.blocks = blocks
        self.grad_checkpointing = False

    def forward(self, x: Tensor) -> Tensor:
        """From the map before, shape (b, c', h', w'), to this stage's, (b, c, h, w)."""
        x = self.widen(self.enter(x))
        for block in self.blocks:
            if self.grad_checkpointing and torch.is_grad_enabled():
                x = cast("Tensor", checkpoint(block, x, use_reentrant=False))
            else:
                x = block(x)
        return x


class EAT(nn.Module, PyTorchModelHubMixin):
    """The network of the paper; a citizen of timm.

    Outputs are raw: logits of a distribution, to which :mod:`generic.losses` applies the softmax, or
    scores. ``EAT(**preset("base"))`` is the paper's; see :mod:`generic.eat.layouts`.

    Args:
        options: fields of :class:`generic.eat.config.EATConfig`.

    Raises:
        ShapeError: the options contradict each other, or an input size does not divide.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__()
        config = self._configure(EATConfig(**options))
        self.num_features = self.head_hidden_size = config.dims[-1]
        stem = config.stem_dim or config.dims[0]
        self.stem = Patches(
            config.in_chans, stem, stride=config.patch_size, overlap=config.conv_patches, side=7
        )
        depths = [len(letters) for letters in config.stages]
        ends = list(accumulate(depths))
        rates = [config.drop_path_rate * block / max(ends[-1] - 1, 1) for block in range(ends[-1])]
        entering = (stem, *config.dims)
        self.stages = nn.Sequential(
            *(
                _stage(config, index, entering[index], rates[end - depth : end])
                for index, (depth, end) in enumerate(zip(depths, ends, strict=True))
            )
        )
        self.norm = ChannelNorm(config.dims[-1])
        self.head_drop = nn.Dropout(config.drop_rate)
        self.head = _head(config.dims[-1], config.num_classes)
        self.feature_info = [
            {"num_chs": dim, "reduction": config.patch_size * 2**index, "module": f"stages.{index}"}
            for index, dim in enumerate(config.dims)
        ]
        self.apply(_init)

    @classmethod
    def from_official(
        cls, config: Mapping[str, Any], state_dict: Mapping[str, Tensor], *, compat: str = "official"
    ) -> Self:
        """The released network, with its arithmetic, from its own configuration and weights.

        Args:
            config: the released constructor's arguments, under their own names.
            state_dict: weights under the released names; derived buffers may be missing.
            compat: ``official`` reproduces the mean of the interest points over the batch;
                ``image`` scores each image as the released network does alone.

        Raises:
            CheckpointError: an option that the released code cannot run, or weights that do not fit.
        """
        from generic.eat.official import official_options, official_state

        network = cls(**official_options(config, compat=compat))
        network.load_state_dict(official_state(state_dict, network))
        return network.eval()

    @classmethod
    def _from_pretrained(
        cls, *, model_id: str, map_location: str = "cpu", strict: bool = True, **options: Any
    ) -> Self:
        # The hub's own prints a line for a local folder, and by default leaves missing weights random.
        if not Path(model_id).is_dir():
            options |= {"model_id": model_id, "map_location": map_location, "strict": strict}
            return cast("Self", super()._from_pretrained(**options))
        for name in ("revision", "cache_dir", "force_download", "local_files_only", "token"):
            options.pop(name)
        weights = Path(model_id) / SAFETENSORS_SINGLE_FILE
        return cls._load_as_safetensor(cls(**options), str(weights), map_location, strict)

    def _configure(self, config: EATConfig) -> EATConfig:
        self.config = config
        self.num_classes = config.num_classes
        # What ``save_pretrained`` writes beside the weights.
        self._hub_mixin_config = config
        return config

    @property
    def options(self) -> dict[str, Any]:
        """The keyword arguments that build this network again, ready for JSON."""
        return asdict(self.config)

    # ---- what timm asks of a model ----

    @torch.jit.ignore  # type: ignore[untyped-decorator]
    def no_weight_decay(self) -> set[str]:
        """Parameters that weight decay would pull towards nothing useful: bias tables and point starts."""
        endings = ("bias_table", "interest.start")
        return {name for name, _ in self.named_parameters() if name.endswith(endings)}

    @torch.jit.ignore  # type: ignore[untyped-decorator]
    def group_matcher(self, *, coarse: bool = False) -> dict[str, Any]:
        """Layers in order, for layer-wise learning rates: each stage if ``coarse``, else each block."""
        if coarse:
            return {"stem": r"^stem", "blocks": [(r"^stages\.(\d+)", None), (r"^norm", (99999,))]}
        return {
            "stem": r"^stem",
            "blocks": [
                (r"^stages\.(\d+)\.(?:enter|widen)", (0,)),
                (r"^stages\.(\d+)\.blocks\.(\d+)", None),
                (r"^norm", (99999,)),
            ],
        }

    @torch.jit.ignore  # type: ignore[untyped-decorator]
    def set_grad_checkpointing(self, enable: bool = True) -> None:
        """Keep only the blocks' inputs while training, and compute the rest again: less memory, more time."""
        for stage in self.stages:
            cast("Stage", stage).grad_checkpointing = enable

    @torch.jit.ignore  # type: ignore[untyped-decorator]
    def get_classifier(self) -> nn.Module:
        """The last layer."""
        return self.head

    def reset_classifier(self, num_classes: int, global_pool: str | None = None) -> None:
        """Replace the last layer by a fresh one; 0 outputs leave it out.

        Raises:
            ShapeError: a pooling other than the average.
        """
        if global_pool not in (None, "avg"):
            raise ShapeError(f"EAT pools by the average, not by {global_pool!r}; leave global_pool out")
        self._configure(replace(self.config, num_classes=num_classes))
        self.head = _head(self.num_features, num_classes)

    def forward_intermediates(
        self,
        x: Tensor,
        indices: int | list[int] | None = None,
        norm: bool = False,
        stop_early: bool = False,
        output_fmt: str = "NCHW",
        intermediates_only: bool = False,
    ) -> list[Tensor] | tuple[Tensor, list[Tensor]]:
        """Maps after the stages.

        Args:
            x: images, shape (b, 3, img_size, img_size).
            indices: which stages, from 0; a number takes that many from the end; None takes all.
            norm: normalise the last stage's map as the head sees it.
            stop_early: do not compute stages after the last one asked for.
            output_fmt: ``NCHW``, the only one.
            intermediates_only: return the maps alone.

        Returns:
            the maps; unless ``intermediates_only``, before them the last map computed, normalised if it is
            the last stage's.

        Raises:
            ShapeError: another format, or images of another size.
        """
        if output_fmt != "NCHW":
            raise ShapeError(f"EAT gives maps as NCHW, not as {output_fmt!r}")
        take, last = feature_take_indices(len(self.stages), indices)
        x = normed = self._enter(x)
        maps = []
        for index, stage in enumerate(self.stages):
            if stop_early and index > last:
                break
            x = stage(x)
            # The norm is as wide as the last stage, which may have been pruned.
            normed = self.norm(x) if index == len(self.config.dims) - 1 else x
            if index in take:
                maps.append(normed if norm else x)
        return maps if intermediates_only else (normed, maps)

    def prune_intermediate_layers(
        self,
        indices: int | list[int] = 1,
        prune_norm: bool = False,
        prune_head: bool = True,
    ) -> list[int]:
        """Drop stages after the last one asked for, and the head; returns the stages kept."""
        take, last = feature_take_indices(len(self.stages), indices)
        self.stages = self.stages[: last + 1]
        if prune_norm:
            self.norm = nn.Identity()  # type: ignore[assignment]
        if prune_head:
            self.reset_classifier(0)
        return take

    # ---- the network ----

    def _enter(self, x: Tensor) -> Tensor:
        size, chans = self.config.img_size, self.config.in_chans
        if x.ndim != 4 or tuple(x.shape[1:]) != (chans, size, size):
            raise ShapeError(
                f"this EAT takes images of shape (b, {chans}, {size}, {size}), got {tuple(x.shape)}; "
                f"resize them, or build one with another img_size"
            )
        return cast("Tensor", self.stem(x.contiguous(memory_format=torch.channels_last)))

    def forward_features(self, x: Tensor) -> Tensor:
        """The last map, normalised: shape (b, c, h, w), from images of shape (b, 3, img_size, img_size).

        Raises:
            ShapeError: images of another size.
        """
        return cast("Tensor", self.norm(self.stages(self._enter(x))))

    def forward_head(self, x: Tensor, pre_logits: bool = False) -> Tensor:
        """Outputs (b, num_classes) of :meth:`forward_features`; with ``pre_logits`` the map's mean (b, c)."""
        x = self.head_drop(x.mean((2, 3)))
        return x if pre_logits else cast("Tensor", self.head(x))

    def forward(self, x: Tensor) -> Tensor:
        """Raw outputs, shape (b, num_classes), of normalised images of shape (b, 3, img_size, img_size)."""
        return self.forward_head(self.forward_features(x))


def _head(dim: int, num_classes: int) -> nn.Module:
    return nn.Linear(dim, num_classes) if num_classes > 0 else nn.Identity()


def _stage(config: EATConfig, index: int, dim_in: int, drop_path: list[float]) -> Stage:
    dim, side = config.dims[index], config.map_side(index)
    enter: nn.Module = nn.Identity()
    if index > 0:
        enter = Patches(dim_in, dim, stride=2, overlap=config.conv_patches, side=3, bias=False)
    widen = nn.Conv2d(dim_in, dim, 1) if index == 0 and dim_in != dim else nn.Identity()
    blocks = (
        Block(
            _attention(config, index, letter, side),
            dim,
            Mlp(
                dim,
                int(dim * config.mlp_ratio),
                drop=config.drop_rate,
                depthwise=config.of_stage("depthwise_mlp", index),
            ),
            drop_path=rate,
        )
        for letter, rate in zip(config.stages[index], drop_path, strict=True)
    )
    return Stage(enter, widen, nn.Sequential(*blocks))


def _attention(config: EATConfig, stage: int, letter: str, side: int) -> nn.Module:
    dim, of = config.dims[stage], config.of_stage
    drops = {"attn_drop": config.attn_drop_rate, "proj_drop": config.drop_rate}
    if letter in "LS":
        return WindowAttention(
            dim,
            (side, side),
            heads=of("heads", stage),
            window=of("windows", stage),
            shifted=letter == "S",
            **drops,
        )
    enhanced = letter == "E"
    return DeformableAttention(
        dim,
        (side, side),
        heads=of("heads", stage),
        groups=of("groups", stage),
        k_in=min(of("k_in", stage), side) if enhanced else 1,
        k_offset=of("k_offset", stage),
        interest=enhanced and config.interest,
        grid_start=config.grid_start,
        over_batch=config.over_batch,
        offsets=of("offsets", stage),
        guide=enhanced and config.guide,
        # DAT's own: two half cells, and positions that may leave the map.
        offset_range=of("offset_range", stage) if enhanced else 2.0,
        offset_unit=config.offset_unit if enhanced else "cell",
        final=of("final", stage) if enhanced else "none",
        bias=of("bias", stage),
        eta=config.eta,
        rotate=config.rotate,
        **drops,
    )


def _init(module: nn.Module) -> None:
    """Truncated normal weights; what sets itself up (interest points, bias tables) is left alone."""
    if isinstance(module, nn.Linear | nn.Conv2d):
        nn.init.trunc_normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, InterestPoints):  # visited after its convolution
        module.reset_parameters()
