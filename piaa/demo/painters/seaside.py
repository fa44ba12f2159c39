"""The seaside: sun, water, rock, sand and what people bring to a beach."""

from __future__ import annotations

import numpy as np

from piaa.demo.canvas import Canvas
from piaa.demo.colour import mix, rgb, smoothstep, vivid_hue
from piaa.demo.noise import fractal
from piaa.demo.painters.sky import paint_sky, paint_water


def paint_seaside(c: Canvas) -> None:
    """The sun over the sea, a headland, a beach; clutter: boats, people, parasols, litter."""
    s, rng, line = c.scene, c.rng, c.horizon
    sun = (s.subject, line - 0.05 - 0.20 * s.light)
    paint_sky(c, line, sun)
    side, land = float(rng.choice([0.0, 1.0])), c.ridge(1.3)
    slope = np.clip(1.0 - np.abs(c.x - side) / float(rng.uniform(0.25, 0.6)), 0.0, 1.0)
    rock = mix(c.haze * 0.6, rgb(0.13, 0.14, 0.16), 0.45 + 0.2 * c.scene.contrast)
    c.paint(c.below(line + 0.003 - slope**0.8 * (0.05 + 0.09 * land)), rock, 0.75)
    deep = c.sunlight * mix(rgb(0.05, 0.22, 0.30), rgb(0.12, 0.16, 0.20), s.warmth)
    waves = paint_water(c, line, deep, 0.8)
    near = np.clip(c.y - line, 0.0, 1.0)
    column = np.exp(-(((c.x - s.subject) / (0.025 + 0.28 * near)) ** 2)) * smoothstep(waves, 0.3, 1.7)
    c.image += (column * c.below(line) * np.clip(1.3 - near, 0.3, 1.0))[..., None] * rgb(0.95, 0.72, 0.42)
    shore = 0.86 + 0.08 * (c.ridge(2.2) - 0.5) + 0.10 * (c.x - 0.5) * float(rng.uniform(-1.0, 1.0))
    shore = np.maximum(shore, line + 0.13)
    grain = c.plane(fractal(rng, (256, 256), 0.7), line, 0.25)
    sand = c.sunlight * rgb(0.74, 0.62, 0.47) * (1.0 + 0.06 * grain[..., None])
    wet = np.clip((c.y - shore) * 9.0, 0.0, 1.0)[..., None]
    sand = mix(sand * 0.45 + 0.4 * c.low, sand, wet)
    foam = np.exp(-(((c.y - shore) * 70.0) ** 2)) + 0.6 * np.exp(-(((c.y - shore + 0.035) * 60.0) ** 2))
    c.paint(c.below(shore), sand, 0.1)
    c.paint(np.clip(foam * (0.55 + 0.35 * waves), 0.0, 0.9), c.sunlight * 0.9 + 0.1, 0.12)
    _beach_clutter(c, line)


def _beach_clutter(c: Canvas, line: float) -> None:
    pen = c.pen()
    dark = c.sunlight * 0.13
    for kind, x, y, size, hue in c.things(34, 5):
        ground = max(0.90, line + 0.15) + 0.16 * y
        h = 0.05 + 0.26 * (ground - line)
        vivid = c.sunlight * mix(vivid_hue(hue), rgb(0.5, 0.45, 0.42), 0.4)
        if kind < 0.25:
            w, b = 0.02 + 0.05 * size, line + 0.012 + 0.07 * y
            pen.polygon(
                [(x - w, b), (x + w, b), (x + 0.7 * w, b + 0.3 * w), (x - 0.7 * w, b + 0.3 * w)], dark
            )
            pen.polygon([(x, b), (x, b - 2.4 * w), (x + 0.8 * w, b - 0.1 * w)], vivid * 0.5 + 0.35)
        elif kind < 0.6:
            pen.figure(x, float(ground), float(h * (0.9 + 0.3 * size)), mix(dark, vivid, 0.3))
        elif kind < 0.85:
            pen.line([(x, ground), (x, ground - h)], 0.006, dark)
            roof = [(x - 0.7 * h, ground - h), (x - 0.35 * h, ground - 1.3 * h), (x, ground - 1.38 * h)]
            roof += [(x + 0.35 * h, ground - 1.3 * h), (x + 0.7 * h, ground - h)]
            pen.polygon(roof, vivid)
        else:
            pen.box(x - 0.2 * h, ground - 0.25 * h, x + 0.2 * h, ground, vivid)
    c.lay(pen, 0.15)
