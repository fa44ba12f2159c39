"""Identities of photos: what of a file counts, what does not, and what hostile files may do."""

from __future__ import annotations

import hashlib
import io
import os
import re
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from generic.errors import ImageError
from generic.photos.identity import photo_identity
from generic.photos.open import open_rgb
from generic.photos.recognise import format_of

FORMATS = (
    "jpeg.jpg",
    "png.png",
    "lossy.webp",
    "clear.webp",
    "strips.tif",
    "lzw.tif",
    "avif.avif",
    "camera.dng",
)
XMP = b'<x:xmpmeta><rdf:Description xmp:Rating="%d"%s/></x:xmpmeta>'


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def segment(marker: int, content: bytes) -> bytes:
    return b"\xff" + bytes([marker]) + struct.pack(">H", len(content) + 2) + content


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def riff(kind: bytes, content: bytes) -> bytes:
    return kind + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)


def block(orientation: int | None = None, note: bytes = b"") -> bytes:
    """An EXIF block by hand: a note, and an orientation if given."""
    tags = [struct.pack("<HHL4s", 0x010E, 2, 4, note[:4].ljust(4, b"\0"))]
    if orientation is not None:
        tags.append(struct.pack("<HHLHH", 0x0112, 3, 1, orientation, 0))
    return b"II*\0\x08\0\0\0" + struct.pack("<H", len(tags)) + b"".join(tags) + b"\0" * 4


def told(name: str, content: bytes, exif: bytes | None, xmp: bytes | None, words: bytes) -> bytes:
    """The same picture, with these blocks about it."""
    if name.endswith("jpg"):
        parts = [segment(0xE1, b"Exif\0\0" + exif)] if exif is not None else []
        parts += [segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + xmp)] if xmp is not None else []
        return content[:2] + b"".join([*parts, segment(0xED, words), segment(0xFE, words)]) + content[2:]
    if name.endswith("png"):
        parts = [chunk(b"eXIf", exif)] if exif is not None else []
        parts += [chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp)] if xmp is not None else []
        return content[:33] + b"".join([*parts, chunk(b"tEXt", b"Comment\0" + words)]) + content[33:]
    bits = struct.unpack("<I", content[21:25])[0] if content[12:16] == b"VP8L" else 0
    flags = 8 * (exif is not None) + 4 * (xmp is not None) + 16 * (bits >> 28 & 1)
    canvas = bytes([flags, 0, 0, 0]) + (79).to_bytes(3, "little") + (47).to_bytes(3, "little")
    body = b"WEBP" + riff(b"VP8X", canvas) + content[12:]
    body += (riff(b"EXIF", exif) if exif is not None else b"") + (
        riff(b"XMP ", xmp) if xmp is not None else b""
    )
    return b"RIFF" + struct.pack("<I", len(body)) + body


def seen(content: bytes) -> bytes | None:
    """The pixels, with their size; None if there are none."""
    try:
        image = open_rgb(io.BytesIO(content))
    except ImageError:
        return None
    return repr(image.size).encode() + image.tobytes()


def test_identities_are_hex_and_all_different(samples):
    found = {name: photo_identity(content) for name, content in samples.items()}
    assert all(re.fullmatch("[0-9a-f]{64}", identity) for identity in found.values())
    # One picture, plain, with a thumbnail, and before another one.
    assert found["thumbnail.jpg"] == found.pop("several.jpg")
    assert len(set(found.values())) == len(found)
    # Every one was taken apart: what is not has the sha256 of its file.
    assert [name for name, it in found.items() if it == sha256(samples[name])] == []


def test_a_view_and_bytes_have_one_identity(samples):
    content = samples["jpeg.jpg"]
    assert photo_identity(memoryview(content)) == photo_identity(content)


@pytest.mark.parametrize("kind", ["GIF", "BMP"])
def test_formats_that_are_not_taken_apart_are_their_files(kind):
    stream = io.BytesIO()
    Image.new("RGB", (4, 4), "red").save(stream, kind)
    assert photo_identity(stream.getvalue()) == sha256(stream.getvalue())
    assert photo_identity(stream.getvalue(), sha256="known") == "known"
    assert photo_identity(b"") == sha256(b"")


@pytest.mark.parametrize(
    "name", ["jpeg.jpg", "progressive.jpg", "cmyk.jpg", "png.png", "lossy.webp", "clear.webp"]
)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_what_is_told_does_not_count_but_which_side_is_up(samples, name, data):
    turn = data.draw(st.none() | st.integers(0, 9))
    in_xmp = data.draw(st.none() | st.integers(0, 9))
    stars, words = (
        data.draw(st.integers(0, 5)),
        data.draw(st.binary(max_size=40).filter(lambda it: b"\0" not in it)),
    )
    exif = data.draw(st.sampled_from([None, block(turn, words)]))
    xmp = XMP % (stars, b"" if in_xmp is None else b' tiff:Orientation="%d"' % in_xmp)
    given_photo = told(name, samples[name], exif, data.draw(st.sampled_from([None, xmp])), words)
    # The plainest file that is seen the same.
    real = [told(name, samples[name], block(up), None, b"") for up in range(1, 9)]
    same = [photo_identity(it) for it in real if seen(it) == seen(given_photo)]
    assert same == [photo_identity(given_photo)]
    assert len({photo_identity(it) for it in real}) == 8


