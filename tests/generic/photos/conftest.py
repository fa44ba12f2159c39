"""Small photos of every format and way of writing it, made by code."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

try:
    import pillow_heif
except ImportError:
    pillow_heif = None

SIZE = (80, 48)
"""Width and height in pixels."""
Tags = Mapping[int, tuple[int, Sequence[int]]]
_CODES = {1: "B", 2: "B", 3: "H", 4: "L", 13: "L"}


def picture(size: tuple[int, int] = SIZE, seed: int = 0) -> Image.Image:
    """A coloured picture with detail and without symmetry."""
    width, height = size
    y, x = np.mgrid[0:height, 0:width]
    planes = [255 * x / width, 255 * y / height, 127 + 120 * np.sin(x / 9 + y / 7)]
    noise = np.random.default_rng(seed).normal(0, 12, (height, width, 3))
    return Image.fromarray(np.clip(np.stack(planes, axis=2) + noise, 0, 255).astype(np.uint8))


def written(image: Image.Image, kind: str, **options: object) -> bytes:
    """The bytes of a file that Pillow writes."""
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def profile() -> bytes:
    """An ICC profile."""
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def exif(orientation: int | None, taken: str | None = None) -> bytes:
    """An EXIF block, as Pillow writes it."""
    block = Image.Exif()
    if orientation is not None:
        block[0x0112] = orientation
    if taken is not None:
        block.get_ifd(0x8769)[0x9003] = taken
    return block.tobytes()


def tiff(
    directories: Sequence[Tags], data: Mapping[int, bytes], *, order: str = "<", magic: bytes = b""
) -> bytes:
    """A TIFF file by hand.

    Args:
        directories: tag -> (kind, values), in the order of the tags. They lie one after another; a value of
            -1 - i stands for the place of directory i, one of -1000 - i for that of data i.
        data: what lies behind the directories.
        order: ``<`` or ``>``.
        magic: the first four bytes, if not those of TIFF.
    """
    starts, at = [], 8
    for tags in directories:
        starts.append(at)
        at += 2 + 12 * len(tags) + 4
        at += sum(_spill(kind, values) for kind, values in tags.values())
    places = {}
    for i, content in data.items():
        places[i] = at
        at += len(content) + len(content) % 2
    head = magic or (b"II*\0" if order == "<" else b"MM\0*")
    body = [head + struct.pack(order + "L", starts[0])]
    for start, tags in zip(starts, directories, strict=True):
        body.append(_directory(tags, start, starts, places, order))
    body += [content + b"\0" * (len(content) % 2) for content in data.values()]
    return b"".join(body)


def _spill(kind: int, values: Sequence[int]) -> int:
    size = struct.calcsize(f"<{len(values)}{_CODES[kind]}")
    return 0 if size <= 4 else size + size % 2


def _directory(tags: Tags, start: int, starts: list[int], places: dict[int, int], order: str) -> bytes:
    table, rest = struct.pack(order + "H", len(tags)), b""
    for tag, (kind, values) in sorted(tags.items()):
        real = [places[-1000 - v] if v <= -1000 else starts[-1 - v] if v < 0 else v for v in values]
        packed = struct.pack(f"{order}{len(real)}{_CODES[kind]}", *real)
        if len(packed) > 4:
            where = start + 2 + 12 * len(tags) + 4 + len(rest)
            rest += packed + b"\0" * (len(packed) % 2)
            packed = struct.pack(order + "L", where)
        table += struct.pack(order + "HHL", tag, kind, len(real)) + packed.ljust(4, b"\0")
    return table + b"\0\0\0\0" + rest


def dng(
    preview: bytes | None,
    *,
    orientation: int = 1,
    order: str = "<",
    seed: int = 0,
    taken: str | None = None,
) -> bytes:
    """A DNG: a small picture first, sensor values and, if given, a JPEG preview behind it."""
    small = picture((16, 10), seed).tobytes()
    sensor = np.random.default_rng(seed).integers(0, 4096, (48, 80), dtype=np.uint16).tobytes()
    first = {
        254: (4, [1]),
        256: (3, [16]),
        257: (3, [10]),
        258: (3, [8, 8, 8]),
        259: (3, [1]),
        262: (3, [2]),
        271: (2, b"Code\0"),
        273: (4, [-1000]),
        274: (3, [orientation]),
        277: (3, [3]),
        278: (3, [10]),
        279: (4, [len(small)]),
        330: (4, [-2, -3] if preview else [-2]),
        50706: (1, [1, 4, 0, 0]),
        50708: (2, b"Code One\0"),
    }
    raw = {
        254: (4, [0]),
        256: (3, [80]),
        257: (3, [48]),
        258: (3, [16]),
        259: (3, [1]),
        262: (3, [32803]),
        273: (4, [-1001]),
        277: (3, [1]),
        278: (3, [48]),
        279: (4, [len(sensor)]),
        33421: (3, [2, 2]),
        33422: (1, [0, 1, 1, 2]),
    }
    directories, data = [first, raw], {0: small, 1: sensor}
    if preview is not None:
        width, height = Image.open(io.BytesIO(preview)).size
        directories.append(
            {
                254: (4, [1]),
                256: (4, [width]),
                257: (4, [height]),
                258: (3, [8, 8, 8]),
                259: (3, [7]),
                262: (3, [6]),
                273: (4, [-1002]),
                277: (3, [3]),
                278: (4, [height]),
                279: (4, [len(preview)]),
            }
        )
        data[2] = preview
    if taken is not None:
        first[34665] = (4, [-1 - len(directories)])
        directories.append({0x9003: (2, taken.encode() + b"\0")})
    return tiff(directories, data, order=order)


def tiled(order: str = "<") -> bytes:
    """A TIFF of uncompressed tiles."""
    pixels = np.asarray(picture((64, 32)))
    tiles = [pixels[y : y + 16, x : x + 16].tobytes() for y in (0, 16) for x in (0, 16, 32, 48)]
    tags = {
        256: (3, [64]),
        257: (3, [32]),
        258: (3, [8, 8, 8]),
        259: (3, [1]),
        262: (3, [2]),
        277: (3, [3]),
        322: (3, [16]),
        323: (3, [16]),
        324: (4, [-1000 - i for i in range(8)]),
        325: (4, [len(tile) for tile in tiles]),
    }
    return tiff([tags], dict(enumerate(tiles)), order=order)


def _samples() -> dict[str, bytes]:
    image = picture()
    clear = image.copy()
    clear.putalpha(Image.fromarray(np.tile(np.arange(80, dtype=np.uint8) * 3, (48, 1))))
    frames = {"save_all": True, "append_images": [picture(seed=1)], "duration": 100}
    jpeg = written(image, "JPEG", quality=90)
    # Without subsampling and with, with and without a profile and an orientation.
    found = {
        "jpeg.jpg": jpeg,
        "progressive.jpg": written(image, "JPEG", progressive=True, subsampling=0),
        "restarts.jpg": written(image, "JPEG", restart_marker_blocks=2),
        "grey.jpg": written(image.convert("L"), "JPEG"),
        "cmyk.jpg": written(image.convert("CMYK"), "JPEG"),
        "profile.jpg": written(image, "JPEG", icc_profile=profile()),
        "turned.jpg": written(image, "JPEG", exif=exif(6)),
        "thumbnail.jpg": _with_thumbnail(image),
        "several.jpg": written(image, "MPO", save_all=True, append_images=[picture(seed=1)]),
        "png.png": written(image, "PNG"),
        "profile.png": written(image, "PNG", icc_profile=profile(), dpi=(72, 72), gamma=0.45),
        "turned.png": written(image, "PNG", exif=exif(8)),
        "palette.png": written(image.convert("P"), "PNG", transparency=3),
        "lossy.webp": written(image, "WEBP"),
        "lossless.webp": written(image, "WEBP", lossless=True),
        "clear.webp": written(clear, "WEBP", lossless=True),
        "clear_lossy.webp": written(clear, "WEBP"),
        "animated.webp": written(image, "WEBP", **frames),
        "turned.webp": written(image, "WEBP", exif=exif(3), icc_profile=profile()),
        "strips.tif": written(image, "TIFF", tiffinfo={278: 10}),
        "lzw.tif": written(image, "TIFF", compression="tiff_lzw"),
        "jpeg.tif": written(image, "TIFF", compression="jpeg"),
        "turned.tif": written(image, "TIFF", exif=exif(6), icc_profile=profile()),
        "tiles.tif": tiled(),
        "big_endian.tif": tiled(">"),
        "big.tif": written(image, "TIFF", big_tiff=True),
        "avif.avif": written(image, "AVIF", speed=10),
        "turned.avif": written(image, "AVIF", speed=10, exif=exif(6), icc_profile=profile()),
        "camera.dng": dng(jpeg, orientation=6),
        "big_endian.dng": dng(written(image, "JPEG", exif=exif(3)), order=">"),
    }
    if pillow_heif is not None:
        pillow_heif.register_heif_opener()
        found["heic.heic"] = written(image, "HEIF")
        found["turned.heic"] = written(image, "HEIF", exif=exif(6), icc_profile=profile())
        found["tiled.heic"] = written(picture((160, 96)), "HEIF", exif=exif(1))
    return found


def _with_thumbnail(image: Image.Image) -> bytes:
    """A JPEG with a thumbnail in the second directory of its EXIF block."""
    small = written(image.resize((16, 10)), "JPEG")
    second = {259: (3, [6]), 513: (4, [-1000]), 514: (4, [len(small)])}
    block = bytearray(tiff([{274: (3, [1])}, second], {0: small}))
    block[8 + 2 + 12 : 8 + 2 + 12 + 4] = struct.pack("<L", 8 + 2 + 12 + 4)  # the first is followed by it
    return written(image, "JPEG", exif=b"Exif\0\0" + bytes(block))


@pytest.fixture(scope="session")
def samples() -> dict[str, bytes]:
    """Photos by the name of a file; do not change."""
    return _samples()


@pytest.fixture
def sample_files(samples: dict[str, bytes], tmp_path: Path) -> dict[str, Path]:
    """The same as files."""
    for name, content in samples.items():
        (tmp_path / name).write_bytes(content)
    return {name: tmp_path / name for name in samples}


def box(kind: bytes, *parts: bytes) -> bytes:
    """A box of ISO's base media format."""
    content = b"".join(parts)
    return struct.pack(">I", len(content) + 8) + kind + content


