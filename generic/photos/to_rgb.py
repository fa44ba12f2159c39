"""Pictures of any mode become RGB of 8 bits: transparency over white, deep greyscale scaled."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_BITS, _COLOURS = 258, 262
_WHITE_IS_ZERO = 0
_BAND = 1 << 22
"""Pixels that are scaled at once: decimal numbers take many times the memory of the result."""

Grey = NDArray[np.uint8]


def to_rgb(image: Image.Image) -> Image.Image:
    """Any Pillow image in RGB, 8 bit, with what is transparent laid over white.

    Greyscale of more than 8 bits is scaled, not cut off: whole numbers (I;16, I) from
    [0, 65535], or from [0, 4095] where a TIFF says that it has 12 bits; and decimal numbers (F)
    from the first of [0, 1], [0, 255] and [0, 65535] that holds them all. Values outside are
    spread from the lowest to the highest; NaN is black.
    """
    if is_deep_grey(image):
        return grey_to_8_bit(image).convert("RGB")
    if not image.has_transparency_data:
        return image if image.mode == "RGB" else image.convert("RGB")
    # Through RGBA in every case: it is the one conversion that knows alpha channels, palette
    # alphas and transparent colours alike.
    rgba = image if image.mode == "RGBA" else image.convert("RGBA")
    canvas = Image.new("RGB", image.size, "white")
    canvas.paste(rgba, mask=rgba.getchannel("A"))
    return canvas


def is_scaled_anew(image: Image.Image) -> bool:
    """Whether earlier releases scaled this greyscale otherwise: 12 bits as 16, or white as black."""
    return is_deep_grey(image) and (
        _tag(image, _BITS, 16) == 12 or _tag(image, _COLOURS, 1) == _WHITE_IS_ZERO
    )


def is_deep_grey(image: Image.Image) -> bool:
    """Whether it is greyscale of 16 or 32 bits, whole or decimal."""
    return image.mode.startswith("I") or image.mode == "F"


def grey_to_8_bit(image: Image.Image) -> Image.Image:
    """Such greyscale in mode L, scaled as `to_rgb` says, made band by band."""
    canvas = Image.new("L", image.size)
    bottom, top = _scale(image)
    transparent = image.info.get("transparency")
    # Pillow turns what is stored with white as 0 in pictures of 8 bits, but not in these.
    inverted = _tag(image, _COLOURS, 1) == _WHITE_IS_ZERO
    for y, values in _bands(image):
        grey = _scaled(values, bottom, top)
        if inverted:
            grey = 255 - grey
        if isinstance(transparent, int):
            grey[values == transparent] = 255
        canvas.paste(Image.fromarray(grey), (0, y))
    return canvas


def _scale(image: Image.Image) -> tuple[float, float]:
    """The values that become black and white."""
    if image.mode.startswith("I;16"):
        return 0.0, 4095.0 if _tag(image, _BITS, 16) == 12 else 65535.0
    found = [_span(values) for _, values in _bands(image)]
    low, high = min(it[0] for it in found), max(it[1] for it in found)
    for top in (1.0, 255.0, 65535.0) if image.mode == "F" else (65535.0,):
        if low >= 0 and high <= top:
            return 0.0, top
    # A constant image outside every scale has no spread, and becomes black.
    return low, high if high > low else math.inf


def _span(values: NDArray[Any]) -> tuple[float, float]:
    finite = np.where(np.isfinite(values), values, 0)
    return float(finite.min()), float(finite.max())


def _scaled(values: NDArray[Any], bottom: float, top: float) -> Grey:
    if values.dtype.kind == "u":  # 16 bits: a table is faster than arithmetic on each pixel.
        grey: Grey = _table(top)[values]
        return grey
    finite = np.where(np.isfinite(values), values, 0).astype(np.float64)
    return np.rint((finite - bottom) / (top - bottom) * 255).astype(np.uint8)


def _table(top: float) -> Grey:
    return np.rint(np.minimum(np.arange(65536) / (top / 255), 255)).astype(np.uint8)


def _bands(image: Image.Image) -> Iterator[tuple[int, NDArray[Any]]]:
    """The picture from its top, a band of rows at a time: (first row, values)."""
    width, height = image.size
    rows = max(1, _BAND // width)
    for y in range(0, height, rows):
        yield y, np.asarray(image.crop((0, y, width, min(y + rows, height))))


def _tag(image: Image.Image, tag: int, default: int) -> int:
    """The first number of a tag of TIFF; the default where there is none."""
    value = getattr(image, "tag_v2", {}).get(tag)
    first = value[0] if isinstance(value, tuple) and value else value
    return first if isinstance(first, int) else default
