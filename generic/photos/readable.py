"""What Pillow can read of a photo file, and what it leaves to its callers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import BinaryIO

from PIL import Image

from generic.errors import ImageError
from generic.photos.formats.bmff import crop_of
from generic.photos.formats.source import FileBytes
from generic.photos.readable_png import readable_png
from generic.photos.readable_tiff import readable_tiff


@dataclass(frozen=True)
class Readable:
    """A photo for the decoder."""

    stream: BinaryIO
    """To be read from its beginning."""
    profile: bytes | None = None
    """The colour profile, if the stream is without."""
    crop: tuple[int, int, int, int] | None = None
    """What of the image is to be shown, before it is turned; None for all of it."""

    def completed(self, image: Image.Image) -> Image.Image:
        """The image, once it is decoded, with what the stream is without."""
        if self.profile is not None:
            image.info["icc_profile"] = self.profile
        return image if self.crop is None else image.crop(self.crop)


def readable(stream: BinaryIO, kind: str) -> Readable:
    """The file as Pillow can read it; its errors are left to Pillow.

    Args:
        stream: a photo file, can seek.
        kind: Pillow's name of its format.
    """
    if kind == "PNG":
        return Readable(*readable_png(stream))
    if kind == "TIFF":
        return Readable(readable_tiff(stream))
    if kind == "AVIF":
        return Readable(stream, crop=crop_of(FileBytes(stream)))
    return Readable(stream)


def register_heif(shown: str) -> None:
    """Teach Pillow HEIC through the optional extra, the first time one is met."""
    if "HEIF" in Image.OPEN:
        return
    try:
        import pillow_heif
    except ImportError:
        raise ImageError(f"{shown} is a HEIC photo, which needs an extra: pip install 'piaa[heif]'") from None
    pillow_heif.register_heif_opener()