def _raws() -> dict[str, bytes]:
    """A raw photo of each maker, as its files are built: sensor values, a thumbnail, and ``preview``."""
    preview, small = written(picture(), "JPEG"), written(picture((16, 10)), "JPEG")
    values = np.random.default_rng(0).integers(0, 4096, (48, 80), dtype=np.uint16).tobytes()
    turned = {274: (3, [6])}
    sensor = {256: (3, [80]), 257: (3, [48]), 262: (3, [32803]), 273: (4, [-1001]), 279: (4, [len(values)])}
    named = {513: (4, [-1000]), 514: (4, [len(preview)])}
    strip = {259: (3, [6]), 273: (4, [-1000]), 279: (4, [len(preview)])}
    data = {0: preview, 1: values, 2: small}
    thumbnail = {513: (4, [-1002]), 514: (4, [len(small)])}
    canon = tiff([turned], {})
    whose = bytes.fromhex("85c0b687820f11e08111f4ce462b6a48")
    own = written(picture(), "JPEG", exif=exif(6))
    fuji = b"FUJIFILMCCD-RAW ".ljust(84, b"0") + struct.pack(">LL", 200, len(own))
    return {
        "nikon.nef": tiff([{254: (4, [1]), 330: (4, [-2, -3]), **turned}, named, sensor], data, order=">"),
        "sony.arw": tiff([{254: (4, [1]), 330: (4, [-2]), **turned, **named}, sensor], data),
        "canon.cr2": tiff([{**turned, **strip, 330: (4, [-2])}, sensor], data),
        "pentax.pef": tiff([{**sensor, **turned, 330: (4, [-2, -3])}, thumbnail, named], data, order=">"),
        "samsung.srw": tiff([{254: (4, [1]), **turned, 330: (4, [-2, -3])}, sensor, named], data),
        "olympus.orf": tiff([{**turned, 330: (4, [-2])}, thumbnail], data, magic=b"IIRO"),
        "panasonic.rw2": tiff([turned, {0x2E: (1, list(preview))}], {}, magic=b"IIU\0"),
        "fuji.raf": fuji.ljust(200, b"\0") + own + values,
        "canon.cr3": box(b"ftyp", b"crx \0\0\0\1crx isom")
        + box(b"moov", box(b"uuid", whose, box(b"CMT1", canon)))
        + box(b"mdat", values, preview, values),
    }


@pytest.fixture(scope="session")
def raws() -> dict[str, bytes]:
    """Raw photos by the name of a file, all of one picture, which must be turned by 6; do not change."""
    return _raws()


@pytest.fixture(scope="session")
def make_dng() -> Callable[..., bytes]:
    """Writes a DNG, see :func:`dng`."""
    return dng


@pytest.fixture(scope="session")
def write() -> Callable[..., bytes]:
    """Writes a picture: ``write("JPEG", size, **options)``."""
    return lambda kind, size=SIZE, **options: written(picture(size), kind, **options)


@pytest.fixture(scope="session")
def make_exif() -> Callable[..., bytes]:
    """Writes an EXIF block, see :func:`exif`."""
    return exif
