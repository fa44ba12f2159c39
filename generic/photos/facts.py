"""What a photo file says of the photo: how large it is upright, and when it was taken."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from generic.photos.formats import bmff, jpeg, png, raw, tiff, webp
from generic.photos.formats.exif import Header, header_of, taken
from generic.photos.formats.source import FileBytes, Odd, Source, number
from generic.photos.recognise import RAW, format_of


@dataclass(frozen=True, kw_only=True)
class PhotoFacts:
    """What is known without decoding the photo."""

    width: int | None = None
    """In pixels, upright, as :func:`generic.photos.open.open_rgb` gives it; None if unknown."""
    height: int | None = None
    taken: str | None = None
    """Local time, ISO 8601, for example ``2024-05-06T07:08:09.25+02:00``: with fraction and zone
    where the camera gave them. None if unknown or impossible."""


def photo_facts(photo: Path | str | bytes) -> PhotoFacts:
    """The facts of a photo, from the headers of its file alone. Never raises: what is unknown is None.

    The size of a raw photo is that of its preview. A preview that no directory names is searched
    in the whole file.

    Args:
        photo: a file, or its content.

    Example:
        >>> photo_facts(b"no photo")
        PhotoFacts(width=None, height=None, taken=None)
    """
    try:
        if isinstance(photo, bytes):
            return _read(io.BytesIO(photo))
        path = Path(photo)
        # Opening a pipe would wait for ever.
        if not path.is_file():
            return PhotoFacts()
        with path.open("rb") as stream:
            return _read(stream)
    # Whatever a hostile file brings about, nothing is known of it.
    except Exception:
        return PhotoFacts()


def read_header(source: Source) -> Header | None:
    """What a photo file says before its pixels; None if it is no photo.

    Raises:
        Odd: it is not built as its format says; a hostile file may bring about other exceptions.
    """
    kind = format_of(source)
    return None if kind is None else _HEADERS[kind](source)


def _read(stream: BinaryIO) -> PhotoFacts:
    header = read_header(FileBytes(stream))
    if header is None:
        return PhotoFacts()
    time = taken(header.details)
    if header.size is None or min(header.size) < 1:
        return PhotoFacts(taken=time)
    width, height = header.size[::-1] if header.orientation >= 5 else header.size
    return PhotoFacts(width=width, height=height, taken=time)


def _gif(source: Source) -> Header:
    size = number(source, 6, 2, "little"), number(source, 8, 2, "little")
    return header_of(size, None, None)


def _bmp(source: Source) -> Header:
    if number(source, 14, 4, "little") < _SIGNED_BMP:
        raise Odd
    # The height of a picture that is stored from its top is negative.
    width, height = (int.from_bytes(source[at : at + 4], "little", signed=True) for at in (18, 22))
    return header_of((width, abs(height)), None, None)


_SIGNED_BMP = 40
_HEADERS: dict[str, Callable[[Source], Header]] = {
    "AVIF": bmff.header,
    "BMP": _bmp,
    "GIF": _gif,
    "HEIF": bmff.header,
    "JPEG": jpeg.header,
    "PNG": png.header,
    RAW: raw.header,
    "TIFF": tiff.header,
    "WEBP": webp.header,
}
