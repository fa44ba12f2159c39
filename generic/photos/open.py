"""Photo files become pixels: read safely, turned upright, made RGB of sRGB and resized.

Every failure is one ImageError of one line that names the file; a truncated photo is an
error and never half a picture. A colour profile is applied where it is not sRGB's. A raw photo
is opened by the largest JPEG preview inside, a TIFF by its largest page.
"""

from __future__ import annotations

import io
import math
import os
import stat
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
from PIL import Image, JpegImagePlugin, UnidentifiedImageError

from generic.errors import ImageError, ShapeError
from generic.photos.colour import Conversion, in_srgb, prepared
from generic.photos.decode_jpeg import decode_jpeg
from generic.photos.decoder_lines import heard, hearing, wrong_pixels
from generic.photos.find import RAW_SUFFIXES, printable, status, unreadable
from generic.photos.formats.raw import find_preview
from generic.photos.formats.source import FileBytes
from generic.photos.pillow_limits import reading_as, refuse_above
from generic.photos.readable import readable, register_heif
from generic.photos.recognise import RAW, format_of, other_format_of
from generic.photos.unusual import unusual
from generic.photos.whole_jpeg import refuse_crowded

MAX_PIXELS = 200_000_000
"""Default limit of width x height, in pixels: above any camera, below a decompression bomb."""

Fit = Literal["squash", "pad"]
"""How a photo becomes a square: resized as it is, or with its aspect and grey beside it."""
WHOLE = (0.0, 0.0, 1.0, 1.0)
"""The box of the whole photo."""
_PADDING = (127, 127, 127)

_FORMATS = "AVIF, BMP, GIF, HEIC, JPEG, PNG, raw, TIFF or WebP"
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_ORIENTATION = 0x0112

# A JPEG is decoded at no less than this many times the wanted size, other formats are first
# averaged down to no less than _REDUCING_GAP times. On a 6000x4000 photo to 288x288, against
# decoding and filtering every pixel: 55 ms instead of 300 ms (JPEG) and 25 ms instead of
# 118 ms (PNG, after decoding), with a mean difference of 0.2 grey levels in both cases.
_DRAFT_GAP = 2
_REDUCING_GAP = 3.0


def open_rgb(
    path: Path | str | BinaryIO,
    *,
    at_least: tuple[int, int] | None = None,
    max_pixels: int = MAX_PIXELS,
    name: str | None = None,
) -> Image.Image:
    """The photo in a file, upright, in sRGB, transparency laid over white; the first frame of many.

    Args:
        path: a file, or a binary stream that holds one image; the stream is left open.
        at_least: (width, height) in pixels, of the upright photo, that will be needed. Lets a
            JPEG be decoded at a half, quarter or eighth, never below this in either direction.
        max_pixels: limit of width x height, checked in the header before memory is taken.
        name: what error messages call the image; by default the path.

    Returns:
        mode RGB, 8 bit; as large as the file's image, or smaller if at_least allowed it.

    Raises:
        ImageError: the file cannot be read, is not an image, is damaged or too large.
        ShapeError: at_least is not positive.
    """
    return in_srgb(*_open(path, at_least, max_pixels, name))


def _open(
    path: Path | str | BinaryIO, at_least: tuple[int, int] | None, max_pixels: int, name: str | None
) -> tuple[Image.Image, Conversion | None]:
    """As `open_rgb`, but for what brings the pixels to sRGB, which is cheaper after resizing."""
    if at_least is not None and min(at_least) < 1:
        raise ShapeError(f"at_least must be 1 x 1 pixels or more, got {at_least[0]} x {at_least[1]}")
    shown = _shown(path, name)
    with reading_as(shown, max_pixels), hearing():
        try:
            image = _opened(path, shown, at_least, max_pixels)
        except ImageError:
            raise
        # Pillow answers damaged files with some fifteen kinds of exception, MemoryError among them.
        except Exception as error:
            raise _damaged(shown, " ".join(str(error).split()) or type(error).__name__) from error
        if wrong_pixels(heard()):
            raise _damaged(shown, "the decoder had to guess pixels")
        return image


