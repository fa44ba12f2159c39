"""Thumbnails, and photos as a screen shows them, in a folder that never grows beyond a limit."""

from __future__ import annotations

import io
import os
import threading
from contextlib import suppress
from pathlib import Path

from PIL import Image

from generic.photos.formats.source import FileBytes
from generic.photos.open import MAX_PIXELS, open_rgb
from generic.photos.recognise import format_of

SIDE = 512
"""Of the square that a thumbnail fits into, in pixels."""
SCREEN = 2560
"""Of the square that a photo on the screen fits into."""
MOST_BYTES = 1 << 30
"""Of all pictures together."""
_SHOWN = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp", "GIF": "image/gif"}
_SHOWN |= {"AVIF": "image/avif", "BMP": "image/bmp"}
_SMALL_ENOUGH = 1_500_000
"""Bytes of a file that a browser is given as it is."""
_KEPT = 0.8


class Pictures:
    """Pictures by what they show; safe to use from several threads and processes.

    Args:
        folder: where they lie; made when needed, and nothing else may lie there.
        most_bytes: the oldest go when there are more.
    """

    def __init__(self, folder: Path, most_bytes: int = MOST_BYTES) -> None:
        self.folder, self._most = folder, most_bytes
        self._lock = threading.Lock()
        self._bytes: int | None = None

    def has(self, identity: str) -> bool:
        """Whether there is a thumbnail of a picture."""
        return self._path(identity, "small").is_file()

    def get(self, identity: str, kind: str = "small") -> bytes | None:
        """A picture as WebP; None if there is none, or it went to make room."""
        with suppress(OSError):
            path = self._path(identity, kind)
            content = path.read_bytes()
            os.utime(path)
            return content
        return None

    def keep(self, identity: str, picture: Image.Image, kind: str = "small") -> bytes:
        """Write a picture, whole or not at all; a full disk is no fault, as it can be made again."""
        stream = io.BytesIO()
        picture.save(stream, "WEBP", quality=80 if kind == "small" else 88, method=2)
        content, path = stream.getvalue(), self._path(identity, kind)
        temporary = path.with_name(f".{os.urandom(6).hex()}")
        with suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                temporary.write_bytes(content)
                temporary.replace(path)
            finally:
                temporary.unlink(missing_ok=True)
            self._make_room(len(content))
        return content

    def large(self, identity: str, path: Path, max_pixels: int | None) -> tuple[bytes, str]:
        """A photo for the screen, and its media type.

        Raises:
            ImageError: it cannot be read.
        """
        shown = shown_type(path)
        if shown and path.stat().st_size <= _SMALL_ENOUGH:
            return path.read_bytes(), shown
        content = self.get(identity, "large")
        if content is None:
            photo = open_rgb(path, at_least=(SCREEN, SCREEN), max_pixels=max_pixels or MAX_PIXELS)
            photo.thumbnail((SCREEN, SCREEN), Image.Resampling.BICUBIC, reducing_gap=2.0)
            content = self.keep(identity, photo, "large")
        return content, "image/webp"

    def _path(self, identity: str, kind: str) -> Path:
        return self.folder / identity[:2] / f"{identity[2:34]}-{kind}.webp"

    def _make_room(self, n_bytes: int) -> None:
        with self._lock:
            known = self._bytes
            self._bytes = sum(size for _, size, _ in self._all()) if known is None else known + n_bytes
            if self._bytes <= self._most:
                return
            for _, size, path in sorted(self._all()):
                path.unlink(missing_ok=True)
                self._bytes -= size
                if self._bytes <= _KEPT * self._most:
                    break

    def _all(self) -> list[tuple[float, int, Path]]:
        """When each picture was last used, its size and its file."""
        found = []
        for path in self.folder.glob("??/*.webp"):
            with suppress(OSError):
                status = path.stat()
                found.append((status.st_mtime, status.st_size, path))
        return found


def shown_type(path: Path) -> str | None:
    """The media type of a photo that browsers show; None if they do not, or it is no photo."""
    with suppress(OSError), path.open("rb") as stream:
        return _SHOWN.get(format_of(FileBytes(stream)) or "")
    return None


def whole(path: Path, max_pixels: int | None) -> tuple[bytes, str]:
    """A photo at its full size as a browser shows it, and its media type.

    Raises:
        ImageError: it cannot be read.
    """
    shown = shown_type(path)
    if shown:
        return path.read_bytes(), shown
    stream = io.BytesIO()
    open_rgb(path, max_pixels=max_pixels or MAX_PIXELS).save(stream, "JPEG", quality=92)
    return stream.getvalue(), "image/jpeg"
