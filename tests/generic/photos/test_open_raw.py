"""Raw photos are opened by their largest JPEG preview; plain TIFF stays plain TIFF."""

from __future__ import annotations

import io
from contextlib import suppress

import numpy as np
import pytest
from PIL import Image

from generic.errors import ImageError
from generic.photos.find import SUFFIXES
from generic.photos.identity import photo_identity
from generic.photos.open import open_rgb
from generic.photos.recognise import format_of

NAMES = (
    *("nikon.nef", "sony.arw", "canon.cr2", "pentax.pef", "samsung.srw", "olympus.orf"),
    *("panasonic.rw2", "fuji.raf", "canon.cr3"),
)


def seen(content: bytes) -> np.ndarray:
    return np.asarray(open_rgb(io.BytesIO(content)))


@pytest.mark.parametrize("name", NAMES)
def test_each_maker_by_its_preview_turned_as_the_raw_photo_says(raws, write, name):
    assert format_of(raws[name]) == "RAW"
    # Orientation 6: what is shown is the stored picture, turned clockwise.
    np.testing.assert_array_equal(seen(raws[name]), np.rot90(seen(write("JPEG")), -1))
    assert "." + name.split(".")[1] in SUFFIXES


def test_one_picture_has_one_identity_in_every_raw_photo(raws, write, make_exif):
    assert set(raws) == set(NAMES)
    assert {photo_identity(content) for content in raws.values()} == {
        photo_identity(write("JPEG", exif=make_exif(6)))
    }


def test_the_preview_says_itself_which_side_is_up(make_dng, write, make_exif):
    preview = write("JPEG", exif=make_exif(3))
    np.testing.assert_array_equal(seen(make_dng(preview, orientation=6)), seen(preview))


def test_the_sensor_values_of_a_dng_do_not_count(make_dng, write):
    ours, others = make_dng(write("JPEG")), make_dng(write("JPEG"), seed=1)
    assert ours != others
    assert photo_identity(ours) == photo_identity(others)


def test_a_raw_photo_without_a_preview(tmp_path, make_dng):
    file = tmp_path / "a.dng"
    file.write_bytes(make_dng(None))
    with pytest.raises(ImageError) as caught:
        open_rgb(file)
    assert str(caught.value) == (
        f"{file} is a raw photo without a JPEG preview inside, and sensor values are not developed; "
        "export it as JPEG or TIFF, or leave it out"
    )


def test_a_raw_photo_whose_preview_is_cut_off(tmp_path, raws):
    file = tmp_path / "a.raf"
    file.write_bytes(raws["fuji.raf"][:1200])
    with pytest.raises(ImageError, match=r"a\.raf is a raw photo without a JPEG preview inside"):
        open_rgb(file)


def test_a_file_with_the_name_of_a_raw_photo_alone(tmp_path):
    file = tmp_path / "a.DNG"
    file.write_bytes(b"II*\0" + bytes(2000))
    with pytest.raises(ImageError) as caught:
        open_rgb(file)
    assert str(caught.value) == (
        f"{file} has the name of a raw photo, but no JPEG preview inside that can be read, and sensor values "
        "are not developed; export it as JPEG or TIFF, or leave it out"
    )


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"\xff\x0a\xfa\x7f", "JPEG XL"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
        (b"\xff\x4f\xff\x51\0\x2f", "JPEG 2000"),
    ],
)
def test_formats_that_are_not_read_are_named(head, name):
    with pytest.raises(ImageError) as caught:
        open_rgb(io.BytesIO(head + bytes(100)), name="a.jpg")
    assert (
        str(caught.value) == f"a.jpg is a {name} image, which is not read; export it as JPEG, or leave it out"
    )


def test_plain_tiff_is_no_raw_photo(samples):
    for name, content in samples.items():
        if name.endswith("tif"):
            assert format_of(content) == "TIFF", name


def test_a_tiff_with_smaller_pages_or_a_full_first_page_is_no_raw_photo():
    stream = io.BytesIO()
    pages = [Image.new("RGB", (16 * n, 16 * n), "red") for n in (1, 2, 3)]
    pages[2].save(
        stream, "TIFF", save_all=True, append_images=pages[:2], tiffinfo={254: 0, 50706: b"\1\4\0\0"}
    )
    assert format_of(stream.getvalue()) == "TIFF"
    assert open_rgb(stream).size == (48, 48)


def test_an_album_with_raw_photos_is_drafted_and_limited_as_others_are(write, make_dng):
    content = make_dng(write("JPEG", (1600, 1200)))
    assert open_rgb(io.BytesIO(content), at_least=(200, 150)).size == (200, 150)
    with pytest.raises(ImageError, match="has 1600 x 1200 = 1920000 pixels, the limit is 1000"):
        open_rgb(io.BytesIO(content), max_pixels=1000)


def test_damaged_raw_photos_give_an_image_or_an_image_error(raws, make_dng, write):
    rng = np.random.default_rng(0)
    for content in (*raws.values(), make_dng(write("JPEG"))):
        for _ in range(60):
            damaged = np.frombuffer(content, np.uint8).copy()
            damaged[rng.integers(0, min(400, len(damaged)), 3)] = rng.integers(0, 256, 3)
            with suppress(ImageError):
                assert open_rgb(io.BytesIO(damaged.tobytes()), max_pixels=10**6).mode == "RGB"
            assert len(photo_identity(damaged.tobytes())) == 64
