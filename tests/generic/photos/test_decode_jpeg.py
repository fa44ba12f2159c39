"""JPEGs are decoded to Pillow's pixels, at Pillow's scale; what is odd but whole is decoded all the same."""

from __future__ import annotations

import io
import struct
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from generic.photos.colour import is_converted
from generic.photos.find import find_images
from generic.photos.open import load_pixels, open_rgb
from tests.generic.photos.conftest import picture, written

EOI = b"\xff\xd9"
WRITERS = {
    "plain": {"quality": 90},
    "all colours": {"quality": 95, "subsampling": 0},
    "half colours": {"quality": 80, "subsampling": 1},
    "progressive": {"quality": 85, "progressive": True},
    "own codes": {"quality": 90, "optimize": True},
    "restart markers": {"quality": 92, "restart_marker_rows": 1},
    "RGB": {"quality": 92, "keep_rgb": True},
}


def pillows(content: bytes, at_least: tuple[int, int] | None = None) -> np.ndarray:
    """What Pillow alone makes of a JPEG, shape (height, width, 3)."""
    with Image.open(io.BytesIO(content)) as image:
        if at_least:
            image.draft(None, at_least)
        return np.asarray(image.convert("RGB"))


def ours(content: bytes, at_least: tuple[int, int] | None = None) -> np.ndarray:
    return np.asarray(open_rgb(io.BytesIO(content), at_least=at_least))


@pytest.mark.parametrize("writer", list(WRITERS))
@pytest.mark.parametrize("at_least", [None, (301, 200), (300, 200), (130, 90), (40, 30), (1, 1)])
def test_pixels_and_scale_are_those_of_pillow(writer, at_least):
    content = written(picture((603, 405)), "JPEG", **WRITERS[writer])
    np.testing.assert_array_equal(ours(content, at_least), pillows(content, at_least))


@pytest.mark.parametrize("mode", ["L", "CMYK"])
@pytest.mark.parametrize("at_least", [None, (75, 50)])
def test_grey_and_four_inks_are_those_of_pillow(mode, at_least):
    content = written(picture((301, 200)).convert(mode), "JPEG", quality=90)
    np.testing.assert_array_equal(ours(content, at_least), pillows(content, at_least))


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (8, 8), (9, 17)])
def test_photos_of_few_pixels(size):
    content = written(picture(size), "JPEG")
    np.testing.assert_array_equal(ours(content), pillows(content))
    assert load_pixels(io.BytesIO(content), 4).shape == (4, 4, 3)


@pytest.mark.parametrize("writer", list(WRITERS))
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_photo_that_only_lacks_its_last_marker_is_whole(writer, mode):
    options = {name: value for name, value in WRITERS[writer].items() if name != "keep_rgb"}
    content = written(picture((203, 160)).convert(mode), "JPEG", **options)
    np.testing.assert_array_equal(ours(content[:-2]), pillows(content))


def test_four_inks_that_only_lack_their_last_marker_are_whole():
    content = written(picture((203, 160)).convert("CMYK"), "JPEG")
    np.testing.assert_array_equal(ours(content[:-2]), pillows(content))


def test_what_simplejpeg_does_not_know_is_decoded_by_pillow():
    content = written(picture((203, 160)).convert("CMYK"), "JPEG", subsampling=1)
    np.testing.assert_array_equal(ours(content), pillows(content))


@pytest.mark.parametrize("n", [1, 7, 64, 5000])
@pytest.mark.parametrize("writer", ["plain", "progressive", "restart markers"])
def test_zeros_before_the_last_marker_are_no_damage(writer, n):
    content = written(picture((203, 160)), "JPEG", **WRITERS[writer])
    np.testing.assert_array_equal(ours(content[:-2] + bytes(n) + EOI), pillows(content))


def test_what_follows_the_last_marker_does_not_count():
    content = written(picture(), "JPEG")
    film = bytes(5000) + b"\xff\xda\xff\xd8\xff\xda" * 300
    np.testing.assert_array_equal(ours(content + film), pillows(content))


def segment(marker: int, content: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, 2 + len(content)) + content


@pytest.mark.parametrize(
    "told",
    [
        segment(0xE0, b"JFIF\0\3\0\0\0\1\0\1\0\0"),
        segment(0xE2, b"ICC_PROFILE\0\5\1" + bytes(40)),
        segment(0xEE, b"Adobe\0\x64\0\0\0\0\7"),
        segment(0xFE, bytes(300)),
        segment(0xE1, b"Exif\0\0" + bytes(3000)),
    ],
    ids=["JFIF 3", "half a profile", "unknown Adobe", "zeros in a comment", "zeros in EXIF"],
)
def test_odd_metadata_do_not_cost_the_pixels(told):
    content = written(picture(), "JPEG")
    odd = content[:2] + told + content[2:]
    np.testing.assert_array_equal(ours(odd), pillows(odd))


@pytest.mark.slow
@pytest.mark.parametrize("options", [None, *WRITERS.values()], ids=["as it is", *WRITERS])
def test_every_real_photo_is_whole_and_has_pillows_pixels(shared_data, options):
    for path in find_images(shared_data):
        content = path.read_bytes()
        profile = Image.open(io.BytesIO(content)).info.get("icc_profile")
        if options is not None:
            content = written(Image.open(io.BytesIO(content)), "JPEG", **options)
        elif profile and is_converted(profile):
            ours(content, (200, 200))  # whole, and its colours become those of sRGB: see test_colour.py
            continue
        np.testing.assert_array_equal(ours(content, (200, 200)), pillows(content, (200, 200)))


def test_threads_do_not_mix_up_their_photos():
    contents = [written(picture((200 + 40 * n, 160), n), "JPEG") for n in range(12)]
    alone = [load_pixels(io.BytesIO(content), 32).tobytes() for content in contents]
    with ThreadPoolExecutor(6) as pool:
        together = list(
            pool.map(lambda n: load_pixels(io.BytesIO(contents[n % 12]), 32).tobytes(), range(240))
        )
    assert together == alone * 20
