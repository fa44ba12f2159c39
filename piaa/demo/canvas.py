"""The picture while it is painted: its coordinates and depth, and the ways to lay colour on it.

Lengths are in frame units: x runs from 0 (left) to 1 (right), y from 0 (top) to 1 (bottom); depth
runs from 0 (at the camera) to 1 (the sky).
"""

from __future__ import annotations

from copy import copy

import numpy as np
from PIL import ImageFilter

from generic.seeds import stream
from piaa.demo.colour import PALETTE, Array, mix, rgb
from piaa.demo.noise import fractal
from piaa.demo.pen import Pen
from piaa.demo.scene import TILT_LIMIT, Scene


class Canvas:
    """The picture while it is painted, with a border around the frame for the camera's tilt."""

    def __init__(self, scene: Scene, size: tuple[int, int]) -> None:
        self.scene = scene
        self.rng = stream(scene.detail, "demo", "render", scene.kind)
        self.frame = size
        self.border = _border(size, scene.tilt)
        self.width, self.height = size[0] + 2 * self.border[0], size[1] + 2 * self.border[1]
        self.x = _centres(self.width, self.border[0], size[0])[None, :]
        self.y = _centres(self.height, self.border[1], size[1])[:, None]
        self.horizon = 1.0 - scene.horizon
        self.image: Array = np.zeros((self.height, self.width, 3), dtype=np.float32)
        self.depth: Array = np.ones((self.height, self.width), dtype=np.float32)
        self.aspect = size[0] / size[1]
        day, warm = scene.light, scene.warmth
        self.top, self.middle, self.low, self.sunlight, self.haze = (
            mix(mix(rgb(*dc), rgb(*dw), warm), mix(rgb(*bc), rgb(*bw), warm), day)
            for dc, dw, bc, bw in PALETTE
        )

    def noise(self, slope: float = 1.6, stretch: float = 1.0) -> Array:
        """Fractal noise over the whole canvas, mean 0, deviation 1; the border does not move it."""
        (full_w, full_h), (left, up) = self._full()
        field = fractal(self.rng, (full_h, full_w), slope, stretch)
        view: Array = field[up : up + self.height, left : left + self.width]
        return view

    def ridge(self, slope: float = 1.5, sharp: bool = False) -> Array:
        """A skyline, shape (1, width), in [0, 1]; sharp ones have peaks."""
        (full_w, _), (left, _) = self._full()
        # Twice as long as needed, because noise that repeats would end at the height where it began.
        line = fractal(self.rng, (1, 2 * full_w), slope)[:, :full_w]
        line = -np.abs(line) if sharp else line
        line = (line - line.min()) / (np.ptp(line) + 1e-6)
        return np.asarray(line[:, left : left + self.width], dtype=np.float32)

    def _full(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """Size of the canvas with the widest border, rounded up for the transform, and our place in it."""
        most = _border(self.frame, TILT_LIMIT)
        width, height = (-(-(side + 2 * b) // 32) * 32 for side, b in zip(self.frame, most, strict=True))
        return (width, height), ((width - self.width) // 2, (height - self.height) // 2)

    def plane(
        self, tile: Array, horizon: float, scale: float, *, ceiling: bool = False, along: float = 1.0
    ) -> Array:
        """A tile laid on the ground (or on the ceiling) in perspective, shape (height, width)."""
        away = horizon - self.y if ceiling else self.y - horizon
        distance = 1.0 / np.maximum(away, 0.02)
        n = len(tile)
        rows = (distance * scale * along * n).astype(np.int64) % n
        columns = (((self.x - 0.5) * distance * scale * self.aspect + 7.0) * n).astype(np.int64) % n
        seen: Array = tile[rows, columns]
        return seen

    def below(self, line: float | Array) -> Array:
        """1 under a line y(x), 0 above it, smooth over one pixel."""
        return np.clip((self.y - line) * self.frame[1] + 0.5 + 0.0 * self.x, 0.0, 1.0)

    def paint(self, mask: Array, colour: Array, depth: float | Array | None = None) -> None:
        """Lays a colour over the picture where the mask, shape (h, w) in [0, 1], says so."""
        touched = np.flatnonzero(mask.any(axis=1))
        if len(touched) == 0:
            return
        rows = slice(touched[0], touched[-1] + 1)
        part, alpha = self.image[rows], mask[rows]
        part += alpha[..., None] * ((colour[rows] if colour.ndim == 3 else colour) - part)
        if depth is not None:
            level = depth if isinstance(depth, float) else np.broadcast_to(depth, mask.shape)[rows]
            self.depth[rows] += alpha * (level - self.depth[rows])

    def glow(self, x: float, y: float, radius: float, colour: Array, power: float = 1.0) -> None:
        """Adds light around a point; the radius is in frame heights."""
        away = np.hypot((self.x - x) * self.aspect, self.y - y) / radius
        self.image += (power / (1.0 + away**2) ** 1.5)[..., None] * colour

    def pen(self) -> Pen:
        """A fresh transparent layer."""
        return Pen((self.width, self.height), self.frame, self.border)

    def lay(self, pen: Pen, depth: float | None, blur: float = 0.0) -> None:
        """Lays what the pen drew over the picture; blur is in frame heights."""
        box = pen.layer.getbbox()
        if box is None:
            return
        spare = 2 * round(3 * blur * self.frame[1]) + 2
        x0, y0 = (max(0, (v - spare) // 2) for v in box[:2])
        x1, y1 = (
            min(most, -(-(v + spare) // 2))
            for v, most in zip(box[2:], (self.width, self.height), strict=True)
        )
        layer = pen.layer.crop((2 * x0, 2 * y0, 2 * x1, 2 * y1)).reduce(2)
        if blur:
            layer = (
                layer.convert("RGBa").filter(ImageFilter.GaussianBlur(blur * self.frame[1])).convert("RGBA")
            )
        pixels = np.asarray(layer, dtype=np.float32) / 255.0
        alpha, part = pixels[..., 3], self.image[y0:y1, x0:x1]
        part += alpha[..., None] * (pixels[..., :3] - part)
        if depth is not None:
            self.depth[y0:y1, x0:x1] += alpha * (depth - self.depth[y0:y1, x0:x1])

    def window(self, x: float, y: float, half_width: float, half_height: float) -> Canvas:
        """A view of the part of this canvas around a point; what is painted there is painted here."""
        columns = np.flatnonzero(np.abs(self.x[0] - x) <= half_width)
        rows = np.flatnonzero(np.abs(self.y[:, 0] - y) <= half_height)
        across = slice(columns[0], columns[-1] + 1) if len(columns) else slice(0, 0)
        return self.rows(slice(rows[0], rows[-1] + 1) if len(rows) else slice(0, 0), across)

    def rows(self, down: slice, across: slice = slice(None)) -> Canvas:
        """A view of some rows (and columns) of pixels; what is painted there is painted here."""
        part = copy(self)
        part.x, part.y = self.x[:, across], self.y[down]
        part.image, part.depth = self.image[down, across], self.depth[down, across]
        part.height, part.width = part.depth.shape
        return part

    def mirror(self, line: float, shake: Array) -> Array:
        """What stands above a horizontal line, seen upside down below it; shake is in frame heights."""
        rows = ((2.0 * line - self.y + shake) * self.frame[1] + self.border[1]).astype(np.int64)
        top_of_water = int(line * self.frame[1] + self.border[1]) - 1
        rows = np.clip(rows, 0, max(top_of_water, 0))
        columns = np.broadcast_to(np.arange(self.width)[None, :], rows.shape)
        return self.image[rows, columns]

    def things(self, most: int, width: int) -> list[list[float]]:
        """Random numbers for the clutter: one row of `width` numbers for each thing.

        All are drawn and the first few are given, so that more clutter adds and changes nothing else.
        """
        count = round(self.scene.clutter * most)
        return self.dice(most, width)[:count]

    def dice(self, n: int, width: int) -> list[list[float]]:
        """Rows of `width` random numbers in [0, 1), as Python's own, which are faster one by one."""
        numbers: list[list[float]] = self.rng.random((n, width)).tolist()
        return numbers


def _centres(pixels: int, border: int, frame: int) -> Array:
    """Where the centres of a row of pixels lie, in frame units."""
    return np.asarray((np.arange(pixels, dtype=np.float32) + 0.5 - border) / frame, dtype=np.float32)


def _border(size: tuple[int, int], tilt: float) -> tuple[int, int]:
    """Pixels (across, down) around a frame that a camera leaning by tilt degrees may show."""
    lean = float(np.sin(np.radians(abs(tilt)))) / 2.0
    return int(lean * size[1]) + 6, int(lean * size[0]) + 6
