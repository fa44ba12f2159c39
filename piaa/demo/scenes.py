"""Albums of photo-like scenes painted by code, so that a demonstration needs no photo of anybody.

What a scene shows is one of six kinds, which is what real people differ about most and what the model tells
apart best; how it was taken is four numbers. Painted with numpy and Pillow in :mod:`piaa.demo.paint`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from generic.errors import OutputError, ShapeError
from generic.seeds import stream
from piaa.demo.paint import PAINTERS, Canvas, photograph

KINDS = tuple(PAINTERS)
"""The kinds of scene that can be painted."""
QUALITIES = ("light", "warmth", "colour", "haze")
"""How a photo was taken, each in [0, 1]: see :func:`piaa.demo.paint.photograph`."""
SIZE = (360, 270)
"""Width and height of a photo, in pixels."""


@dataclass(frozen=True, kw_only=True)
class Scene:
    """What can be said about one photo before looking at it."""

    kind: str
    """One of `KINDS`."""
    light: float
    """From dusk (0) to bright day (1)."""
    warmth: float
    """From blue (0) to golden (1)."""
    colour: float
    """From nearly grey (0) to garish (1)."""
    haze: float
    """From clear and sharp (0) to misty and soft (1)."""
    detail: int
    """Seed of everything that has no name: this cloud, that window."""


def draw_scenes(n: int, seed: int) -> list[Scene]:
    """Scenes 0 to n - 1 of an endless album; scene i depends on the seed and on i, never on n.

    Args:
        n: how many, at least 0.
        seed: the album's seed.

    Returns:
        n scenes; each run of six that starts at a multiple of six shows every kind once.
    """
    return [_draw_scene(index, seed) for index in range(n)]


def _draw_scene(index: int, seed: int) -> Scene:
    block, place = divmod(index, len(KINDS))
    rng = stream(seed, "demo", "scene", index)
    return Scene(
        kind=KINDS[stream(seed, "demo", "kinds", block).permutation(len(KINDS))[place]],
        light=float(rng.beta(1.3, 1.3)),
        warmth=float(rng.beta(1.2, 1.2)),
        colour=float(rng.beta(1.8, 1.6)),
        haze=float(rng.beta(0.8, 1.8)),  # most photos are sharp
        detail=int(rng.integers(2**31)),
    )


def render(scene: Scene, size: tuple[int, int] = SIZE) -> Image.Image:
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
    canvas = Canvas(size, stream(scene.detail, "demo", "render", scene.kind))
    PAINTERS[scene.kind](canvas)
    qualities = {name: getattr(scene, name) for name in QUALITIES}
    return photograph(canvas.image, canvas.rng, **qualities)


def render_album(folder: Path, n: int, seed: int) -> list[tuple[str, Scene]]:
    """Paints an album into a folder: scene-001.jpg and so on.

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
    except OSError as error:
        raise OutputError(
            f"the painted album cannot be written to {folder}: {error.strerror or error}, "
            "expected a folder that can be written; give another folder"
        ) from error
    return album
