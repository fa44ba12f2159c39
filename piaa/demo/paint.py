"""Painters of what a photo may show, one function a kind, and the camera that takes the photo.

Places are in frame units: x runs from 0 (left) to 1 (right), y from 0 (top) to 1 (bottom). Colours are
display RGB, 1 = white.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

Array = npt.NDArray[np.floating[Any]]
Colour = tuple[float, float, float]


class Canvas:
    """A picture while it is painted.

    Args:
        size: (width, height) in pixels.
        rng: where everything that has no name comes from.
    """

    def __init__(self, size: tuple[int, int], rng: np.random.Generator) -> None:
        (self.width, self.height), self.rng = size, rng
        self.image: Array = np.zeros((self.height, self.width, 3), np.float32)
        self.x = ((np.arange(self.width, dtype=np.float32) + 0.5) / self.width)[None, :]
        self.y = ((np.arange(self.height, dtype=np.float32) + 0.5) / self.height)[:, None]
        self.aspect = self.width / self.height

    def noise(self, slope: float, stretch: float = 1.0) -> Array:
        """Noise with a 1/f^slope spectrum, mean 0, deviation 1; ``stretch`` lengthens it across."""
        rows, columns = self.height, self.width
        across = np.fft.rfftfreq(columns)[None, :] * columns * stretch
        size = np.maximum(np.hypot(np.fft.fftfreq(rows)[:, None] * columns, across), 1.0)
        spectrum = (self.rng.random((rows, columns // 2 + 1, 2)) - 0.5).view(np.complex128)[..., 0]
        field = np.fft.irfft2(spectrum * size**-slope, s=(rows, columns))
        return np.asarray((field - field.mean()) / (field.std() + 1e-9), np.float32)

    def ridge(self, slope: float) -> Array:
        """A skyline in [0, 1], shape (1, w)."""
        line = self.noise(slope).mean(axis=0, keepdims=True)
        return np.asarray((line - line.min()) / (np.ptp(line) + 1e-9), np.float32)

    def paint(self, where: Array, colour: Array | Colour) -> None:
        """Lay a colour over the picture; ``where`` is its opacity, shape (h, w)."""
        alpha = np.clip(where, 0.0, 1.0)[..., None]
        self.image += alpha * (np.asarray(colour, np.float32) - self.image)

    def below(self, line: float | Array) -> Array:
        """1 under a line y(x), 0 above it, smooth over one pixel."""
        return np.clip((self.y - line) * self.height + 0.5 + 0.0 * self.x, 0.0, 1.0)

    def disc(self, x: float, y: float, radius: float, softness: float = 0.02) -> Array:
        """1 in a disc, 0 outside; the radius is in frame heights."""
        away = np.hypot((self.x - x) * self.aspect, self.y - y)
        return np.clip((radius - away) / (softness * radius) + 0.5, 0.0, 1.0)

    def box(self, left: float, top: float, right: float, bottom: float) -> tuple[slice, slice]:
        """The pixels of an upright rectangle."""
        rows = slice(max(0, round(top * self.height)), max(0, round(bottom * self.height)))
        return rows, slice(max(0, round(left * self.width)), max(0, round(right * self.width)))


def _shade(colour: Colour, light: Array) -> Array:
    """A colour under light of shape (h, w)."""
    return np.asarray(np.asarray(colour, np.float32) * light[..., None], np.float32)


def _sky(c: Canvas, top: Colour, low: Colour, horizon: float) -> None:
    fall = np.clip(c.y / horizon, 0.0, 1.0)[..., None]
    c.image[:] = np.asarray(top, np.float32) * (1 - fall) + np.asarray(low, np.float32) * fall
    c.paint(0.8 * np.clip(c.noise(1.7, 2.5) * 0.6, 0.0, 1.0), (0.97, 0.95, 0.93))


def sea(c: Canvas) -> None:
    """Water below a low sun."""
    line, x = c.rng.uniform(0.4, 0.6), c.rng.uniform(0.2, 0.8)
    _sky(c, (0.30, 0.52, 0.80), (0.86, 0.82, 0.74), line)
    glow = np.exp(-3.0 * np.hypot((c.x - x) * c.aspect, c.y - (line - 0.12)))
    c.paint(0.8 * glow, (1.0, 0.86, 0.60))
    c.paint(c.disc(x, line - 0.12, 0.04), (1.0, 0.97, 0.85))
    deep = np.clip((c.y - line) / (1.0 - line), 0.0, 1.0)
    waves = c.noise(1.2, 6.0) * (0.25 + deep)
    c.paint(c.below(line), _shade((0.16, 0.40, 0.52), 1.1 - 0.35 * deep + 0.22 * waves))
    path = np.exp(-(((c.x - x) * c.aspect / (0.05 + 0.25 * deep)) ** 2)) * (waves > 0.1)
    c.paint(0.7 * path * c.below(line), (1.0, 0.90, 0.70))


def mountains(c: Canvas) -> None:
    """Ridges behind ridges, the farthest with snow."""
    _sky(c, (0.36, 0.56, 0.84), (0.84, 0.88, 0.92), 0.7)
    stone = c.noise(1.3)
    for layer, colour in enumerate([(0.60, 0.64, 0.72), (0.42, 0.47, 0.52), (0.22, 0.33, 0.22)]):
        crest = 0.30 + 0.2 * layer - (0.28 - 0.06 * layer) * (c.ridge(1.25 + 0.15 * layer) - 0.5)
        c.paint(c.below(crest), _shade(colour, 1.0 + 0.16 * stone))
        if layer == 0:
            snow = np.clip(4.0 - 30.0 * (c.y - crest) + stone, 0.0, 1.0)
            c.paint(c.below(crest) * snow, (0.96, 0.97, 1.0))


def forest(c: Canvas) -> None:
    """Trunks before leaves, and light between them."""
    leaves = c.noise(0.9)
    c.image[:] = _shade((0.24, 0.42, 0.14), 1.0 + 0.45 * leaves)
    c.paint(np.clip(c.noise(1.6) - 0.6, 0.0, 0.8) * (c.y < 0.7), (0.90, 0.95, 0.66))
    c.paint(c.below(0.78 + 0.04 * c.ridge(2.0)), _shade((0.34, 0.26, 0.14), 1.0 + 0.35 * leaves))
    bark = c.noise(0.9, 0.15)
    for _ in range(int(c.rng.integers(6, 16))):
        x, wide = c.rng.random(), c.rng.uniform(0.008, 0.035)
        across = (c.x - x - 0.03 * (c.y - 0.5) * c.rng.normal()) / wide
        trunk = np.clip((1.0 - np.abs(across)) * wide * c.width + 0.5, 0, 1)
        trunk = trunk * (c.y < 0.75 + 4.0 * wide)
        c.paint(trunk, _shade((0.26, 0.20, 0.15), 1.0 - 0.4 * np.clip(across, -1, 1) + 0.2 * bark))


def city(c: Canvas) -> None:
    """Houses with windows, in the evening, some of them before others."""
    _sky(c, (0.10, 0.12, 0.28), (0.72, 0.48, 0.42), 0.8)
    for row in range(2):
        left = -0.05
        while left < 1.0:
            wide, top = c.rng.uniform(0.06, 0.16), c.rng.uniform(0.12, 0.5) + 0.2 * row
            _house(c, left, top, wide, 0.1 + 0.1 * (2 - row) * c.rng.random())
            left += wide * c.rng.uniform(0.8, 1.1)
    c.paint(c.below(0.95), (0.08, 0.08, 0.10))


def _house(c: Canvas, left: float, top: float, wide: float, wall: float) -> None:
    c.image[c.box(left, top, left + wide, 1.0)] = (0.8 * wall, 0.9 * wall, 1.1 * wall)
    for y in np.arange(top + 0.03, 0.95, 0.045):
        for x in np.arange(left + 0.012, left + wide - 0.015, 0.022):
            if c.rng.random() < 0.45:
                c.image[c.box(x, y, x + 0.012, y + 0.022)] = (0.98, 0.80, 0.48)


def flowers(c: Canvas) -> None:
    """Blossoms of one colour in grass, the near ones large."""
    c.image[:] = _shade((0.30, 0.52, 0.18), 0.55 + 0.6 * c.y + 0.3 * c.noise(0.8, 0.2))
    hue = c.rng.dirichlet((0.6, 0.6, 0.6))
    red, green, blue = np.clip(0.35 + 0.75 * hue / hue.max(), 0.0, 1.0).tolist()
    for y in np.sort(c.rng.uniform(0.05, 1.0, int(c.rng.integers(12, 40)))):
        x, radius = c.rng.random(), 0.02 + 0.09 * y * y
        across, down = (c.x - x) * c.aspect, c.y - y
        edge = radius * (1.1 + 0.5 * np.cos(6.0 * np.arctan2(down, across) + 9.0 * x))
        petals = np.clip((edge - np.hypot(across, down)) / (0.3 * radius), 0.0, 1.0)
        c.paint(petals, _shade((red, green, blue), 0.7 + 0.3 * petals))
        c.paint(c.disc(x, y, 0.45 * radius, 0.3), (0.95, 0.78, 0.20))


def fruit(c: Canvas) -> None:
    """Round fruit on a table, lit from the left."""
    wall = c.rng.uniform(0.25, 0.7)
    c.image[:] = _shade((wall, 0.92 * wall, 0.84 * wall), 1.1 - 0.4 * c.x + 0.03 * c.noise(1.5))
    c.paint(c.below(0.62), _shade((0.46, 0.32, 0.20), 1.0 + 0.14 * c.noise(1.2, 8.0)))
    for _ in range(int(c.rng.integers(2, 6))):
        _ball(c, c.rng.uniform(0.15, 0.85), c.rng.uniform(0.62, 0.72), c.rng.uniform(0.09, 0.17))


def _ball(c: Canvas, x: float, y: float, radius: float) -> None:
    hue = c.rng.random()
    c.paint(0.6 * c.disc(x + 0.03, y + 0.8 * radius, radius, 0.9), (0.08, 0.05, 0.03))
    across, down = (c.x - x) * c.aspect / radius, (c.y - y) / radius
    front = np.sqrt(np.clip(1.0 - across**2 - down**2, 0.0, 1.0))
    light = 0.25 + 0.85 * np.clip(0.7 * front - 0.5 * (across + down), 0.0, 1.0)
    c.paint(c.disc(x, y, radius, 0.03), _shade((0.85, 0.20 + 0.55 * hue, 0.10 + 0.10 * hue), light))
    shine = c.disc(x - 0.35 * radius / c.aspect, y - 0.4 * radius, 0.14 * radius, 1.0)
    c.paint(0.8 * shine, (1.0, 1.0, 0.96))


PAINTERS: Mapping[str, Callable[[Canvas], None]] = MappingProxyType(
    {one.__name__: one for one in (sea, mountains, forest, city, flowers, fruit)}
)
"""By the kind that they paint."""


def photograph(
    image: Array, rng: np.random.Generator, *, light: float, warmth: float, colour: float, haze: float
) -> Image.Image:
    """The photo of a painted place, as a camera and its owner set it; all numbers in [0, 1].

    Args:
        image: the place, shape (h, w, 3).
        rng: where the grain comes from.
        light: from dusk to bright day.
        warmth: from blue to golden.
        colour: from nearly grey to garish.
        haze: from clear and sharp to misty and soft.
    """
    image = image + 0.55 * haze * (np.array((0.78, 0.80, 0.82), np.float32) - image)
    tint, gain = 0.5 * (warmth - 0.5), 2.0 ** (1.6 * (light - 0.5))
    image = image * np.array((gain * (1.0 + tint), gain, gain * (1.0 - 1.2 * tint)), np.float32)
    # Summed by hand, because a matrix product may round differently elsewhere.
    grey = (0.299 * image[..., 0] + 0.587 * image[..., 1] + 0.114 * image[..., 2])[..., None]
    image = grey + (0.2 + 1.3 * colour) * (image - grey)
    image = image + 0.012 * rng.standard_normal(grey.shape, dtype=np.float32)
    photo = Image.fromarray((np.clip(image, 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8))
    return photo.filter(ImageFilter.GaussianBlur(0.004 * haze * photo.height))