def load_pixels(
    path: Path | str | BinaryIO,
    size: tuple[int, int] | int,
    *,
    fit: Fit = "squash",
    box: tuple[float, float, float, float] = WHOLE,
    max_pixels: int = MAX_PIXELS,
    name: str | None = None,
) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """The photo as pixels of one fixed size, ready for a network.

    Nothing is cut off by default: a crop would change the composition, which is what is judged.
    Pillow frees the interpreter while it works, so threads read photos in parallel.

    Args:
        path: a file, or a binary stream that holds one image.
        size: (height, width) in pixels, or one number for both.
        fit: ``squash`` resizes to the size as it is; ``pad`` keeps the aspect, with grey beside the photo.
        box: the part to take: left, top, right, bottom as shares of the upright photo, in [0, 1].
        max_pixels: as in `open_rgb`.
        name: as in `open_rgb`.

    Returns:
        shape (height, width, 3), RGB in [0, 255], contiguous and writable.

    Raises:
        ImageError: as in `open_rgb`.
        ShapeError: size is not positive, or the box is empty.
    """
    height, width = _sides(size)
    left, top, right, bottom = box
    if not (0 <= left < right <= 1 and 0 <= top < bottom <= 1):
        raise ShapeError(
            f"box {box} is not left < right and top < bottom in [0, 1]; give shares of the photo"
        )
    enough = (math.ceil(width * _DRAFT_GAP / (right - left)), math.ceil(height * _DRAFT_GAP / (bottom - top)))
    image, conversion = _open(path, enough, max_pixels, name)
    return _fitted(image, conversion, (width, height), fit, box)


def load_pixels_and_picture(
    path: Path | str,
    size: tuple[int, int] | int,
    side: int,
    *,
    fit: Fit = "squash",
    max_pixels: int = MAX_PIXELS,
) -> tuple[np.ndarray[Any, np.dtype[np.uint8]], Image.Image]:
    """As `load_pixels`, to the bit, and a small picture of the photo from the same decoding.

    Args:
        path: a file.
        size: as in `load_pixels`.
        side: of the square that the picture fits into, in pixels; below twice the size it is sharp.
        fit: as in `load_pixels`.
        max_pixels: as in `open_rgb`.

    Returns:
        the pixels, and the picture, mode RGB.

    Raises:
        ImageError, ShapeError: as in `load_pixels`.
    """
    height, width = _sides(size)
    image, conversion = _open(path, (width * _DRAFT_GAP, height * _DRAFT_GAP), max_pixels, None)
    pixels = _fitted(image, conversion, (width, height), fit, WHOLE)
    scale = min(1.0, side / max(image.size))
    inner = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return pixels, in_srgb(
        _resized(image, inner, (0.0, 0.0, float(image.width), float(image.height))), conversion
    )


def _sides(size: tuple[int, int] | int) -> tuple[int, int]:
    height, width = (size, size) if isinstance(size, int) else size
    if min(height, width) < 1:
        raise ShapeError(f"size must be 1 x 1 pixels or more, got height {height} x width {width}")
    return height, width


