"""What a generic model's network gives for photos before it becomes a score: for figures on distributions.

Nothing here is cached: these outputs are needed once, in a test of the model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from generic.engine.torch_engine import as_input
from generic.errors import ImageError
from generic.model.generic_model import GenericModel
from generic.photos.open import MAX_PIXELS, load_pixels
from generic.progress import Progress, no_progress


@dataclass(frozen=True, kw_only=True)
class RawOutputs:
    """Outputs of a network for photos, and what they stand for."""

    values: NDArray[np.float32]
    """Shape (n, t): logits or shares of each bin, or unit scores (n, 1); NaN for unreadable photos."""
    bins: tuple[float, ...]
    """Score of each output, rising; empty for unit scores."""
    softmax: bool
    """Outputs are logits."""
    errors: dict[Path, str]
    """What is wrong with photos that cannot be read."""


def raw_outputs(
    model: GenericModel,
    paths: Sequence[Path],
    *,
    max_pixels: int | None = None,
    progress: Progress = no_progress,
) -> RawOutputs:
    """Outputs for photo files, in their order. A photo's outputs do not depend on the others.

    Args:
        model: any; one whose network gives no distribution gives unit scores.
        paths: n photo files.
        max_pixels: photos with more pixels are refused; None is the default of :mod:`generic.photos.open`.
        progress: called with the number of photos newly done.

    Raises:
        CheckpointError: the model is calibrated.
    """
    model.check_plain("figures on distributions")
    network = cast("Any", model.network)
    bins = tuple(network.bins.tolist()) if hasattr(network, "raw") else ()
    values = np.full((len(paths), len(bins) or 1), np.nan, np.float32)
    errors: dict[Path, str] = {}
    for row, path in enumerate(paths):
        try:
            pixels = load_pixels(path, model.size, fit=model.fit, max_pixels=max_pixels or MAX_PIXELS)
        except ImageError as error:
            errors[path] = str(error)
        else:
            values[row] = _forward(network, pixels)
        progress(1)
    softmax = bool(getattr(network, "softmax", False)) and bool(bins)
    return RawOutputs(values=values, bins=bins, softmax=softmax, errors=errors)


def _forward(network: nn.Module, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    with torch.inference_mode():
        x = as_input(pixels[None])
        raw = getattr(network, "raw", None)
        outputs = network(x)[0][:, None] if raw is None else raw(x)
    return np.asarray(outputs[0].float().numpy(), np.float32)
