"""What `open_rgb` and `load_pixels` say of files that are no photo, damaged, too large or out of reach."""

from __future__ import annotations

import io
import logging
import os
import re
import struct
import tracemalloc
import warnings
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, TiffImagePlugin

from generic.errors import ImageError
from generic.photos.open import load_pixels, open_rgb

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


@cache
def sample(writer: str) -> bytes:
    """A small photo with an EXIF block where the format has one."""
    exif = Image.Exif()
    exif[0x010F] = "A camera maker of a certain length"
    exif[0x0112] = 6
    return encoded(Image.fromarray(picture()), writer, **({} if writer in ("gif", "bmp") else {"exif": exif}))


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


def message(action: Callable[[], object]) -> str:
    with pytest.raises(ImageError) as caught:
        action()
    text = str(caught.value)
    assert "\n" not in text
    return text


# Errors -------------------------------------------------------------------------------------


def test_missing_file(tmp_path):
    file = tmp_path / "a.jpg"
    assert message(lambda: open_rgb(file)) == f"{file} does not exist; check the path"


def test_folder(tmp_path):
    expected = f"{tmp_path} is a folder, expected an image file; name a file inside it"
    assert message(lambda: open_rgb(tmp_path)) == expected


def test_pipe(tmp_path):
    os.mkfifo(tmp_path / "a.jpg")
    expected = f"{tmp_path / 'a.jpg'} is a pipe or a device, expected an image file; save it as a file first"
    assert message(lambda: open_rgb(tmp_path / "a.jpg")) == expected


def test_empty_file(tmp_path):
    file = tmp_path / "a.jpg"
    file.touch()
    expected = f"{file} is empty (0 bytes); replace it by an intact copy or leave it out"
    assert message(lambda: load_pixels(file, 8)) == expected


def test_text_named_jpg(tmp_path):
    file = tmp_path / "a.jpg"
    file.write_text("Dear diary,\ntoday")
    assert message(lambda: open_rgb(file)) == (
        f"{file} is not an image: it begins with b'Dear diary,\\n', "
        "expected AVIF, BMP, GIF, HEIC, JPEG, PNG, raw, TIFF or WebP"
    )


