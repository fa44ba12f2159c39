"""Which format a photo file has: by its content, never by its name."""

from __future__ import annotations

from generic.photos.formats.raw import is_raw
from generic.photos.formats.source import Source

_SIGNATURES = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"GIF8": "GIF",
    b"BM": "BMP",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"II+\0": "TIFF",
    b"MM\0+": "TIFF",
}
_HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"}
_OTHERS = {
    b"\xff\x0a": "JPEG XL",
    b"\0\0\0\x0cJXL \r\n\x87\n": "JPEG XL",
    b"\0\0\0\x0cjP  \r\n\x87\n": "JPEG 2000",
    b"\xff\x4f\xff\x51": "JPEG 2000",
}
RAW = "RAW"
HEAD = 64
"""Bytes that decide for all but TIFF and raw photos, whose directories are read."""


def format_of(source: Source) -> str | None:
    """Pillow's name of the format, or ``RAW``; None if it is none that we open.

    Example:
        >>> format_of(b"GIF89a")
        'GIF'
    """
    head = bytes(source[:HEAD])
    kind = _by_head(head)
    return RAW if kind in (None, "TIFF") and is_raw(source) else kind


def other_format_of(source: Source) -> str | None:
    r"""What people call the format of a photo that we do not open; None if it is none that we know.

    Example:
        >>> other_format_of(b"\xff\x0a")
        'JPEG XL'
    """
    head = bytes(source[:HEAD])
    return next((name for signature, name in _OTHERS.items() if head.startswith(signature)), None)


def _by_head(head: bytes) -> str | None:
    for signature, kind in _SIGNATURES.items():
        if head.startswith(signature):
            return kind
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    if head[4:8] == b"ftyp":
        length = int.from_bytes(head[:4], "big")
        brands = {head[at : at + 4] for at in range(8, min(length, len(head)), 4)}
        if brands & {b"avif", b"avis"}:
            return "AVIF"
        if brands & _HEIF_BRANDS:
            return "HEIF"
    return None
