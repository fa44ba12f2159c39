"""Residual Attention Network: a stem, stages of units and attention modules, a head.

Fei Wang et al., "Residual Attention Network for Image Classification", CVPR 2017, Table 2.

Notation: b images, c channels, h, w size of a map.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from generic.errors import ShapeError
from generic.hooks import hooked
from generic.residual_attention.attention_module import AttentionModule
from generic.residual_attention.config import ResidualAttentionConfig
from generic.residual_attention.residual_units import make_unit


class ResidualAttentionNetwork(nn.Module):
    """The network of the paper; a citizen of timm. It takes photos of any size.

    Outputs are raw: logits of a distribution, to which :mod:`generic.losses` applies the softmax, or scores.

    Args:
        options: fields of :class:`generic.residual_attention.config.ResidualAttentionConfig`.

    Raises:
        ShapeError: the options contradict each other.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__()
        config = self._configure(ResidualAttentionConfig(**options))
        self.num_features = self.head_hidden_size = config.dims[-1]
        self.stem = nn.Sequential(
            nn.Conv2d(config.in_chans, config.stem_dim, 7, 2, padding=3, bias=False),
            nn.BatchNorm2d(config.stem_dim),
            nn.ReLU(),
            nn.MaxPool2d(3, stride=2, padding=1),
        )
        entering = (config.stem_dim, *config.dims)
        self.stages = nn.Sequential(
            *(_stage(config, index, entering[index]) for index in range(len(config.dims)))
        )
        self.norm = nn.BatchNorm2d(config.dims[-1])
        self.head_drop = nn.Dropout(config.drop_rate)
        self.head = _head(config.dims[-1], config.num_classes)
        self.feature_info = [
            {"num_chs": dim, "reduction": 4 * 2**index, "module": f"stages.{index}"}
            for index, dim in enumerate(config.dims)
        ]
        self.apply(_init)

    def _configure(self, config: ResidualAttentionConfig) -> ResidualAttentionConfig:
        self.config = config
        self.num_classes = config.num_classes
        return config

    @property
    def options(self) -> dict[str, Any]:
        """The keyword arguments that build this network again, ready for JSON."""
        return asdict(self.config)

    # ---- what timm asks of a model ----

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
            raise ShapeError(
                f"this network pools by the average, not by {global_pool!r}; leave global_pool out"
            )
        self._configure(replace(self.config, num_classes=num_classes))
        self.head = _head(self.num_features, num_classes)

    # ---- the network ----

    def forward_features(self, x: Tensor) -> Tensor:
        """The last map, normalised and rectified, (b, c, h, w), from images of shape (b, 3, height, width).

        Raises:
            ShapeError: not a batch of images with the right number of channels.
        """
        if x.ndim != 4 or x.shape[1] != self.config.in_chans:
            raise ShapeError(
                f"this network takes images of shape (b, {self.config.in_chans}, height, width), got "
                f"{tuple(x.shape)}; give it a batch, channels first"
            )
        return F.relu(self.norm(self.stages(self.stem(x))))

    def forward_head(self, x: Tensor, pre_logits: bool = False) -> Tensor:
        """Outputs (b, num_classes) of :meth:`forward_features`; with ``pre_logits`` the map's mean (b, c)."""
        x = self.head_drop(x.mean((2, 3)))
        return x if pre_logits else cast("Tensor", self.head(x))

    def forward(self, x: Tensor) -> Tensor:
        """Raw outputs, shape (b, num_classes), of normalised images of shape (b, 3, height, width)."""
        return self.forward_head(self.forward_features(x))


def masks_of(network: ResidualAttentionNetwork, x: Tensor) -> tuple[Tensor, list[Tensor]]:
    """Outputs of a network and the mask M of each attention module, in the order of the modules.

    Args:
        network: left as it is.
        x: images of shape (b, 3, height, width).

    Returns:
        outputs (b, num_classes), and masks of shape (b, c, h, w) in [0, 1].
    """
    masks: list[Tensor] = []
    modules = [module.mask for module in network.modules() if isinstance(module, AttentionModule)]
    with hooked(modules, lambda _module, _inputs, mask: masks.append(mask)):
        return network(x), masks


def _stage(config: ResidualAttentionConfig, index: int, dim_in: int) -> nn.Sequential:
    dim = config.dims[index]
    last = index == len(config.dims) - 1
    return nn.Sequential(
        make_unit(config.unit, dim_in, dim, stride=1 if index == 0 else 2),
        *(
            AttentionModule(
                dim,
                poolings=config.poolings[index],
                pre=config.pre,
                trunk=config.trunk,
                between=config.between,
                residual=config.residual,
                unit=config.unit,
            )
            for _ in range(config.modules[index])
        ),
        *(make_unit(config.unit, dim, dim) for _ in range(config.tail if last else 0)),
    )


def _head(dim: int, num_classes: int) -> nn.Module:
    return nn.Linear(dim, num_classes) if num_classes > 0 else nn.Identity()


def _init(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
