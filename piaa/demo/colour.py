"""Display RGB colours, 1 = white, and the arithmetic that painters do with them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]
Colour = tuple[float, float, float]


def smoothstep(values: Array, low: float, high: float) -> Array:
    """0 below low, 1 above high, smooth between."""
    t = np.clip((values - low) / (high - low), 0.0, 1.0)
    return np.asarray(t * t * (3.0 - 2.0 * t), dtype=np.float32)


def rgb(*colour: float) -> Array:
    """A colour as an array of shape (3,)."""
    return np.asarray(colour, dtype=np.float32)


def mix(a: Array, b: Array, t: float | Array) -> Array:
    """From a (t = 0) to b (t = 1), in a straight line; t may be an array that broadcasts."""
    return np.asarray(a + (b - a) * t, dtype=np.float32)


def vivid_hue(hue: float) -> Array:
    """A saturated colour by its place on the colour circle, in [0, 1)."""
    wheel = np.clip(np.abs((hue * 6.0 + rgb(0.0, 4.0, 2.0)) % 6.0 - 3.0) - 1.0, 0.0, 1.0)
    return np.asarray(wheel * 0.85 + 0.08, dtype=np.float32)


PALETTE: tuple[tuple[Colour, Colour, Colour, Colour], ...] = (
    ((0.05, 0.08, 0.20), (0.15, 0.13, 0.28), (0.14, 0.38, 0.74), (0.34, 0.50, 0.72)),  # top of the sky
    ((0.14, 0.21, 0.38), (0.52, 0.26, 0.33), (0.42, 0.64, 0.90), (0.70, 0.72, 0.74)),  # its middle
    ((0.40, 0.46, 0.58), (0.98, 0.53, 0.24), (0.80, 0.89, 0.96), (1.00, 0.88, 0.66)),  # at the horizon
    ((0.34, 0.40, 0.56), (0.72, 0.42, 0.28), (0.98, 0.99, 1.00), (1.06, 0.94, 0.74)),  # light on things
    ((0.34, 0.39, 0.48), (0.66, 0.46, 0.40), (0.80, 0.85, 0.90), (0.93, 0.87, 0.76)),  # haze and fog
)
"""The colours of the air, each for dusk and cool, dusk and warm, day and cool, day and warm light."""
