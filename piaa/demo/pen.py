"""A pen for shapes with hard edges: polygons, boxes, discs, lines, people and smooth outlines."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from piaa.demo.colour import Array, Colour

Point = tuple[float, float]


class Pen:
    """Draws shapes in frame units, with colours in [0, 1], on a layer of twice the canvas's resolution."""

    def __init__(self, size: tuple[int, int], frame: tuple[int, int], border: tuple[int, int]) -> None:
        """A transparent layer.

        Args:
            size: (width, height) of the canvas, in pixels.
            frame: (width, height) of the frame inside it, in pixels.
            border: where the frame begins, (across, down) in pixels.
        """
        self.layer = Image.new("RGBA", (2 * size[0], 2 * size[1]))
        self._draw = ImageDraw.Draw(self.layer)
        self._frame, self._border = frame, border

    def at(self, point: Point) -> Point:
        """Pixel of the layer."""
        (width, height), (left, up) = self._frame, self._border
        return 2.0 * (point[0] * width + left), 2.0 * (point[1] * height + up)

    def polygon(self, points: Sequence[Point], colour: Array | Colour, alpha: float = 1.0) -> None:
        """A filled polygon."""
        self._draw.polygon([self.at(p) for p in points], fill=_ink(colour, alpha))

    def box(
        self, x0: float, y0: float, x1: float, y1: float, colour: Array | Colour, alpha: float = 1.0
    ) -> None:
        """A filled upright rectangle."""
        self._draw.rectangle(
            [self.at((x0, y0)), self.at((max(x0, x1), max(y0, y1)))], fill=_ink(colour, alpha)
        )

    def disc(
        self, x: float, y: float, radius: float, colour: Array | Colour, alpha: float = 1.0, flat: float = 1.0
    ) -> None:
        """A filled ellipse; the radius is in frame heights, `flat` is its height over its width."""
        (px, py), r = self.at((x, y)), 2.0 * radius * self._frame[1]
        self._draw.ellipse([px - r, py - r * flat, px + r, py + r * flat], fill=_ink(colour, alpha))

    def line(self, points: Sequence[Point], width: float, colour: Array | Colour, alpha: float = 1.0) -> None:
        """A line; the width is in frame heights."""
        pixels = max(1, round(2.0 * width * self._frame[1]))
        self._draw.line([self.at(p) for p in points], fill=_ink(colour, alpha), width=pixels, joint="curve")

    def figure(self, x: float, y: float, height: float, colour: Array | Colour, legs: float = 0.12) -> None:
        """A person standing at (x, y), seen as little more than a silhouette."""
        w = height * self._frame[1] / self._frame[0]
        self.disc(x, y - 0.92 * height, 0.075 * height, colour)
        body = [(-0.13, 0.82), (0.13, 0.82), (0.15, 0.45), (legs, 0.0), (legs - 0.07, 0.0), (0.0, 0.42)]
        body += [(-legs + 0.07, 0.0), (-legs, 0.0), (-0.15, 0.45)]
        self.polygon([(x + a * w, y - b * height) for a, b in body], colour)


def _ink(colour: Array | Colour, alpha: float) -> tuple[int, int, int, int]:
    r, g, b = colour.tolist() if isinstance(colour, np.ndarray) else colour
    return _level(r), _level(g), _level(b), _level(alpha)


def _level(value: float) -> int:
    return 0 if value <= 0.0 else 255 if value >= 1.0 else int(value * 255.0 + 0.5)


def spline(points: Sequence[Point], steps: int = 8) -> list[Point]:
    """A closed smooth (Catmull-Rom) curve through the points."""
    p = np.asarray(points, dtype=np.float64)
    before, after, beyond = np.roll(p, 1, 0), np.roll(p, -1, 0), np.roll(p, -2, 0)
    t = (np.arange(steps) / steps)[None, :, None]
    a, b, c, d = (q[:, None, :] for q in (before, p, after, beyond))
    curve = b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)))
    return [(float(x), float(y)) for x, y in curve.reshape(-1, 2)]
