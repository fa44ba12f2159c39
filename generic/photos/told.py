"""What a photo file tells of stars: its XMP packet, and the ratings in its EXIF block."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from generic.photos.facts import read_header
from generic.photos.formats.directory import Directory
from generic.photos.formats.source import FileBytes, Odd

_RATING, _PERCENT = 0x4746, 0x4749


@dataclass(frozen=True, kw_only=True)
class Told:
    """As it stands in the file; nothing of it is checked."""

    xmp: bytes | None = None
    """The packet; None if there is none."""
    rating: int | None = None
    """EXIF's Rating; None if there is none."""
    percent: int | None = None
    """EXIF's RatingPercent; None if there is none."""


def told_of(photo: Path | str | bytes) -> Told:
    """What a photo tells of stars, from the headers of its file alone. Never raises: what is unknown is None.

    Args:
        photo: a file, or its content. A raw photo that holds nothing itself is asked by its preview.

    Example:
        >>> told_of(b"no photo")
        Told(xmp=None, rating=None, percent=None)
    """
    try:
        if isinstance(photo, bytes):
            return _read(io.BytesIO(photo))
        path = Path(photo)
        # Opening a pipe would wait for ever.
        if not path.is_file():
            return Told()
        with path.open("rb") as stream:
            return _read(stream)
    # Whatever a hostile file brings about, nothing is known of it.
    except Exception:
        return Told()


def _read(stream: BinaryIO) -> Told:
    header = read_header(FileBytes(stream))
    if header is None:
        return Told()
    return Told(
        xmp=bytes(header.xmp) if header.xmp else None,
        rating=_number(header.first, _RATING),
        percent=_number(header.first, _PERCENT),
    )


def _number(directory: Directory | None, tag: int) -> int | None:
    try:
        found = directory.numbers(tag) if directory else ()
    except Odd:
        return None
    return found[0] if found else None
