"""A TIFF is opened by its largest page, whatever its byte order, its depth and its version."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from generic.errors import ImageError
from generic.photos.facts import photo_facts
from generic.photos.formats.directory import Directories
from generic.photos.identity import photo_identity
from generic.photos.open import open_rgb
from generic.photos.readable_tiff import readable_tiff

ROOT = Path(__file__).resolve().parents[3]
SMALL = np.full((8, 12, 3), 200, np.uint8)
LARGE = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
CODES = {1: "B", 3: "H", 4: "L", 13: "L", 16: "Q", 18: "Q"}
Page = dict[int, tuple[int, Sequence[int]]]


def page(pixels: np.ndarray, **more: tuple[int, Sequence[int]]) -> tuple[Page, bytes]:
    """A page of uncompressed pixels, in one strip whose place is filled in later."""
    height, width = pixels.shape[:2]
    channels = pixels.shape[2] if pixels.ndim == 3 else 1
    tags: Page = {
        256: (4, [width]),
        257: (4, [height]),
        258: (3, [8] * channels),
        259: (3, [1]),
        262: (3, [2 if channels == 3 else 1]),
        273: (4, [0]),
        277: (3, [channels]),
        278: (4, [height]),
        279: (4, [pixels.nbytes]),
    }
    return {**tags, **{int(name[1:]): value for name, value in more.items()}}, pixels.tobytes()


def tiff(*pages: tuple[Page, bytes], order: str = "<", big: bool = False, inner: int | None = None) -> bytes:
    """Pages, one after another; page ``inner`` lies inside of the first instead, as a SubIFD."""
    head, count, number, width = (16, "Q", "Q", 8) if big else (8, "H", "L", 4)
    content = bytearray(head)
    starts, links, ends = [], [], 0
    for i, (tags, data) in enumerate(pages):
        place = len(content)
        content += data + bytes(len(data) % 2)
        tags = {**tags, 273: (16 if big else 4, [place])}
        if inner and i == 0:
            tags[330] = (18 if big else 13, [0])
        rest, table = bytearray(), bytearray()
        start = len(content)
        size = struct.calcsize(order + count) + len(tags) * (12 + 8 * big) + width
        for tag, (kind, values) in sorted(tags.items()):
            packed = struct.pack(f"{order}{len(values)}{CODES[kind]}", *values)
            if len(packed) > width:
                where, rest = start + size + len(rest), rest + packed + bytes(len(packed) % 2)
                packed = struct.pack(order + number, where)
            if tag == 330:
                links.append(start + struct.calcsize(order + count) + len(table) + 4 + width)
            table += struct.pack(f"{order}HH{number}", tag, kind, len(values)) + packed.ljust(width, b"\0")
        starts.append(start)
        content += struct.pack(order + count, len(tags)) + table + bytes(width) + rest
        if i and i == inner:
            struct.pack_into(order + number, content, links[0], start)
        elif i:
            struct.pack_into(order + number, content, ends, start)
        if i != inner or not i:
            ends = start + size - width
    mark = b"II" if order == "<" else b"MM"
    content[:head] = mark + (
        struct.pack(order + "HHHQ", 43, 8, 0, starts[0]) if big else struct.pack(order + "HL", 42, starts[0])
    )
    return bytes(content)


def seen(content: bytes) -> np.ndarray:
    return np.asarray(open_rgb(io.BytesIO(content)))


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("place", ["only", "last", "first", "between", "inside"])
def test_the_largest_page_is_the_picture(place, big, order):
    small, large = page(SMALL), page(LARGE)
    pages = {
        "only": [large],
        "last": [small, large],
        "first": [large, small],
        "between": [small, large, small],
    }
    content = tiff(
        *pages.get(place, [small, large]), big=big, order=order, inner=1 if place == "inside" else None
    )
    np.testing.assert_array_equal(seen(content), LARGE)
    facts = photo_facts(content)
    assert (facts.width, facts.height) == (60, 40)


def test_of_equal_pages_the_first():
    np.testing.assert_array_equal(seen(tiff(page(LARGE), page(255 - LARGE))), LARGE)


def test_its_own_orientation_counts_and_the_data_of_all_ways_of_writing():
    for compression in ("tiff_lzw", "tiff_adobe_deflate", "jpeg", None):
        stream = io.BytesIO()
        options = {"compression": compression} if compression else {}
        exif = Image.Exif()
        exif[0x0112] = 6
        pages = [Image.fromarray(LARGE)]
        Image.fromarray(SMALL).save(stream, "TIFF", save_all=True, append_images=pages, exif=exif, **options)
        alone = io.BytesIO()
        pages[0].save(alone, "TIFF", exif=exif, **options)
        np.testing.assert_array_equal(seen(stream.getvalue()), seen(alone.getvalue()))
        assert seen(stream.getvalue()).shape == (60, 40, 3)


def test_masks_and_pages_that_cannot_be_shown_are_passed_over():
    mask = page(LARGE, _254=(4, [4]))
    deep = page(LARGE, _339=(3, [3, 3, 3]))
    depth = page(LARGE, _262=(3, [51177]))
    jpeg_2000 = page(LARGE, _259=(3, [34712]))
    np.testing.assert_array_equal(seen(tiff(page(SMALL), mask, deep, depth, jpeg_2000)), SMALL)


def test_a_damaged_picture_is_not_replaced_by_its_thumbnail():
    with pytest.raises(ImageError, match="damaged or incomplete"):
        seen(tiff(page(SMALL), (page(LARGE)[0], b"cut off")))
    # A page that leads nowhere leaves the ones before it.
    content = bytearray(tiff(page(LARGE), page(SMALL)))
    first = Directories(bytes(content)).read(Directories(bytes(content)).first)
    at = content.rindex(struct.pack("<L", first.following))
    content[at : at + 4] = struct.pack("<L", 2**32 - 2)
    np.testing.assert_array_equal(seen(bytes(content)), LARGE)


def test_pages_in_a_circle_end():
    content = bytearray(tiff(page(SMALL), page(LARGE)))
    directories = Directories(bytes(content))
    last = directories.read(directories.read(directories.first).following)
    at = directories.read(directories.first).following + 2 + 12 * len(last.entries)
    content[at : at + 4] = struct.pack("<L", directories.first)
    np.testing.assert_array_equal(seen(bytes(content)), LARGE)


def test_a_file_whose_first_page_is_the_picture_is_not_copied():
    for content in (tiff(page(LARGE), page(SMALL)), tiff(page(LARGE), big=True)):
        stream = io.BytesIO(content)
        assert readable_tiff(stream) is stream


def test_the_copy_is_not_much_larger_than_the_file():
    """However often tags name the same bytes."""
    many = {f"_{40000 + i}": (1, [0] * 4000) for i in range(20)}
    content = bytearray(tiff(page(SMALL), page(LARGE, **many)))
    copy = readable_tiff(io.BytesIO(bytes(content))).getvalue()
    assert len(copy) < 2.1 * len(content)


def test_identity_is_that_of_the_page_that_is_shown():
    alone, one, other = (
        tiff(page(LARGE)),
        tiff(page(SMALL), page(LARGE)),
        tiff(page(SMALL), page(255 - LARGE)),
    )
    assert photo_identity(alone) == photo_identity(one) != photo_identity(other)


# Greyscale ----------------------------------------------------------------------------------


def twelve_bits(values: np.ndarray, *, packed: bool = False, order: str = "<", big: bool = False) -> bytes:
    """Rows of 12 bits; width is even."""
    pairs = values.reshape(-1, 2).astype(int)
    three = [pairs[:, 0] >> 4, (pairs[:, 0] & 15) << 4 | pairs[:, 1] >> 8, pairs[:, 1] & 255]
    data = np.stack(three, axis=1).astype(np.uint8).tobytes()
    tags, _ = page(np.zeros(values.shape, np.uint8), _258=(3, [12]))
    if packed:
        data, tags[259] = zlib.compress(data), (3, [8])
    tags[279] = (4, [len(data)])
    return tiff((tags, data), order=order, big=big)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("big", [False, True])
def test_12_bits_are_scaled(packed, order, big):
    values = np.linspace(0, 4095, 800).round().reshape(20, 40)
    got = seen(twelve_bits(values, packed=packed, order=order, big=big))
    np.testing.assert_array_equal(got[..., 1], np.round(values / 4095 * 255))


@pytest.mark.parametrize("sixteen", [True, False])
def test_white_as_zero_is_turned_round(sixteen):
    if sixteen:
        values = np.linspace(0, 65535, 800).round().astype(np.uint16).reshape(20, 40)
        shares, tags = values / 65535, {"_258": (3, [16])}
    else:
        values = np.linspace(0, 1, 800, dtype=np.float32).reshape(20, 40)
        shares, tags = values, {"_258": (3, [32]), "_339": (3, [3])}
    content = tiff(page(values, **tags, _262=(3, [0])))
    assert np.abs(seen(content)[..., 0] - (255 - np.round(shares * 255))).max() <= 1


def test_a_large_decimal_picture_takes_little_more_than_its_pixels(tmp_path):
    """300 kB on disk; in a process of its own, since memory that was used once is not given back."""
    width, height = 6000, 4000
    row = zlib.compress(np.linspace(0, 1, width, dtype=np.float32).tobytes() * 40, 9)
    tags, _ = page(np.zeros((1, 1), np.uint8))
    tags |= {
        256: (4, [width]),
        257: (4, [height]),
        258: (3, [32]),
        259: (3, [8]),
        339: (3, [3]),
        278: (4, [40]),
    }
    strips = height // 40
    tags[279] = (4, [len(row)] * strips)
    file = tmp_path / "a.tif"
    file.write_bytes(_with_strips(tags, row, strips))
    code = (
        "import resource, sys; from generic.photos.open import load_pixels\n"
        "load_pixels(sys.argv[2], 8); before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "load_pixels(sys.argv[1], 64)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    plain = tmp_path / "b.tif"
    plain.write_bytes(tiff(page(SMALL)))
    done = subprocess.run(
        [sys.executable, "-c", code, file, plain], cwd=ROOT, capture_output=True, text=True, check=True
    )
    # 4 bytes a pixel as stored, 4 as RGB, 1 as grey; 12 times that before.
    assert int(done.stdout) < 10.5 * width * height / 1024 + 60_000


def _with_strips(tags: Page, data: bytes, n: int) -> bytes:
    """As :func:`tiff`, with n strips that are all the same bytes."""
    tags = {**tags, 273: (4, [8] * n)}
    start = 8 + len(data) + len(data) % 2
    rest, table = b"", b""
    for tag, (kind, values) in sorted(tags.items()):
        packed = struct.pack(f"<{len(values)}{CODES[kind]}", *values)
        if len(packed) > 4:
            where, rest = start + 2 + 12 * len(tags) + 4 + len(rest), rest + packed + bytes(len(packed) % 2)
            packed = struct.pack("<L", where)
        table += struct.pack("<HHL", tag, kind, len(values)) + packed.ljust(4, b"\0")
    head = b"II*\0" + struct.pack("<L", start) + data + bytes(len(data) % 2)
    return head + struct.pack("<H", len(tags)) + table + bytes(4) + rest
