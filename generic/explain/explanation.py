"""What a generic model saw in one photo: where its attention looked, and which parts raised the score.

Points: Shuai He et al., "EAT: An Enhancer for Aesthetics-Oriented Transformers", ACM MM 2023, Fig. 7.
Heat map: Ramprasaath Selvaraju et al., "Grad-CAM", ICCV 2017, in the form of Rachel Draelos and
Lawrence Carin, "Use HiResCAM instead of Grad-CAM", 2020, which does not average a gradient over
positions. ``piaa-lite`` reads standard deviations over positions, whose gradient has the average zero:
the first form is blind to them, and for some photos gives an empty map.

The network sees the whole photo squeezed into a square, nothing cropped. Each position of its maps
stands for one rectangle of the original photo, and together these rectangles tile it. So what was seen
is drawn on the original by stretching both axes back, and no part of it is made up; only a distance
across is not worth as much as the same distance upwards.

Notation: g groups of heads, n points in a group, h, w rows and columns of a map.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
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
from generic.lite.piaa_lite import PiaaLite
from generic.model.generic_model import GenericModel
from generic.photos.open import MAX_PIXELS, load_pixels, open_rgb

Floats = NDArray[np.float32]

PHOTO_SIDE = 900
"""Longer side, in pixels, of the photo that an explanation is drawn on."""


@dataclass(frozen=True, kw_only=True, eq=False)
class LayerSeen:
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
    layers: tuple[LayerSeen, ...]
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
        CheckpointError: the model's file does not match its hash.
    """
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
        x = torch.from_numpy(pixels).permute(2, 0, 1)[None].float().div_(127.5).sub_(1.0)
        seen = look(network, x)[1]
        layers = tuple(_layer(name, one, network.get_submodule(name)) for name, one in seen.items())
        without = _score_without(network, x) if layers else None
        cam = _heat(network, x)
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


def _layer(name: str, one: Look, module: nn.Module) -> LayerSeen:
    points, offsets, positions = (
        part[0].float().numpy() for part in (one.points, one.offsets, one.positions)
    )
    g, n = points.shape[:2]
    # (m, hw, n) -> (g, m / g, hw, n)
    weights = one.weights[0].float().reshape(g, -1, one.weights.shape[2], n).mean((1, 2)).numpy()
    return LayerSeen(
        name=name,
        size=cast("DeformableAttention", module).size,
        grid=one.grid,
        points=points,
        offsets=offsets,
        positions=positions,
        point_weights=weights,
    )


@contextmanager
def _hooked(modules: Iterable[nn.Module], hook: Callable[[nn.Module, Any, Any], Any]) -> Iterator[None]:
    handles = [module.register_forward_hook(hook) for module in modules]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _score_without(network: nn.Module, x: Tensor) -> float:
    """The unit score when every deformable layer's output is zero; what is beside it stays."""
    layers = [module for module in network.modules() if isinstance(module, DeformableAttention)]
    with _hooked(layers, lambda _module, _inputs, output: torch.zeros_like(output)):
        return float(network(x)[0])


class _Scorer(nn.Module):
    """The score alone. Its entrance is a layer, so that a network without any map has one all the same."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.enter = nn.Identity()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        """Unit scores (b,) of images (b, 3, size, size)."""
        score: Tensor = self.network(self.enter(x))[0]
        return score


def _heat(network: nn.Module, x: Tensor) -> Floats:
    """What raises the score: shape (size, size), in [0, 1]."""
    # Seconds to import: it loads torchvision, scikit-learn, matplotlib and OpenCV.
    from pytorch_grad_cam import HiResCAM  # type: ignore[import-untyped]

    scorer = _Scorer(network)
    with torch.enable_grad():
        # The gradient at the input alone is enough to reach every map; parameters stay as they are.
        x = x.clone().requires_grad_()
        heat = HiResCAM(scorer, _map_layers(scorer, x))(x, targets=[lambda score: score])
    return np.asarray(heat[0], np.float32)


def _map_layers(scorer: _Scorer, x: Tensor) -> list[nn.Module]:
    """The modules whose maps the heat map is made of, in the order in which they run.

    The score of ``piaa-lite`` reads every late block of its frozen stem, so all of these; the late blocks of
    the tuned one are taken as well, though of them the score reads the last alone. Measured on 12 photos of
    OASIS, when it had one stem, as rank correlation with what the score loses when a patch of the photo is
    blurred: 0.44 for these (0.32 with gradients averaged, as Grad-CAM does), 0.28 for the last block alone,
    0.22 for the last map that all of the score passes through. With two stems the agreement is weaker
    (docs/eat.md). Other networks read their last map.
    """
    network = scorer.network
    if isinstance(network, PiaaLite):
        stem = network.stem
        parts = (stem.frozen_early, stem.frozen_late, network.tuned.late)
        return [block for part in parts for block in part.tapped()]
    maps: list[tuple[nn.Module, Tensor]] = []

    def keep(module: nn.Module, _inputs: object, output: object) -> None:
        # A map that needs no gradient comes from parameters alone, not from the photo.
        is_map = isinstance(output, Tensor) and output.ndim == 4 and min(output.shape[2:]) > 1
        if is_map and cast("Tensor", output).requires_grad:
            maps.append((module, cast("Tensor", output)))

    with _hooked(scorer.modules(), keep):
        score = scorer(x)
    gradients = torch.autograd.grad(score.sum(), [output for _, output in maps], allow_unused=True)
    read = [module for (module, _), gradient in zip(maps, gradients, strict=True) if gradient is not None]
    # Of a module that runs twice the library would mix the two maps.
    return [module for module in read if read.count(module) == 1][-1:]
