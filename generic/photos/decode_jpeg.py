"""JPEG becomes pixels, whole or not at all, at a half, quarter or eighth where no more is needed.

Decoded by simplejpeg, whose decoder is the one in Pillow (libjpeg-turbo, the same pixels) and also
tells its warnings. Pillow reads the header, chooses the scale, and decodes what simplejpeg does not know.
:mod:`generic.photos.whole_jpeg` has the rules by which a photo is refused.
"""

from __future__ import annotations

import os
import threading
from typing import BinaryIO

import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image, JpegImagePlugin

from generic.errors import ImageError
from generic.photos.whole_jpeg import (
    damage_before_decoding,
    damage_in_words,
    refuse_above_bytes,
    refuse_endless,
)


def decode_jpeg(
    image: JpegImagePlugin.JpegImageFile,
    stream: BinaryIO,
    shown: str,
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

    Raises:
        ImageError: part of the picture is missing or wrong, or it takes more work than a photo may.
    """
    content = _whole(stream, shown)
    refuse_endless(content, image.size, shown)
    damage = damage_before_decoding(content, image.size, bool(image.info.get("progressive")))
    if damage:
        raise _damaged(shown, damage)
    if at_least is not None:
        image.draft(None, at_least)
    try:
        pixels = _pixels(content, image)
    except ValueError as error:
        damage = damage_in_words(content, str(error), _colours(image))
        if damage:
            raise _damaged(shown, damage) from None
        return _tolerantly(content, image)
    return _as_image(pixels, image)


class _Room(threading.local):
    """Where this thread's photos are read into: to take megabytes anew for each costs more than to read."""

    def __init__(self) -> None:
        self.content = bytearray()


_room = _Room()
_KEPT = 32 << 20
"""Bytes above which room is given back."""


def _whole(stream: BinaryIO, shown: str) -> bytearray:
    """All of a stream; the thread's next photo overwrites it.

    Raises:
        ImageError: it is larger than a JPEG may be.
    """
    size = stream.seek(0, os.SEEK_END)
    refuse_above_bytes(size, shown)
    stream.seek(0)
    content = _room.content if size <= _KEPT else bytearray()
    try:
        del content[size:]
        content.extend(bytes(size - len(content)))
    except BufferError:  # Somebody still looks at the last photo.
        content = _room.content = bytearray(size)
    view, n = memoryview(content), 0
    while read := stream.readinto(view[n:]):  # type: ignore[attr-defined]
        n += read
    view.release()
    del content[n:]
    return content


def _colours(image: Image.Image) -> str:
    return "CMYK" if image.mode == "CMYK" else "RGB"


def _pixels(content: bytearray, image: Image.Image, strict: bool = True) -> NDArray[np.uint8]:
    """Shape (height, width, 3 or 4) at the image's size: Pillow has chosen the scale.

    Raises:
        ValueError: the decoder does not know this kind of JPEG; if strict, also if it warns.
    """
    pixels: NDArray[np.uint8] = simplejpeg.decode_jpeg(
        content, _colours(image), min_height=image.height, min_width=image.width, strict=strict
    )
    return pixels


def _tolerantly(content: bytearray, image: Image.Image) -> Image.Image:
    """The image of a JPEG that is whole though the decoder warns, or that only Pillow's may know."""
    try:
        return _as_image(_pixels(content, image, strict=False), image)
    except ValueError:
        image.load()
        return image


def _as_image(pixels: NDArray[np.uint8], image: Image.Image) -> Image.Image:
    # Inks are stored inverted, as Adobe does it: so Pillow reads them.
    inks = image.mode == "CMYK"
    loaded = Image.frombytes("CMYK", image.size, 255 - pixels) if inks else Image.fromarray(pixels)
    loaded.info = image.info
    return loaded


def _damaged(shown: str, reason: str) -> ImageError:
    return ImageError(
        f"{shown} is damaged or incomplete ({reason}); replace it by an intact copy or leave it out"
    )
