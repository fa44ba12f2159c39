"""The city at night: lit towers and their reflection."""

from __future__ import annotations

import numpy as np
from PIL import Image

from piaa.demo.blur import bloom
from piaa.demo.canvas import Canvas
from piaa.demo.colour import PALETTE, Array, mix, rgb, smoothstep, vivid_hue
from piaa.demo.painters.sky import paint_sky, paint_water


def paint_city_night(c: Canvas) -> None:
    """Lit towers over a river; clutter: neon signs, cranes, cables, traffic."""
    s = c.scene
    line = min(c.horizon + 0.15, 0.86)
    # A night has no day sky, however much light there is.
    c.top, c.middle, c.low = (mix(rgb(*cool), rgb(*warm), s.warmth) for cool, warm, _, _ in PALETTE[:3])
    night = 0.35 + 0.75 * s.light
    paint_sky(c, line - 0.1, None)
    c.image *= (
        night * np.asarray(1.0 - 0.45 * np.clip((line - c.y) / line, 0.0, 1.0), dtype=np.float32)[..., None]
    )
    lamp = mix(rgb(0.75, 0.85, 1.0), rgb(1.0, 0.72, 0.36), s.warmth)
    for layer in range(3):
        _towers(c, line, layer, lamp)
        c.image += (0.10 * np.exp(-np.abs(c.y - line) * 7.0))[..., None] * lamp
    _city_clutter(c, line)
    c.image += 0.8 * bloom(np.clip(c.image - 0.35, 0.0, 1.0), 0.03 * c.frame[1])
    # Long exposures draw the lights on water as columns.
    small = Image.fromarray((np.clip(c.image, 0.0, 1.0) * 255.0).astype(np.uint8))
    tall = small.resize((c.width, max(2, c.height // 14)), Image.Resampling.BOX).resize(
        (c.width, c.height), Image.Resampling.BICUBIC
    )
    sharp = c.image.copy()
    c.image[:] = 0.4 * c.image + 0.75 * np.asarray(tall, dtype=np.float32) / 255.0
    paint_water(c, line, c.middle * 0.07, 0.7, 0.09)
    over = c.below(line)[..., None]
    c.image[:] = sharp + over * (c.image - sharp)
    quay = smoothstep(np.abs(c.y - line), 0.004, 0.007)
    c.paint(1.0 - np.broadcast_to(quay, c.depth.shape), rgb(0.03, 0.03, 0.04))


def _towers(c: Canvas, line: float, layer: int, lamp: Array) -> None:
    rng = c.rng
    pen = c.pen()
    far = 1.0 - layer / 3.0
    body = mix(rgb(0.035, 0.04, 0.055), c.low * 0.4, 0.55 * far)
    lights = [
        mix(lamp, rgb(1.0, 0.95, 0.85), 0.6 * t) * (0.45 + 0.55 * t) * (1.0 - 0.35 * far)
        for t in np.linspace(0.0, 1.0, 8).tolist()
    ]
    x = -0.12
    while x < 1.12:
        width = float(rng.uniform(0.04, 0.11))
        rise = 0.9 * np.exp(-(((x + width / 2.0 - c.scene.subject) / 0.22) ** 2)) + 0.35
        height = float(rng.uniform(0.35, 1.0)) * (0.2 + 0.32 * far) * rise * line * 1.25
        top = line - height
        pen.box(x, top, x + width, line, body)
        if rng.random() < 0.3:
            pen.line([(x + width / 2.0, top), (x + width / 2.0, top - 0.06 * far - 0.02)], 0.004, body)
            pen.disc(x + width / 2.0, top - 0.06 * far - 0.02, 0.004, (1.0, 0.2, 0.15))
        busy = float(rng.uniform(0.15, 0.6))
        nx, ny = max(2, int(width / 0.0125)), max(2, int(height / 0.021))
        lit, tone = rng.random((2, ny, nx))
        for row, column in np.argwhere(lit < busy).tolist():
            wx, wy = x + (column + 0.25) * width / nx, top + (row + 0.3) * height / ny
            colour = lights[int(tone[row, column] * len(lights))]
            pen.box(wx, wy, wx + 0.5 * width / nx, wy + 0.45 * height / ny, colour)
        x += width + (0.0 if rng.random() < 0.6 else float(rng.uniform(0.0, 0.03)))
    c.lay(pen, 0.35 + 0.4 * far)


def _city_clutter(c: Canvas, line: float) -> None:
    pen = c.pen()
    for kind, x, y, size, hue in c.things(46, 5):
        neon = vivid_hue(hue) * 0.9 + 0.1
        if kind < 0.6:
            w, h = 0.012 + 0.03 * size, 0.02 + 0.07 * hue
            top = line - 0.03 - 0.3 * y * line
            pen.box(x, top, x + w, top + h, neon)
            pen.box(x + 0.2 * w, top + 0.15 * h, x + 0.8 * w, top + 0.4 * h, neon * 0.3)
        elif kind < 0.85:
            pen.disc(x, line - 0.012, 0.008 + 0.008 * size, (1.0, 0.3, 0.2) if hue < 0.5 else (1.0, 1.0, 0.9))
        else:
            top = line - (0.45 + 0.2 * size) * line
            pen.line([(x, line), (x, top)], 0.007, (0.3, 0.25, 0.1))
            pen.line([(x - 0.06, top), (x + 0.22, top + 0.01)], 0.006, (0.3, 0.25, 0.1))
            pen.line([(x + 0.18, top), (x + 0.18, top + 0.12)], 0.003, (0.3, 0.25, 0.1))
    c.lay(pen, 0.35)
