"""Chunks of a PNG that only tell about the picture never cost its pixels."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zlib

import numpy as np
import pytest
from PIL import Image

from generic.errors import ImageError
from generic.photos.facts import photo_facts
from generic.photos.open import open_rgb
from generic.photos.readable_png import readable_png
from tests.generic.photos.profiles import P3, converted, rgb_profile

PIXELS = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
XMP_NAME = b"XML:com.adobe.xmp"
TURNED = b'<x:xmpmeta><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
LARGE = b"<rdf:li>an edit</rdf:li>" * 200_000
BOMB = zlib.compress(bytes(300_000_000), 9)


def chunk(kind: bytes, content: bytes, *, damaged: bool = False) -> bytes:
    return (
        struct.pack(">L", len(content))
        + kind
        + content
        + struct.pack(">L", zlib.crc32(kind + content) ^ damaged)
    )


def png(
    before: bytes = b"", after: bytes = b"", *, pixels: np.ndarray = PIXELS, end: bytes | None = None
) -> bytes:
    height, width = pixels.shape[:2]
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    head = struct.pack(">LLBBBBB", width, height, 8, 2 if pixels.ndim == 3 else 0, 0, 0, 0)
    return b"".join(
        [
            b"\x89PNG\r\n\x1a\n",
            chunk(b"IHDR", head),
            before,
            chunk(b"IDAT", zlib.compress(rows)),
            after,
            chunk(b"IEND", b"") if end is None else end,
        ]
    )


def international(text: bytes, *, packed: bool = True, name: bytes = XMP_NAME) -> bytes:
    flag = b"\0\1\0\0\0" if packed else b"\0\0\0\0\0"
    return name + flag + (zlib.compress(text) if packed else text)


ODD = {
    "large packed XMP": chunk(b"iTXt", international(LARGE)),
    "large packed text": chunk(b"zTXt", b"history\0\0" + zlib.compress(LARGE)),
    "many texts": chunk(b"zTXt", b"history\0\0" + zlib.compress(bytes(1 << 20))) * 70,
    "plain texts of 80 MB": chunk(b"tEXt", b"history\0" + bytes(10 << 20)) * 8,
    "comment with a wrong checksum": chunk(b"tEXt", b"Comment\0a note", damaged=True),
    "wrong checksum of each kind": b"".join(
        chunk(kind, bytes(9), damaged=True)
        for kind in (b"gAMA", b"cHRM", b"pHYs", b"tIME", b"bKGD", b"eXIf", b"sBIT")
    ),
    "wrong checksum of a profile": chunk(
        b"iCCP", b"P3\0\0" + zlib.compress(rgb_profile(P3, None)), damaged=True
    ),
    "short ones": b"".join(
        chunk(kind, b"") for kind in (b"gAMA", b"cHRM", b"pHYs", b"sRGB", b"tRNS", b"iCCP", b"eXIf")
    ),
    "unknown ways of packing": chunk(b"zTXt", b"history\0\7abc") + chunk(b"iCCP", b"P3\0\7abc"),
    "names that are no text": chunk(b"zTXt", b"\0\0") + chunk(b"tEXt", b"\xff\xfe") + chunk(b"iTXt", b"\xff"),
    "damage in what is packed": chunk(b"iTXt", international(b"", packed=False)[:-3] + b"\1\0\0\0abcdef"),
    "a text for transparency": chunk(b"tEXt", b"transparency\0yes"),
    "an animation that is none": chunk(b"acTL", b"\0") + chunk(b"fcTL", b"\0" * 26) + chunk(b"fdAT", b""),
    "a bomb of a text": chunk(b"zTXt", b"history\0\0" + BOMB),
    "a bomb of XMP": chunk(b"iTXt", XMP_NAME + b"\0\1\0\0\0" + BOMB),
    "a bomb of a profile": chunk(b"iCCP", b"P3\0\0" + BOMB),
}


@pytest.mark.parametrize("place", ["before", "after"])
@pytest.mark.parametrize("name", ODD)
def test_odd_chunks_cost_neither_pixels_nor_memory(name, place):
    content = png(**{place: ODD[name]})
    tracemalloc.start()
    image = open_rgb(io.BytesIO(content))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    np.testing.assert_array_equal(np.asarray(image), PIXELS)
    assert peak < 40_000_000 + 2 * len(content)


def test_a_thousand_bombs_cost_as_one():
    content = png(chunk(b"iTXt", XMP_NAME + b"\0\1\0\0\0" + zlib.compress(bytes(20_000_000), 9)) * 1000)
    stream, _ = readable_png(io.BytesIO(content))
    assert len(stream.getvalue()) < 10_000


@pytest.mark.parametrize(
    "told",
    [
        chunk(b"iTXt", international(TURNED + LARGE)),
        chunk(b"iTXt", international(TURNED, packed=False)),
        chunk(
            b"zTXt",
            b"Raw profile type exif\0\0"
            + zlib.compress(
                b"\nexif\n  26\n"
                + (b"Exif\0\0II*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0\6\0\0\0").hex().encode()
                + b" " * 2_000_000
            ),
        ),
        chunk(b"eXIf", b"II*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0\6\0\0\0\0\0\0\0"),
    ],
    ids=["large packed XMP", "plain XMP", "large packed profile of EXIF", "EXIF"],
)
def test_what_turns_the_photo_still_does(told):
    np.testing.assert_array_equal(np.asarray(open_rgb(io.BytesIO(png(told)))), np.rot90(PIXELS, -1))


def test_an_orientation_with_a_wrong_checksum_counts_nowhere():
    told = chunk(b"eXIf", b"II*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0\6\0\0\0\0\0\0\0", damaged=True)
    facts = photo_facts(png(told))
    assert (facts.width, facts.height) == open_rgb(io.BytesIO(png(told))).size == (30, 20)


def test_a_large_profile_is_applied():
    profile = rgb_profile(P3, None)
    large = struct.pack(">L", len(profile) + 2_000_000) + profile[4:] + bytes(2_000_000)
    got = np.asarray(open_rgb(io.BytesIO(png(chunk(b"iCCP", b"P3\0\0" + zlib.compress(large))))))
    assert np.abs(got - converted(PIXELS, (P3, None))).max() <= 2


def test_transparency_stays():
    clear = chunk(b"tRNS", struct.pack(">3H", *PIXELS[0, 0].tolist()))
    got = np.asarray(open_rgb(io.BytesIO(png(clear + ODD["large packed text"]))))
    assert got[0, 0].tolist() == [255, 255, 255]
    np.testing.assert_array_equal(got[1:], PIXELS[1:])


def test_a_file_without_its_last_chunk_is_read_as_before():
    content = png(ODD["large packed text"], end=b"")
    np.testing.assert_array_equal(np.asarray(open_rgb(io.BytesIO(content))), PIXELS)


def test_a_png_of_the_needed_chunks_alone_is_not_copied():
    stream = io.BytesIO(png())
    assert readable_png(stream) == (stream, None)


@pytest.mark.parametrize("kind", [b"IHDR", b"PLTE"])
def test_damage_to_what_is_needed_is_still_an_error(kind):
    content = bytearray(png(chunk(b"PLTE", bytes(3))))
    content[content.index(kind) + 5] ^= 1
    with pytest.raises(ImageError, match="a is damaged or incomplete"):
        open_rgb(io.BytesIO(bytes(content)), name="a")


def test_bombs_of_pixels_stay_refused_with_little_memory():
    head = chunk(b"IHDR", struct.pack(">LLBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0))
    content = (
        b"\x89PNG\r\n\x1a\n" + head + ODD["large packed XMP"] + chunk(b"IDAT", BOMB) + chunk(b"IEND", b"")
    )
    tracemalloc.start()
    with pytest.raises(ImageError, match="the limit is 200000000"):
        open_rgb(io.BytesIO(content))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 40_000_000


def test_the_first_frame_of_an_animation_is_the_picture():
    stream = io.BytesIO()
    frames = [Image.fromarray(np.roll(PIXELS, n, axis=0)) for n in range(3)]
    frames[0].save(stream, "PNG", save_all=True, append_images=frames[1:])
    np.testing.assert_array_equal(np.asarray(open_rgb(stream)), PIXELS)
