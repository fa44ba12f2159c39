"""HEIC and AVIF: the picture is the images in the box ``meta``, their properties and how they are joined.

Items of EXIF and XMP are left out, and so is where data lie. Files with tracks, as of animations,
are not read here.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from fractions import Fraction

from generic.photos.formats.boxes import Reader, boxes
from generic.photos.formats.exif import Header, details, first_of, orientation, turn
from generic.photos.formats.source import Odd, Part, Source, cut, number, part

_ABOUT = (b"Exif", b"mime", b"uri ")
_XMP = b"mime"
_ELSEWHERE = (b"meta", b"mdat", b"free", b"skip")
"""Boxes of a file that are read by their parts, or are room."""
_READ = (b"iinf", b"iloc", b"iprp", b"iref", b"idat", b"pitm", b"free", b"skip")
_SIGNED = 16
"""Where in the box ``clap`` the numbers begin that may be negative."""
_TURNED = (1, 8, 3, 6)
"""The orientation, as EXIF counts, after 0 to 3 quarter turns against the clock."""


@dataclass
class Item:
    """One of the things in a file: an image, a tile of one, or a block about one."""

    kind: bytes
    entry: Part
    """All that the list of items says of it."""
    properties: list[tuple[int, int]] = field(default_factory=list)
    """(whether it must be understood, its place in the list of properties, from 1)."""
    extents: list[tuple[int, int]] = field(default_factory=list)
    """(start, size) of its data, in the file or in the box idat."""
    inside: bool = False
    """Its data lie in the box idat."""

    @property
    def size(self) -> int:
        """Bytes of its data."""
        return sum(size for _, size in self.extents)


@dataclass
class Meta:
    """What the box ``meta`` says."""

    source: Source
    primary: int = 0
    items: dict[int, Item] = field(default_factory=dict)
    properties: list[tuple[bytes, Part]] = field(default_factory=list)
    """Type and content of each."""
    references: list[tuple[bytes, int, tuple[int, ...]]] = field(default_factory=list)
    others: list[tuple[bytes, Part]] = field(default_factory=list)
    """Type and content of each box in it that is not read here, and of its own head."""
    idat: tuple[int, int] = (0, 0)
    """Where the box idat begins and ends."""

    def data(self, item: Item) -> Iterator[Part]:
        """An item's data, piece by piece."""
        first, end = self.idat if item.inside else (0, len(self.source))
        for start, size in item.extents:
            if size < 1 or first + start + size > end:
                raise Odd
            yield cut(self.source, first + start, size)

    def block(self, kind: bytes) -> Part | None:
        """The data of the only item of a kind; None if it has none; Odd if there are two."""
        # Programs that take a block away may leave its item, empty.
        found = [item for item in self.items.values() if item.kind == kind and item.size]
        if len(found) > 1:
            raise Odd
        return b"".join(map(bytes, self.data(found[0]))) if found else None

    def of(self, item: Item, kind: bytes) -> Part | None:
        """An item's property."""
        own = (self.properties[place - 1] for _, place in item.properties if place)
        return next((content for found, content in own if found == kind), None)


def header(source: Source) -> Header:
    """What the file says of its primary image; reads the box ``meta``, EXIF and XMP."""
    meta = read_meta(source)
    primary = meta.items[meta.primary]
    rotation, exif, xmp = meta.of(primary, b"irot"), _exif(meta), meta.block(_XMP)
    return Header(
        size=_extent(meta, primary),
        orientation=_TURNED[rotation[0] & 3] if rotation else turn(_said(meta), xmp),
        first=first_of(exif),
        details=details(exif),
        xmp=xmp,
    )


def image_parts(source: memoryview) -> Iterator[Part]:
    """The picture; Odd unless it is still and all its data lie in this file."""
    meta = read_meta(source)
    images = {at: item for at, item in sorted(meta.items.items()) if item.kind not in _ABOUT}
    if sum(item.size for item in images.values()) > 2 * len(source):
        raise Odd
    for kind, start, end in boxes(source, 0, len(source)):
        if kind not in _ELSEWHERE:
            yield part(f"box {kind!r}", source[start:end])
    yield part("primary", b"%d" % meta.primary)
    yield part("turn", b"%d" % turn(_said(meta), meta.block(_XMP)))
    for kind, content in (*meta.properties, *meta.others):
        yield part(f"property {kind!r}", content)
    yield part("joined", repr([it for it in meta.references if {it[1], *it[2]} <= images.keys()]).encode())
    for at, item in images.items():
        yield part(f"item {at}", item.entry)
        yield part("properties", repr((item.properties, item.inside, item.size)).encode())
        yield from meta.data(item)


def crop_of(source: Source) -> tuple[int, int, int, int] | None:
    """What of the primary image is to be shown: left, top, right and bottom, in pixels before it is turned.

    None if it is all of it, or if the file is odd: then nothing is cut off.
    """
    with suppress(Odd, KeyError):
        meta = read_meta(source)
        return _crop(meta, meta.items[meta.primary])
    return None


def _extent(meta: Meta, primary: Item) -> tuple[int, int] | None:
    """Width and height as decoded and cropped, before the image is turned; None if decoders may differ."""
    whole = _whole(meta, primary)
    crop = _crop(meta, primary)
    if crop is not None:
        return crop[2] - crop[0], crop[3] - crop[1]
    # What is no whole pixel, HEIC's decoder rounds as it likes; of AVIF, we cut nothing off then.
    known = meta.of(primary, b"clap") is None or any(it.kind == b"av01" for it in meta.items.values())
    return whole if known else None


