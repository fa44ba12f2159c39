"""Attention-56 and -92 in timm's registry: ``timm.create_model("residual_attention_56", num_classes=10)``.

Importing this module registers them; :mod:`generic.residual_attention` does. No pretrained weights are at
hand for them: they begin from scratch.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from timm.data import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD
from timm.models import build_model_with_cfg, generate_default_cfgs, register_model

from generic.residual_attention.residual_attention_network import ResidualAttentionNetwork

PRESETS: dict[str, dict[str, Any]] = {
    "residual_attention_56": {"modules": (1, 1, 1, 0)},
    "residual_attention_92": {"modules": (1, 2, 3, 0)},
}
"""Options of every registered model, by the paper's Table 2; ``residual=False`` gives H = M T."""


def _cfg() -> dict[str, Any]:
    return {
        "num_classes": 10,
        "input_size": (3, 224, 224),
        "pool_size": (7, 7),
        # Cropping would change what is judged: photos are resized to the square as they are.
        "crop_pct": 1.0,
        "crop_mode": "squash",
        "interpolation": "bicubic",
        "mean": IMAGENET_DEFAULT_MEAN,
        "std": IMAGENET_DEFAULT_STD,
        "first_conv": "stem.0",
        "classifier": "head",
        "license": "apache-2.0",
    }


default_cfgs = generate_default_cfgs({name: _cfg() for name in PRESETS})


def _entry(name: str) -> Callable[..., ResidualAttentionNetwork]:
    def build(pretrained: bool = False, **kwargs: Any) -> ResidualAttentionNetwork:
        network: ResidualAttentionNetwork = build_model_with_cfg(
            ResidualAttentionNetwork,
            name,
            pretrained,
            feature_cfg={"out_indices": (0, 1, 2, 3), "flatten_sequential": True},
            **{**PRESETS[name], **kwargs},
        )
        return network

    build.__name__ = name
    build.__module__ = __name__
    build.__doc__ = f"Residual Attention Network, preset ``{name}``."
    return build


for _name in PRESETS:
    # timm finds an entry point through the module that it names.
    setattr(sys.modules[__name__], _name, register_model(_entry(_name)))
