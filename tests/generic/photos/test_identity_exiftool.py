"""What a real program writes into photos changes neither their identity nor one of their pixels."""

from __future__ import annotations

import io
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from generic.photos.identity import photo_identity
from generic.photos.open import open_rgb

pytestmark = pytest.mark.skipif(
    shutil.which("exiftool") is None, reason="needs exiftool: apt-get install libimage-exiftool-perl"
)

STARS = [[f"-Rating={stars}"] for stars in (0, 1, 2, 3, 4, 5)]
WORDS = [
    ["-Keywords=sea", "-Keywords+=beach", "-XMP:Subject=sea"],
    ["-Title=A day", "-ImageDescription=By the sea", "-Artist=Ana", "-Copyright=Ana", "-Comment=Good"],
    ["-GPSLatitude=48.1", "-GPSLatitudeRef=N", "-GPSLongitude=11.5", "-GPSLongitudeRef=E"],
    ["-DateTimeOriginal=2024:05:06 07:08:09", "-ModifyDate=now", "-XMP:CreatorTool=piaa"],
    ["-ThumbnailImage="],
    ["-Rating=", "-Keywords=", "-GPS:all="],
]
EXACT = {"big.tif"}
"""exiftool writes no BigTIFF."""
COLOURED = ("profile", "turned")
"""Photos that lose a colour profile or which side is up when all is taken away."""
BROKEN = {"turned.avif"}
"""exiftool 12.57 leaves an empty colour profile in AVIF, which no decoder opens."""


def change(file: Path, *options: str) -> None:
    command = ["exiftool", "-q", "-q", "-m", "-overwrite_original", *options, str(file)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def seen(content: bytes) -> np.ndarray:
    return np.asarray(open_rgb(io.BytesIO(content)))


def test_stars_and_words_leave_every_photo_what_it_is(samples, tmp_path):
    files = [tmp_path / name for name in samples if name not in EXACT]
    for file in files:
        file.write_bytes(samples[file.name])
    contents = {file: {samples[file.name]} for file in files}
    for options in (*STARS, *WORDS):
        # One start of exiftool for all files: it is what takes the time.
        change(tmp_path, *options)
        for file in files:
            now = file.read_bytes()
            assert photo_identity(now) == photo_identity(samples[file.name]), (file.name, options)
            np.testing.assert_array_equal(seen(now), seen(samples[file.name]), file.name)
            contents[file].add(now)
    # Else exiftool would have refused a file, and nothing would have been asked.
    assert {file.name: len(found) >= 8 for file, found in contents.items()} == {f.name: True for f in files}


def test_taking_all_away_is_another_photo_only_where_colours_or_the_turn_go_with_it(samples, tmp_path):
    for name, content in samples.items():
        if name not in EXACT | BROKEN:
            (tmp_path / name).write_bytes(content)
    change(tmp_path, "-Rating=4", "-ImageDescription=By the sea")
    change(tmp_path, "-all=")
    for file in sorted(tmp_path.iterdir()):
        kept = photo_identity(file.read_bytes()) == photo_identity(samples[file.name])
        assert kept == (not file.name.startswith(COLOURED)), file.name
        if kept:
            np.testing.assert_array_equal(seen(file.read_bytes()), seen(samples[file.name]))


def test_turning_is_another_photo(samples, tmp_path):
    for name in ("jpeg.jpg", "png.png", "lossy.webp", "lzw.tif", "camera.dng"):
        file = tmp_path / name
        file.write_bytes(samples[name])
        found = {photo_identity(samples[name])}
        for orientation in (3, 8, 5):
            change(file, "-n", f"-IFD0:Orientation={orientation}")
            found.add(photo_identity(file.read_bytes()))
        assert len(found) == 4, name


def test_stars_on_real_photos(tmp_path, shared_data):
    originals = sorted(shared_data.rglob("*.jpg"))[::20]
    assert len(originals) >= 20
    for original in originals:
        shutil.copy(original, tmp_path / original.name)
    change(tmp_path, "-Rating=5", "-XMP:Subject=sea", "-ImageDescription=By the sea")
    for original in originals:
        before, after = original.read_bytes(), (tmp_path / original.name).read_bytes()
        assert before != after
        assert photo_identity(before) == photo_identity(after)
        np.testing.assert_array_equal(seen(before), seen(after))
