"""Blurs: what a lens that missed its focus, and light that is too bright for it, make of a picture."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageFilter

from piaa.demo.colour import Array


def blur(image: Array, radius: float) -> Array:
    """Gaussian blur of a picture of shape (h, w) or (h, w, 3) with values in [0, 1]."""
    pixels = Image.fromarray((np.clip(image, 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8))
    if radius < 2.5:
        pixels = pixels.filter(ImageFilter.GaussianBlur(radius))
    else:  # Made small for speed: nothing that fine is left anyway.
        small = pixels.reduce(2).filter(ImageFilter.GaussianBlur(radius / 2.0))
        pixels = small.resize(pixels.size, Image.Resampling.BICUBIC)
    return np.asarray(pixels, dtype=np.float32) / 255.0


def bloom(bright: Array, radius: float) -> Array:
    """A wide blur of a picture of shape (h, w, 3) in [0, 1], made small for speed."""
    pixels = Image.fromarray((np.clip(bright, 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8))
    small = pixels.reduce(4).filter(ImageFilter.GaussianBlur(radius / 4.0))
    return np.asarray(small.resize(pixels.size, Image.Resampling.BILINEAR), dtype=np.float32) / 255.0
