"""EAT's presets in timm's registry: ``timm.create_model("eat_base_patch4_224", num_classes=10)``.

Importing this module registers them; :mod:`generic.eat` does. No pretrained weights are published for
them; ``piaa models convert`` reads released ones from a file.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from timm.data import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD
from timm.models import build_model_with_cfg, generate_default_cfgs, register_model

from generic.eat.eat import EAT
from generic.eat.layouts import RELEASED, preset

PRESETS: dict[str, dict[str, Any]] = {
    "eat_tiny_patch4_224": preset("tiny"),
    "eat_small_patch4_224": preset("small"),
    "eat_base_patch4_224": preset("base"),
    "eat_base_patch4_512": preset("base", resolution=512),
    "eat_base_patch4_640": preset("base", resolution=640),
    "eat_base_released_patch4_224": {**preset("base", alternate=True), **RELEASED},
    "dat_tiny_patch4_224": preset("tiny", layout="SSDD", alternate=True),
    "dat_small_patch4_224": preset("small", layout="SSDD", alternate=True),
    "dat_base_patch4_224": preset("base", layout="SSDD", alternate=True),
    "dat_tiny_eat_patch4_224": preset("tiny", alternate=True),
    "dat_small_eat_patch4_224": preset("small", alternate=True),
    "dat_base_eat_patch4_224": preset("base", alternate=True),
}
"""Options of every registered model. ``released`` is the released code's layout and arithmetic, but for
its mean over the batch; ``dat_*`` are the hosts of Table 8, and ``dat_*_eat`` the same with EAT blocks."""


def _cfg(name: str) -> dict[str, Any]:
    side = PRESETS[name]["img_size"]
    return {
        "num_classes": 10,
        "input_size": (3, side, side),
        "fixed_input_size": True,
        "pool_size": (side // 32, side // 32),
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


default_cfgs = generate_default_cfgs({name: _cfg(name) for name in PRESETS})


def _entry(name: str) -> Callable[..., EAT]:
    def build(pretrained: bool = False, **kwargs: Any) -> EAT:
        network: EAT = build_model_with_cfg(
            EAT,
            name,
            pretrained,
            feature_cfg={"out_indices": (0, 1, 2, 3), "feature_cls": "getter"},
            **{**PRESETS[name], **kwargs},
        )
        return network

    build.__name__ = name
    build.__module__ = __name__
    build.__doc__ = f"EAT preset ``{name}``."
    return build


for _name in PRESETS:
    # timm finds an entry point through the module that it names.
    setattr(sys.modules[__name__], _name, register_model(_entry(_name)))
