"""The images that people looked at: their names and sizes, as the reader of fixations needs them."""

from __future__ import annotations

from pathlib import Path

from generic.photos.find import find_images
from generic.photos.open import open_rgb


def image_sizes(folder: Path | str) -> dict[str, tuple[int, int]]:
    """(height, width) in pixels of every photo directly in a folder, upright as people saw it.

    Returns:
        file name -> size, sorted by name.

    Raises:
        ImageError: there is no photo, or one cannot be read.
    """
    sizes: dict[str, tuple[int, int]] = {}
    for path in find_images(folder, recursive=False):
        width, height = open_rgb(path).size
        sizes[path.name] = (height, width)
    return sizes
