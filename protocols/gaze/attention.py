"""Where a generic model looked in a photo, as maps of the photo's own size, to compare with people's gaze.

- ``points``: the last deformable layer's points (EAT), as fixations that count by the attention they get.
- ``masks``: the masks of a Residual Attention Network, averaged over channels and modules.
- ``heat``: what raised the score (HiResCAM, see :mod:`generic.explain.heat`); every network has it.

A map shows what a network used, in the sense of its definition. It does not show that the network looks as
people do; that is what the comparison is for.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from generic.engine.torch_engine import as_input
from generic.errors import ShapeError
from generic.explain.explanation import Explanation, explain
from generic.explain.picture import shown_layer
from generic.model.generic_model import GenericModel
from generic.photos.open import load_pixels
from generic.residual_attention.attention_module import AttentionModule
from generic.residual_attention.residual_attention_network import masks_of
from protocols.gaze.maps import Map, gaussians


def attention_maps(
    model: GenericModel, photo: Path, size: tuple[int, int], *, sigma: float
) -> dict[str, Map]:
    """The maps that a model's network has of one photo.

    Args:
        model: any generic model that squeezes photos into its square.
        photo: the file.
        size: (h, w) of the photo in pixels.
        sigma: pixels; standard deviation of the Gaussian around each point, that of people's fixations.

    Returns:
        kind -> map of shape (h, w), at least 0.

    Raises:
        ShapeError: the model pads photos, so that its maps do not lie on the photo.
        ImageError: the photo cannot be read.
    """
    if model.fit != "squash":
        raise ShapeError(
            f"model {model.name} pads photos to a square, and its maps with them; compare a model that "
            f"squashes them"
        )
    explanation = explain(model, photo)
    found = {}
    if shown_layer(explanation) is not None:
        found["points"] = point_map(explanation, size, sigma=sigma)
    if any(isinstance(module, AttentionModule) for module in model.network.modules()):
        found["masks"] = mask_map(model, photo, size)
    found["heat"] = resized(explanation.cam, size)
    return found


def point_map(explanation: Explanation, size: tuple[int, int], *, sigma: float) -> Map:
    """A Gaussian around each point of the shown layer, weighted by its attention; points outside are lost.

    Args:
        explanation: of a network with deformable layers.
        size: (h, w) in pixels.
        sigma: pixels.

    Returns:
        shape (h, w), at least 0.
    """
    layer = shown_layer(explanation)
    if layer is None:
        return np.zeros(size, dtype=np.float64)
    pixels = (layer.places.reshape(-1, 2).astype(np.float64) * size[::-1]).astype(np.intp)
    weights = layer.point_weights.reshape(-1).astype(np.float64) / len(layer.point_weights)
    inside = ((pixels >= 0) & (pixels < size[::-1])).all(1)
    return gaussians(pixels[inside], weights[inside], size, sigma=sigma)


def mask_map(model: GenericModel, photo: Path, size: tuple[int, int]) -> Map:
    """The mean over attention modules of each one's mask, itself the mean over its channels.

    Args:
        model: of a Residual Attention Network.
        photo: the file.
        size: (h, w) in pixels.

    Returns:
        shape (h, w), in [0, 1].
    """
    pixels = load_pixels(photo, model.size, fit=model.fit)
    with torch.inference_mode():
        _, masks = masks_of(cast("Any", model.network), as_input(pixels[None]))
    maps = [resized(mask[0].mean(0).numpy(), size) for mask in masks]
    return np.asarray(np.mean(maps, axis=0), dtype=np.float64)


def resized(small: NDArray[Any], size: tuple[int, int]) -> Map:
    """A map stretched bilinearly over the photo.

    Example:
        >>> resized(np.ones((2, 2), np.float32), (3, 4)).shape
        (3, 4)
    """
    picture = Image.fromarray(np.asarray(small, np.float32))
    stretched = picture.resize((size[1], size[0]), Image.Resampling.BILINEAR)
    return np.asarray(stretched, dtype=np.float64).clip(0)
