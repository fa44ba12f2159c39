"""Kinds of photos that our decoders do not know, though nothing is wrong with them: no damage."""

from __future__ import annotations

from contextlib import suppress

from generic.photos.formats.directory import Directories
from generic.photos.formats.jpeg import read_head
from generic.photos.formats.source import Odd, Source, number
from generic.photos.formats.tiff import BITS, picture

_SAMPLES_ARE, _DECIMAL = 339, 3


def unusual(source: Source, kind: str) -> str | None:
    """What to call a file of a kind that decoders do not know; None if it may as well be damaged.

    Args:
        source: the whole file.
        kind: Pillow's name of its format.
    """
    with suppress(Odd, IndexError):
        if kind == "JPEG":
            bits = number(read_head(source).frames[0][1], 0, 1)
            return f"JPEG of {bits} bits" if bits in (12, 16) else None
        if kind == "TIFF":
            return _tiff(source)
    return None


def _tiff(source: Source) -> str | None:
    page, _ = picture(Directories(source))
    bits = page.numbers(BITS)
    if not bits or set(bits) <= {8}:
        return None
    decimal = ", decimal" if page.one(_SAMPLES_ARE, 1) == _DECIMAL else ""
    return f"TIFF of {'/'.join(map(str, bits[:5]))} bits{decimal}"
