"""Half a JPEG is refused, whatever its end looks like; so is one that would take long to decode."""

from __future__ import annotations

import io
import re
import struct
import time
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image, ImageDraw

from generic.errors import ImageError
from generic.photos.facts import photo_facts
from generic.photos.find import find_images
from generic.photos.identity import photo_identity
from generic.photos.open import load_pixels, open_rgb
from tests.generic.photos.conftest import picture, written

EOI = b"\xff\xd9"
WRITERS = {
    "plain": {"quality": 92},
    "progressive": {"quality": 85, "progressive": True},
    "own codes": {"quality": 92, "optimize": True},
    "restart markers": {"quality": 92, "restart_marker_rows": 1},
}
END = "; replace it by an intact copy or leave it out"


def refusal(content: bytes) -> str:
    """What the photo x.jpg is said to be."""
    with pytest.raises(ImageError) as caught:
        load_pixels(io.BytesIO(content), 64, name="x.jpg")
    text = str(caught.value)
    assert text.startswith("x.jpg ")
    assert "\n" not in text
    return text


def middle(content: bytes) -> int:
    """An offset in the middle of the data of the last scan, or of the only one."""
    scan = content.rindex(b"\xff\xda")
    return scan + 14 + (len(content) - 2 - scan - 14) // 2


def jpeg(writer: str = "plain", size: tuple[int, int] = (640, 480), seed: int = 0) -> bytes:
    return written(picture(size, seed), "JPEG", **WRITERS[writer])


# Damage -------------------------------------------------------------------------------------


@pytest.mark.parametrize("writer", list(WRITERS))
@pytest.mark.parametrize("share", [0.1, 0.3, 0.5, 0.7, 0.9, 0.99])
def test_a_cut_photo_is_refused_with_a_last_marker_and_without(writer, share):
    content = jpeg(writer)
    at = int(len(content) * share)
    for end in (EOI, b"", bytes(700) + EOI, b"\xff\xd3" + content[400:2000].replace(b"\xff", b"a") + EOI):
        assert refusal(content[:at] + end).startswith("x.jpg is damaged or incomplete (")


def test_the_message_says_what_the_decoder_said():
    content = jpeg()
    assert refusal(content[: middle(content)] + EOI) == (
        f"x.jpg is damaged or incomplete (Corrupt JPEG data: premature end of data segment){END}"
    )


@pytest.mark.parametrize("writer", ["plain", "own codes", "restart markers"])
@pytest.mark.parametrize("size", [100, 512, 4096, 16384])
@pytest.mark.parametrize("seed", range(4))
def test_a_hole_of_zeros_is_refused_though_the_data_behind_fit_again(writer, size, seed):
    content = jpeg(writer, seed=seed)
    at = middle(content) + 97 * seed
    assert refusal(content[:at] + bytes(size) + content[at + size :]) == (
        f"x.jpg is damaged or incomplete (a hole of zeros in the picture's data){END}"
    )


def scans(content: bytes) -> list[bytes]:
    """A progressive photo cut before each scan, its tables with it, the head first; without EOI."""
    starts = [found.start() for found in re.finditer(rb"\xff\xda", content)]
    tables = [content.rindex(b"\xff\xc4", 0, at) for at in starts]
    # A scan that refines the means needs no table of its own.
    starts = [
        min(a, b) if b > before else a for a, b, before in zip(starts, tables, [0, *starts], strict=False)
    ]
    return [content[a:b] for a, b in pairwise([0, *starts, len(content) - 2])]


def test_a_progressive_photo_cut_between_two_scans_is_refused():
    head, *parts = scans(jpeg("progressive"))
    assert len(parts) == 10
    for n in range(1, 10):
        for end in (EOI, b""):
            assert refusal(head + b"".join(parts[:n]) + end) == (
                f"x.jpg is damaged or incomplete (scans are missing){END}"
            )
    assert open_rgb(io.BytesIO(head + b"".join(parts) + EOI)).size == (640, 480)


def test_a_header_that_promises_more_than_the_file_holds_takes_no_memory():
    content = bytearray(jpeg(size=(64, 48)))
    frame = content.index(b"\xff\xc0")
    content[frame + 5 : frame + 9] = struct.pack(">HH", 14_000, 14_000)
    assert refusal(bytes(content)) == (
        f"x.jpg is damaged or incomplete ({len(content)} bytes cannot hold 14000 x 14000 pixels){END}"
    )


def test_a_missing_piece_between_restart_markers_is_refused():
    content = jpeg("restart markers")
    marks = [found.start() for found in re.finditer(rb"\xff[\xd0-\xd7]", content)]
    for first, last in ((5, 6), (5, 13)):
        assert "Corrupt JPEG data" in refusal(content[: marks[first]] + content[marks[last] :])


