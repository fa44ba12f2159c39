"""Thumbnails in a folder that does not grow beyond its limit."""

from __future__ import annotations

import io
import os

import pytest
from PIL import Image

from piaa.page.pictures import Pictures, whole


def identity(number):
    return f"{number:064x}"[::-1]


def noise(side=128):
    return Image.effect_noise((side, side), 90).convert("RGB")


def test_a_picture_is_kept_as_webp_and_found_again(tmp_path):
    pictures = Pictures(tmp_path / "pictures")
    assert not pictures.has(identity(1))
    assert pictures.get(identity(1)) is None
    content = pictures.keep(identity(1), noise())
    assert Image.open(io.BytesIO(content)).format == "WEBP"
    assert Pictures(tmp_path / "pictures").get(identity(1)) == content
    assert pictures.has(identity(1))


def test_the_oldest_go_before_the_folder_grows_beyond_its_limit(tmp_path):
    pictures = Pictures(tmp_path, most_bytes=60_000)
    for number in range(40):
        pictures.keep(identity(number), noise())
        for path in tmp_path.glob("??/*.webp"):  # each a second older than the next
            os.utime(path, (path.stat().st_mtime - 1,) * 2)
    sizes = [path.stat().st_size for path in tmp_path.glob("??/*.webp")]
    assert 30_000 < sum(sizes) <= 60_000
    assert pictures.has(identity(39))
    assert not pictures.has(identity(0))


def test_a_folder_that_cannot_be_written_is_no_fault(tmp_path):
    (tmp_path / "file").write_text("in the way")
    content = Pictures(tmp_path / "file").keep(identity(1), noise())
    assert Image.open(io.BytesIO(content)).size == (128, 128)


@pytest.mark.parametrize(
    ("suffix", "kind"), [("jpg", "image/jpeg"), ("png", "image/png"), ("tiff", "image/jpeg")]
)
def test_a_photo_is_given_as_browsers_show_it(tmp_path, suffix, kind):
    path = tmp_path / f"photo.{suffix}"
    noise(64).save(path)
    content, shown = whole(path, None)
    assert shown == kind
    assert Image.open(io.BytesIO(content)).size == (64, 64)
    assert (content == path.read_bytes()) == (suffix != "tiff")


def test_a_photo_for_the_screen_is_no_larger_than_one(tmp_path):
    path = tmp_path / "photo.tiff"
    Image.new("RGB", (3000, 1000), "navy").save(path)
    content, kind = Pictures(tmp_path / "pictures").large(identity(1), path, None)
    assert (Image.open(io.BytesIO(content)).size, kind) == ((2560, 853), "image/webp")
