"""The portrait: an outline in profile, modelled by light."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from piaa.demo.blur import blur
from piaa.demo.canvas import Canvas
from piaa.demo.colour import mix, rgb, smoothstep, vivid_hue
from piaa.demo.pen import Point, spline

# Profile to the right; (0, 0) is the crown, the chin is at y = 1.
_HEAD = (
    (-0.05, 0.00), (0.20, 0.03), (0.35, 0.14), (0.405, 0.28), (0.41, 0.37), (0.385, 0.43), (0.435, 0.52),
    (0.515, 0.615), (0.49, 0.66), (0.43, 0.68), (0.455, 0.735), (0.425, 0.765), (0.447, 0.80), (0.40, 0.85),
    (0.415, 0.93), (0.36, 1.00), (0.22, 1.00), (0.11, 1.06), (0.10, 1.30), (0.16, 1.44), (0.42, 1.60),
    (0.62, 1.90), (0.70, 2.90), (-1.05, 2.90), (-0.98, 1.90), (-0.70, 1.55), (-0.38, 1.40), (-0.31, 1.15),
    (-0.40, 0.85), (-0.48, 0.55), (-0.44, 0.25), (-0.28, 0.06),
)  # fmt: skip
_HAIR = (
    (-0.05, -0.03), (0.18, 0.00), (0.33, 0.10), (0.30, 0.20), (0.14, 0.26), (0.05, 0.42), (-0.02, 0.60),
    (-0.10, 0.80), (-0.22, 0.98), (-0.38, 1.02), (-0.50, 0.80), (-0.53, 0.52), (-0.48, 0.22), (-0.30, 0.02),
)  # fmt: skip
_COAT = (
    (-0.40, 1.34), (-0.20, 1.42), (0.08, 1.46), (0.22, 1.44), (0.50, 1.58), (0.70, 1.90), (0.80, 3.0),
    (-1.15, 3.0), (-1.05, 1.85), (-0.75, 1.52),
)  # fmt: skip


def paint_portrait(c: Canvas) -> None:
    """A person in profile before a blurred background; clutter: a busy, nearly sharp background."""
    s = c.scene
    far = c.noise(2.0)[..., None]
    behind = mix(c.middle, c.low, smoothstep(c.y, c.horizon - 0.35, c.horizon + 0.25)[..., None])
    tone = mix(rgb(0.13, 0.22, 0.27), rgb(0.40, 0.24, 0.12), s.warmth) * (
        1.25 - 0.9 * np.hypot(c.x - 1.0 + s.subject, c.y - 0.3)[..., None]
    )
    c.image[:] = 0.2 * behind + 0.8 * c.sunlight * tone * (1.0 + 0.22 * far)
    pen = c.pen()
    for x, y, size, tint in c.dice(26, 4):
        pen.disc(x, y * 0.8, 0.02 + 0.05 * size, mix(c.low, vivid_hue(tint), 0.25), 0.22)
    c.lay(pen, 0.9, 0.006)
    pen = c.pen()
    for kind, x, y, size, hue in c.things(60, 5):
        colour = c.sunlight * mix(vivid_hue(hue), rgb(0.45, 0.42, 0.40), 0.45)
        if kind < 0.5:
            pen.box(x - 0.03 - 0.06 * size, y - 0.05 - 0.1 * hue, x + 0.03, y + 0.05, colour)
        else:
            pen.line([(x, y - 0.3 * size), (x + 0.2 * (hue - 0.5), y + 0.3)], 0.012, colour * 0.6)
    c.lay(pen, 0.8, 0.006)
    c.depth[:] = 0.85
    _bust(c)


def _bust(c: Canvas) -> None:
    s, rng = c.scene, c.rng
    facing = 1.0 if s.subject < 0.5 else -1.0
    size = 0.40
    top = float(np.clip(0.42 - 0.4 * s.horizon, 0.10, 0.26))

    def place(points: Sequence[Point]) -> list[Point]:
        return [(s.subject + facing * x * size / c.aspect, top + y * size) for x, y in spline(points)]

    skin = mix(rgb(0.90, 0.68, 0.55), rgb(0.42, 0.27, 0.19), float(rng.random()))
    hair = mix(rgb(0.10, 0.07, 0.05), rgb(0.55, 0.36, 0.18), float(rng.random()) ** 2)
    coat = mix(vivid_hue(float(rng.random())), rgb(0.22, 0.22, 0.25), 0.6)
    pen = c.pen()
    pen.polygon(place(_HEAD), skin)
    pen.polygon(
        place([(0.27, 0.435), (0.30, 0.452), (0.345, 0.455), (0.36, 0.443), (0.335, 0.445), (0.30, 0.440)]),
        skin * 0.25,
    )
    pen.polygon(
        place([(0.24, 0.375), (0.30, 0.345), (0.37, 0.350), (0.38, 0.362), (0.31, 0.360)]),
        mix(hair, skin, 0.35),
    )
    pen.polygon(
        place([(0.33, 0.765), (0.43, 0.755), (0.44, 0.775), (0.40, 0.785)]), skin * rgb(0.62, 0.4, 0.4)
    )
    pen.polygon(place(_HAIR), hair)
    pen.polygon(place(_COAT), coat)
    layer = np.asarray(pen.layer.reduce(2), dtype=np.float32) / 255.0
    mask = layer[..., 3]
    # The shape is inflated: the slope of its blurred mask stands for the surface's.
    soft = blur(mask, 0.055 * c.frame[1])
    ny, nx = (g.astype(np.float32) * 0.13 * c.frame[1] for g in np.gradient(soft))
    key = np.asarray(np.clip(0.48 - facing * nx + ny * 0.5, 0.05, 1.25), dtype=np.float32)
    rim = np.asarray(np.clip(facing * nx * 0.9 + ny * 0.4 - 0.25, 0.0, 1.0) * 0.6, dtype=np.float32)
    colour = layer[..., :3] * (c.sunlight * 1.1 * key[..., None]) + rim[..., None] * c.low * 0.8
    c.paint(mask, colour, 0.05)
