"""Which picture a photo file holds, whatever is told about it: the same before and after a star is set.

An identity is a SHA-256 over what decides the pixels as :mod:`generic.photos.open` decodes them:
the coded image, its colour profile and which side is up. Titles, stars, places, times, thumbnails
and all else that programs write into photos do not count. Where a file is not built as its format
says, or its format is not taken apart (GIF, BMP, animated HEIC and AVIF), its identity is the
SHA-256 of the whole file: two pictures never get one identity, at the price that one picture may
get two.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator

from generic.photos.formats import bmff, jpeg, png, raw, tiff, webp
from generic.photos.formats.source import Odd, Part
from generic.photos.recognise import RAW, format_of

_PARTS: dict[str, Callable[[memoryview], Iterator[Part]]] = {
    "AVIF": bmff.image_parts,
    "HEIF": bmff.image_parts,
    "JPEG": jpeg.image_parts,
    "PNG": png.image_parts,
    RAW: raw.image_parts,
    "TIFF": tiff.image_parts,
    "WEBP": webp.image_parts,
}
_VERSION = b"piaa picture 1\0"
"""Begins what is hashed, so that an identity is never the SHA-256 of a file that is not it."""


def photo_identity(content: bytes | memoryview, *, sha256: str | None = None) -> str:
    """The identity of the picture in a file, 64 hex digits. Never raises.

    Takes time and memory in proportion to the content, however hostile.

    Args:
        content: all bytes of the file.
        sha256: that of the content, 64 hex digits, if it is known already.

    Example:
        >>> photo_identity(b"no photo") == hashlib.sha256(b"no photo").hexdigest()
        True
    """
    try:
        return _picture(memoryview(content))
    # Whatever a hostile file brings about, it has this identity.
    except Exception:
        return sha256 or hashlib.sha256(content).hexdigest()


def _picture(content: memoryview) -> str:
    kind = format_of(content)
    if kind not in _PARTS:
        raise Odd
    # A preview of a raw photo is the picture that a file of it alone is.
    digest = hashlib.sha256(_VERSION + (b"JPEG" if kind == RAW else kind.encode()))
    for part in _PARTS[kind](content):
        digest.update(part)
    return digest.hexdigest()
