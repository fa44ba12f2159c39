"""Photo-like scenes painted by code, so that a demonstration needs no photo of anybody.

A `Scene` states what can be said about a photo before looking at it: the kind of place, the light,
the colour, the sharpness, the clutter, the composition. `render` paints it with numpy and Pillow:
sky and clouds from fractal noise, water as a disturbed mirror of what stands above it, distance as
haze, then a camera that tilts, exposes, misses its focus and adds grain.

    scene.py                                what one scene states
    scenes.py                               albums: drawing scenes up and rendering them
    painters/                               one file for each kind of scene, and their sky
    canvas.py, camera.py                    the painted place, and the photo taken of it
    colour.py, noise.py, pen.py, blur.py    the painters' tools
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path

import numpy as np
from PIL import Image

from generic.errors import OutputError, ShapeError
from generic.seeds import stream
from piaa.demo.camera import photograph
from piaa.demo.canvas import Canvas
from piaa.demo.painters import PAINTERS
from piaa.demo.scene import KINDS, TILT_LIMIT, UNIT_PROPERTIES, Scene

__all__ = ["KINDS", "TILT_LIMIT", "UNIT_PROPERTIES", "Scene", "draw_scenes", "render", "render_album"]


def draw_scenes(n: int, seed: int) -> list[Scene]:
    """Scenes 0 to n - 1 of an endless album; scene i depends on the seed and on i, never on n.

    Args:
        n: how many, at least 0.
        seed: the album's seed.

    Returns:
        n scenes; each run of eight that starts at a multiple of eight shows every kind once.
    """
    return [_draw_scene(index, seed) for index in range(n)]


def _draw_scene(index: int, seed: int) -> Scene:
    block, place = divmod(index, len(KINDS))
    kind = KINDS[stream(seed, "demo", "kinds", block).permutation(len(KINDS))[place]]
    rng = stream(seed, "demo", "scene", index)
    return Scene(
        kind=kind,
        light=float(rng.beta(1.3, 1.3)),
        warmth=float(rng.beta(1.2, 1.2)),
        saturation=float(rng.beta(1.8, 1.6)),
        contrast=float(rng.beta(2.2, 1.8)),
        sharpness=float(rng.beta(2.4, 0.8)),  # Most photos of an album are sharp.
        clutter=float(rng.beta(0.9, 1.2)),
        fog=float(rng.beta(0.7, 2.2)),
        horizon=float(rng.uniform(0.22, 0.75)),
        subject=float(rng.choice([0.333, 0.5, 0.667]) + rng.uniform(-0.09, 0.09)),
        # Most people hold a camera straight; some do not.
        tilt=float(np.clip(rng.normal(0.0, 0.4 if rng.random() < 0.7 else 5.0), -TILT_LIMIT, TILT_LIMIT)),
        detail=int(rng.integers(2**31)),
    )


def render_album(folder: Path, n: int, seed: int) -> list[tuple[str, Scene]]:
    """Paints an album into a folder: scene-001.jpg and so on, and scenes.csv that describes them.

    Args:
        folder: created where it is missing; files of the same names are replaced.
        n: how many photos.
        seed: the album's seed.

    Returns:
        (file name, scene) in the album's order.

    Raises:
        OutputError: the folder or a file in it cannot be written.
    """
    album = [(f"scene-{i + 1:03d}.jpg", scene) for i, scene in enumerate(draw_scenes(n, seed))]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, scene in album:
            render(scene).save(folder / name, format="JPEG", quality=90)
        _describe_album(folder / "scenes.csv", album)
    except OSError as error:
        raise OutputError(
            f"the painted album cannot be written to {folder}: {error.strerror or error}, "
            "expected a folder that can be written; give another folder"
        ) from error
    return album


def _describe_album(path: Path, album: Sequence[tuple[str, Scene]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["image", *(f.name for f in fields(Scene))])
        for name, scene in album:
            values = asdict(scene).values()
            writer.writerow([name, *(round(v, 4) if isinstance(v, float) else v for v in values)])


def render(scene: Scene, size: tuple[int, int] = (480, 360)) -> Image.Image:
    """The photo of a scene; the same scene and size give the same pixels.

    Args:
        scene: what to paint.
        size: (width, height) in pixels, each at least 16.

    Returns:
        an RGB image of that size.

    Raises:
        ShapeError: the size is too small.
    """
    if min(size) < 16:
        raise ShapeError(
            f"a scene of {size[0]} x {size[1]} pixels cannot be painted, expected at least 16 x 16"
        )
    canvas = Canvas(scene, size)
    PAINTERS[scene.kind](canvas)
    return photograph(canvas)
