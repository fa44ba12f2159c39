"""Intact photos of kinds that are not read are called what they are, and not damaged."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest

from generic.errors import ImageError
from generic.photos.open import open_rgb
from tests.generic.photos.conftest import picture, written


def refusal(content: bytes) -> str:
    """What the photo x is said to be."""
    with pytest.raises(ImageError) as caught:
        open_rgb(io.BytesIO(content), name="x")
    return str(caught.value)


def tiff(bits: tuple[int, ...], samples_are: int, pixels: bytes, size: tuple[int, int] = (4, 2)) -> bytes:
    """A TIFF of one strip, in RGB."""
    wide = struct.pack("<3H", *bits)
    entries = [
        (256, 3, 1, size[0]),
        (257, 3, 1, size[1]),
        (258, 3, 3, 8 + len(pixels)),
        (259, 3, 1, 1),
        (262, 3, 1, 2),
        (273, 4, 1, 8),
        (277, 3, 1, 3),
        (278, 3, 1, size[1]),
        (279, 4, 1, len(pixels)),
        (339, 3, 1, samples_are),
    ]
    table = b"".join(struct.pack("<HHLL", *entry) for entry in entries)
    at = 8 + len(pixels) + len(wide)
    head = b"II*\0" + struct.pack("<L", at)
    return head + pixels + wide + struct.pack("<H", len(entries)) + table + bytes(4)


def test_decimal_colours_of_32_bits_are_no_damage():
    pixels = np.linspace(0, 1, 24, dtype="<f4").tobytes()
    assert refusal(tiff((32, 32, 32), 3, pixels)) == (
        "x is a TIFF of 32/32/32 bits, decimal, which is not read; export it as a TIFF of 8 bits, or leave "
        "it out"
    )


def test_colours_of_12_bits_are_no_damage():
    assert refusal(tiff((12, 12, 12), 1, bytes(36))) == (
        "x is a TIFF of 12/12/12 bits, which is not read; export it as a TIFF of 8 bits, or leave it out"
    )


def test_a_jpeg_of_12_bits_is_no_damage():
    content = bytearray(written(picture(), "JPEG"))
    content[content.index(b"\xff\xc0") + 4] = 12
    assert refusal(bytes(content)) == (
        "x is a JPEG of 12 bits, which is not read; export it as a JPEG of 8 bits, or leave it out"
    )


def test_the_hand_made_tiff_is_one():
    pixels = np.asarray(open_rgb(io.BytesIO(tiff((8, 8, 8), 1, bytes(range(24))))))
    assert pixels.ravel().tolist() == list(range(24))
