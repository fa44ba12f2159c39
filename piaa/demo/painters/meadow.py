"""The meadow: hills, one tree, grass and flowers."""

from __future__ import annotations

import numpy as np

from piaa.demo.canvas import Canvas
from piaa.demo.colour import mix, rgb, smoothstep, vivid_hue
from piaa.demo.noise import fractal
from piaa.demo.painters.sky import paint_sky


def paint_meadow(c: Canvas) -> None:
    """Flowers in the grass before hills and one tree; clutter: all colours, weeds, a fence, wires."""
    s, rng, line = c.scene, c.rng, c.horizon
    paint_sky(c, line, (1.0 - s.subject, line - 0.22 - 0.1 * s.light) if s.light < 0.55 else None)
    for layer in range(3):
        hill = line - (0.11 - 0.045 * layer) * c.ridge(2.1) + 0.004
        green = c.sunlight * mix(rgb(0.18, 0.32, 0.14), rgb(0.42, 0.36, 0.14), s.warmth)
        c.paint(c.below(hill), mix(green, c.haze, 0.6 - 0.22 * layer), 0.9 - 0.15 * layer)
    _lone_tree(c, line)
    tile = fractal(rng, (256, 256), 0.9)
    texture = c.plane(tile, line - 0.01, 0.16, along=0.35)
    near = np.clip((c.y - line) / max(1.0 - line, 0.2), 0.0, 1.0)
    grass = c.sunlight * mix(rgb(0.25, 0.46, 0.12), rgb(0.55, 0.48, 0.16), 0.8 * s.warmth)
    shade = (1.05 - 0.35 * near + 0.2 * texture)[..., None]
    c.paint(c.below(line + 0.006 * c.ridge(0.6)), grass * shade, 0.8 - 0.75 * near)
    hues = rng.random(4)
    pen = c.pen()
    for x, d, lean, tone in c.dice(1100, 4):
        t = d**0.6
        y = line + 0.02 + t * (1.08 - line)
        size = 0.008 + 0.085 * t**1.6
        px = x * 1.2 - 0.1
        tip = (px + (lean - 0.5) * size * 0.7, y - size)
        pen.line([(px, y), tip], 0.0025 + 0.003 * t, grass * (0.5 + 0.75 * tone) * (1.1 - 0.3 * t), 0.85)
    for index, (x, d, pick, tone) in enumerate(c.dice(260, 4)):
        t = d**0.75
        y, r = line + 0.03 + t * (1.03 - line), 0.003 + 0.017 * t**1.4
        # A calm meadow has one kind of flower around the subject; a cluttered one has all of them.
        kinds = 1 + int(pick * 4.0 * s.clutter)
        hue = float(hues[kinds % 4 if kinds > 1 else 0])
        if index > 120 + 140 * s.clutter:
            break
        px = s.subject + (x - 0.5) * (0.6 + 0.7 * t)
        petal = c.sunlight * (vivid_hue(hue * 0.45 + 0.72) * 0.95)
        shaded = np.asarray(petal * (0.75 + 0.3 * tone), dtype=np.float32)
        for dx, dy in ((-0.7, 0.0), (0.7, 0.0), (0.0, -0.55), (0.0, 0.5)):
            pen.disc(px + dx * r / c.aspect, y + dy * r, 0.75 * r, shaded, flat=0.8)
        pen.disc(px, y, 0.4 * r, c.sunlight * rgb(0.95, 0.75, 0.2))
    c.lay(pen, 0.25)
    _meadow_clutter(c, line)


def _lone_tree(c: Canvas, line: float) -> None:
    size = float(c.rng.uniform(0.2, 0.3))
    x, y = c.scene.subject, line + 0.02
    pen = c.pen()
    bark = c.sunlight * rgb(0.16, 0.12, 0.09)
    pen.polygon(
        [(x - 0.012, y), (x + 0.012, y), (x + 0.005, y - 0.6 * size), (x - 0.005, y - 0.6 * size)], bark
    )
    for lean, rise, reach in c.dice(7, 3):
        foot, tip = y - (0.35 + 0.25 * rise) * size, y - (0.65 + 0.4 * reach) * size
        pen.line([(x, foot), (x + 0.5 * (lean - 0.5) * size, tip)], 0.004, bark)
    c.lay(pen, 0.55)
    part = c.window(x, y - 0.75 * size, 0.7 * size, 0.7 * size)
    shape = (part.height, part.width)
    leaves, boughs = fractal(c.rng, shape, 0.7), fractal(c.rng, shape, 1.3)
    dx, dy = (part.x - x) * c.aspect / (0.46 * size), (part.y - y + 0.72 * size) / (0.42 * size)
    crown = smoothstep(1.0 - np.hypot(dx, dy) + 0.16 * boughs + 0.10 * leaves, 0.0, 0.25)
    green = c.sunlight * mix(rgb(0.15, 0.27, 0.09), rgb(0.44, 0.30, 0.08), c.scene.warmth)
    lit = 0.85 - 0.30 * dy - 0.2 * dx * (1.0 if x > 0.5 else -1.0) + 0.22 * boughs + 0.12 * leaves
    part.paint(crown, green * np.clip(lit, 0.25, 1.8)[..., None], 0.55)


def _meadow_clutter(c: Canvas, line: float) -> None:
    pen = c.pen()
    wood = c.sunlight * rgb(0.34, 0.28, 0.22)
    things = c.things(60, 4)
    if len(things) > 24:
        y = line + 0.30 * (1.0 - line)
        for post in np.arange(-0.1, 1.15, 0.11):
            pen.box(post, y - 0.15, post + 0.014, y + 0.03, wood)
        for rail in (0.11, 0.05):
            pen.line([(-0.1, y - rail), (1.1, y - rail + 0.01)], 0.012, wood * 1.15)
    if len(things) > 36:
        for wire in (0.0, 0.03, 0.07):
            pen.line(
                [(t, 0.12 + wire + 0.10 * (t - 0.5) ** 2) for t in np.linspace(-0.1, 1.1, 20)],
                0.003,
                rgb(0.08, 0.08, 0.08),
            )
    for x, y, size, tone in things:
        base = 0.75 + 0.35 * y
        h = 0.12 + 0.25 * size
        stem = c.sunlight * mix(rgb(0.10, 0.16, 0.05), rgb(0.4, 0.36, 0.2), tone)
        lean = 0.2 * (tone - 0.5)
        pen.line([(x, base), (x + 0.5 * lean * h, base - 0.6 * h), (x + lean * h, base - h)], 0.005, stem)
        for part in (0.5, 0.7, 0.9):
            side = 0.05 * (1.0 if int(part * 10) % 4 == 1 else -1.0)
            pen.line(
                [
                    (x + lean * h * part, base - h * part),
                    (x + lean * h * part + side, base - h * part - 0.03),
                ],
                0.005,
                stem,
            )
    c.lay(pen, 0.05)
