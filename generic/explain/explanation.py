"""What a generic model saw in one photo: where its attention looked, and which parts raised the score.

Points: Shuai He et al., "EAT: An Enhancer for Aesthetics-Oriented Transformers", ACM MM 2023, Fig. 7.
Heat map: :mod:`generic.explain.heat`.

The network sees the whole photo squeezed into a square, nothing cropped. Each position of its maps
stands for one rectangle of the original photo, and together these rectangles tile it. So a map
is drawn on the original by stretching both axes back, and no part of it is made up; only a distance
across is not worth as much as the same distance upwards.

Notation: g groups of heads, n points in a group, h, w rows and columns of a map.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from generic.eat.attention import DeformableAttention, Look
from generic.eat.attention_maps import look
from generic.engine.torch_engine import as_input
from generic.explain.heat import heat_map
from generic.hooks import hooked
from generic.model.generic_model import GenericModel
from generic.photos.open import MAX_PIXELS, load_pixels, open_rgb

Floats = NDArray[np.float32]

PHOTO_SIDE = 900
"""Longer side, in pixels, of the photo that an explanation is drawn on."""


@dataclass(frozen=True, kw_only=True, eq=False)
class LayerAttention:
    """Where one deformable attention layer looked. A coordinate pair is (x, y)."""

    name: str
    """The layer's name in the network."""
    size: tuple[int, int]
    """(h, w) of the layer's map."""
    grid: tuple[int, int]
    """Rows and columns of points, n in all."""
    points: Floats
    """Where the points start, shape (g, n, 2); -1 is the centre of the map's first row or column, +1 of
    the last."""
    offsets: Floats
    """How they are moved, the same shape and unit."""
    positions: Floats
    """Where the layer looked in the end, the same shape and unit; may lie outside of the map."""
    point_weights: Floats
    """Attention that each point gets, averaged over all queries and over its group's heads: shape (g, n),
    each row sums to 1."""

    @property
    def places(self) -> Floats:
        """``positions`` as fractions of the photo's width and height, from its upper left corner."""
        return to_fractions(self.positions, self.size)

    @property
    def starts(self) -> Floats:
        """``points`` as the same fractions."""
        return to_fractions(self.points, self.size)


@dataclass(frozen=True, kw_only=True, eq=False)
class Explanation:
    """What a generic model saw in one photo."""

    path: Path
    """The photo's file."""
    photo: NDArray[np.uint8]
    """The photo as it was taken, upright, at most ``PHOTO_SIDE`` on its longer side: (rows, columns, 3)."""
    model: str
    """The model's name."""
    scale: tuple[float, float]
    """The model's score scale, low and high."""
    score: float
    """The generic score, in that scale, as the network gives it: it may lie a little beyond the ends."""
    score_without: float | None
    """The score, had every deformable layer said nothing (an output of zeros): says how much of the score
    rests on what ``layers`` show. None if there is no such layer."""
    layers: tuple[LayerAttention, ...]
    """The deformable layers in the network's order; may be empty."""
    cam: Floats
    """What raises the score, shape (size, size) of the square that the network saw, in [0, 1]; 0 is
    nothing, or lowers it."""

    def facts(self) -> dict[str, Any]:
        """Score and layers as plain values, points as fractions of the photo's width and height."""
        return {
            "image": str(self.path),
            "model": self.model,
            "scale": list(self.scale),
            "score": self.score,
            "score_without_attention": self.score_without,
            "layers": [
                {
                    "name": layer.name,
                    "grid": list(layer.grid),
                    "starts": layer.starts.tolist(),
                    "positions": layer.places.tolist(),
                    "weights": layer.point_weights.tolist(),
                }
                for layer in self.layers
            ],
        }


def to_fractions(positions: Floats, size: tuple[int, int]) -> Floats:
    """Map coordinates as fractions of the photo's width and height, from its upper left corner.

    Args:
        positions: pairs (x, y), shape (..., 2); -1 is the centre of the first row or column, +1 of the last.
        size: (h, w) of the map, whose cells tile the photo.

    Returns:
        the same shape; in [0, 1] for what lies on the photo.

    Example:
        >>> to_fractions(np.array([[-1.0, 0.0], [1.0, 1.0]]), (2, 4)).tolist()
        [[0.125, 0.5], [0.875, 0.75]]
    """
    cells = np.array(size[::-1], np.float32)
    return np.asarray(((positions + 1) / 2 * (cells - 1) + 0.5) / cells, np.float32)


def explain(model: GenericModel, path: Path, *, max_pixels: int | None = None) -> Explanation:
    """What the model saw in a photo. Works on a copy of the network: scoring is never touched.

    Args:
        model: the model.
        path: the photo.
        max_pixels: a photo with more pixels is refused; None is the default of :mod:`generic.photos.open`.

    Raises:
        ImageError: the photo cannot be read.
        CheckpointError: the model's file does not match its hash, or it is calibrated.
    """
    model.check_plain("explanations")
    limit = MAX_PIXELS if max_pixels is None else max_pixels
    pixels = load_pixels(path, model.size, fit=model.fit, max_pixels=limit)
    photo = open_rgb(path, at_least=(PHOTO_SIDE, PHOTO_SIDE), max_pixels=limit)
    photo.thumbnail((PHOTO_SIDE, PHOTO_SIDE), Image.Resampling.LANCZOS)
    low, high = model.header.scale
    # The very number that scoring gives, which is the same for one photo and for an album.
    score = float(model.vector(pixels)[0])
    # Others may be scoring with the network in this moment: hooks on it would see their photos.
    with torch.inference_mode(mode=False), torch.no_grad():
        network = copy.deepcopy(model.network)
        x = as_input(pixels[None])
        looks = look(network, x)[1]
        layers = tuple(_layer(name, one, network.get_submodule(name)) for name, one in looks.items())
        without = _score_without(network, x) if layers else None
        cam = heat_map(network, x)
    return Explanation(
        path=path,
        photo=np.asarray(photo),
        model=model.name,
        scale=(low, high),
        score=low + score * (high - low),
        score_without=None if without is None else low + without * (high - low),
        layers=layers,
        cam=cam,
    )


def _layer(name: str, one: Look, module: nn.Module) -> LayerAttention:
    points, offsets, positions = (
        part[0].float().numpy() for part in (one.points, one.offsets, one.positions)
    )
    g, n = points.shape[:2]
    # (m, hw, n) -> (g, m / g, hw, n)
    weights = one.weights[0].float().reshape(g, -1, one.weights.shape[2], n).mean((1, 2)).numpy()
    return LayerAttention(
        name=name,
        size=cast("DeformableAttention", module).size,
        grid=one.grid,
        points=points,
        offsets=offsets,
        positions=positions,
        point_weights=weights,
    )


def _score_without(network: nn.Module, x: Tensor) -> float:
    """The unit score when every deformable layer's output is zero; what is beside it stays."""
    layers = [module for module in network.modules() if isinstance(module, DeformableAttention)]
    with hooked(layers, lambda _module, _inputs, output: torch.zeros_like(output)):
        return float(network(x)[0])
