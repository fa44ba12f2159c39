"""Photos that are decoded when asked for: the same pixels as decoding gives, in whatever order."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from generic.errors import ImageError
from generic.photos.lazy_pixels import LazyPixels
from generic.photos.open import load_pixels


@pytest.fixture
def photos(tmp_path):
    paths = []
    for number in range(4):
        rng = np.random.default_rng(number)
        path = tmp_path / f"{number}.png"
        Image.fromarray(rng.integers(0, 256, (20, 60, 3), np.uint8)).save(path)
        paths.append(path)
    return paths


@pytest.mark.parametrize("fit", ["squash", "pad"])
def test_pixels_are_those_of_the_models_preprocessing(photos, fit):
    expected = np.stack([load_pixels(path, 32, fit=fit) for path in photos])
    lazy = LazyPixels(photos, 32, fit=fit)
    np.testing.assert_array_equal(lazy[:], expected)
    np.testing.assert_array_equal(lazy.take(slice(1, None))[np.array([2, 0])], expected[[3, 1]])
    other = LazyPixels(photos, 32, fit="pad" if fit == "squash" else "squash")
    assert not np.array_equal(expected, other[:])


def test_photos_beyond_the_memory_are_decoded_again(photos):
    lazy = LazyPixels(photos, 32, memory=2 * 3 * 32 * 32)
    first = lazy[:]
    photos[0].unlink()
    np.testing.assert_array_equal(lazy[2:], first[2:])  # the two used last are remembered
    with pytest.raises(ImageError, match=r"0\.png"):
        lazy[:1]
