"""A TIFF of one page as the decoder reads it: the picture, wherever it lies in the file."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from contextlib import suppress
from typing import BinaryIO

from generic.photos.formats.directory import NEXT_ONES, SIZES, Directories, Directory
from generic.photos.formats.source import FileBytes, Odd
from generic.photos.formats.tiff import EXIF, picture

_LONG, _LONGS = 4, (16, 17, 18)
_ELSEWHERE = {NEXT_ONES}
# Directories of BigTIFF, which the decoder would take for those of TIFF; they change no pixel.
_ELSEWHERE_IN_BIG = {NEXT_ONES, EXIF, 34853, 40965}
_MOST_BYTES = 2**32 - 2**20


def readable_tiff(stream: BinaryIO) -> BinaryIO:
    """The TIFF for the decoder: the stream itself if its first page is the picture and Pillow can read it.

    Pillow opens the first page, and knows BigTIFF only where the low byte of a number comes first. In
    other cases the file gets a directory at its end, of TIFF, which names the same data.

    Args:
        stream: a TIFF, can seek. Its errors are left to the decoder.
    """
    source = FileBytes(stream)
    with suppress(Odd):
        directories = Directories(source)
        page, is_first = picture(directories)
        unknown = directories.big and directories.order == "big"
        if (unknown or not is_first) and len(source) < _MOST_BYTES:
            return io.BytesIO(_with_one_page(source, page, directories.big))
    return stream


def _with_one_page(source: FileBytes, page: Directory, big: bool) -> bytes:
    """All bytes of the file behind the head of a TIFF, and a directory of the page alone."""
    sign = "<" if page.order == "little" else ">"
    content = bytearray(source[:])
    content += bytes(len(content) % 2)
    content[:8] = (b"II*\0" if sign == "<" else b"MM\0*") + struct.pack(f"{sign}L", len(content))
    entries = list(_entries(page, big, len(source)))
    rest = bytearray()
    start = len(content) + 2 + 12 * len(entries) + 4
    content += struct.pack(f"{sign}H", len(entries))
    for tag, kind, count, value in entries:
        content += struct.pack(f"{sign}HHL", tag, kind, count)
        if len(value) > 4:
            content += struct.pack(f"{sign}L", start + len(rest))
            rest += value + bytes(len(value) % 2)
        else:
            content += value.ljust(4, b"\0")
    return bytes(content + bytes(4) + rest)


def _entries(page: Directory, big: bool, most: int) -> Iterator[tuple[int, int, int, bytes]]:
    """Tag, kind, count and values, as TIFF has them; what cannot be read is left out. Odd above so many bytes."""
    sign = "<" if page.order == "little" else ">"
    for tag, entry in sorted(page.entries.items()):
        if entry.kind not in SIZES or tag in (_ELSEWHERE_IN_BIG if big else _ELSEWHERE):
            continue
        most -= entry.size
        if most < 0:
            raise Odd
        with suppress(Odd, struct.error):
            if entry.kind in _LONGS:
                numbers = page.numbers(tag)
                yield tag, _LONG, entry.count, struct.pack(f"{sign}{len(numbers)}L", *numbers)
            else:
                yield tag, entry.kind, entry.count, bytes(page.raw(tag))
