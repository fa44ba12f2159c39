"""Photos with a profile are seen as their colours are meant; those without one keep their pixels."""

from __future__ import annotations

import io
import logging
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image, ImageCms

from generic.photos import colour
from generic.photos.open import load_pixels, open_rgb
from tests.generic.photos.profiles import (
    ADOBE,
    P3,
    SPACES,
    SRGB,
    converted,
    grey_profile,
    ink_profile,
    level,
    light,
    rgb_profile,
)


@pytest.fixture(autouse=True)
def nothing_said_yet(monkeypatch):
    monkeypatch.setattr(colour, "_said", set())


def picture(height: int = 60, width: int = 90) -> np.ndarray:
    """Soft colours that every space can show, shape (height, width, 3)."""
    y, x = np.mgrid[0:height, 0:width]
    planes = [60 + 120 * x / width, 70 + 110 * y / height, 120 + 50 * np.sin(x / 9 + y / 7)]
    return np.stack(planes, axis=2).round().astype(np.uint8)


def written(pixels: np.ndarray | Image.Image, kind: str = "PNG", **options: object) -> io.BytesIO:
    stream = io.BytesIO()
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    image.save(stream, kind, **options)
    return stream


@pytest.mark.parametrize("space", SPACES)
def test_colours_are_those_of_the_definition(space):
    stored = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    got = np.asarray(open_rgb(written(stored, icc_profile=rgb_profile(*SPACES[space]))))
    assert np.abs(got - converted(stored, SPACES[space])).max() <= 2


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP", "JPEG", "AVIF"])
@pytest.mark.parametrize("space", SPACES)
def test_one_scene_looks_the_same_in_each_space_and_format(space, kind):
    wide = converted(picture(), (SRGB, None), SPACES[space]).round().astype(np.uint8)
    options = {"TIFF": {}, "PNG": {}, "WEBP": {"lossless": True}}.get(kind, {"quality": 98})
    profile = rgb_profile(*SPACES[space])
    got = load_pixels(written(wide, kind, icc_profile=profile, **options), (30, 45)).astype(int)
    plain = load_pixels(written(picture(), kind, **options), (30, 45))
    assert np.abs(got - plain).mean() < 1.5
    stored = load_pixels(written(wide, kind, **options), (30, 45))
    assert np.abs(stored.astype(int) - plain).mean() > 4


def test_it_is_converted_after_resizing_and_beside_grey():
    profile = rgb_profile(ADOBE, 563 / 256)
    got = load_pixels(written(np.full((40, 80, 3), (0, 0, 90), np.uint8), icc_profile=profile), 16, fit="pad")
    assert (got[:4] == 127).all()
    assert (got[12:] == 127).all()
    np.testing.assert_allclose(got[8, 8], converted(np.array([0, 0, 90]), (ADOBE, 563 / 256)), atol=2)


def test_srgb_by_any_maker_keeps_the_very_pixels():
    stored = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    pillows = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for profile in (pillows, rgb_profile(SRGB, None)):
        got = open_rgb(written(stored, icc_profile=profile))
        np.testing.assert_array_equal(np.asarray(got), stored)


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "JPEG"])
@pytest.mark.parametrize("mode", ["L", "I;16"])
def test_grey_by_its_gamma(kind, mode):
    if (mode, kind) == ("I;16", "JPEG"):
        pytest.skip("JPEG has 8 bits")
    ramp = np.tile(np.arange(256, dtype=np.uint8), (16, 1))
    stored = ramp if mode == "L" else ramp.astype(np.uint16) * 257
    options = {"quality": 100} if kind == "JPEG" else {}
    got = np.asarray(open_rgb(written(stored, kind, icc_profile=grey_profile(1.8), **options)))
    assert np.abs(got - level(light(ramp, 1.8))[..., None]).max() <= 2


