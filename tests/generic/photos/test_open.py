from __future__ import annotations

import io
import os
import struct
import zlib
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from generic.errors import ShapeError
from generic.photos.open import load_pixels, load_pixels_and_picture, open_rgb
from generic.photos.to_rgb import to_rgb

try:
    import pillow_heif
except ImportError:
    pillow_heif = None

# Every way of writing the formats that a photo may come in: name -> (Pillow's format, options).
WRITERS = {
    "jpeg": ("JPEG", {"quality": 95, "subsampling": 0}),
    "progressive": ("JPEG", {"quality": 95, "subsampling": 0, "progressive": True}),
    "png": ("PNG", {}),
    "webp": ("WEBP", {"quality": 95}),
    "webp-lossless": ("WEBP", {"lossless": True}),
    "tiff": ("TIFF", {}),
    "tiff-lzw": ("TIFF", {"compression": "tiff_lzw"}),
    "tiff-jpeg": ("TIFF", {"compression": "jpeg"}),
    "gif": ("GIF", {}),
    "avif": ("AVIF", {"quality": 95, "speed": 10}),
    "bmp": ("BMP", {}),
}
EXACT = ["png", "webp-lossless", "tiff", "tiff-lzw", "bmp"]
LOSSY = ["jpeg", "progressive", "webp", "tiff-jpeg", "avif"]


def picture(height: int = 40, width: int = 60) -> np.ndarray:
    """A smooth colour picture without symmetry, shape (height, width, 3)."""
    y, x = np.mgrid[0:height, 0:width]
    red, green, blue = 255 * x / width, 255 * y / height, 127 + 120 * np.sin(x / width * 5 + y / height)
    return np.stack([red, green, blue], axis=2).astype(np.uint8)


def encoded(image: Image.Image, writer: str, **options: object) -> bytes:
    kind, fixed = WRITERS[writer]
    stream = io.BytesIO()
    image.save(stream, kind, **{**fixed, **options})
    return stream.getvalue()


def opened(data: bytes) -> np.ndarray:
    return np.asarray(open_rgb(io.BytesIO(data)))


def png(
    width: int, height: int, raw: bytes, *chunks: tuple[bytes, bytes], depth: int = 8, kind: int = 2
) -> bytes:
    """A PNG built by hand; raw is the filtered scan lines."""
    header = (b"IHDR", struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0))
    parts = [header, *chunks, (b"IDAT", zlib.compress(raw)), (b"IEND", b"")]
    written = [struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in parts]
    return b"\x89PNG\r\n\x1a\n" + b"".join(written)


