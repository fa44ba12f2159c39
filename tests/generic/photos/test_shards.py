"""What packing stores of a photo."""

from __future__ import annotations

import io
import tarfile

import numpy as np
import pytest
from PIL import Image

from generic.photos.shards import pack


@pytest.mark.parametrize("times", [0.5, 1, 1.25, 2, 3, 4, 8])
def test_a_photo_is_no_larger_than_asked(tmp_path, times):
    """Also where a JPEG decoder can halve it to just that size; what is no larger stays as it is."""
    side = 40
    width, height = round(1.5 * side * times), round(side * times)
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    photo = tmp_path / "photo.jpg"
    Image.fromarray(pixels).save(photo)
    pack({"photo.jpg": photo}, tmp_path / "shards", labels={"photo.jpg": {}}, side=side)
    (shard,) = (tmp_path / "shards").glob("*.tar")
    with tarfile.open(shard) as tar:
        (content,) = (tar.extractfile(member).read() for member in tar if member.name.endswith(".jpg"))
    with Image.open(io.BytesIO(content)) as stored:
        assert stored.size == ((width, height) if times <= 1 else (round(1.5 * side), side))
    assert (content == photo.read_bytes()) is (times <= 1)