@pytest.mark.parametrize(
    "text", ["%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "P3 1 1 255 0 0 0", "8BPS"]
)
def test_other_formats_of_pillow_never_run(text):
    assert message(lambda: open_rgb(io.BytesIO(text.encode()))).startswith("the image is not an image: ")


def test_header_cut_off():
    assert message(lambda: open_rgb(io.BytesIO(sample("png")[:12]), name="a.png")) == (
        "a.png is damaged or incomplete (it begins like a PNG file, but the rest of its header cannot be "
        "read); replace it by an intact copy or leave it out"
    )


def test_truncated_file():
    text = message(lambda: open_rgb(io.BytesIO(sample("png")[:-200]), name="a.png"))
    assert re.fullmatch(
        r"a\.png is damaged or incomplete \(.*truncated.*\); replace it by an intact copy or leave it out",
        text,
    )


@pytest.mark.parametrize("writer", [name for name in WRITERS if name != "tiff-jpeg"])
def test_a_truncated_photo_is_an_error_or_complete_but_never_half(writer):
    """Whatever is cut off, wherever; a few last bytes may be dispensable."""
    data = sample(writer)
    complete = opened(data)
    cuts = [*range(0, len(data) - 30, len(data) // 40), *range(len(data) - 30, len(data))]
    errors = 0
    for cut in cuts:
        try:
            np.testing.assert_array_equal(opened(data[:cut]), complete)
        except ImageError:
            errors += 1
    assert errors >= len(cuts) - 25  # PNG: checksums and the closing chunk.


@pytest.mark.parametrize("kind", ["PNG", "GIF", "BMP", "TIFF"])
def test_an_absurd_size_is_refused_from_the_header(kind):
    if kind == "PNG":
        data = png(50_000, 50_000, b"")
    elif kind == "GIF":
        data = bytearray(sample("gif"))
        data[6:10] = struct.pack("<HH", 50_000, 50_000)
    elif kind == "BMP":
        data = bytearray(sample("bmp"))
        data[18:26] = struct.pack("<II", 50_000, 50_000)
    else:
        entries = [(256, 4, 50_000), (257, 4, 50_000), (258, 3, 8), (262, 3, 1), (273, 4, 8), (279, 4, 8)]
        body = b"".join(struct.pack("<HHII", tag, field, 1, value) for tag, field, value in entries)
        data = struct.pack("<2sHIH", b"II", 42, 8, len(entries)) + body + bytes(4)
    tracemalloc.start()
    text = message(lambda: open_rgb(io.BytesIO(bytes(data)), name="big"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert text == (
        "big has 50000 x 50000 = 2500000000 pixels, the limit is 200000000; "
        "allow it with --max-pixels 2500000000 or make it smaller"
    )
    assert peak < 1_000_000


def test_the_limit_does_not_let_the_process_grow():
    """Pillow's own memory does not show in tracemalloc: ask the system."""
    resource = pytest.importorskip("resource")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    message(lambda: open_rgb(io.BytesIO(png(50_000, 50_000, b""))))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # KiB


def test_the_limit_itself_is_allowed():
    data = encoded(Image.fromarray(picture()), "png")
    assert open_rgb(io.BytesIO(data), max_pixels=2400).size == (60, 40)
    assert message(lambda: open_rgb(io.BytesIO(data), max_pixels=2399, name="a.png")) == (
        "a.png has 60 x 40 = 2400 pixels, the limit is 2399; "
        "allow it with --max-pixels 2400 or make it smaller"
    )


@pytest.mark.parametrize("writer", list(WRITERS))
def test_pillows_own_limit_neither_warns_nor_stops_us_but_still_guards_others(writer, monkeypatch):
    data = sample(writer)
    for pillows_limit, theirs in (
        (2000, Image.DecompressionBombWarning),
        (1000, Image.DecompressionBombError),
    ):
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", pillows_limit)
        assert open_rgb(io.BytesIO(data)).width in (40, 60)
        with pytest.raises(theirs):
            Image.open(io.BytesIO(data))


def test_others_still_get_pillows_warnings():
    data = png(1, 1, bytes([0, 1, 2, 3]), (b"acTL", struct.pack(">II", 0, 0)))
    np.testing.assert_array_equal(opened(data), [[[1, 2, 3]]])
    with pytest.warns(UserWarning, match="Invalid APNG"):
        Image.open(io.BytesIO(data))


def test_permission_denied(tmp_path, without_rights):
    file = tmp_path / "a.png"
    file.write_bytes(sample("png"))
    with without_rights(file):
        text = message(lambda: open_rgb(file))
    assert text == f"{file} cannot be read: Permission denied; check the path and its permissions"


def test_impossible_names(tmp_path):
    long = tmp_path / ("a" * 300)
    expected = f"{long} cannot be read: File name too long; check the path and its permissions"
    assert message(lambda: open_rgb(long)) == expected
    expected = "'a\\x00b' cannot be read: embedded null byte; check the path and its permissions"
    assert message(lambda: open_rgb("a\0b")) == expected


def test_a_name_with_a_line_break_stays_on_one_line():
    assert message(lambda: open_rgb("no\nfile.jpg")) == "'no\\nfile.jpg' does not exist; check the path"


@pytest.mark.skipif(pillow_heif is not None, reason="the extra heif is installed")
@pytest.mark.parametrize("brands", [b"heic\0\0\0\0mif1heic", b"mif1\0\0\0\0mif1heic"])
def test_heic_without_the_extra(brands):
    data = struct.pack(">I", 8 + len(brands)) + b"ftyp" + brands + bytes(99)
    assert message(lambda: open_rgb(io.BytesIO(data), name="a.heic")) == (
        "a.heic is a HEIC photo, which needs an extra: pip install 'piaa[heif]'"
    )


# Damage -------------------------------------------------------------------------------------


@pytest.mark.parametrize("writer", ["jpeg", "png", "webp-lossless"])
@settings(max_examples=60, deadline=None)
@given(block=st.binary(max_size=40), honest_start=st.booleans())
def test_a_corrupt_exif_block_does_not_prevent_reading(writer, block, honest_start):
    exif = b"Exif\0\0" + (b"II*\0\x08\0\0\0\x05\0" if honest_start else b"") + block
    got = opened(encoded(Image.fromarray(picture()), writer, exif=exif)).astype(int)
    assert sorted(got.shape) == [3, 40, 60]


def test_a_tiff_whose_metadata_is_broken_is_still_read():
    directory = TiffImagePlugin.ImageFileDirectory_v2()
    directory[33432] = "a copyright notice"
    data = bytearray(encoded(Image.fromarray(picture()), "tiff", tiffinfo=directory))
    at = data.find(struct.pack("<HH", 33432, 2))
    data[at + 4 : at + 8] = struct.pack("<I", 2**31)  # Two gigabytes of copyright.
    np.testing.assert_array_equal(opened(bytes(data)), picture())


def image_or_error(data: bytes) -> None:
    try:
        image = open_rgb(io.BytesIO(data), max_pixels=1_000_000, name="a")
    except ImageError as error:
        text = str(error)
    else:
        text = "a "
        assert image.mode == "RGB"
        assert image.width * image.height <= 1_000_000
    assert text.startswith("a ")
    assert "\n" not in text


@settings(max_examples=150, deadline=None)
@given(data=st.binary(max_size=200), start=st.sampled_from([b"", *(sample(w)[:16] for w in WRITERS)]))
def test_random_bytes_give_an_image_or_an_image_error(data, start):
    image_or_error(start + data)


@pytest.mark.parametrize("writer", list(WRITERS))
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_damaged_files_give_an_image_or_an_image_error(writer, data):
    content = bytearray(sample(writer))
    # Half of the damage goes to the first bytes, where the headers are.
    places = st.one_of(st.integers(0, min(200, len(content) - 1)), st.integers(0, len(content) - 1))
    for place, value in data.draw(st.lists(st.tuples(places, st.integers(1, 255)), max_size=8)):
        content[place] ^= value
    image_or_error(bytes(content[: data.draw(st.integers(len(content) // 2, len(content)))]))


def test_threads_with_good_and_bad_files_agree_and_warn_of_nothing(tmp_path, caplog):
    rng = np.random.default_rng(0)
    files = []
    for writer in WRITERS:
        for copy in range(6):
            content = bytearray(sample(writer))
            if copy % 2:
                content[int(rng.integers(len(content)))] ^= 255
            if copy == 5:
                content = content[: len(content) // 2]
            files.append(tmp_path / f"{writer}_{copy}")
            files[-1].write_bytes(content)
    apng = tmp_path / "apng"
    apng.write_bytes(png(1, 1, bytes([0, 1, 2, 3]), (b"acTL", struct.pack(">II", 0, 0))))
    files += [apng, tmp_path / "missing", tmp_path]

    def result(file: Path) -> bytes | str:
        try:
            return load_pixels(file, 16).tobytes()
        except ImageError as error:
            return str(error)

    alone = [result(file) for file in files]
    with (
        warnings.catch_warnings(record=True) as caught,
        caplog.at_level(logging.WARNING),
        ThreadPoolExecutor(8) as pool,
    ):
        warnings.simplefilter("always")
        together = list(pool.map(result, files * 4))
    assert together == alone * 4
    assert caught == []
    assert caplog.records == []
    assert sum(isinstance(answer, bytes) for answer in alone) >= 3 * len(WRITERS)
    assert sum(isinstance(answer, str) for answer in alone) >= len(WRITERS)