def _whole(meta: Meta, primary: Item) -> tuple[int, int] | None:
    extent = meta.of(primary, b"ispe")
    return None if extent is None else (number(extent, 4, 4), number(extent, 8, 4))


def _crop(meta: Meta, primary: Item) -> tuple[int, int, int, int] | None:
    """As :func:`crop_of`: its size, and how far its middle is from the image's; of whole pixels, inside."""
    whole, clap = _whole(meta, primary), meta.of(primary, b"clap")
    if whole is None or clap is None:
        return None
    numbers = [int.from_bytes(cut(clap, at, 4), "big", signed=at >= _SIGNED) for at in range(0, 32, 4)]
    if min(numbers[1::2]) < 1:
        return None
    wide, high, across, down = (Fraction(n, d) for n, d in zip(numbers[::2], numbers[1::2], strict=True))
    left, top = (whole[0] - wide) / 2 + across, (whole[1] - high) / 2 + down
    box = left, top, left + wide, top + high
    if any(it.denominator != 1 for it in box) or not (
        0 <= left < box[2] <= whole[0] and 0 <= top < box[3] <= whole[1]
    ):
        return None
    return int(left), int(top), int(box[2]), int(box[3])


def _said(meta: Meta) -> int | None:
    """1, upright, where the decoder does not ask XMP how to turn the image; EXIF never turns it."""
    says = {b"irot", b"imir"} & {kind for kind, _ in meta.properties}
    return 1 if says or orientation(_exif(meta)) is not None else None


def _exif(meta: Meta) -> Part | None:
    """The EXIF block, which is preceded by the place where it begins."""
    content = meta.block(b"Exif")
    return None if content is None else content[4 + number(content, 0, 4) :]


def read_meta(source: Source) -> Meta:
    """The box ``meta`` of a file without tracks; Odd unless there is one, and it is as expected."""
    top = {kind: (start, end) for kind, start, end in boxes(source, 0, len(source))}
    if b"moov" in top or b"meta" not in top:
        raise Odd
    start, end = top[b"meta"]
    inside = {kind: (at, stop) for kind, at, stop in boxes(source, start + 4, end)}
    meta = Meta(source, idat=inside.get(b"idat", (0, 0)))
    meta.others = [(b"meta", cut(source, start, 4))]
    for kind, at, stop in boxes(source, start + 4, end):
        if kind not in _READ:
            meta.others.append((kind, cut(source, at, stop - at)))
    _read_kinds(Reader(source, *inside[b"iinf"]), meta)
    _read_places(Reader(source, *inside[b"iloc"]), meta)
    _read_properties(source, *inside[b"iprp"], meta)
    if b"iref" in inside:
        _read_references(Reader(source, *inside[b"iref"]), meta)
    primary = Reader(source, *inside[b"pitm"])
    meta.primary = primary.take(4 if primary.version else 2)
    return meta


def _read_kinds(reader: Reader, meta: Meta) -> None:
    n = len(reader.count(4 if reader.version else 2))
    for kind, start, end in boxes(meta.source, reader.here, reader.here + reader.left):
        entry = Reader(meta.source, start, end)
        if kind != b"infe" or entry.version not in (2, 3):
            raise Odd
        at, protected = entry.take(2 if entry.version == 2 else 4), entry.take(2)
        if protected or at in meta.items:
            raise Odd
        meta.items[at] = Item(entry.take(4).to_bytes(4, "big"), cut(meta.source, start, end - start))
    if len(meta.items) != n:
        raise Odd


def _read_places(reader: Reader, meta: Meta) -> None:
    sizes, more = reader.take(1), reader.take(1)
    offset, length, base, index = sizes >> 4, sizes & 15, more >> 4, more & 15 if reader.version else 0
    wide = reader.version == 2
    for _ in reader.count(4 if wide else 2):
        at = reader.take(4 if wide else 2)
        method = reader.take(2) & 15 if reader.version else 0
        elsewhere, first = reader.take(2), reader.take(base)
        item = meta.items[at]
        if elsewhere or method > 1 or item.extents:
            raise Odd
        item.inside = method == 1
        for _ in reader.count(2):
            reader.take(index)
            item.extents.append((first + reader.take(offset), reader.take(length)))


def _read_properties(source: Source, start: int, end: int, meta: Meta) -> None:
    for kind, at, stop in boxes(source, start, end):
        if kind == b"ipco":
            meta.properties += [(it, cut(source, a, b - a)) for it, a, b in boxes(source, at, stop)]
        elif kind == b"ipma":
            _read_associations(Reader(source, at, stop), meta)


def _read_associations(reader: Reader, meta: Meta) -> None:
    wide = reader.flags & 1
    for _ in reader.count(4):
        item = meta.items[reader.take(4 if reader.version else 2)]
        for _ in reader.count(1):
            value = reader.take(2 if wide else 1)
            item.properties.append((value >> (15 if wide else 7), value & (0x7FFF if wide else 0x7F)))


def _read_references(reader: Reader, meta: Meta) -> None:
    size = 4 if reader.version else 2
    for kind, start, end in boxes(meta.source, reader.here, reader.here + reader.left):
        first, n = number(meta.source, start, size), number(meta.source, start + size, 2)
        to = cut(meta.source, start + size + 2, end - start - size - 2)
        if len(to) != n * size:
            raise Odd
        meta.references.append((kind, first, tuple(number(to, i * size, size) for i in range(n))))