def _fitted(
    image: Image.Image,
    conversion: Conversion | None,
    size: tuple[int, int],
    fit: Fit,
    box: tuple[float, float, float, float],
) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """A part of the photo at (width, height), squashed or padded."""
    (width, height), (left, top, right, bottom) = size, box
    part = (left * image.width, top * image.height, right * image.width, bottom * image.height)
    if fit == "squash":
        return np.array(in_srgb(_resized(image, (width, height), part), conversion))
    scale = min(width / (part[2] - part[0]), height / (part[3] - part[1]))
    inner = (
        min(width, max(1, round((part[2] - part[0]) * scale))),
        min(height, max(1, round((part[3] - part[1]) * scale))),
    )
    canvas = Image.new("RGB", (width, height), _PADDING)
    photo = in_srgb(_resized(image, inner, part), conversion)
    canvas.paste(photo, ((width - inner[0]) // 2, (height - inner[1]) // 2))
    return np.array(canvas)


def _resized(
    image: Image.Image, size: tuple[int, int], part: tuple[float, float, float, float]
) -> Image.Image:
    return image.resize(size, Image.Resampling.BICUBIC, box=part, reducing_gap=_REDUCING_GAP)


def _opened(
    path: Path | str | BinaryIO, shown: str, at_least: tuple[int, int] | None, max_pixels: int
) -> tuple[Image.Image, Conversion | None]:
    if isinstance(path, str | os.PathLike):
        with _open_file(Path(path), shown) as stream:
            return _decode(stream, shown, at_least, max_pixels)
    return _decode(path, shown, at_least, max_pixels)


def _damaged(shown: str, reason: str) -> ImageError:
    """The error, with what a library said of it."""
    lines = heard()
    said = wrong_pixels(lines) or next(iter(lines), "")
    reason = "; ".join(filter(None, (reason, said)))
    return ImageError(
        f"{shown} is damaged or incomplete ({reason}); replace it by an intact copy or leave it out"
    )


def _decode(
    stream: BinaryIO, shown: str, at_least: tuple[int, int] | None, max_pixels: int
) -> tuple[Image.Image, Conversion | None]:
    """The upright image in a stream, as `prepared` gives it; errors of Pillow's own pass through."""
    if not stream.seekable():
        stream = io.BytesIO(stream.read())
    kind, otherwise = _recognise(stream, shown), 1
    if kind == RAW:
        stream, otherwise = _preview(stream, shown)
        kind = "JPEG"
    if kind == "JPEG":
        refuse_crowded(FileBytes(stream), shown)
    found = readable(stream, kind)
    found.stream.seek(0)
    try:
        image = Image.open(found.stream, formats=[kind])
    except UnidentifiedImageError:
        raise _odd_header(shown, kind, FileBytes(stream)) from None
    with image:
        refuse_above(image.size, shown, max_pixels)
        loaded: Image.Image = image
        stored = image.mode
        if isinstance(image, JpegImagePlugin.JpegImageFile):
            sideways = at_least is not None and _orientation(image, otherwise) >= 5
            loaded = decode_jpeg(image, stream, shown, at_least[::-1] if at_least and sideways else at_least)
        else:
            image.load()
        # Asked again after loading: Pillow turns TIFF itself, and PNG may carry EXIF at its end.
        turn = _UPRIGHT.get(_orientation(loaded, otherwise))
        ready, conversion = prepared(found.completed(loaded), stored, shown)
        return (ready if turn is None else ready.transpose(turn)), conversion


def _recognise(stream: BinaryIO, shown: str) -> str:
    """Pillow's name of the image format, or RAW, by the content; the suffix is not trusted."""
    source = FileBytes(stream)
    if not len(source):
        raise ImageError(f"{shown} is empty (0 bytes); replace it by an intact copy or leave it out")
    kind = format_of(source)
    other = other_format_of(source)
    if kind is None and other is not None:
        raise ImageError(f"{shown} is a {other} image, which is not read; export it as JPEG, or leave it out")
    if kind is None:
        raise ImageError(f"{shown} is not an image: it begins with {source[:12]!r}, expected {_FORMATS}")
    if kind == "HEIF":
        register_heif(shown)
    return kind


def _odd_header(shown: str, kind: str, source: FileBytes) -> ImageError:
    """Why a photo is refused whose first bytes alone are those of its format."""
    if Path(shown).suffix.lower() in RAW_SUFFIXES:
        return ImageError(
            f"{shown} has the name of a raw photo, but no JPEG preview inside that can be read, and sensor "
            "values are not developed; export it as JPEG or TIFF, or leave it out"
        )
    called = unusual(source, kind)
    if called is not None:
        return ImageError(
            f"{shown} is a {called}, which is not read; export it as a {kind} of 8 bits, or leave it out"
        )
    return _damaged(shown, f"it begins like a {kind} file, but the rest of its header cannot be read")


def _preview(stream: BinaryIO, shown: str) -> tuple[BinaryIO, int]:
    """The JPEG inside a raw photo, and the orientation if that JPEG gives none."""
    source = FileBytes(stream)
    found = find_preview(source)
    if found is None:
        raise ImageError(
            f"{shown} is a raw photo without a JPEG preview inside, and sensor values are not developed; "
            "export it as JPEG or TIFF, or leave it out"
        )
    return io.BytesIO(source[found.start : found.end]), found.orientation


def _orientation(image: Image.Image, otherwise: int = 1) -> int:
    """The EXIF orientation, 1 to 8; ``otherwise`` if there is none; 1 if the EXIF block is corrupt."""
    try:
        value = image.getexif().get(_ORIENTATION, otherwise)
    except Exception:  # Upside down is better than unread; Pillow's exceptions are unbounded here.
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _shown(path: object, name: str | None) -> str:
    """What messages call an image: the name given, or the path, or what the stream says of itself."""
    text = name or str(path if isinstance(path, str | os.PathLike) else getattr(path, "name", "the image"))
    return printable(text)


def _open_file(path: Path, shown: str) -> BinaryIO:
    """The opened file. Only regular files: opening a pipe would wait for ever."""
    mode = status(path, shown).st_mode
    if stat.S_ISDIR(mode):
        raise ImageError(f"{shown} is a folder, expected an image file; name a file inside it")
    if not stat.S_ISREG(mode):
        raise ImageError(f"{shown} is a pipe or a device, expected an image file; save it as a file first")
    try:
        return path.open("rb")
    except OSError as error:
        raise unreadable(shown, error) from None
