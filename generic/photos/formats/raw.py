"""Raw photos: the picture is the largest JPEG preview inside, as the camera or a converter made it.

Many raw photos begin like TIFF. One is a raw photo, and no plain TIFF, if it begins with the mark
of a maker; if any of its images holds the values of a sensor; or if it says that it is a DNG and
its first image is a reduced one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace

from generic.photos.formats import jpeg
from generic.photos.formats.boxes import boxes
from generic.photos.formats.directory import Directories, Directory
from generic.photos.formats.exif import Header, details_of, said_by, turn, turn_of
from generic.photos.formats.source import Odd, Part, Source, cut, number
from generic.photos.formats.tiff import COLOURS, COMPRESSION, STRIP_SIZES, STRIPS, xmp_of

_MAKERS = {b"IIRO", b"IIRS", b"MMOR", b"IIU\0"}
"""First bytes of Olympus' and Panasonic's files, which go on like TIFF."""
_VERSIONS = (42, *(int.from_bytes(it[2:], "little") for it in (b"IIRO", b"IIRS", b"IIU\0")), 0x4F52)
_FUJI = b"FUJIFILMCCD-RAW"
_FUJI_PREVIEW = 84
_CANON = b"ftypcrx "
_CANON_BOX = bytes.fromhex("85c0b687820f11e08111f4ce462b6a48")
_XMP_BOX = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
_DNG, _KIND, _REDUCED = 50706, 254, 1
_SENSOR = (32803, 34892)  # photometric: colour filter array, linear raw
_NO_PICTURE = (*_SENSOR, 51177, 52527)  # and depth, mask
_JPEG_START, _JPEG_SIZE, _PANASONIC = 513, 514, 0x2E
_AS_JPEG = (6, 7)
_ENOUGH = 500_000
"""Pixels above which a preview that a directory names is taken, without a look for a larger one."""
_MOST_FOUND = 1000
_MOST_READ = 4
"""How often, in all, a search may read the file."""


@dataclass(frozen=True)
class Preview:
    """A JPEG inside of a raw photo."""

    start: int
    end: int
    size: tuple[int, int]
    orientation: int = 1
    """What the raw photo says, for a preview that says nothing."""


def is_raw(source: Source) -> bool:
    """Whether this is a raw photo; reads a few directories at the most."""
    head = bytes(source[:16])
    if head[:4] in _MAKERS or head.startswith(_FUJI) or head[4:12] == _CANON:
        return True
    if head[:4] == b"II*\0" and head[8:10] == b"CR":
        return True
    first = None
    with suppress(Odd):
        for directory in Directories(source, (42,)).walk():
            first = first or directory
            if directory.one(COLOURS, 0) in _SENSOR:
                return True
    return first is not None and _DNG in first.entries and bool(_first_kind(first) & _REDUCED)


def find_preview(source: Source) -> Preview | None:
    """The largest JPEG preview; None if there is none.

    Makers hide previews in blocks of their own. So unless a directory names one that is larger
    than a thumbnail, the whole file is searched for the beginning of a JPEG; but not a DNG, whose
    sensor's values may be JPEG themselves.
    """
    directories = _directories(source)
    named = list(_named(source, directories))
    best = max(named, key=_n_pixels, default=None)
    searched = not any(_DNG in it.entries for it in directories[:1])
    if searched and (best is None or _n_pixels(best) < _ENOUGH):
        best = max([*named, *_search(memoryview(source[:]))], key=_n_pixels, default=None)
    return None if best is None else replace(best, orientation=_orientation(source, directories))


def header(source: Source) -> Header:
    """What the file says, of the size of its preview; Odd if it has none."""
    preview = find_preview(source)
    if preview is None:
        raise Odd
    inside = jpeg.header(cut(source, preview.start, preview.end - preview.start), preview.orientation)
    first = _first(source)
    return replace(
        inside,
        first=first or inside.first,
        details=_details(source) or inside.details,
        xmp=_own_xmp(source, first) or inside.xmp,
    )


def image_parts(source: memoryview) -> Iterator[Part]:
    """The picture, as a JPEG file of the preview alone would give it; Odd if there is none."""
    preview = find_preview(source)
    if preview is None:
        raise Odd
    return jpeg.image_parts(source[preview.start : preview.end], preview.orientation)


def _n_pixels(preview: Preview) -> int:
    return preview.size[0] * preview.size[1]


def _directories(source: Source) -> list[Directory]:
    """All directories that can be read; none in a file that does not begin like TIFF."""
    found: list[Directory] = []
    with suppress(Odd):
        found.extend(Directories(source, _VERSIONS).walk())
    return found


def _named(source: Source, directories: list[Directory]) -> Iterator[Preview]:
    """The previews that directories name, or Fuji's header."""
    places = [place for directory in directories for place in _places(directory)]
    if bytes(source[: len(_FUJI)]) == _FUJI:
        places.append((number(source, _FUJI_PREVIEW, 4), number(source, _FUJI_PREVIEW + 4, 4)))
    for start, size in places:
        with suppress(Odd):
            yield Preview(start, start + size, _size(cut(source, start, size)))


