"""TIFF: the picture is the largest page, the first of several: its tags and its data.

Many programs put a thumbnail first, or last. Tags that tell about the picture are left out, and so
are offsets, for programs that change a tag write the whole file anew. A tag that this module does
not know counts: it may change pixels.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from itertools import cycle, repeat
from operator import ge

from generic.photos.formats.directory import SIZES, Directories, Directory
from generic.photos.formats.exif import ORIENTATION, Header, details_of, said_by, turn
from generic.photos.formats.source import Odd, Part, Source, part

WIDTH, HEIGHT, BITS, COMPRESSION, COLOURS = 256, 257, 258, 259, 262
STRIPS, STRIP_SIZES, TILES, TILE_SIZES = 273, 279, 324, 325
EXIF = 34665
_XMP = 700
_CHANNELS, _ROWS, _PLANES, _TILE_WIDTH, _TILE_HEIGHT = 277, 278, 284, 322, 323
_KIND, _MASK = 254, 4
_SAMPLES_ARE, _DECIMAL = 339, 3
_SHOWN_COLOURS = {0, 1, 2, 3, 5, 6, 8}
_SHOWN_COMPRESSIONS = {*range(1, 9), 32771, 32773, 32946, 34925, 50000, 50001}
_RESOLUTION = (282, 283, 296)
_OLD_JPEG = (513, 514)  # the data of a photo that is compressed as in TIFF 6.0, and lies nobody knows where
_YCBCR = 6
_ABOUT = {
    *(269, 270, 271, 272, 285, 286, 287, 288, 289, 297, 305, 306, 315, 316, 330, 333, 337),  # texts, places
    *_RESOLUTION,
    *(_XMP, EXIF, 33432, 33434, 33437, 33723, 34377, 34850, 34853, 34855, 37724, 40965, 50341),  # blocks
    *range(36864, 37523),  # EXIF that stands outside of its block
    *(18246, 18249, 40091, 40092, 40093, 40094, 40095),  # stars and texts of Windows
}
_MOST_STRIPS = 100_000
_MOST_CHANNELS = 16


def picture(directories: Directories) -> tuple[Directory, bool]:
    """The page that is the picture, and whether it is the file's first; Odd unless that can be read.

    A page that no decoder of ours would show is passed over, but for the first.
    """
    first = best = directories.read(directories.first)
    with suppress(Odd):
        for page in directories.walk():
            if _n_pixels(page) > _n_pixels(best) and _is_shown(page):
                best = page
    return best, best is first


def _n_pixels(page: Directory) -> int:
    with suppress(Odd):
        return page.one(WIDTH, 0) * page.one(HEIGHT, 0)
    return 0


def _is_shown(page: Directory) -> bool:
    """Whether it is a picture of a kind that the decoder knows."""
    with suppress(Odd):
        bits = page.numbers(BITS) or (1,)
        deep = max(bits) > 16 or page.one(_SAMPLES_ARE, 1) == _DECIMAL
        return (
            page.one(COLOURS, -1) in _SHOWN_COLOURS
            and page.one(COMPRESSION, 1) in _SHOWN_COMPRESSIONS
            and not page.one(_KIND, 0) & _MASK
            and (page.one(_CHANNELS, 1) == 1 or not deep)
            and (STRIPS in page.entries or TILES in page.entries)
        )
    return False


def header(source: Source) -> Header:
    """What the file says of its picture; reads the directories of pages, that of EXIF, and XMP."""
    directories = Directories(source)
    page, _ = picture(directories)
    return Header(
        size=(page.one(WIDTH, 0), page.one(HEIGHT, 0)),
        orientation=turn(said_by(page), xmp_of(page)),
        first=page,
        details=details_of(directories, page),
        xmp=xmp_of(page),
    )


def image_parts(source: memoryview) -> Iterator[Part]:
    """The picture; Odd unless its data lie where the tags say, and are all that a decoder would read."""
    directories = Directories(source)
    page, _ = picture(directories)
    if page.repeated or any(tag in page.entries for tag in _OLD_JPEG):
        raise Odd
    yield part("order", source[:4])
    yield part("turn", b"%d" % turn(said_by(page), xmp_of(page)))
    yield from _tags(page, len(source))
    yield from _data(page, source)


def xmp_of(page: Directory) -> Part | None:
    """The XMP packet that a directory holds; None if it holds none."""
    return page.raw(_XMP) if _XMP in page.entries else None


def _tags(page: Directory, most: int) -> Iterator[bytes]:
    left_out = {*_ABOUT, ORIENTATION, STRIPS, TILES}
    for tag, entry in sorted(page.entries.items()):
        if tag in left_out:
            continue
        most -= entry.size
        if entry.kind not in SIZES or most < 0:
            raise Odd
        yield part(f"tag {tag} {entry.kind}", page.raw(tag))


def _data(page: Directory, source: memoryview) -> Iterator[memoryview]:
    """Strips or tiles in their order, each of the size that a tag already counted."""
    tiled = TILES in page.entries
    if tiled == (STRIPS in page.entries):
        raise Odd
    starts, sizes = (page.numbers(tag) for tag in ((TILES, TILE_SIZES) if tiled else (STRIPS, STRIP_SIZES)))
    enough = len(starts) == len(sizes) <= _MOST_STRIPS and sum(sizes) <= 2 * len(source)
    if not enough or min(sizes, default=0) < 1:
        raise Odd
    # Where nothing is compressed, the decoder takes what the picture's size asks for, whatever the tags say.
    if page.one(COMPRESSION, 1) == 1 and not all(map(ge, sizes, _expected(page, tiled, len(sizes)))):
        raise Odd
    for start, size in zip(starts, sizes, strict=True):
        if start + size > len(source):
            raise Odd
        yield source[start : start + size]


def _expected(page: Directory, tiled: bool, n: int) -> Iterator[int]:
    """Bytes of each uncompressed strip or tile, without end."""
    width, height, channels = page.one(WIDTH, 0), page.one(HEIGHT, 0), page.one(_CHANNELS, 1)
    bits = page.numbers(BITS) or (1,)
    apart = page.one(_PLANES, 1) == 2
    if page.one(COLOURS, 0) == _YCBCR or not (0 < channels <= _MOST_CHANNELS) or len(set(bits)) != 1:
        raise Odd
    columns = page.one(_TILE_WIDTH, 0) if tiled else width
    row = (columns * bits[0] * (1 if apart else channels) + 7) // 8
    rows = page.one(_TILE_HEIGHT, 0) if tiled else min(page.one(_ROWS, height), height)
    if min(row, rows) < 1:
        raise Odd
    if tiled:
        return repeat(rows * row)
    whole, left = divmod(height, rows)
    if whole > n:
        raise Odd
    return cycle([rows * row] * whole + [left * row] * (left > 0))
