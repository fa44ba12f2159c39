"""Vectors of before are of no use for photos whose pixels are others now, and for no other photo."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, ImageCms

from generic.photos.revision import decoded_anew
from tests.generic.photos.profiles import P3, SRGB, grey_profile, ink_profile, rgb_profile
from tests.generic.photos.test_open_crop import avif
from tests.generic.photos.test_readable_tiff import LARGE, SMALL, page, tiff, twelve_bits

PICTURE = Image.fromarray(LARGE)


def written(kind: str, image: Image.Image = PICTURE, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP", "AVIF"])
def test_a_foreign_profile_makes_other_pixels(kind):
    assert decoded_anew(written(kind, icc_profile=rgb_profile(P3, None)))
    for profile in (
        rgb_profile(SRGB, None),
        ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(),
    ):
        assert not decoded_anew(written(kind, icc_profile=profile))
    assert not decoded_anew(written(kind, icc_profile=b"broken" * 40))
    assert not decoded_anew(written(kind))


def test_so_do_grey_and_inks():
    assert decoded_anew(written("JPEG", PICTURE.convert("L"), icc_profile=grey_profile(1.8)))
    assert decoded_anew(written("JPEG", PICTURE.convert("CMYK"), icc_profile=ink_profile()))


def test_so_does_a_preview_in_a_raw_photo(make_dng):
    assert decoded_anew(make_dng(written("JPEG", icc_profile=rgb_profile(P3, None))))
    assert not decoded_anew(make_dng(written("JPEG")))
    assert not decoded_anew(make_dng(None))


def test_so_do_pages_depths_and_crops():
    assert decoded_anew(tiff(page(SMALL), page(LARGE)))
    assert not decoded_anew(tiff(page(LARGE), page(SMALL)))
    assert decoded_anew(twelve_bits(np.zeros((20, 40), int)))
    sixteen = np.zeros((20, 40), np.uint16)
    assert decoded_anew(tiff(page(sixteen, _258=(3, [16]), _262=(3, [0]))))
    assert not decoded_anew(tiff(page(sixteen, _258=(3, [16]))))
    assert decoded_anew(avif((100, 1, 60, 1, 0, 1, 0, 1)))
    assert not decoded_anew(avif((200, 1, 60, 1, 0, 1, 0, 1)))


def test_all_other_photos_are_as_they_were(samples, raws):
    for name, content in (samples | raws).items():
        assert not decoded_anew(content), name


@pytest.mark.parametrize("content", [b"", b"no photo", b"\xff\xd8\xff", b"II*\0" + bytes(99), b"\xff\x0a"])
def test_it_never_raises(content):
    assert not decoded_anew(content)


def test_it_says_nothing(caplog, capfd):
    """What a library has to say of a photo is said where the photo is opened."""
    tags, data = page(LARGE, _277=(3, [2048]))
    assert not decoded_anew(tiff((tags, data)))
    assert caplog.records == []
    assert capfd.readouterr() == ("", "")