def graphic() -> Image.Image:
    """Large parts without any detail, which some encoders write as zeros."""
    image = Image.new("RGB", (1600, 1200), "white")
    ImageDraw.Draw(image).ellipse((100, 100, 900, 700), fill="black")
    return image


@pytest.mark.parametrize("options", [{}, *WRITERS.values()])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_parts_without_detail_are_no_holes(options, mode):
    for image in (graphic(), Image.new("RGB", (2000, 1000)), Image.new("RGB", (3000, 2000), (3, 9, 200))):
        content = written(image.convert(mode), "JPEG", **options)
        assert open_rgb(io.BytesIO(content)).size == image.size


def copies(content: bytes) -> list[bytes]:
    """Copies of a photo, each without a part of its middle."""
    scan = content.index(b"\xff\xda") + 14
    at = scan + (len(content) - 2 - scan) // 2
    return [
        content[:at] + EOI,
        content[:at] + bytes(len(content) - at - 2) + EOI,
        content[:at] + bytes(4096) + content[at + 4096 :],
        content[:at]
        + b"\xff\xd0"
        + content[scan : len(content) - at + scan - 4].replace(b"\xff", b"a")
        + EOI,
    ]


@pytest.mark.parametrize(
    ("width", "options"),
    [
        (2048, {"quality": 75, "optimize": True}),
        (2048, {"quality": 75, "optimize": True, "restart_marker_rows": 1}),
        (2048, {"quality": 75, "optimize": True, "subsampling": 0}),
        (4096, {"quality": 95, "progressive": True, "subsampling": 0}),
    ],
)
def test_a_smooth_gradient_is_no_hole(width, options):
    row = np.rint(np.linspace(255, 0, width)).astype(np.uint8)
    grey = Image.fromarray(np.tile(row, (600, 1)))
    image = grey.convert("RGB") if "subsampling" in options else grey
    content = written(image, "JPEG", **options)
    assert bytes(64) in content
    assert np.asarray(open_rgb(io.BytesIO(content)))[300, :, 0].std() == pytest.approx(row.std(), rel=0.01)


