"""From the painted place to the photo: air, tilt, exposure, focus and film."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageFilter

from piaa.demo.blur import bloom, blur
from piaa.demo.canvas import Canvas
from piaa.demo.colour import Array, rgb
from piaa.demo.scene import Scene


def photograph(canvas: Canvas) -> Image.Image:
    """Air, camera and film: from the painted place to the photo."""
    scene, image = canvas.scene, canvas.image
    if scene.fog > 0.01:
        reach = np.exp(-3.2 * scene.fog * canvas.depth * np.sqrt(canvas.depth))
        image += ((1.0 - reach) * min(1.0, 0.25 + scene.fog))[..., None] * (canvas.haze - image)
    image = _cut(canvas, image)
    image = image + 0.8 * bloom(np.clip(image - 0.82, 0.0, 1.0), 0.02 * canvas.frame[1])
    image = _expose(image, scene)
    if scene.sharpness < 0.85:
        image = blur(image, (1.0 - scene.sharpness / 0.85) ** 1.3 * 0.022 * canvas.frame[1])
    image = _film(canvas, image)
    photo = Image.fromarray((np.clip(image, 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8))
    if scene.sharpness > 0.6:
        edge = -0.28 * (scene.sharpness - 0.6)
        cross = (0.0, edge, 0.0, edge, 1.0 - 4.0 * edge, edge, 0.0, edge, 0.0)
        photo = photo.filter(ImageFilter.Kernel((3, 3), cross, scale=1.0))
    return photo


def _cut(canvas: Canvas, image: Array) -> Array:
    """The frame, cut out of the canvas by a camera that leans."""
    (width, height), (bx, by) = canvas.frame, canvas.border
    if abs(canvas.scene.tilt) < 0.1:
        return image[by : by + height, bx : bx + width]
    pixels = Image.fromarray((np.clip(image, 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8))
    # A narrower lens for a leaning camera, so that the corners stay inside the canvas.
    angle = np.radians(abs(canvas.scene.tilt))
    need = (
        width * np.cos(angle) + height * np.sin(angle),
        height * np.cos(angle) + width * np.sin(angle),
    )
    zoom = min(1.0, (canvas.width - 2) / need[0], (canvas.height - 2) / need[1])
    cos, sin = (float(f(np.radians(canvas.scene.tilt))) * zoom for f in (np.cos, np.sin))
    cx, cy = width / 2.0, height / 2.0
    move = (cos, -sin, bx + cx - cos * cx + sin * cy, sin, cos, by + cy - sin * cx - cos * cy)
    turned = pixels.transform(canvas.frame, Image.Transform.AFFINE, move, Image.Resampling.BILINEAR)
    return np.asarray(turned, dtype=np.float32) / 255.0


def _film(canvas: Canvas, image: Array) -> Array:
    """Darker corners and grain; the grain is stronger in the dark, as sensors have it."""
    (width, height), (bx, by) = canvas.frame, canvas.border
    x, y = canvas.x[:, bx : bx + width] - 0.5, canvas.y[by : by + height] - 0.5
    corner = 1.0 - 0.5 * (x**2 + y**2)
    grain = canvas.rng.standard_normal((height, width), dtype=np.float32)
    strength = 0.005 + 0.011 * (1.0 - canvas.scene.light) ** 2
    return np.asarray(image * corner[..., None] + strength * grain[..., None], dtype=np.float32)


def _luma(image: Array) -> Array:
    """Brightness, shape (h, w); summed by hand, because a matrix product may round differently elsewhere."""
    return np.asarray(0.299 * image[..., 0] + 0.587 * image[..., 1] + 0.114 * image[..., 2], dtype=np.float32)


def _expose(image: Array, scene: Scene) -> Array:
    """Exposure, white balance, contrast and saturation, as a camera and its owner set them."""
    balance = 0.2 * (scene.warmth - 0.5)
    gain = 2.0 ** (1.1 * (scene.light - 0.45)) * rgb(1.0 + balance, 1.0, 1.0 - 1.3 * balance)
    image = image * gain
    pivot = float(np.clip(_luma(image).mean(), 0.1, 0.7))
    image -= pivot
    image *= 0.6 + 0.85 * scene.contrast
    image += pivot
    grey = _luma(image)[..., None]
    image -= grey
    image *= 0.08 + 1.6 * scene.saturation
    image += grey
    # Highlights and shadows bend before they break.
    high, low = image > 0.75, image < 0.06
    image[high] = 0.75 + 0.25 * np.tanh((image[high] - 0.75) / 0.25)
    image[low] = 0.06 * np.exp(image[low] / 0.06 - 1.0)
    return np.asarray(image, dtype=np.float32)
