"""The mountains: ridges with snow, conifers and a lake."""

from __future__ import annotations

import numpy as np

from piaa.demo.canvas import Canvas
from piaa.demo.colour import Array, mix, rgb, smoothstep, vivid_hue
from piaa.demo.noise import fractal
from piaa.demo.painters.sky import paint_sky, paint_water


def paint_mountains(c: Canvas) -> None:
    """Ridges behind ridges and a lake; clutter: pylons, cables, cabins."""
    s, rng, line = c.scene, c.rng, min(c.horizon + 0.12, 0.84)
    paint_sky(c, line - 0.12, None)
    rough = c.noise(1.6)
    light = (
        np.roll(rough, -2, axis=1) - np.roll(rough, 2, axis=1) - 0.6 * (np.roll(rough, -3, axis=0) - rough)
    )
    light /= light.std()
    peak = np.exp(-(((c.x - s.subject) / 0.2) ** 2))
    for layer in range(4):
        far = 1.0 - layer / 4.0
        sharp = layer < 2
        height = (0.10 + 0.26 * far) * (0.45 + 0.55 * c.ridge(1.45 if sharp else 1.7, sharp))
        height = height + (0.24 * peak if layer == 0 else 0.0)
        crest = line - height * min(1.0, line / 0.6) + 0.02 * layer
        _mountain(c, line, layer, crest, rough, light)
    _conifers(c, line + 0.012)
    paint_water(c, line + 0.01, c.sunlight * rgb(0.06, 0.16, 0.19), 0.28)
    _mountain_clutter(c, line)
    stones = fractal(rng, (256, 256), 1.1)
    bank = 1.02 - 0.16 * c.ridge(2.0) * np.abs(c.x - s.subject)
    c.paint(
        c.below(np.maximum(bank, line + 0.1)),
        c.sunlight * rgb(0.2, 0.2, 0.17) * (1.0 + 0.5 * c.plane(stones, line, 0.3)[..., None]),
        0.05,
    )


def _mountain(c: Canvas, line: float, layer: int, crest: Array, rough: Array, light: Array) -> None:
    """One ridge, from its crest down to just below the water's edge; the two farthest carry snow."""
    rows = np.flatnonzero((c.y[:, 0] > crest.min() - 0.01) & (c.y[:, 0] < line + 0.05))
    part = c.rows(slice(rows[0], rows[-1] + 1))
    rough, light = rough[rows], light[rows]
    far = 1.0 - layer / 4.0
    under = np.clip((part.y - crest) / 0.25, 0.0, 1.0)
    stone = rgb(0.40, 0.40, 0.43) if layer < 2 else rgb(0.17, 0.23, 0.15)
    colour = c.sunlight * stone * (1.0 + 0.28 * light[..., None])
    if layer < 2:
        snow = smoothstep(rough * 0.35 - under * 2.6 + light * 0.22, -1.1, -0.65)[..., None]
        colour = mix(colour, c.sunlight * (0.90 + 0.14 * np.clip(light, -2.0, 1.0)[..., None]), snow)
    air = 0.62 * far**1.2
    colour = mix(colour, mix(c.low, c.middle, 0.6), air + (1.0 - air) * 0.25 * under[..., None] * far)
    part.paint(part.below(crest), colour, 0.3 + 0.6 * far)


def _conifers(c: Canvas, ground: float) -> None:
    pen = c.pen()
    for x, size, tone in c.dice(110, 3):
        h = (0.02 + 0.06 * size) * (0.6 + 0.8 * abs(x * 1.2 - 0.1 - c.scene.subject))
        centre, w = x * 1.2 - 0.1, 0.16 * h
        colour = c.sunlight * rgb(0.07, 0.13, 0.08) * (0.7 + 0.6 * tone)
        for step in range(3):
            top, bottom = ground - h * (1.0 - 0.27 * step), ground - h * max(0.0, 0.52 - 0.26 * step)
            pen.polygon(
                [
                    (centre, top),
                    (centre - w * (0.6 + 0.3 * step), bottom),
                    (centre + w * (0.6 + 0.3 * step), bottom),
                ],
                colour,
            )
    c.lay(pen, 0.45)


def _mountain_clutter(c: Canvas, line: float) -> None:
    pen = c.pen()
    dark = c.sunlight * 0.16
    for kind, x, y, size, hue in c.things(18, 5):
        if kind < 0.5:
            w, ground = 0.018 + 0.03 * size, line - 0.005 + 0.05 * y * 0.4
            pen.box(x - w, ground - 1.2 * w, x + w, ground, c.sunlight * (vivid_hue(hue) * 0.45 + 0.3))
            pen.polygon(
                [(x - 1.3 * w, ground - 1.1 * w), (x, ground - 2.3 * w), (x + 1.3 * w, ground - 1.1 * w)],
                dark,
            )
            pen.box(x - 0.3 * w, ground - 0.9 * w, x + 0.2 * w, ground - 0.4 * w, (1.0, 0.85, 0.5))
        else:
            h = 0.25 + 0.35 * size
            pen.line([(x, line + 0.02), (x, line - h)], 0.008, dark)
            for arm in (0.0, 0.05):
                pen.line([(x - 0.05, line - h + arm), (x + 0.05, line - h + arm)], 0.006, dark)
                sag = [
                    (t, line - h + arm + 0.25 * (t - x) * (t - x - 0.4))
                    for t in np.linspace(x - 1.2, x + 1.2, 25)
                ]
                pen.line(sag, 0.003, dark)
    c.lay(pen, 0.25)
