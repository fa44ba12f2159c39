"""AVIF is cropped as it says (its box ``clap``), and then turned."""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence

import numpy as np
import pytest
from PIL import Image

from generic.photos.facts import photo_facts
from generic.photos.formats.bmff import read_meta
from generic.photos.formats.boxes import boxes
from generic.photos.open import open_rgb

WIDTH, HEIGHT = 160, 96


def box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">L", len(content) + 8) + kind + content


def with_property(content: bytes, kind: bytes, value: bytes) -> bytes:
    """A photo of one item with one property more, which stands first among its own."""
    n_properties = len(read_meta(content).properties)

    def built(start: int, end: int) -> bytes:
        parts = []
        for name, at, stop in boxes(content, start, end):
            inner = content[at:stop]
            if name == b"meta":
                inner = content[at : at + 4] + built(at + 4, stop)
            elif name == b"iprp":
                inner = built(at, stop)
            elif name == b"ipco":
                inner += box(kind, value)
            elif name == b"ipma":  # version and flags, 1 entry, item, number of properties
                inner = inner[:10] + bytes([inner[10] + 1]) + inner[11:] + bytes([0x80 | n_properties + 1])
            parts.append(box(name, inner))
        return b"".join(parts)

    new = bytearray(built(0, len(content)))
    for item in read_meta(content).items.values():
        for start, _ in item.extents:
            place = new.index(struct.pack(">L", start), new.index(b"iloc"))
            new[place : place + 4] = struct.pack(">L", start + len(new) - len(content))
    return bytes(new)


def avif(clap: Sequence[int] | None, turns: int = 0) -> bytes:
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    pixels = np.stack([255 * x / WIDTH, 255 * y / HEIGHT, 0 * x], axis=2).astype(np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "AVIF", quality=98, subsampling="4:4:4", speed=10)
    content = stream.getvalue()
    if turns:
        content = with_property(content, b"irot", bytes([turns]))
    return content if clap is None else with_property(content, b"clap", struct.pack(">8l", *clap))


def seen(content: bytes) -> np.ndarray:
    facts, image = photo_facts(content), open_rgb(io.BytesIO(content))
    assert (facts.width, facts.height) == image.size
    return np.asarray(image).astype(int)


WHOLE = seen(avif(None))


@pytest.mark.parametrize(
    ("clap", "rows", "columns"),
    [
        ((100, 1, 60, 1, 0, 1, 0, 1), (18, 78), (30, 130)),
        ((100, 1, 60, 1, -10, 1, 4, 1), (22, 82), (20, 120)),
        ((200, 2, 121, 2, 0, 1, 1, 4), None, None),
        ((99, 1, 61, 1, 1, 2, -1, 2), (17, 78), (31, 130)),
        ((160, 1, 96, 1, 0, 1, 0, 1), (0, 96), (0, 160)),
    ],
    ids=["middle", "aside", "half a pixel", "odd size", "all"],
)
def test_the_crop_is_what_is_seen(clap, rows, columns):
    expected = WHOLE if rows is None else WHOLE[slice(*rows), slice(*columns)]
    np.testing.assert_array_equal(seen(avif(clap)), expected)


@pytest.mark.parametrize(
    "clap",
    [
        (200, 1, 60, 1, 0, 1, 0, 1),
        (100, 1, 60, 1, 90, 1, 0, 1),
        (100, 0, 60, 1, 0, 1, 0, 1),
        (0, 1, 60, 1, 0, 1, 0, 1),
        (-100, 1, 60, 1, 0, 1, 0, 1),
        (100, 1, 60, 1, 0, -1, 0, 1),
    ],
)
def test_an_impossible_crop_cuts_nothing_off(clap):
    np.testing.assert_array_equal(seen(avif(clap)), WHOLE)


def test_a_photo_is_cropped_before_it_is_turned():
    got = seen(avif((100, 1, 60, 1, -10, 1, 4, 1), turns=1))
    np.testing.assert_array_equal(got, np.rot90(WHOLE[22:82, 20:120]))
