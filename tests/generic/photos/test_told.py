"""What photos tell of stars, against exiftool, which writes them."""

from __future__ import annotations

import shutil
import struct
import subprocess
import zlib
from pathlib import Path

import pytest

from generic.photos.told import Told, told_of

needs_exiftool = pytest.mark.skipif(
    shutil.which("exiftool") is None, reason="needs exiftool: apt-get install libimage-exiftool-perl"
)
UNWRITTEN = {"big.tif", "fuji.raf", "canon.cr3", "panasonic.rw2"}
"""exiftool writes no BigTIFF, and of these raw photos only those that a camera made."""
PACKET = b'<x:xmpmeta xmlns:x="adobe:ns:meta/">four stars</x:xmpmeta>'


def star(folder: Path, *options: str) -> None:
    command = ["exiftool", "-q", "-q", "-m", "-overwrite_original", *options, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


@needs_exiftool
def test_what_exiftool_writes_is_found_in_every_format(samples, raws, tmp_path):
    files = [tmp_path / name for name in (samples | raws) if name not in UNWRITTEN]
    for file in files:
        file.write_bytes((samples | raws)[file.name])
        assert told_of(file) == Told(), file.name
    star(tmp_path, "-XMP-xmp:Rating=4", "-IFD0:Rating=3", "-IFD0:RatingPercent=50")
    for file in files:
        told = told_of(file)
        assert (told.rating, told.percent) == (3, 50), file.name
        assert b"<xmp:Rating>4</xmp:Rating>" in (told.xmp or b""), file.name
        assert told_of(file.read_bytes()) == told


@needs_exiftool
def test_what_is_taken_away_is_gone(samples, tmp_path):
    names = ("jpeg.jpg", "png.png", "lossy.webp", "lzw.tif", "avif.avif", "camera.dng")
    for name in names:
        (tmp_path / name).write_bytes(samples[name])
    star(tmp_path, "-XMP-xmp:Rating=4", "-IFD0:Rating=3")
    star(tmp_path, "-XMP:all=", "-IFD0:Rating=")
    for name in names:
        assert told_of(tmp_path / name) == Told(), name


def compressed(png: bytes, packed: bytes) -> bytes:
    """A PNG with a chunk iTXt that says it is compressed."""
    text = b"XML:com.adobe.xmp\0\1\0\0\0" + packed
    chunk = struct.pack(">L", len(text)) + b"iTXt" + text
    return png[:33] + chunk + struct.pack(">L", zlib.crc32(chunk[4:])) + png[33:]


def test_a_compressed_packet_in_a_png_is_found_if_it_is_whole(samples):
    png = samples["png.png"]
    assert told_of(compressed(png, zlib.compress(PACKET))).xmp == PACKET
    for packed in (zlib.compress(PACKET)[:-8], zlib.compress(bytes(65 << 20)), b"no zlib"):
        assert told_of(compressed(png, packed)) == Told()


def test_a_raw_photo_that_says_nothing_is_asked_by_its_preview(raws, write):
    jpeg = write("JPEG", (80, 48), xmp=PACKET)
    start = raws["fuji.raf"][:84] + struct.pack(">LL", 200, len(jpeg))
    assert told_of(start.ljust(200, b"\0") + jpeg).xmp == PACKET


def test_the_packet_of_a_canon_is_a_box_of_the_file(raws):
    box = bytes.fromhex("be7acfcb97a942e89c71999491e3afac") + PACKET
    content = raws["canon.cr3"] + struct.pack(">L", len(box) + 8) + b"uuid" + box
    assert told_of(content).xmp == PACKET


def test_what_is_no_photo_or_is_damaged_tells_nothing(samples, tmp_path):
    assert told_of(tmp_path) == told_of(tmp_path / "none.jpg") == told_of("\0") == Told()
    for name, content in samples.items():
        for length in range(0, min(len(content), 400), 7):
            assert told_of(content[:length]).rating is None, name