def over_white(rgb: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Closed form, unrounded."""
    share = alpha[..., None] / 255
    return rgb * share + 255 * (1 - share)


# Formats ------------------------------------------------------------------------------------


@pytest.mark.parametrize("writer", EXACT)
def test_lossless_formats_give_the_very_pixels(writer):
    image = open_rgb(io.BytesIO(encoded(Image.fromarray(picture()), writer)))
    assert image.mode == "RGB"
    np.testing.assert_array_equal(np.asarray(image), picture())


@pytest.mark.parametrize("writer", LOSSY)
def test_lossy_formats_give_nearly_the_pixels(writer):
    got = opened(encoded(Image.fromarray(picture()), writer)).astype(int)
    assert got.shape == (40, 60, 3)
    assert np.abs(got - picture()).mean() < 3


def test_the_suffix_is_not_trusted(tmp_path):
    (tmp_path / "really_a_png.jpg").write_bytes(encoded(Image.fromarray(picture()), "png"))
    np.testing.assert_array_equal(np.asarray(open_rgb(tmp_path / "really_a_png.jpg")), picture())


def test_path_text_and_stream_are_the_same(tmp_path):
    file = tmp_path / "a.tif"
    file.write_bytes(encoded(Image.fromarray(picture()), "tiff-lzw"))
    with file.open("rb") as stream:
        stream.read(5)
        results = [np.asarray(open_rgb(source)) for source in (file, str(file), stream)]
        assert not stream.closed
    np.testing.assert_array_equal(results[0], results[1])
    np.testing.assert_array_equal(results[0], results[2])


def test_a_stream_that_cannot_seek():
    read, write = os.pipe()
    os.write(write, encoded(Image.fromarray(picture(4, 5)), "png"))
    os.close(write)
    with os.fdopen(read, "rb") as stream:
        np.testing.assert_array_equal(np.asarray(open_rgb(stream)), picture(4, 5))


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "AVIF", "TIFF", "PNG", "MPO"])
def test_first_frame_of_many(kind):
    red, blue = (Image.new("RGB", (16, 16), color) for color in ("#ff0000", "#0000ff"))
    stream = io.BytesIO()
    red.save(stream, kind, save_all=True, append_images=[blue])
    got = np.asarray(open_rgb(stream)).astype(int)
    assert np.abs(got - [255, 0, 0]).max() <= 3


# Modes --------------------------------------------------------------------------------------


def test_black_and_white():
    bits = picture()[..., 0] > 100
    np.testing.assert_array_equal(
        opened(encoded(Image.fromarray(bits), "png")), np.repeat(bits[..., None] * 255, 3, axis=2)
    )


def test_greyscale():
    grey = picture()[..., 0]
    np.testing.assert_array_equal(
        opened(encoded(Image.fromarray(grey), "png")), np.repeat(grey[..., None], 3, axis=2)
    )


@pytest.mark.parametrize("writer", ["png", "webp-lossless", "tiff"])
def test_rgba_over_white(writer):
    alpha = picture()[..., 2]
    image = Image.merge("RGBA", [*Image.fromarray(picture()).split(), Image.fromarray(alpha)])
    options = {"exact": True} if writer == "webp-lossless" else {}
    got = opened(encoded(image, writer, **options))
    assert np.abs(got - over_white(picture().astype(float), alpha)).max() <= 0.51


def test_grey_with_alpha_over_white():
    grey, alpha = picture()[..., 0], picture()[..., 1]
    image = Image.merge("LA", [Image.fromarray(grey), Image.fromarray(alpha)])
    expected = over_white(np.repeat(grey[..., None], 3, axis=2).astype(float), alpha)
    assert np.abs(opened(encoded(image, "png")) - expected).max() <= 0.51


def palette_image() -> Image.Image:
    image = Image.fromarray((np.arange(12, dtype=np.uint8) % 3).reshape(3, 4)).convert("P")
    image.putdata([i % 3 for i in range(12)])
    image.putpalette([200, 10, 20, 30, 100, 50, 60, 70, 250])
    return image


COLORS = np.array([[200, 10, 20], [30, 100, 50], [60, 70, 250]])
INDEX = (np.arange(12) % 3).reshape(3, 4)


@pytest.mark.parametrize("writer", ["png", "gif", "tiff", "bmp"])
def test_palette(writer):
    np.testing.assert_array_equal(opened(encoded(palette_image(), writer)), COLORS[INDEX])


@pytest.mark.parametrize("writer", ["png", "gif"])
def test_palette_with_one_transparent_colour(writer):
    colors = COLORS.copy()
    colors[1] = 255
    np.testing.assert_array_equal(opened(encoded(palette_image(), writer, transparency=1)), colors[INDEX])


def test_palette_with_an_alpha_for_each_colour():
    got = opened(encoded(palette_image(), "png", transparency=bytes([255, 0, 128])))
    expected = over_white(COLORS.astype(float), np.array([255, 0, 128]))[INDEX]
    assert np.abs(got - expected).max() <= 0.51


def test_palette_with_alpha_channel():
    alpha = np.linspace(0, 255, 12).astype(np.uint8).reshape(3, 4)
    image = palette_image().convert("PA")
    image.putalpha(Image.fromarray(alpha))
    assert image.mode == "PA"
    assert np.abs(np.asarray(to_rgb(image)) - over_white(COLORS[INDEX].astype(float), alpha)).max() <= 0.51


def test_transparent_colour_of_an_rgb_png():
    data = png(2, 1, bytes([0, 1, 2, 3, 4, 5, 6]), (b"tRNS", struct.pack(">3H", 1, 2, 3)))
    np.testing.assert_array_equal(opened(data), [[[255, 255, 255], [4, 5, 6]]])


def cmyk() -> Image.Image:
    return Image.merge("CMYK", [*Image.fromarray(picture()).split(), Image.fromarray(picture()[..., 1] // 2)])


def ink_to_light(inks: np.ndarray) -> np.ndarray:
    inks = inks.astype(float)
    return (255 - inks[..., :3]) * (255 - inks[..., 3:]) / 255


def test_cmyk_tiff():
    assert np.abs(opened(encoded(cmyk(), "tiff")) - ink_to_light(np.asarray(cmyk()))).max() <= 1


def test_cmyk_jpeg_is_stored_inverted_as_adobe_does():
    data = encoded(cmyk(), "jpeg")
    assert b"Adobe" in data
    difference = np.abs(opened(data) - ink_to_light(np.asarray(cmyk())))
    assert difference.mean() < 2
    assert difference.max() < 16


def test_ycbcr():
    image = Image.fromarray(picture()).convert("YCbCr")
    y, cb, cr = np.moveaxis(np.asarray(image).astype(float), 2, 0)
    expected = np.dstack(
        [y + 1.402 * (cr - 128), y - 0.344136 * (cb - 128) - 0.714136 * (cr - 128), y + 1.772 * (cb - 128)]
    ).clip(0, 255)
    assert np.abs(opened(encoded(image, "tiff")) - expected).max() <= 1.5


def test_hsv():
    image = Image.new("HSV", (2, 2), (85, 255, 200))  # 85 / 255 of the circle is 120 degrees: green.
    np.testing.assert_array_equal(np.asarray(to_rgb(image))[0, 0], [0, 200, 0])


def test_lab():
    image = Image.new("LAB", (2, 2))
    image.paste((128, 128, 128), (0, 0, 2, 2))  # Half lightness, and a = b = 0: no colour.
    luminance = ((100 * 128 / 255 + 16) / 116) ** 3
    expected = 255 * (1.055 * luminance ** (1 / 2.4) - 0.055)
    assert np.abs(opened(encoded(image, "tiff")).astype(float) - expected).max() <= 2


SIXTEEN = np.linspace(0, 65535, 600).astype(np.uint16).reshape(20, 30)
EIGHT = np.round(SIXTEEN / 65535 * 255)


@pytest.mark.parametrize("writer", ["png", "tiff", "tiff-lzw"])
def test_16_bit_greyscale_is_scaled_and_not_cut_off(writer):
    np.testing.assert_array_equal(opened(encoded(Image.fromarray(SIXTEEN), writer))[..., 1], EIGHT)


def test_big_endian_16_bit_greyscale():
    image = Image.frombytes("I;16B", (30, 20), SIXTEEN.astype(">u2").tobytes())
    np.testing.assert_array_equal(np.asarray(to_rgb(image))[..., 0], EIGHT)
    np.testing.assert_array_equal(opened(encoded(image, "tiff"))[..., 0], EIGHT)


def test_16_bit_colour_png():
    raw = b"\0" + struct.pack(">6H", 0, 32768, 65535, 257 * 7, 257 * 8, 257 * 9)
    np.testing.assert_array_equal(opened(png(2, 1, raw, depth=16)), [[[0, 128, 255], [7, 8, 9]]])


def test_transparent_grey_of_a_16_bit_png():
    raw = b"\0" + struct.pack(">2H", 1000, 257 * 117)
    data = png(2, 1, raw, (b"tRNS", struct.pack(">H", 1000)), depth=16, kind=0)
    np.testing.assert_array_equal(opened(data)[..., 0], [[255, 117]])


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.array([[0, 257, 65535]], np.int32), [0, 1, 255]),
        (np.array([[0, 1_000_000, 2_000_000]], np.int32), [0, 128, 255]),
        (np.array([[-100, 0, 100]], np.int32), [0, 128, 255]),
        (np.array([[0.0, 0.2, 1.0]], np.float32), [0, 51, 255]),
        (np.array([[0.0, 51.0, 200.0]], np.float32), [0, 51, 200]),
        (np.array([[0.0, 25700.0, 65535.0]], np.float32), [0, 100, 255]),
        (np.array([[-1.0, 0.0, 1.0]], np.float32), [0, 128, 255]),
        (np.array([[np.nan, 0.2, 1.0]], np.float32), [0, 51, 255]),
        (np.array([[70000.0, 70000.0]], np.float32), [0, 0]),
    ],
    ids=["16 bit", "32 bit", "negative", "unit", "8 bit", "float 16 bit", "signed", "nan", "constant"],
)
def test_scales_of_wide_greyscale(values, expected):
    np.testing.assert_array_equal(opened(encoded(Image.fromarray(values), "tiff"))[0, :, 2], expected)


# Orientation --------------------------------------------------------------------------------

# What a viewer does with the stored pixels a (height, width, 3), by EXIF orientation.
TURNS = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: np.rot90(a.transpose(1, 0, 2), 2),
    8: lambda a: np.rot90(a, 1),
}


def oriented(writer: str, orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(Image.fromarray(picture()), writer, exif=exif)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("writer", ["jpeg", "png", "webp-lossless", "tiff", "tiff-lzw", "avif"])
def test_photos_are_turned_upright(writer, orientation):
    expected = TURNS[orientation](picture()).astype(int)
    got = opened(oriented(writer, orientation))
    assert got.shape == expected.shape
    assert np.abs(got - expected).mean() < (0.001 if writer in EXACT else 3)


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_impossible_orientations_are_ignored(orientation):
    np.testing.assert_array_equal(opened(oriented("png", orientation)), picture())


@pytest.mark.skipif(pillow_heif is None, reason="needs the extra heif")
@pytest.mark.parametrize("orientation", [1, 6])
def test_heic(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    stream = io.BytesIO()
    heif = pillow_heif.from_pillow(Image.fromarray(TURNS[orientation](picture()).copy()))
    heif.save(stream, quality=95)
    got = np.asarray(open_rgb(stream)).astype(int)
    assert np.abs(got - TURNS[orientation](picture())).mean() < 5


# Draft decoding -----------------------------------------------------------------------------


@cache
def large_jpeg(orientation: int = 1) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(Image.fromarray(picture(601, 900)), "jpeg", exif=exif)


@settings(max_examples=60, deadline=None)
@given(width=st.integers(1, 1000), height=st.integers(1, 1000), orientation=st.sampled_from([1, 3, 6, 8]))
def test_draft_is_never_smaller_than_asked(width, height, orientation):
    image = open_rgb(io.BytesIO(large_jpeg(orientation)), at_least=(width, height))
    full = (900, 601) if orientation < 5 else (601, 900)
    assert image.width >= min(width, full[0])
    assert image.height >= min(height, full[1])


@pytest.mark.parametrize(
    ("at_least", "orientation", "size"),
    [
        ((100, 70), 1, (113, 76)),
        ((200, 100), 1, (225, 151)),
        ((70, 100), 6, (76, 113)),
        ((450, 300), 3, (450, 301)),
        ((451, 300), 1, (900, 601)),
        ((2000, 2000), 1, (900, 601)),
    ],
)
def test_draft_decodes_no_more_than_needed(at_least, orientation, size):
    assert open_rgb(io.BytesIO(large_jpeg(orientation)), at_least=at_least).size == size


@pytest.mark.parametrize("orientation", [1, 6])
def test_draft_looks_like_the_full_photo(orientation):
    full = open_rgb(io.BytesIO(large_jpeg(orientation)))
    expected = np.asarray(full.resize((64, 48), Image.Resampling.BICUBIC)).astype(int)
    difference = np.abs(load_pixels(io.BytesIO(large_jpeg(orientation)), (48, 64)) - expected)
    assert difference.mean() < 0.6
    assert difference.max() <= 4


# Pixels -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "shape"), [(24, (24, 24, 3)), ((10, 30), (10, 30, 3)), ((90, 80), (90, 80, 3))]
)
def test_load_pixels_has_the_size_asked_for(size, shape):
    pixels = load_pixels(io.BytesIO(encoded(Image.fromarray(picture()), "jpeg")), size)
    assert pixels.shape == shape
    assert pixels.dtype == np.uint8
    assert pixels.flags.writeable
    assert pixels.flags.c_contiguous


def test_load_pixels_does_not_alias():
    """A fine checkerboard is grey when made smaller; without a filter it is black or white."""
    board = (np.indices((600, 600)).sum(axis=0) % 2 * 255).astype(np.uint8)
    pixels = load_pixels(io.BytesIO(encoded(Image.fromarray(board), "png")), 100).astype(int)
    assert np.abs(pixels - 127.5).max() <= 2


def test_load_pixels_of_a_large_png_is_near_the_plain_filter():
    data = encoded(Image.fromarray(picture(400, 700)), "png")
    expected = np.asarray(Image.fromarray(picture(400, 700)).resize((32, 20), Image.Resampling.BICUBIC))
    assert np.abs(load_pixels(io.BytesIO(data), (20, 32)).astype(int) - expected).max() <= 2


def test_sizes_must_be_positive():
    with pytest.raises(ShapeError) as caught:
        load_pixels(io.BytesIO(), (0, 5))
    assert str(caught.value) == "size must be 1 x 1 pixels or more, got height 0 x width 5"
    with pytest.raises(ShapeError) as caught:
        open_rgb(io.BytesIO(), at_least=(7, -1))
    assert str(caught.value) == "at_least must be 1 x 1 pixels or more, got 7 x -1"


@pytest.mark.parametrize("fit", ["squash", "pad"])
def test_one_decoding_gives_the_same_pixels_and_a_small_picture(tmp_path, fit):
    path = tmp_path / "photo.jpg"
    noise = np.random.default_rng(0).integers(0, 255, (900, 1400, 3), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(noise).save(path, exif=exif)
    pixels, picture = load_pixels_and_picture(path, 64, 128, fit=fit)
    np.testing.assert_array_equal(pixels, load_pixels(path, 64, fit=fit))
    assert (picture.size, picture.mode) == ((82, 128), "RGB")