def test_stripes_are_no_hole():
    level = np.tile(((np.arange(3000) + 5) % 8 < 2) * 200, (200, 1))
    image = Image.fromarray(np.stack([level, level // 2, 255 - level], axis=2).astype(np.uint8))
    content = written(image, "JPEG", quality=90, optimize=True, progressive=True, subsampling=2)
    assert bytes(1000) in content
    assert open_rgb(io.BytesIO(content)).size == (3000, 200)


def test_a_gradient_that_goes_on_below_black_is_a_hole():
    row = np.rint(np.linspace(255, 0, 2048)).astype(np.uint8)
    content = written(Image.fromarray(np.tile(row, (600, 1))), "JPEG", quality=75, optimize=True)
    at = middle(content)
    assert "a hole of zeros" in refusal(content[:at] + bytes(512) + content[at + 512 :])


# Odd, and whole -----------------------------------------------------------------------------


@pytest.mark.parametrize("parameters", [(0, 0, 0), (0, 255, 0), (1, 63, 0)])
def test_what_one_scan_says_of_its_coefficients_does_not_count(parameters):
    content = bytearray(jpeg())
    intact = np.asarray(open_rgb(io.BytesIO(bytes(content))))
    at = content.index(b"\xff\xda") + 11
    content[at : at + 3] = bytes(parameters)
    assert np.array_equal(np.asarray(open_rgb(io.BytesIO(bytes(content)))), intact)
    assert "premature end" in refusal(bytes(content[: middle(bytes(content))]) + EOI)


@pytest.mark.parametrize(
    ("before", "junk"),
    [(b"\xff\xdb", b"hello"), (b"\xff\xdb", bytes(7)), (b"\xff\xc4", bytes(3)), (b"\xff\xda", bytes(2))],
)
@pytest.mark.parametrize("writer", ["plain", "progressive"])
def test_junk_between_the_segments_of_the_head_takes_no_pixel(writer, before, junk):
    content = jpeg(writer)
    at = content.index(before)
    odd = content[:at] + junk + content[at:]
    intact = np.asarray(open_rgb(io.BytesIO(content)))
    assert np.array_equal(np.asarray(open_rgb(io.BytesIO(odd))), intact)
    half = odd[: len(odd) // 2]
    assert refusal(half + EOI).startswith("x.jpg is damaged or incomplete (")


def test_junk_behind_a_table_may_be_a_part_of_it():
    content = jpeg()
    at = content.index(b"\xff\xc4")
    assert "5 extraneous bytes before marker 0xc4" in refusal(content[:at] + b"hello" + content[at:])


def arithmetic() -> bytes:
    """A picture of 1024 x 1024 pixels of one grey, in five bytes of arithmetic codes; without EOI."""
    frame = b"\xff\xc9" + struct.pack(">HBHHB3B", 11, 8, 1024, 1024, 1, 1, 0x11, 0)
    table = b"\xff\xdb" + struct.pack(">HB", 67, 0) + bytes([8] * 64)
    ranges = b"\xff\xcc" + struct.pack(">H4B", 6, 0x00, 0x10, 0x10, 0x05)
    scan = b"\xff\xda" + struct.pack(">H6B", 8, 1, 1, 0, 0, 63, 0) + bytes.fromhex("d2a4814c75")
    return b"\xff\xd8" + table + frame + ranges + scan


def test_arithmetic_codes_may_say_much_in_little_but_need_an_end():
    assert set(np.asarray(open_rgb(io.BytesIO(arithmetic() + EOI))).ravel().tolist()) == {200}
    assert refusal(arithmetic()) == f"x.jpg is damaged or incomplete (Premature end of JPEG file){END}"


def test_no_damaged_copy_of_real_photos_is_taken(shared_data):
    photos = [path.read_bytes() for path in find_images(shared_data)[::30]]
    assert len(photos) >= 20
    assert all(refusal(copy).endswith(END) for photo in photos for copy in copies(photo))


# Work ---------------------------------------------------------------------------------------


def many_scans(n: int, size: int = 2048) -> bytes:
    """A grey progressive JPEG whose n scans each say in a few bytes that no block has detail."""
    blocks = (size // 8) ** 2
    frame = b"\xff\xc2" + struct.pack(">HBHHB3B", 11, 8, size, size, 1, 1, 0x11, 0)
    means = b"\xff\xc4" + struct.pack(">HB", 20, 0x00) + bytes([1, *[0] * 15, 0])
    details = b"\xff\xc4" + struct.pack(">HB", 20, 0x10) + bytes([1, *[0] * 15, 0xE0])
    # A run of 16384 blocks or more is the one code there is, 0, and what is above in 14 bits.
    n_runs = blocks // 16384
    lengths = [16384] * (n_runs - 1) + [blocks - 16384 * (n_runs - 1)]
    bits = "".join(f"0{length - 16384:014b}" for length in lengths)
    data = int(bits.ljust(-(-len(bits) // 8) * 8, "1"), 2).to_bytes(-(-len(bits) // 8), "big")
    scan = b"\xff\xda" + struct.pack(">H6B", 8, 1, 1, 0, 1, 63, 0) + data
    first = b"\xff\xda" + struct.pack(">H6B", 8, 1, 1, 0, 0, 0, 0) + bytes(blocks // 8)
    table = b"\xff\xdb" + struct.pack(">HB", 67, 0) + bytes([1] * 64)
    return b"\xff\xd8" + table + frame + means + details + first + scan * n + EOI


def test_the_hand_made_progressive_photo_is_one():
    assert np.ptp(np.asarray(open_rgb(io.BytesIO(many_scans(1))))) == 0


def test_thousands_of_scans_are_refused_at_once_on_every_path(tmp_path):
    content = many_scans(2000)
    (tmp_path / "x.jpg").write_bytes(content)
    started = time.perf_counter()
    assert refusal(content) == (
        "x.jpg has more than 100 scans, the limit for 2048 x 2048 pixels, and would take long to decode; "
        "save it again as an ordinary JPEG or leave it out"
    )
    with pytest.raises(ImageError, match="more than 100 scans"):
        open_rgb(tmp_path / "x.jpg")
    assert len(photo_identity(content)) == 64
    assert photo_facts(content).width == 2048
    assert time.perf_counter() - started < 1


def test_the_limit_of_scans_falls_with_the_size():
    assert "has more than 15 scans, the limit for 14080 x 14080 pixels" in refusal(many_scans(20, 14080))


def test_thousands_of_blocks_of_metadata_are_refused_at_once():
    content = jpeg()
    for told in (b"\xff\xe1\0\x08Exif\0\0" * 100_000, b"\xff\xfe\0\2" * 100_000):
        assert refusal(content[:2] + told + content[2:]) == (
            "x.jpg has more than 1000 blocks of metadata before its picture, or no picture at all; "
            "save it again without metadata or leave it out"
        )
    few = content[:2] + b"\xff\xe3\0\x08abcdef" * 900 + content[2:]
    assert open_rgb(io.BytesIO(few)).size == (640, 480)
