"""The still life: a wall, a table and the things on it."""

from __future__ import annotations

import numpy as np

from piaa.demo.canvas import Canvas
from piaa.demo.colour import mix, rgb, vivid_hue
from piaa.demo.noise import fractal


def paint_still_life(c: Canvas) -> None:
    """Fruit and a vase by a window; clutter: more of both, boxes, a chequered cloth."""
    s, rng = c.scene, c.rng
    edge = float(np.clip(0.5 + 0.35 * (c.horizon - 0.5), 0.35, 0.68))
    side = -1.0 if s.subject > 0.5 else 1.0
    plaster = c.noise(1.9)
    wall = mix(rgb(0.34, 0.38, 0.42), rgb(0.52, 0.41, 0.30), s.warmth) * (0.45 + 0.65 * s.light)
    beam = np.exp(-(((c.x - 0.5 - side * 0.45) + 0.5 * (c.y - 0.3) * side) ** 2) / 0.14)
    c.image[:] = wall * (0.5 + 0.9 * beam + 0.035 * plaster)[..., None]
    c.depth[:] = 0.55
    grain = c.plane(fractal(rng, (256, 256), 1.2, 7.0).T, edge - 0.35, 0.75, along=0.3)
    wood = mix(rgb(0.36, 0.30, 0.26), rgb(0.46, 0.27, 0.15), s.warmth) * (0.5 + 0.8 * s.light)
    near = np.clip(c.y - edge, 0.0, 1.0)
    table = wood * (0.75 + 0.75 * beam + 0.10 * grain + 0.2 * near)[..., None]
    c.paint(c.below(edge), table, 0.4 - 0.4 * near)
    _cloth(c, edge)
    extra = c.things(26, 5)
    objects = [("vase", s.subject, edge + 0.13, 0.19, float(rng.random()))]
    hue = float(rng.random())
    for index, (x, y, size) in enumerate(c.dice(4, 3)):
        objects.append(
            (
                "fruit",
                s.subject - side * (0.10 + 0.10 * index) + 0.05 * x,
                edge + 0.16 + 0.13 * y,
                0.052 + 0.02 * size,
                hue,
            )
        )
    for kind, x, y, size, tint in extra:
        name = "fruit" if kind < 0.45 else "vase" if kind < 0.6 else "box"
        objects.append(
            (
                name,
                1.1 * x - 0.05,
                edge + 0.08 + 0.4 * y,
                (0.05 if name == "fruit" else 0.1) * (0.7 + 0.7 * size),
                tint,
            )
        )
    for name, x, y, size, tint in sorted(objects, key=lambda thing: thing[2]):
        _shadow(c, x, y, size, side)
        {"fruit": _fruit, "vase": _vase, "box": _box}[name](c, x, y, size, tint, side)


def _cloth(c: Canvas, edge: float) -> None:
    """A chequered cloth that comes through as the clutter grows."""
    distance = 1.0 / np.maximum(c.y - edge + 0.35, 0.05)
    check = (np.floor((c.x - 0.5) * distance * 7.0) + np.floor(distance * 9.0)) % 2.0
    ink = mix(rgb(0.85, 0.82, 0.78), rgb(0.72, 0.16, 0.16), check[..., None]) * (0.35 + 0.75 * c.scene.light)
    strength = float(np.clip(c.scene.clutter * 2.0 - 1.0, 0.0, 0.85))
    c.paint(c.below(edge + 0.04) * strength, ink)


def _shadow(c: Canvas, x: float, y: float, size: float, side: float) -> None:
    c = c.window(x - side * 0.9 * size / c.aspect, y, 4.0 * size / c.aspect, 1.1 * size)
    away = np.hypot(
        (c.x - x + side * 0.9 * size / c.aspect) * c.aspect / (1.9 * size), (c.y - y) / (0.42 * size)
    )
    contact = np.hypot((c.x - x) * c.aspect / (0.95 * size), (c.y - y) / (0.2 * size))
    dark = 0.55 * np.exp(-(away**2)) + 0.5 * np.exp(-(contact**2))
    c.image *= (1.0 - np.minimum(dark, 0.85) * c.below(y - 0.6 * size))[..., None]


