"""Sky and water, which several kinds of scene share."""

from __future__ import annotations

import numpy as np

from piaa.demo.canvas import Canvas
from piaa.demo.colour import Array, mix, rgb, smoothstep
from piaa.demo.noise import finer, fractal
from piaa.demo.pen import Point


def paint_sky(c: Canvas, horizon: float, sun: Point | None = None) -> None:
    """Sky down to the horizon: gradient, sun with its glow, clouds lit from the horizon."""
    up = np.clip((horizon - c.y) / max(horizon + 0.08, 0.25), 0.0, 1.0)[..., None]
    colour = mix(c.low, c.middle, smoothstep(up, 0.0, 0.5))
    colour = mix(colour, c.top, smoothstep(up, 0.3, 1.1))
    c.image[:] = colour
    if sun is not None:
        c.glow(*sun, 0.28, c.low * rgb(0.6, 0.5, 0.35))
        c.glow(*sun, 0.05, rgb(1.0, 0.85, 0.6), 0.8)
        away = np.hypot((c.x - sun[0]) * c.aspect, c.y - sun[1])
        c.paint(smoothstep(-away, -0.036, -0.030), rgb(1.25, 1.15, 0.92))
    tile = finer(fractal(c.rng, (288, 288), 1.75))
    relief = 1.6 * (tile - np.roll(tile, 14, axis=0))
    cover = float(c.rng.uniform(-0.3, 1.1))
    high = c.plane(tile, horizon + 0.1, 0.17, ceiling=True, along=1.2)
    lit = c.plane(relief, horizon + 0.1, 0.17, ceiling=True, along=1.2)
    density = smoothstep(high, cover, cover + 1.3) * np.clip((horizon - c.y + 0.02) * 9.0, 0.0, 1.0) * 0.9
    shade = mix(c.middle * 0.72, np.minimum(c.low * 1.05 + 0.06, 1.15), smoothstep(lit, -0.7, 0.7)[..., None])
    c.paint(density, shade)


def paint_water(c: Canvas, line: float, deep: Array, rough: float, scale: float = 0.12) -> Array:
    """Water from the line down: a shaken mirror, clearer far away; returns the waves, mean 0."""
    tile = finer(fractal(c.rng, (288, 288), 1.5))
    waves = c.plane(tile, line, scale, along=2.2)
    near = np.clip(c.y - line, 0.0, 1.0)
    reflected = c.mirror(line, waves * (0.006 + near * 0.16) * rough)
    clear = (0.28 + 0.6 * np.exp(-near * 4.0))[..., None]
    slope = (waves * np.minimum(near * 4.0, 1.0))[..., None]
    colour = reflected * clear + deep * (1.0 - clear) + slope * 0.055 * rough * (reflected + 0.15)
    c.paint(c.below(line), colour, 1.0 / (1.0 + 7.0 * near))
    return waves
