"""Two habits of Pillow, switched off for one thread while it reads a photo for us.

Pillow is used by others in the same process, so none of its settings are changed. Two of
its habits do not suit us, though: it measures every image against a process-wide limit,
and it reports broken metadata through `warnings`, whose filters belong to all threads
(`warnings.catch_warnings` is not thread-safe). Both are therefore switched per thread:
while a thread is inside `reading_as`, Pillow measures against our own limit and drops its
warnings; at any other time, and in any other thread, it behaves as it always did. See
`_install_hooks`.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from generic.errors import ImageError


class _Reading(threading.local):
    """What the current thread is reading: the name for messages and the limit in pixels."""

    current: tuple[str, int] | None = None


_reading = _Reading()


@contextmanager
def reading_as(shown: str, max_pixels: int) -> Iterator[None]:
    """Inside, Pillow measures this thread's images by our limit and warns this thread of nothing.

    Args:
        shown: what error messages call the image.
        max_pixels: the limit of width x height; an image above it raises ImageError.
    """
    before = _reading.current
    _reading.current = (shown, max_pixels)
    try:
        yield
    finally:
        _reading.current = before


def refuse_above(size: tuple[int, int], shown: str, max_pixels: int) -> None:
    """Raise ImageError if (width, height) is more than max_pixels."""
    pixels = size[0] * size[1]
    if pixels > max_pixels:
        raise ImageError(
            f"{shown} has {size[0]} x {size[1]} = {pixels} pixels, the limit is {max_pixels}; "
            f"allow it with --max-pixels {pixels} or make it smaller"
        )


class _QuietHere:
    """Stands for the module `warnings` inside Pillow: silent for a thread that is reading for us."""

    def warn(self, message: Any, category: Any = None, stacklevel: int = 1, **options: Any) -> None:  # noqa: ANN401
        if _reading.current is None:
            warnings.warn(message, category, stacklevel + 1, **options)

    def __getattr__(self, name: str) -> object:
        return getattr(warnings, name)


def _install_hooks() -> None:
    """Make two module-level names of Pillow answer by thread; runs once, at import.

    Done in this way, rather than by `Image.MAX_IMAGE_PIXELS = None` and a warnings filter,
    because those would take the protection away from everybody else in the process. If a
    later Pillow moves these names, its own limit and warnings apply again, and our tests
    say so.
    """
    pillows_check = vars(Image).get("_decompression_bomb_check")

    def check(size: tuple[int, int], **options: Any) -> None:
        if _reading.current is not None:
            refuse_above(size, *_reading.current)
        elif pillows_check is not None:
            pillows_check(size, **options)

    vars(Image)["_decompression_bomb_check"] = check
    quiet = _QuietHere()
    for plugin in (
        AvifImagePlugin,
        BmpImagePlugin,
        GifImagePlugin,
        Image,
        JpegImagePlugin,
        PngImagePlugin,
        TiffImagePlugin,
        WebPImagePlugin,
    ):
        if "warnings" in vars(plugin):
            vars(plugin)["warnings"] = quiet


_install_hooks()