def test_xmp_turns_a_photo_where_exif_does_not_as_it_does_when_opened(samples):
    turned = [told("jpeg.jpg", samples["jpeg.jpg"], None, XMP % (1, b' tiff:Orientation="6"'), b"")]
    turned.append(told("jpeg.jpg", samples["jpeg.jpg"], block(6), XMP % (2, b' tiff:Orientation="3"'), b""))
    assert seen(turned[0]) == seen(turned[1]) != seen(samples["jpeg.jpg"])
    assert photo_identity(turned[0]) == photo_identity(turned[1]) != photo_identity(samples["jpeg.jpg"])


def test_what_follows_a_jpeg_does_not_count(samples):
    content = samples["jpeg.jpg"]
    for rest in (b"\0", b"MotionPhoto_Data" + os.urandom(100), samples["progressive.jpg"], b"\xff\xd8\xff"):
        assert photo_identity(content + rest) == photo_identity(content)
        assert seen(content + rest) == seen(content)


def test_marks_of_jpeg_that_decide_colours_count(samples):
    content = samples["jpeg.jpg"]
    start = content.index(b"\xff\xdb")
    plain = content[:2] + content[start:]  # without JFIF
    assert photo_identity(plain) == photo_identity(content)
    adobe = [content[:2] + segment(0xEE, b"Adobe\0d\0\0\0\0" + bytes([t])) + content[start:] for t in (0, 1)]
    assert seen(adobe[0]) != seen(adobe[1]) == seen(content)
    assert photo_identity(adobe[0]) not in {photo_identity(adobe[1]), photo_identity(content)}


def test_data_between_segments_are_odd(samples):
    """A decoder reads the data after a segment as rubbish, and without it as the picture."""
    content = samples["jpeg.jpg"]
    at = content.index(b"\xff\xda") + 60
    split = content[:at] + segment(0xE5, b"in the middle") + content[at:]
    assert seen(split) != seen(content)
    assert photo_identity(split) == sha256(split)


def test_odd_exif_counts_whole(samples):
    name, content = "jpeg.jpg", samples["jpeg.jpg"]
    twice = bytearray(block(6))
    twice[10 : 10 + 12] = struct.pack("<HHLHH", 0x0112, 3, 1, 3, 0)
    odd = [bytes(twice), block(6).replace(b"\x12\x01\x03\0", b"\x12\x01\x04\0"), b"rubbish", block(6)[:20]]
    files = [told(name, content, exif, None, b"") for exif in (None, block(6), *odd)]
    assert len({photo_identity(it) for it in files}) == len(files)


def test_texts_of_png_that_pillow_decodes_by_count(samples):
    content = samples["palette.png"]
    for name in (b"transparency", b"exif", b"xmp", b"Raw profile type exif", b"XML:com.adobe.xmp"):
        text = content[:33] + chunk(b"tEXt", name + b"\0words") + content[33:]
        assert photo_identity(text) != photo_identity(content), name
    other = content[:33] + chunk(b"zTXt", b"Title\0\0" + zlib.compress(b"words")) + content[33:]
    assert photo_identity(other) == photo_identity(content)


def test_a_wrong_checksum_of_png_is_odd(samples):
    content = samples["png.png"]
    wrong = content[:33] + chunk(b"tEXt", b"Comment\0a")[:-1] + b"!" + content[33:]
    assert photo_identity(wrong) == sha256(wrong)


def test_an_uncompressed_tiff_whose_sizes_are_too_small_is_odd(samples):
    """The decoder takes what the picture's size asks for: bytes that would not have been hashed."""
    content = bytearray(samples["tiles.tif"])
    at = content.index(struct.pack("<HHL", 325, 4, 8)) + 8
    (where,) = struct.unpack("<L", content[at : at + 4])
    content[where : where + 4] = struct.pack("<L", 10)
    assert seen(bytes(content)) == seen(samples["tiles.tif"])
    assert photo_identity(bytes(content)) == sha256(bytes(content))


def test_a_preview_alone_and_its_raw_photo_are_one_picture(samples):
    preview = told("jpeg.jpg", samples["jpeg.jpg"], block(6), None, b"")
    assert photo_identity(preview) == photo_identity(samples["camera.dng"])
    assert seen(preview) == seen(samples["camera.dng"])


@pytest.mark.parametrize("name", FORMATS)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_files_that_are_seen_differently_have_different_identities(samples, name, data):
    """Bytes changed anywhere: in headers, profiles, tables and coded data alike."""
    content = bytearray(samples[name])
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    if seen(bytes(content)) != seen(samples[name]):
        assert photo_identity(bytes(content)) != photo_identity(samples[name])


def test_each_byte_of_a_profile_counts(samples):
    for name in ("profile.jpg", "profile.png", "turned.webp", "turned.tif", "turned.avif"):
        content = samples[name]
        kind = {"jpg": b"ICC_PROFILE", "png": b"iCCP", "webp": b"ICCP", "tif": b"lcms", "avif": b"lcms"}
        at = content.index(kind[name.split(".")[1]]) + 40
        changed = content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]
        assert photo_identity(changed) != photo_identity(content), name


def test_photos_of_other_pixels_of_one_size_differ():
    noise = np.random.default_rng(0).integers(0, 255, (2, 16, 16, 3), dtype=np.uint8)
    for kind in ("JPEG", "PNG", "WEBP", "TIFF", "AVIF"):
        streams = [io.BytesIO(), io.BytesIO()]
        for stream, pixels in zip(streams, noise, strict=True):
            Image.fromarray(pixels).save(stream, kind)
        assert len({photo_identity(stream.getvalue()) for stream in streams}) == 2
        assert {format_of(stream.getvalue()) for stream in streams} == {kind}
