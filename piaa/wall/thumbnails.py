"""The pictures of a wall: a thumbnail of each photo, and a JPEG of those that no browser shows."""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from generic.engine.engine import usable_cores
from generic.errors import ImageError, OutputError
from generic.photos.find import printable
from generic.photos.formats.source import FileBytes
from generic.photos.open import open_rgb
from generic.photos.recognise import format_of
from generic.progress import Progress, no_progress
from piaa.wall.tile import Tile

logger = logging.getLogger(__name__)

SMALL, LARGE = "thumbnails", "large"
"""Folders of a wall."""
FIELD = (400, 300)
"""Width and height in pixels that a thumbnail fits into: sharp on a dense screen at half of it."""
_SHOWN = {"JPEG", "PNG", "WEBP", "GIF", "AVIF", "BMP"}
"""Formats that browsers show."""
_END = b"\xff\xd9"
_AHEAD = 4


@dataclass(frozen=True, kw_only=True)
class Pictures:
    """The files of one tile."""

    small: str | None
    """Thumbnail, below the wall's folder; None if the photo cannot be read."""
    size: tuple[int, int]
    """Its width and height in pixels."""
    large: str | None
    """A JPEG of the whole photo, below the wall's folder; None if a browser shows the photo itself."""


def write_pictures(
    tiles: Sequence[Tile], folder: Path, progress: Progress = no_progress
) -> Iterator[Pictures]:
    """Write what the folder lacks; what an earlier wall wrote of the same photos is used again.

    Args:
        tiles: the photos.
        folder: of the wall, with its folders ``SMALL`` and ``LARGE``.
        progress: called with the number of photos newly done.

    Yields:
        one for each tile, in order; a photo that cannot be read is told in the log.

    Raises:
        OutputError: a picture cannot be written.
    """
    callers = usable_cores()
    ahead: deque[Future[Pictures]] = deque()
    with ThreadPoolExecutor(callers, thread_name_prefix="piaa-wall") as pool:
        for tile in tiles:
            ahead.append(pool.submit(_pictures, tile, folder))
            if len(ahead) >= _AHEAD * callers:
                yield ahead.popleft().result()
                progress(1)
        while ahead:
            yield ahead.popleft().result()
            progress(1)


def _pictures(tile: Tile, folder: Path) -> Pictures:
    small, large = (f"{kind}/{tile.identity[:24]}.jpg" for kind in (SMALL, LARGE))
    try:
        shown = _is_shown(tile.path)
        if not _is_whole(folder / small):
            photo = open_rgb(tile.path, at_least=(2 * FIELD[0], 2 * FIELD[1]))
            photo.thumbnail(FIELD, Image.Resampling.LANCZOS, reducing_gap=3.0)
            _save(photo, folder / small, 82)
        if not shown and not _is_whole(folder / large):
            _save(open_rgb(tile.path), folder / large, 90)
        with Image.open(folder / small) as picture:
            return Pictures(small=small, size=picture.size, large=None if shown else large)
    except ImageError as error:
        logger.warning("wall: %s", error)
        return Pictures(small=None, size=FIELD, large=None)


def _is_shown(path: Path) -> bool:
    try:
        with path.open("rb") as stream:
            return format_of(FileBytes(stream)) in _SHOWN
    except OSError as error:
        raise ImageError(f"{printable(str(path))} cannot be read: {error.strerror}") from error


def _is_whole(picture: Path) -> bool:
    """Whether the picture was written to its end: a power cut can leave less."""
    try:
        with picture.open("rb") as stream:
            stream.seek(-len(_END), os.SEEK_END)
            return stream.read() == _END
    except OSError:
        return False


def _save(picture: Image.Image, out: Path, quality: int) -> None:
    """Write a JPEG under another name, then give it its own.

    It is not waited for until the disk has it, as for a result: thousands would take minutes, and a wall
    that is written again writes again what is not whole.
    """
    temporary = out.with_name(f".piaa-{os.urandom(6).hex()}.jpg")
    try:
        picture.save(temporary, "JPEG", quality=quality, optimize=True)
        temporary.replace(out)
    except OSError as error:
        raise OutputError(
            f"cannot write {printable(str(out))}: {error.strerror or error}; free some space or name another "
            "folder"
        ) from error
    finally:
        temporary.unlink(missing_ok=True)
