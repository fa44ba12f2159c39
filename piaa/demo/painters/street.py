"""The street: houses, road, people and cars in perspective."""

from __future__ import annotations

import numpy as np

from piaa.demo.canvas import Canvas
from piaa.demo.colour import Array, mix, rgb, vivid_hue
from piaa.demo.noise import fractal
from piaa.demo.painters.sky import paint_sky
from piaa.demo.pen import Pen


def paint_street(c: Canvas) -> None:
    """A street between houses; clutter: cars, people, signs, cables."""
    s, rng, line = c.scene, c.rng, float(np.clip(c.horizon, 0.35, 0.75))
    vanish = s.subject
    paint_sky(c, line, None)
    across, down = (c.x - vanish) * c.aspect, c.y - line
    wall_depth = 0.55 / np.maximum(np.abs(across), 0.008)
    block = np.clip(np.floor(wall_depth * 0.9), 0, 63).astype(np.int64)
    left = (across < 0.0).astype(np.int64)
    tall = rng.uniform(0.55, 1.5, (2, 64)).astype(np.float32)[left, block]
    tint = mix(rgb(0.62, 0.60, 0.58), rng.uniform(0.35, 0.85, (2, 64, 3)).astype(np.float32), 0.55)[
        left, block
    ]
    up = -down * wall_depth
    eye = 0.24
    face = ((up < tall) & (up > -eye)).astype(np.float32)
    along, storey = (wall_depth * 5.4) % 1.0, ((up + eye) * 4.2) % 1.0
    window = (np.abs(along - 0.5) < 0.26) & (np.abs(storey - 0.52) < 0.28) & (up < tall - 0.08)
    frame = (np.abs(along - 0.5) < 0.33) & (np.abs(storey - 0.52) < 0.35) & (up < tall - 0.05)
    cell = (
        block * 31
        + np.floor(wall_depth * 5.4).astype(np.int64) * 7
        + np.floor((up + eye) * 4.2).astype(np.int64) * 13
        + left * 5
    ) % 97
    lit = rng.random(97, dtype=np.float32)[cell]
    sunny = np.where(left == 1, 0.62, 1.0) if rng.random() < 0.5 else np.where(left == 1, 1.0, 0.62)
    stain = c.noise(1.4)
    colour = c.sunlight * tint * (sunny * (0.85 + 0.05 * stain) + 0.1 * up)[..., None]
    colour = np.where(frame[..., None], colour * 1.15 + 0.03, colour)
    glass = mix(
        c.middle * 0.35,
        rgb(1.0, 0.78, 0.42),
        ((lit > 0.35 + 0.65 * s.light).astype(np.float32) * 0.9)[..., None],
    )
    colour = np.where(window[..., None], glass + 0.1 * c.low, colour)
    far = np.clip(wall_depth / 9.0, 0.0, 1.0)
    colour = mix(colour, mix(c.low, c.haze, 0.5), (0.75 * far**0.8)[..., None])
    c.paint(face, colour, 0.1 + 0.8 * far)
    ground_depth = eye / np.maximum(down, 0.008)
    road_x = across * ground_depth / eye * 0.24
    asphalt = c.plane(fractal(rng, (256, 256), 0.7), line, 0.3)
    wet = float(rng.random())
    road = c.sunlight * rgb(0.30, 0.30, 0.32) * (1.0 + 0.10 * asphalt[..., None])
    shine = c.mirror(line, 0.02 * asphalt * np.clip(down * 4.0, 0.0, 1.0))
    road = mix(road, shine, 0.15 + 0.5 * wet * np.exp(-np.clip(down, 0.0, 1.0))[..., None])
    walk = np.abs(road_x) > 0.36
    road = np.where(
        walk[..., None], c.sunlight * rgb(0.56, 0.54, 0.52) * (1.0 + 0.06 * asphalt[..., None]), road
    )
    dash = (np.abs(road_x) < 0.012) & ((ground_depth * 1.6) % 1.0 < 0.5)
    road = np.where(dash[..., None], c.sunlight * 0.85, road)
    on_ground = ((down > 0.0) & (ground_depth < wall_depth)).astype(np.float32)
    far = np.clip(ground_depth / 9.0, 0.0, 1.0) + 0.0 * c.x
    c.paint(on_ground, mix(road, c.haze, (0.7 * far)[..., None]), 0.1 + 0.8 * far)
    _street_clutter(c, vanish, line)


