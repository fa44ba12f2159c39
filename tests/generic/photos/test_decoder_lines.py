"""What libtiff and Pillow say of a photo: in its message, of each thread its own, never on the terminal."""

from __future__ import annotations

import io
import logging
import re
import struct
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from generic.errors import ImageError
from generic.photos.decoder_lines import heard, hearing
from generic.photos.open import open_rgb
from tests.generic.photos.conftest import picture, written

END = "; replace it by an intact copy or leave it out"


def damaged(compression: str) -> bytes:
    """A TIFF whose pixels are changed in one place."""
    image = picture().convert("1" if compression == "group4" else "RGB")
    content = bytearray(written(image, "TIFF", compression=compression))
    at = len(content) // 2
    content[at : at + 40] = bytes(range(40, 80))
    return bytes(content)


def refusal(content: bytes, name: str = "x.tif") -> str:
    with pytest.raises(ImageError) as caught:
        open_rgb(io.BytesIO(content), name=name)
    return str(caught.value)


def test_the_line_of_libtiff_is_the_reason(capfd):
    assert re.fullmatch(  # the words behind the colon are zlib's
        rf"x\.tif is damaged or incomplete \(decoder error -2; ZIPDecode: Decoding error .+\){END}",
        refusal(damaged("tiff_adobe_deflate")),
    )
    assert capfd.readouterr() == ("", "")


def test_pixels_that_libtiff_guesses_are_damage(capfd):
    text = refusal(damaged("group4"))
    assert text.startswith("x.tif is damaged or incomplete (the decoder had to guess pixels; Fax4Decode: ")
    assert text.endswith(END)
    assert capfd.readouterr() == ("", "")


def test_what_pillow_logs_is_part_of_the_message(capfd):
    content = bytearray(written(picture(), "TIFF"))
    entry = struct.pack("<HHI", 277, 3, 1)
    at = content.index(entry) + len(entry)
    content[at : at + 2] = struct.pack("<H", 65407)
    assert refusal(bytes(content)) == (
        "x.tif is damaged or incomplete (it begins like a TIFF file, but the rest of its header cannot be "
        f"read; More samples per pixel than can be decoded: 65407){END}"
    )
    assert capfd.readouterr() == ("", "")


def test_threads_hear_their_own_photo_alone(capfd):
    contents = [
        damaged("tiff_adobe_deflate"),
        damaged("group4"),
        written(picture(), "TIFF", compression="tiff_lzw"),
    ]

    def told(number: int) -> str:
        try:
            return str(open_rgb(io.BytesIO(contents[number % 3]), name=f"{number % 3}.tif").size)
        except ImageError as error:
            return str(error)

    alone = [told(number) for number in range(3)]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(told, range(300)))
    assert together == alone * 100
    assert ["ZIPDecode" in alone[0], "Fax4Decode" in alone[1], alone[2]] == [True, True, "(80, 48)"]
    assert capfd.readouterr() == ("", "")


def test_others_get_the_lines_as_ever(capfd, caplog):
    with (
        pytest.raises(OSError, match="decoder error"),
        Image.open(io.BytesIO(damaged("tiff_adobe_deflate"))) as image,
    ):
        image.load()
    assert "ZIPDecode: " in capfd.readouterr().err
    with caplog.at_level(logging.WARNING):
        logging.getLogger("PIL.TiffImagePlugin").error("a line")
    assert [record.getMessage() for record in caplog.records] == ["a line"]


def test_lines_end_with_their_photo():
    with hearing():
        logging.getLogger("PIL.TiffImagePlugin").error("one\nline")
        with hearing():
            assert heard() == []
        assert heard() == ["one line"]
    assert heard() == []


def test_an_intact_tiff_is_no_damage(capfd):
    for compression in ("tiff_lzw", "tiff_adobe_deflate", "packbits"):
        content = written(picture(), "TIFF", compression=compression)
        np.testing.assert_array_equal(np.asarray(open_rgb(io.BytesIO(content))), np.asarray(picture()))
    assert capfd.readouterr() == ("", "")
