"""Noise with a 1/f spectrum, from which clouds, waves, stone, leaves and skylines are made."""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt
from PIL import Image

from piaa.demo.colour import Array


def fractal(
    rng: np.random.Generator, shape: tuple[int, int], slope: float = 1.6, stretch: float = 1.0
) -> Array:
    """Noise with a 1/f^slope spectrum, mean 0 and deviation 1, that repeats at its borders.

    Args:
        rng: where it comes from.
        shape: (height, width).
        slope: large is smooth (2.2: hills), small is rough (0.8: leaves).
        stretch: how much longer the structures are across than down.
    """
    rows, columns = shape
    # Uniform numbers serve as well as normal ones: the transform sums thousands of them.
    spectrum = (rng.random((rows, columns // 2 + 1, 2)) - 0.5).view(np.complex128)[..., 0]
    field = np.fft.irfft2(spectrum * _spectrum(rows, columns, slope, stretch), s=shape)
    return np.asarray(field / (field.std() + 1e-12), dtype=np.float32)


@cache
def _spectrum(rows: int, columns: int, slope: float, stretch: float) -> npt.NDArray[np.float64]:
    longest = max(rows, columns)
    fy = np.fft.fftfreq(rows)[:, None] * longest
    fx = np.fft.rfftfreq(columns)[None, :] * longest * stretch
    weight = np.maximum(np.hypot(fx, fy), 1.0) ** -slope
    weight[0, 0] = 0.0
    return np.asarray(weight)


def finer(tile: Array) -> Array:
    """A tile of twice the resolution, for surfaces that come close to the camera."""
    n = len(tile)
    wide = Image.fromarray(np.pad(tile, 2, mode="wrap"))
    return np.asarray(wide.resize((2 * n, 2 * n), Image.Resampling.BICUBIC, box=(2, 2, n + 2, n + 2)))
