"""The forest: trunks, leaves and a path."""

from __future__ import annotations

import numpy as np

from piaa.demo.canvas import Canvas
from piaa.demo.colour import Array, mix, rgb, smoothstep
from piaa.demo.noise import fractal


def paint_forest(c: Canvas) -> None:
    """Trunks in the haze and a path between them; clutter: branches and undergrowth."""
    s, rng, line = c.scene, c.rng, c.horizon
    autumn = s.warmth
    leaf = mix(rgb(0.20, 0.36, 0.12), rgb(0.78, 0.42, 0.10), autumn)
    c.image[:] = mix(
        c.haze * 0.9, c.sunlight * leaf * 1.1, smoothstep(np.abs(c.y - line), 0.05, 0.8)[..., None] * 0.6
    )
    c.glow(s.subject, line - 0.12, 0.25, c.low, 0.35)
    leaves = c.noise(0.75)
    crowns = c.noise(1.7)
    ground = c.plane(fractal(rng, (256, 256), 0.8), line - 0.02, 0.27)
    earth = c.sunlight * mix(leaf, rgb(0.24, 0.20, 0.13), 0.55) * (1.0 + 0.35 * ground[..., None])
    near = np.clip(c.y - line, 0.0, 1.0)
    c.paint(c.below(line + 0.02 * c.ridge(1.5)), earth, 1.0 / (1.0 + 5.0 * near))
    bend = float(rng.uniform(-0.5, 0.5))
    middle = s.subject + bend * near * (1.0 - near) * 1.4 + (0.5 - s.subject) * near
    path = smoothstep(-np.abs(c.x - middle) / (0.012 + 0.42 * near), -1.15, -0.85) * c.below(line + 0.004)
    soil = c.sunlight * rgb(0.66, 0.56, 0.42) * (1.0 + 0.13 * ground[..., None])
    c.paint(path * 0.85, soil)
    for layer in range(4):
        far = 0.85 - 0.27 * layer
        pen = c.pen()
        bark = c.sunlight * rgb(0.21, 0.16, 0.12)
        for x, w, lean in c.dice(16 - 3 * layer, 3):
            base = line + 0.02 + 0.42 * (1.0 - far) ** 1.8
            gap = 0.03 + 0.5 * (base - line)
            px = x * 1.3 - 0.15
            centre = s.subject + (0.5 - s.subject) * (base - line)
            if abs(px - centre) < gap:
                px = centre + (gap + 0.04) * (1.0 if px > centre else -1.0)
            width = (0.006 + 0.05 * (1.0 - far) ** 1.4) * (0.6 + 0.8 * w)
            shift = 0.1 * (lean - 0.5)
            colour = mix(bark, c.haze, 0.75 * far)
            sun = 1.0 if px < s.subject else -1.0
            for strip in range(6):
                x0, x1 = (sun * (2.0 * k / 6.0 - 1.0) for k in (strip, strip + 1))
                ends = [(px + x0 * width, base), (px + x1 * width, base)]
                ends += [(px + shift + 0.55 * x1 * width, -0.15), (px + shift + 0.55 * x0 * width, -0.15)]
                pen.polygon(ends, mix(colour, c.low, 0.4 * (strip / 5.0) ** 2.5) * (0.75 + 0.09 * strip))
        c.lay(pen, far)
        roof = np.clip((line - 0.05 - c.y) / max(line, 0.3), -0.3, 1.0)
        tint = c.sunlight * leaf * (0.85 + 0.4 * float(rng.random())) * (1.0 - 0.65 * far)
        up = c.window(0.5, 0.0, 2.0, line + 0.1)
        moved = np.roll(leaves, 97 * layer, 1)[: up.height]
        foliage = smoothstep(
            moved * 0.55 + crowns[: up.height] * 0.8 + roof[: up.height] * 3.0, 1.6 - 0.15 * layer, 2.1
        )
        lit = 1.15 + 0.3 * np.roll(leaves, 31 + 53 * layer, 0)[: up.height, :, None]
        up.paint(foliage * 0.85, tint * lit + c.haze * (0.65 * far), far)
    bark = c.noise(0.9, 0.12)
    c.image *= (1.0 + 0.09 * bark * (1.0 - 0.6 * c.depth))[..., None]
    _forest_clutter(c, leaf)


def _forest_clutter(c: Canvas, leaf: Array) -> None:
    pen = c.pen()
    for x, y, angle, size, tone in c.things(150, 5):
        px, py, length = 1.2 * x - 0.1, 1.08 - 0.75 * y**1.6, 0.08 + 0.25 * size
        turn = -0.5 * np.pi + 2.4 * (angle - 0.5)
        colour = c.sunlight * mix(rgb(0.10, 0.08, 0.06), leaf * 0.7, tone)
        tip = (px + length * 0.7 * np.cos(turn), py + length * np.sin(turn))
        pen.line([(px, py), (0.5 * (px + tip[0]) + 0.02, 0.5 * (py + tip[1])), tip], 0.004, colour)
        for part in (0.4, 0.6, 0.8, 1.0):
            jx, jy = px + part * (tip[0] - px), py + part * (tip[1] - py)
            pen.disc(jx, jy, 0.008 + 0.012 * tone, colour * 1.5, flat=0.6)
    c.lay(pen, 0.08)
