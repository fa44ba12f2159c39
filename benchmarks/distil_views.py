"""Views of photos, cropped and turned, with a teacher's scores, for ``benchmarks/distil_study.py``."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from record import tell

from generic.lite.mobile_net import MobileNet
from generic.lite.stems import Stem, smaller
from generic.lite.train import LiteConfig
from generic.photos.open import load_pixels, open_rgb
from generic.seeds import stream

Array = NDArray[np.float64]
VIEWS = 8
"""Of each photo, each as it is and mirrored."""
SMALLEST, TURN_DEGREES, FINER = 0.5, 15.0, 2
"""The least share of a side that a crop has; most that it is turned; pixels to average, each way."""


@dataclass(frozen=True, kw_only=True)
class Views:
    """What stem and teacher say of views."""

    middle: torch.Tensor
    """Stride-16 maps, bfloat16, shape (n * VIEWS, 2, 120, h, w): as they are and mirrored."""
    scores: Array
    """The teacher's, of mean 0 and variance 1, shape (n * VIEWS,)."""
    plain: Array
    """Its scores of the whole photos in [0, 1], shape (n,)."""

    def take(self, rows: NDArray[np.intp]) -> Views:
        """Those of some photos."""
        own = (rows[:, None] * VIEWS + np.arange(VIEWS)).ravel()
        return Views(
            middle=self.middle[torch.from_numpy(own)], scores=self.scores[own], plain=self.plain[rows]
        )


def make_views(stem: Stem, teacher: MobileNet, paths: Sequence[Path], folder: Path) -> Views:
    """Views of n photos; what is made is kept in ``folder``, photo by photo."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, path in enumerate(paths):
        file = folder / f"{path.name}.pt"
        if not file.exists():
            torch.save(_look(stem, teacher, path), file.with_suffix(".part"))
            file.with_suffix(".part").replace(file)
        if number % 50 == 0:
            tell(f"views of {number} of {len(paths)} photos")
    seen = [torch.load(folder / f"{path.name}.pt") for path in paths]
    scores = torch.cat([one["scores"] for one in seen]).double().numpy()
    return Views(
        middle=torch.cat([one["middle"] for one in seen]),
        scores=(scores - scores.mean()) / scores.std(),
        plain=np.array([float(one["plain"]) for one in seen]),
    )


def _look(stem: Stem, teacher: MobileNet, path: Path) -> dict[str, torch.Tensor]:
    size, rng = LiteConfig().size, stream(0, "distil", "views", path.name)
    photo = open_rgb(path)
    views = np.stack([load_pixels(path, size), *(view(photo, size, rng) for _ in range(VIEWS))])
    x = torch.from_numpy(views).permute(0, 3, 1, 2).float() / 127.5 - 1
    with torch.inference_mode():
        both = torch.stack((x, x.flip(3)), 1)
        scores = torch.stack([teacher(smaller(side, Stem.EXPERT_SIZE))[1] for side in both.unbind(1)]).mean(0)
        middle = torch.stack([stem.early(side[1:])[-1] for side in both.unbind(1)], 1).bfloat16()
    return {"middle": middle.clone(), "scores": scores[1:].clone(), "plain": scores[0].clone()}


def view(photo: Image.Image, size: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """A random part of a photo, turned a little, as a square of ``size`` pixels, shape (size, size, 3)."""
    corners = _corners(photo.size, rng)
    fine = size * FINER
    large = photo.transform((fine, fine), Image.Transform.QUAD, corners, Image.Resampling.BILINEAR)
    return np.asarray(large.resize((size, size), Image.Resampling.BOX))


def _corners(sides: tuple[int, int], rng: np.random.Generator) -> tuple[float, ...]:
    """Upper left, lower left, lower right and upper right corner, all inside; x and y in turn, in pixels."""
    whole = np.array(sides, float)
    while True:
        half = whole * rng.uniform(SMALLEST, 1, 2) / 2
        centre = rng.uniform(half, whole - half)
        angle = math.radians(rng.uniform(-TURN_DEGREES, TURN_DEGREES))
        turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
        corners = centre + (half * np.array([(-1, -1), (-1, 1), (1, 1), (1, -1)])) @ turn.T
        if (corners >= 0).all() and (corners <= whole).all():
            return tuple(corners.ravel().tolist())
