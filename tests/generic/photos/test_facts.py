"""Facts of photos: their size as opened, and when they were taken."""

from __future__ import annotations

import io
import struct

import pytest
from PIL import Image

from generic.photos.facts import PhotoFacts, photo_facts
from generic.photos.open import open_rgb

UNKNOWN = PhotoFacts()


def details(*tags: tuple[int, bytes]) -> bytes:
    """An EXIF block by hand with texts in its inner directory."""
    start = 8 + 2 + 12 + 4
    table, rest = struct.pack("<H", len(tags)), b""
    for tag, text in tags:
        where = start + 2 + 12 * len(tags) + 4 + len(rest)
        value = struct.pack("<L", where) if len(text) > 4 else text.ljust(4, b"\0")
        table += struct.pack("<HHL", tag, 2, len(text)) + value
        rest += text if len(text) > 4 else b""
    first = struct.pack("<HHHLL", 1, 0x8769, 4, 1, start) + b"\0" * 4
    return b"II*\0\x08\0\0\0" + first + table + b"\0" * 4 + rest


def taken(write, *tags: tuple[int, bytes]) -> str | None:
    return photo_facts(write("JPEG", exif=b"Exif\0\0" + details(*tags))).taken


def test_the_size_is_that_of_the_opened_photo(samples, raws):
    for name, content in (samples | raws).items():
        facts = photo_facts(content)
        assert (facts.width, facts.height) == open_rgb(io.BytesIO(content)).size, name
        assert facts.taken is None, name


@pytest.mark.parametrize("kind", ["GIF", "BMP"])
def test_other_formats(kind):
    stream = io.BytesIO()
    Image.new("RGB", (7, 5), "red").save(stream, kind)
    assert photo_facts(stream.getvalue()) == PhotoFacts(width=7, height=5)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_the_time_in_every_format(write, make_exif, kind):
    content = write(kind, exif=make_exif(6, "2024:05:06 07:08:09"))
    assert photo_facts(content) == PhotoFacts(width=48, height=80, taken="2024-05-06T07:08:09")


def test_the_time_in_a_raw_photo(make_dng, write):
    content = make_dng(write("JPEG"), taken="2024:05:06 07:08:09")
    assert photo_facts(content) == PhotoFacts(width=80, height=48, taken="2024-05-06T07:08:09")


def test_fraction_and_zone(write):
    time = (0x9003, b"2024:05:06 07:08:09\0")
    assert taken(write, time) == "2024-05-06T07:08:09"
    assert taken(write, time, (0x9291, b"25\0")) == "2024-05-06T07:08:09.25"
    assert taken(write, time, (0x9011, b"+02:00\0")) == "2024-05-06T07:08:09+02:00"
    assert taken(write, time, (0x9011, b"-09:30\0"), (0x9291, b"007 ")) == "2024-05-06T07:08:09.007-09:30"
    # Nonsense in one does not make the others so.
    assert taken(write, time, (0x9291, b"x1\0"), (0x9011, b"+99:00\0")) == "2024-05-06T07:08:09"


@pytest.mark.parametrize(
    "text",
    [
        b"0000:00:00 00:00:00\0",
        b"    :  :     :  :  \0",
        b"2024:02:30 07:08:09\0",
        b"2024:05:06 25:08:09\0",
        b"1000:01:01 00:00:00\0",
        b"2024-05-06\0",
        b"\xff" * 20,
        b"\0",
    ],
)
def test_a_time_that_cannot_be_is_unknown(write, text):
    assert taken(write, (0x9003, text)) is None


def test_only_the_headers_are_read(samples, tmp_path):
    """The coded data may be anything: files that end behind their headers are known as well."""
    for name, at in {"jpeg.jpg": b"\xff\xda", "lzw.tif": None, "turned.jpg": b"\xff\xda"}.items():
        content = samples[name]
        end = content.index(at) + 20 if at else len(content)
        whole = photo_facts(content)
        assert photo_facts(content[:end]) == whole != UNKNOWN
    large = tmp_path / "large.jpg"
    with large.open("wb") as file:
        file.write(samples["jpeg.jpg"])
        file.truncate(1 << 40)  # a hole, which takes no room; reading it would take hours
    assert photo_facts(large) == PhotoFacts(width=80, height=48)


def test_what_is_unknown_is_none_and_no_error(tmp_path, samples):
    assert photo_facts(tmp_path / "missing.jpg") == UNKNOWN
    assert photo_facts(tmp_path) == UNKNOWN
    assert photo_facts("\0") == UNKNOWN
    assert photo_facts(b"") == UNKNOWN
    for name, content in samples.items():
        (tmp_path / name).write_bytes(content)
        assert photo_facts(tmp_path / name) == photo_facts(str(tmp_path / name)) == photo_facts(content)
        for end in range(0, min(len(content), 400), 7):
            assert isinstance(photo_facts(content[:end]), PhotoFacts)
