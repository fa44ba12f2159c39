"""Whether a photo is decoded into other pixels than by releases before, whose vectors of it are of no use.

Those releases took the numbers of every colour space for sRGB, a TIFF's first page for the picture,
and 12 bits for 16; and they left AVIF uncropped. All other photos have the pixels that they always
had, so that their vectors are kept.
"""

from __future__ import annotations

import io
from typing import BinaryIO

from PIL import Image

from generic.photos.colour import is_converted
from generic.photos.decoder_lines import hearing
from generic.photos.formats.raw import find_preview
from generic.photos.formats.source import FileBytes
from generic.photos.pillow_limits import reading_as
from generic.photos.readable import readable, register_heif
from generic.photos.recognise import RAW, format_of
from generic.photos.to_rgb import is_scaled_anew

_ANY_SIZE = 1 << 62


def decoded_anew(content: bytes) -> bool:
    """Whether its pixels are others now; decodes nothing. Never raises.

    Args:
        content: all bytes of the file. One that cannot be opened had no vector, and has none.
    """
    try:
        with reading_as("a photo", _ANY_SIZE), hearing():
            return _is_changed(io.BytesIO(content))
    # Whatever a hostile file brings about, it is told where it is opened.
    except Exception:
        return False


def _is_changed(stream: BinaryIO) -> bool:
    source = FileBytes(stream)
    kind = format_of(source)
    if kind == RAW:
        preview = find_preview(source)
        if preview is None:
            return False
        stream, kind = io.BytesIO(source[preview.start : preview.end]), "JPEG"
    if kind is None:
        return False
    if kind == "HEIF":
        register_heif("a photo")
    found = readable(stream, kind)
    if found.crop is not None or (kind == "TIFF" and found.stream is not stream):
        return True
    found.stream.seek(0)
    with Image.open(found.stream, formats=[kind]) as image:
        profile = found.profile or image.info.get("icc_profile")
        return is_scaled_anew(image) or bool(profile and is_converted(profile))
