"""JPEG becomes pixels, at a half, quarter or eighth of its size where no more is needed."""

from __future__ import annotations

from typing import BinaryIO

from PIL import Image, JpegImagePlugin


def decode_jpeg(
    image: JpegImagePlugin.JpegImageFile,
    stream: BinaryIO,  # noqa: ARG001
    shown: str,  # noqa: ARG001
    at_least: tuple[int, int] | None,
) -> Image.Image:
    """The pixels of a JPEG whose header was read.

    Args:
        image: as `Image.open` gives it, not loaded.
        stream: what it was opened from.
        shown: what error messages call the image.
        at_least: (width, height) in pixels as stored, not turned, that will be needed; None for all.

    Returns:
        an image with the header's ``info``, as large as the file's or smaller if at_least allowed it.
    """
    if at_least is not None:
        image.draft(None, at_least)
    image.load()
    return image