def _fruit(c: Canvas, x: float, y: float, size: float, tint: float, side: float) -> None:
    """A round fruit that stands at (x, y); the light falls from the window's side."""
    peel = (
        rgb(0.78, 0.14, 0.10),
        rgb(0.93, 0.52, 0.10),
        rgb(0.88, 0.75, 0.18),
        rgb(0.48, 0.60, 0.16),
        rgb(0.42, 0.14, 0.28),
    )
    base = peel[int(tint * 4.999)]
    whole = c
    c = c.window(x, y - size * 0.92, 1.1 * size / c.aspect, 1.1 * size)
    nx, ny = (c.x - x) * c.aspect / size, (c.y - y + size * 0.92) / size
    radius = np.hypot(nx, ny)
    nz = np.sqrt(np.clip(1.0 - radius**2, 0.0, 1.0))
    shade = np.clip(0.62 * side * nx - 0.55 * ny + 0.55 * nz, 0.0, None)
    spark = np.clip(0.5 * side * nx - 0.52 * ny + 0.69 * nz, 0.0, 1.0) ** 40
    glow = 0.35 + 0.75 * c.scene.light
    colour = base * ((0.16 + 0.95 * shade) * glow)[..., None] + 0.55 * spark[..., None] * glow
    c.paint(np.clip((1.0 - radius) * size * c.frame[1] + 0.5, 0.0, 1.0), colour, 0.25)
    pen = whole.pen()
    pen.line([(x, y - 1.80 * size), (x + 0.12 * size, y - 2.15 * size)], 0.006, rgb(0.22, 0.14, 0.08) * glow)
    whole.lay(pen, None)


def _vase(c: Canvas, x: float, y: float, size: float, tint: float, side: float) -> None:
    """A glazed vase of height 2.4 sizes that stands at (x, y)."""
    c = c.window(x, y - 1.1 * size, 1.0 * size / c.aspect, 1.2 * size)
    up = (y - c.y) / size
    profile = np.where(
        up < 1.7,
        0.34 + 0.42 * np.sin(np.clip(up + 0.25, 0.0, 1.95) * 1.61),
        0.30 + 0.35 * np.clip(up - 1.85, 0.0, 1.0),
    )
    profile = np.maximum(profile, 0.05)
    across = (c.x - x) * c.aspect / (size * profile)
    inside = np.clip((1.0 - np.abs(across)) * size * profile * c.frame[1] + 0.5, 0.0, 1.0)
    inside = (
        inside
        * np.clip(up * size * c.frame[1] + 0.5, 0.0, 1.0)
        * np.clip((2.2 - up) * size * c.frame[1] + 0.5, 0.0, 1.0)
    )
    nz = np.sqrt(np.clip(1.0 - across**2, 0.0, 1.0))
    glaze = mix(vivid_hue(tint) * 0.45 + 0.1, rgb(0.62, 0.60, 0.56), 0.55)
    shade = 0.16 + 0.85 * np.clip(0.72 * side * across + 0.6 * nz, 0.0, None)
    spark = np.exp(-(((across - 0.55 * side) / 0.09) ** 2)) * 0.45
    glow = 0.35 + 0.75 * c.scene.light
    c.paint(inside, glaze * (shade * glow)[..., None] + (spark * glow)[..., None], 0.28)


def _box(c: Canvas, x: float, y: float, size: float, tint: float, side: float) -> None:
    """A carton or a book, a lit and an unlit side."""
    glow = 0.35 + 0.75 * c.scene.light
    paper = vivid_hue(tint) * 0.8 * glow
    w, h = size * (0.6 + tint) / c.aspect, size * (1.7 - tint)
    pen = c.pen()
    pen.box(x - w, y - h, x + w, y, paper * 0.75)
    pen.polygon(
        [
            (x - w, y - h),
            (x - 0.6 * w, y - h - 0.25 * size),
            (x + 1.3 * w, y - h - 0.25 * size),
            (x + w, y - h),
        ],
        paper,
    )
    pen.polygon(
        [(x + w, y), (x + w, y - h), (x + 1.3 * w, y - h - 0.25 * size), (x + 1.3 * w, y - 0.25 * size)],
        paper * (0.9 if side > 0 else 0.4),
    )
    for stripe in (0.25, 0.4, 0.7):
        pen.box(
            x - 0.7 * w,
            y - stripe * h,
            x + 0.6 * w,
            y - stripe * h + 0.06 * h,
            (0.9 * glow, 0.9 * glow, 0.85 * glow),
        )
    c.lay(pen, 0.22)
