"""Albums of any size for timing: a few photos, each copied many times under other bytes."""

from __future__ import annotations

import statistics
import struct
import time
from pathlib import Path
from typing import Any

from PIL import Image

from generic.photos.find import find_images
from piaa.demo.scenes import render_album

N_SOURCES = 50
_START, _PROFILE = b"\xff\xd8", b"\xff\xe2"


def sources(photos: Path | None, work: Path) -> list[Path]:
    """At most ``N_SOURCES`` JPEG photos: of a folder, evenly picked, or scenes rendered into ``work``."""
    if photos is None:
        render_album(work, N_SOURCES, seed=0)
        photos = work
    found = [path for path in find_images(photos) if path.read_bytes()[:2] == _START]
    if not found:
        raise SystemExit(f"{photos} holds no JPEG photo; name a folder that does, or leave out --photos")
    step = max(1, len(found) // N_SOURCES)
    return found[::step][:N_SOURCES]


def copies(photos: list[Path], n: int, folder: Path) -> list[Path]:
    """JPEG files, n of them, whose pixels are those of ``photos`` in turn and whose bytes all differ.

    A colour profile with the copy's number makes the difference, so that neither the decoder, which does not
    apply it, nor the network is spared anything, but each is a photo of its own (a comment would not count).
    """
    folder.mkdir(parents=True)
    made = []
    for number in range(n):
        data = photos[number % len(photos)].read_bytes()
        text = b"ICC_PROFILE\0\x01\x01" + f"copy {number}".encode()
        segment = _PROFILE + struct.pack(">H", len(text) + 2) + text
        path = folder / f"{number:05d}.jpg"
        path.write_bytes(_START + segment + data[2:])
        made.append(path)
    # Only files whose last change lies 2 s back have their digest remembered; see generic/cache/contents.py.
    time.sleep(2.5)
    return made


def describe(photos: list[Path]) -> dict[str, Any]:
    """How large the photos are."""
    sizes = []
    for path in photos:
        with Image.open(path) as image:
            sizes.append(image.size)
    return {
        "n_sources": len(photos),
        "median_megapixels": round(statistics.median(w * h for w, h in sizes) / 1e6, 3),
        "median_kilobytes": round(statistics.median(path.stat().st_size for path in photos) / 1e3, 1),
    }


def write_ratings(photos: list[Path], file: Path) -> None:
    """Ratings 1 to 5, in turn, of these photos; what they say does not matter for timing."""
    lines = ["image,score", *(f"{path.name},{1 + number % 5}" for number, path in enumerate(photos))]
    file.write_text("\n".join(lines) + "\n")
