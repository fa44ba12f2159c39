"""PS-ViT's presets in timm's registry: ``timm.create_model("psvit_base_14_224", num_classes=10)``.

The hosts of EAT's Table 8 and, with ``eat`` in their names, the same with its enhancement. Importing
this module registers them; no pretrained weights come with them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from timm.data import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD
from timm.models import build_model_with_cfg, generate_default_cfgs, register_model

from generic.eat.psvit import PSViT

_TINY = {"img_size": 224, "dim": 192, "heads": 4, "depth": 12}

PRESETS: dict[str, dict[str, Any]] = {
    "psvit_base_14_224": {"img_size": 224},
    "psvit_base_14_eat_224": {"img_size": 224, "enhanced": True},
    "psvit_tiny_14_224": _TINY,
    "psvit_tiny_14_eat_224": {**_TINY, "enhanced": True},
}
"""Options of every registered model. Base is the authors' PS-ViT-B/14 (21 M parameters, Table 8); the
tiny one's numbers are ours."""

_CFG = {
    "num_classes": 10,
    "input_size": (3, 224, 224),
    "fixed_input_size": True,
    "pool_size": None,
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

default_cfgs = generate_default_cfgs(dict.fromkeys(PRESETS, _CFG))


def _entry(name: str) -> Callable[..., PSViT]:
    def build(pretrained: bool = False, **kwargs: Any) -> PSViT:
        network: PSViT = build_model_with_cfg(PSViT, name, pretrained, **{**PRESETS[name], **kwargs})
        return network

    build.__name__ = name
    build.__module__ = __name__
    build.__doc__ = f"PS-ViT preset ``{name}``."
    return build


for _name in PRESETS:
    # timm finds an entry point through the module that it names.
    setattr(sys.modules[__name__], _name, register_model(_entry(_name)))
