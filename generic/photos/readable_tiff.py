"""A TIFF of one page as the decoder reads it: the picture, wherever it lies in the file."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from contextlib import suppress
from typing import BinaryIO

from generic.photos.formats.directory import NEXT_ONES, SIZES, Directories, Directory
from generic.photos.formats.source import FileBytes, Odd
from generic.photos.formats.tiff import BITS, EXIF, picture

_LONG, _LONGS = 4, (16, 17, 18)
_NUMBERS, _BYTES = (3, 4, 13), (1, 2, 6, 7)
_ELSEWHERE = {NEXT_ONES}
# Directories of BigTIFF, which the decoder would take for those of TIFF; they change no pixel.
_ELSEWHERE_IN_BIG = {NEXT_ONES, EXIF, 34853, 40965}
_MOST_BYTES = 2**32 - 2**20


def readable_tiff(stream: BinaryIO) -> BinaryIO:
    """The TIFF for the decoder: the stream itself if its first page is the picture and Pillow can read it.

    Pillow opens the first page, and knows BigTIFF and 12 bits only where the low byte of a number
    comes first. In other cases the file gets a directory at its end, of TIFF, which names the same data.

    Args:
        stream: a TIFF, can seek. Its errors are left to the decoder.
    """
    source = FileBytes(stream)
    with suppress(Odd):
        directories = Directories(source)
        page, is_first = picture(directories)
        high_first = directories.order == "big"
        # Rows of 12 bits are the same bytes in both orders; Pillow knows them in one.
        turned = high_first and page.numbers(BITS) == (12,)
        unknown = high_first and directories.big
        if (turned or unknown or not is_first) and len(source) < _MOST_BYTES:
            sign = ">" if high_first and not turned else "<"
            return io.BytesIO(_with_one_page(source, page, directories.big, sign))
    return stream


def _with_one_page(source: FileBytes, page: Directory, big: bool, sign: str) -> bytes:
    """All bytes of the file behind the head of a TIFF, and a directory of the page alone, in that order."""
    content = bytearray(source[:])
    content += bytes(len(content) % 2)
    content[:8] = (b"II*\0" if sign == "<" else b"MM\0*") + struct.pack(f"{sign}L", len(content))
    entries = list(_entries(page, big, sign, len(source)))
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


def _entries(page: Directory, big: bool, sign: str, most: int) -> Iterator[tuple[int, int, int, bytes]]:
    """Tag, kind, count and values, as TIFF has them, of all that can be read; Odd above so many bytes."""
    same_order = sign == ("<" if page.order == "little" else ">")
    for tag, entry in sorted(page.entries.items()):
        if entry.kind not in SIZES or tag in (_ELSEWHERE_IN_BIG if big else _ELSEWHERE):
            continue
        most -= entry.size
        if most < 0:
            raise Odd
        with suppress(Odd, struct.error):
            if entry.kind in _LONGS or (entry.kind in _NUMBERS and not same_order):
                numbers = page.numbers(tag)
                yield tag, _LONG, entry.count, struct.pack(f"{sign}{len(numbers)}L", *numbers)
            elif same_order or entry.kind in _BYTES:
                yield tag, entry.kind, entry.count, bytes(page.raw(tag))
