"""Networks and settings by name: those of the released EAT, and ours.

The released ones are what the authors' code says (He et al., ACM MM 2023): AVA by Adam at 1e-6, 16 photos a
step, 20 epochs, a tenth of the rate every 5; TAD66K at a fixed 1e-5 for 25 epochs, on score / 10. The code
does not say TAD66K's batch; 16 is taken from AVA's. Ours follow what is usual for fine-tuning transformers:
AdamW with warm-up and a cosine, smaller rates for earlier layers, a running mean of weights. They were not
tuned on AVA.

NIMA's are what its paper says (Talebi and Milanfar, "NIMA: Neural Image Assessment", IEEE TIP 2018): ImageNet
networks with a head for a distribution behind a dropout of 0.75, the EMD of order 2 (its "squared EMD", with
the root over each image's sum), SGD with momentum 0.9 at 3e-6 for the head and 3e-7 for the rest, times 0.95
every 10 epochs. It states no batch; 32 is ours. Its random crops to 224 of 256 pixels are left out, as crops
change the composition; ``crop`` asks for them. These rates are for the 230,000 photos of AVA: on a few
hundred photos they learn nothing, so name others there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from types import MappingProxyType

import timm

import generic.eat
import generic.residual_attention  # noqa: F401 - both register their presets with timm
from generic.errors import TrainingError
from generic.pretrain.config import NetworkSpec, Settings


@dataclass(frozen=True, kw_only=True)
class Preset:
    """A network and how it is trained."""

    network: NetworkSpec
    settings: Settings
    target_scale: tuple[float, float] | None = None
    """Scores that become 0 and 1 for the network; None: the ends of the dataset's scale."""


_TRANSFORMER = Settings(layer_decay=0.8, ema=0.9998)
_LARGE = Settings(layer_decay=0.8, ema=0.9998, batch=32, grad_checkpointing=True)
_OFFICIAL_AVA = Settings(
    loss="official-emd",
    optimiser="adam",
    rate=1e-6,
    decay=0.0,
    schedule="steps",
    step_epochs=5,
    step_factor=0.1,
    warmup=0.0,
    epochs=20,
    batch=16,
    clip=0.0,
)
_OFFICIAL_TAD66K = Settings(
    loss="mse",
    optimiser="adam",
    rate=1e-5,
    decay=0.0,
    schedule="constant",
    warmup=0.0,
    epochs=25,
    batch=16,
    clip=0.0,
)
_CONVOLUTIONS = Settings(rate=3e-4, ema=0.999, batch=32)
_NIMA = Settings(
    optimiser="sgd",
    rate=3e-6,
    stem_rate=0.1,
    decay=0.0,
    schedule="steps",
    step_epochs=10,
    step_factor=0.95,
    warmup=0.0,
    batch=32,
    clip=0.0,
)


def _eat(size: str, resolution: int = 224) -> NetworkSpec:
    return NetworkSpec(name=f"eat_{size}_patch4_{resolution}")


def _nima(network: str) -> Preset:
    return Preset(network=NetworkSpec(name=network, options={"drop_rate": 0.75}), settings=_NIMA)


_RELEASED = NetworkSpec(name="eat_base_released_patch4_224")

PRESETS: Mapping[str, Preset] = MappingProxyType(
    {
        "eat_tiny": Preset(network=_eat("tiny"), settings=_TRANSFORMER),
        "eat_small": Preset(network=_eat("small"), settings=_TRANSFORMER),
        "eat_base": Preset(network=_eat("base"), settings=_TRANSFORMER),
        "eat_base_512": Preset(network=_eat("base", 512), settings=_LARGE),
        "eat_base_640": Preset(network=_eat("base", 640), settings=_LARGE),
        "official_ava": Preset(network=_RELEASED, settings=_OFFICIAL_AVA),
        "official_tad66k": Preset(network=_RELEASED, settings=_OFFICIAL_TAD66K, target_scale=(0, 10)),
        "eat_lite": Preset(
            network=NetworkSpec(name="eat_lite", size=224, options={"stem": "tf_efficientnet_lite0"}),
            settings=_CONVOLUTIONS,
        ),
        "nima_mobilenet": _nima("mobilenetv1_100"),
        "nima_vgg16": _nima("vgg16"),
        "nima_inception_resnet_v2": _nima("inception_resnet_v2"),
        "nima_xception": _nima("legacy_xception"),
        "residual_attention_56": Preset(
            network=NetworkSpec(name="residual_attention_56"), settings=_CONVOLUTIONS
        ),
        "residual_attention_92": Preset(
            network=NetworkSpec(name="residual_attention_92"), settings=_CONVOLUTIONS
        ),
    }
)
"""Every preset by the name that commands take."""

NIMA_OF = "nima:"
"""Stands before the name of any timm classifier to make a NIMA of it."""

OF_ANY_NETWORK = Settings(batch=32)
"""Settings of a network that is named itself, without a preset."""


def find_preset(name: str) -> Preset:
    """A preset, the settings of any network with a timm model of that name, or NIMA's with ``nima:NAME``.

    Raises:
        TrainingError: it is neither.
    """
    if name in PRESETS:
        return PRESETS[name]
    if name.startswith(NIMA_OF) and timm.is_model(name.removeprefix(NIMA_OF)):
        return _nima(name.removeprefix(NIMA_OF))
    if timm.is_model(name):
        return Preset(network=NetworkSpec(name=name), settings=OF_ANY_NETWORK)
    close = get_close_matches(name, [*PRESETS, *timm.list_models()], n=3, cutoff=0)
    raise TrainingError(
        f"there is no preset {name!r}, and timm knows no such model; presets are {', '.join(PRESETS)}; the "
        f"nearest names are {', '.join(close)}"
    )