def _places(directory: Directory) -> Iterator[tuple[int, int]]:
    """Where a directory says that a JPEG lies: (start, size)."""
    with suppress(Odd):
        starts, sizes = directory.numbers(_JPEG_START), directory.numbers(_JPEG_SIZE)
        if len(starts) == len(sizes) == 1:
            yield starts[0], sizes[0]
    with suppress(Odd):
        strips, sizes = directory.numbers(STRIPS), directory.numbers(STRIP_SIZES)
        picture = directory.one(COLOURS, 0) not in _NO_PICTURE
        if picture and len(strips) == len(sizes) == 1 and directory.one(COMPRESSION, 1) in _AS_JPEG:
            yield strips[0], sizes[0]
    if _PANASONIC in directory.entries:
        yield directory.entries[_PANASONIC].start, directory.entries[_PANASONIC].size


def _size(source: Source) -> tuple[int, int]:
    """Width and height of a JPEG that a decoder would show; Odd if it is none."""
    if bytes(source[:3]) != jpeg.START:
        raise Odd
    return jpeg.frame_size(jpeg.read_head(source))


def _search(source: memoryview) -> Iterator[Preview]:
    """Every JPEG that is whole, but those inside another."""
    content, at, left = bytes(source), 0, _MOST_READ * len(source)
    for _ in range(_MOST_FOUND):
        at = content.find(jpeg.START, at)
        if at < 0 or left < 0:
            return
        end = at + 1
        with suppress(Odd):
            size = _size(source[at:])
            # Paid before it is read: what does not end is read to the end of the file.
            left -= len(source) - at
            end = at + jpeg.end_of(source[at:])
            left += len(source) - end
            yield Preview(at, end, size)
        at = end


def _orientation(source: Source, directories: list[Directory]) -> int:
    with suppress(Odd):
        if directories:
            return turn(said_by(directories[0]), None)
        block = _canon_block(source, b"CMT1")
        if block is not None:
            return turn_of(block, None)
    return 1


def _first(source: Source) -> Directory | None:
    """The raw photo's own first directory."""
    with suppress(Odd):
        block = _canon_block(source, b"CMT1")
        outside = Directories(source, _VERSIONS) if block is None else Directories(block)
        return outside.read(outside.first)
    return None


def _details(source: Source) -> Directory | None:
    with suppress(Odd):
        block = _canon_block(source, b"CMT2")
        if block is not None:
            inside = Directories(block)
            return inside.read(inside.first)
        outside = Directories(source, _VERSIONS)
        return details_of(outside, outside.read(outside.first))
    return None


def _own_xmp(source: Source, first: Directory | None) -> Part | None:
    """The raw photo's own packet: of Canon's CR3 a box of the file, of others a tag."""
    with suppress(Odd):
        if bytes(source[4:12]) != _CANON:
            return xmp_of(first) if first else None
        for kind, start, end in boxes(source, 0, len(source)):
            if kind == b"uuid" and bytes(source[start : start + 16]) == _XMP_BOX:
                return cut(source, start + 16, end - start - 16)
    return None


def _canon_block(source: Source, name: bytes) -> Part | None:
    """One of the blocks, each like a small TIFF, that Canon's CR3 keeps in its box moov."""
    if bytes(source[4:12]) != _CANON:
        return None
    for outer, start, end in boxes(source, 0, len(source)):
        if outer != b"moov":
            continue
        for kind, at, stop in boxes(source, start, end):
            # A box "uuid" begins with 16 bytes that say whose it is.
            if kind != b"uuid" or bytes(source[at : at + 16]) != _CANON_BOX:
                continue
            for inner, a, b in boxes(source, at + 16, stop):
                if inner == name:
                    return cut(source, a, b - a)
    return None


def _first_kind(directory: Directory) -> int:
    try:
        return directory.one(_KIND, 0)
    except Odd:
        return 0
