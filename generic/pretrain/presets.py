"""Networks and settings by name: those of the released EAT, and ours.

The released ones are what the authors' code says (He et al., ACM MM 2023): AVA by Adam at 1e-6, 16 photos a
step, 20 epochs, a tenth of the rate every 5; TAD66K at a fixed 1e-5 for 25 epochs, on score / 10. The code
does not say TAD66K's batch; 16 is taken from AVA's. Ours follow what is usual for fine-tuning transformers:
AdamW with warm-up and a cosine, smaller rates for earlier layers, a running mean of weights. They were not
tuned on AVA.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from types import MappingProxyType

import timm

import generic.eat  # noqa: F401 - registers its presets with timm
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


def _eat(size: str, resolution: int = 224) -> NetworkSpec:
    return NetworkSpec(name=f"eat_{size}_patch4_{resolution}")


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
    }
)
"""Every preset by the name that commands take."""

OF_ANY_NETWORK = Settings(batch=32)
"""Settings of a network that is named itself, without a preset."""


def find_preset(name: str) -> Preset:
    """A preset, or the settings of any network with a timm model of that name.

    Raises:
        TrainingError: it is neither.
    """
    if name in PRESETS:
        return PRESETS[name]
    if timm.is_model(name):
        return Preset(network=NetworkSpec(name=name), settings=OF_ANY_NETWORK)
    close = get_close_matches(name, [*PRESETS, *timm.list_models()], n=3, cutoff=0)
    raise TrainingError(
        f"there is no preset {name!r}, and timm knows no such model; presets are {', '.join(PRESETS)}; the "
        f"nearest names are {', '.join(close)}"
    )