def _street_clutter(c: Canvas, vanish: float, line: float) -> None:
    pen = c.pen()
    pen.figure(vanish + 0.03, line + 0.13, 0.145, c.sunlight * 0.10)
    pen.disc(vanish + 0.03, line - 0.005, 0.035, c.sunlight * rgb(0.55, 0.08, 0.09), flat=0.55)
    things = c.things(40, 5)
    for kind, x, z, size, hue in sorted(things, key=lambda thing: -thing[2]):
        depth = 0.45 + 3.0 * z
        scale = 0.24 / depth
        side = -1.0 if x < 0.5 else 1.0
        ground = line + scale
        colour = c.sunlight * mix(vivid_hue(hue), rgb(0.3, 0.3, 0.32), 0.35)
        if kind < 0.35:
            px, w = vanish + side * (0.16 + 0.2 * x) * 1.3 / depth / c.aspect, 0.42 * scale
            _car(pen, px, ground, w, colour, c.sunlight)
        elif kind < 0.65:
            px = vanish + side * (0.40 + 0.12 * size) / depth / c.aspect
            pen.figure(px, ground, scale * (0.95 + 0.2 * size), colour * 0.5, 0.1 + 0.08 * size)
        elif kind < 0.9:
            px, h = vanish + side * 0.5 / depth / c.aspect, scale * (1.6 + size)
            pen.line([(px, ground), (px, ground - h)], 0.04 * scale, rgb(0.1, 0.1, 0.1))
            pen.box(px - 0.3 * scale, ground - h, px + 0.3 * scale, ground - h + 0.4 * scale, colour * 1.2)
            pen.box(
                px - 0.2 * scale,
                ground - h + 0.1 * scale,
                px + 0.2 * scale,
                ground - h + 0.18 * scale,
                c.sunlight * 0.9,
            )
        else:
            h = line - (0.25 + 0.3 * size) * line
            pen.line(
                [(t, h + 0.12 * (t - 0.5) ** 2 + 0.1 * (x - 0.5) * t) for t in np.linspace(-0.1, 1.1, 16)],
                0.0035,
                rgb(0.05, 0.05, 0.05),
            )
    c.lay(pen, 0.2)


def _car(pen: Pen, x: float, y: float, w: float, colour: Array, light: Array) -> None:
    """The back of a car of half width w that stands at (x, y)."""
    black = rgb(0.04, 0.04, 0.04)
    pen.disc(x, y, 1.5 * w, black, 0.35, flat=0.16)
    for side in (-0.75, 0.75):
        pen.box(x + side * w - 0.14 * w, y - 0.3 * w, x + side * w + 0.14 * w, y, black)
    pen.polygon(
        [
            (x - w, y - 0.2 * w),
            (x + w, y - 0.2 * w),
            (x + 0.98 * w, y - 1.1 * w),
            (x - 0.98 * w, y - 1.1 * w),
        ],
        colour,
    )
    pen.polygon(
        [
            (x - 0.95 * w, y - 1.1 * w),
            (x + 0.95 * w, y - 1.1 * w),
            (x + 0.68 * w, y - 1.9 * w),
            (x - 0.68 * w, y - 1.9 * w),
        ],
        colour * 0.8,
    )
    pen.polygon(
        [
            (x - 0.8 * w, y - 1.15 * w),
            (x + 0.8 * w, y - 1.15 * w),
            (x + 0.6 * w, y - 1.8 * w),
            (x - 0.6 * w, y - 1.8 * w),
        ],
        light * 0.3 + 0.06,
    )
    for side in (-0.8, 0.62):
        pen.box(x + side * w, y - 0.95 * w, x + (side + 0.18) * w, y - 0.7 * w, (0.9, 0.12, 0.1))
    pen.box(x - 0.25 * w, y - 0.6 * w, x + 0.25 * w, y - 0.42 * w, light * 0.85)