def test_inks_by_their_table():
    black = Image.new("CMYK", (32, 24), (0, 0, 0, 255))
    for ink, expected in ((black, 0), (Image.new("CMYK", (32, 24)), 255)):
        for kind in ("JPEG", "TIFF"):
            got = load_pixels(written(ink, kind, icc_profile=ink_profile()), 8)
            assert np.abs(got.astype(int) - expected).max() <= 2, kind
    # One whole ink is black by this profile, and cyan without one.
    cyan = Image.new("CMYK", (32, 24), (255, 0, 0, 0))
    assert load_pixels(written(cyan, "TIFF", icc_profile=ink_profile()), 8).max() <= 2
    np.testing.assert_array_equal(load_pixels(written(cyan, "TIFF"), 8)[0, 0], [0, 255, 255])


def lab_of(levels: np.ndarray) -> np.ndarray:
    """CIE Lab of sRGB levels, by its definition."""
    ratio = light(levels, None) @ np.array(SRGB).T / np.array(SRGB).sum(axis=1)
    root = np.where(ratio > 216 / 24389, np.cbrt(ratio), (ratio * 24389 / 27 + 16) / 116)
    return np.stack(
        [116 * root[..., 1] - 16, 500 * (root[..., 0] - root[..., 1]), 200 * (root[..., 1] - root[..., 2])],
        axis=-1,
    )


@pytest.mark.parametrize("profile", [None, ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()])
def test_lab_with_a_profile_or_without(profile):
    lab = lab_of(picture())
    stored = np.stack([lab[..., 0] * 2.55, lab[..., 1] + 128, lab[..., 2] + 128], axis=2)
    planes = np.moveaxis(stored.round().astype(np.uint8), 2, 0)
    image = Image.merge("LAB", [Image.fromarray(plane) for plane in planes])
    got = np.asarray(open_rgb(written(image, "TIFF", **({"icc_profile": profile} if profile else {}))))
    # Steps of 8 bits in Lab are several levels where red is dark.
    assert np.abs(got.astype(int) - picture()).mean() < 1.5


def test_a_broken_profile_is_ignored_and_said_once(caplog):
    broken = b"\0" * 200
    for _ in range(3):
        got = open_rgb(written(picture(), icc_profile=broken), name="a.png")
        np.testing.assert_array_equal(np.asarray(got), picture())
    assert [record.getMessage() for record in caplog.records] == [
        "a.png: its colour profile cannot be used (cannot open profile from string), so its colours are "
        "taken for sRGB; so are those of other photos with this profile"
    ]


@pytest.mark.parametrize("size", [10, 130, 300, 500])
def test_a_profile_that_is_cut_off_costs_no_pixel(size):
    got = open_rgb(written(picture(), icc_profile=rgb_profile(P3, None)[:size]))
    assert got.size == (90, 60)


def test_a_profile_for_another_kind_of_picture_counts_as_none(caplog):
    """A photo of OASIS in colour has one for greyscale; greyscale with one of sRGB is common."""
    got = open_rgb(written(picture(), icc_profile=grey_profile(1.8)))
    np.testing.assert_array_equal(np.asarray(got), picture())
    got = open_rgb(written(picture()[..., 0], icc_profile=rgb_profile(P3, 1.8)))
    np.testing.assert_array_equal(np.asarray(got)[..., 0], picture()[..., 0])
    assert caplog.records == []


def test_random_damage_to_a_profile_never_costs_the_pixels(caplog):
    rng = np.random.default_rng(0)
    whole = rgb_profile(P3, None)
    caplog.set_level(logging.ERROR)
    for _ in range(200):
        profile = bytearray(whole)
        for place in rng.integers(0, len(whole), 4):
            profile[place] = rng.integers(256)
        assert load_pixels(written(picture(8, 8), icc_profile=bytes(profile)), 8).shape == (8, 8, 3)


def test_threads_share_transforms_and_agree():
    files = [
        written(
            converted(picture(), (SRGB, None), space).round().astype(np.uint8),
            icc_profile=rgb_profile(*space),
        )
        for space in SPACES.values()
    ]
    contents = [file.getvalue() for file in files] * 40

    def seen(content: bytes) -> bytes:
        return load_pixels(io.BytesIO(content), 24).tobytes()

    alone = [seen(content) for content in contents[:3]]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(seen, contents)) == alone * 40


def test_transforms_are_remembered_up_to_a_limit():
    for number in range(40):
        open_rgb(written(picture(4, 4), icc_profile=rgb_profile(P3, 1.5 + number / 40)))
    assert len(colour._conversions) == 32
