"""Stars of a folder: every format and both forms of sidecars by exiftool, and one precedence."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from PIL import Image

from piaa.demo.scenes import draw_scenes, render
from piaa.stars.gather import gather
from piaa.stars.marks import EMBEDDED, EXIF, EXIF_PERCENT, SIDECAR

KINDS = ("jpg", "png", "webp", "tif", "avif")


@pytest.fixture
def photos(tmp_path) -> Path:
    """One photo of each format."""
    folder = tmp_path / "photos"
    folder.mkdir()
    image: Image.Image = render(draw_scenes(1, 9)[0], (96, 72))
    for kind in KINDS:
        image.save(folder / f"{kind}.{kind}")
    return folder


def found(folder: Path) -> dict[str, object]:
    gathered = gather(folder)
    assert gathered.skipped == {}
    return {one.name: (one.stars, one.flag) for one in gathered.photos if one.marks}


@pytest.mark.parametrize("tag", ["XMP-xmp:Rating", "IFD0:Rating"])
def test_stars_that_exiftool_writes_into_photos(photos, exiftool, tag):
    assert found(photos) == {}
    exiftool(photos, f"-{tag}=4")
    assert found(photos) == {f"{kind}.{kind}": (4, None) for kind in KINDS}
    exiftool(photos, f"-{tag}=0")
    assert found(photos) == {}


def test_rejections_and_percentages_that_exiftool_writes_into_photos(photos, exiftool):
    exiftool(photos, "-XMP-xmp:Rating=-1")
    assert found(photos) == {f"{kind}.{kind}": (None, "reject") for kind in KINDS}
    exiftool(photos, "-XMP:all=", "-IFD0:RatingPercent=75")
    assert found(photos) == {f"{kind}.{kind}": (4, None) for kind in KINDS}
    exiftool(photos, "-IFD0:RatingPercent=", "-XMP-microsoft:RatingPercent=25")
    assert found(photos) == {f"{kind}.{kind}": (2, None) for kind in KINDS}


@pytest.mark.parametrize("form", ["{stem}.xmp", "{name}.xmp", "{name}.XMP"])
def test_stars_that_exiftool_writes_into_sidecars(photos, exiftool, form):
    for path in list(photos.iterdir()):
        exiftool(photos / form.format(stem=path.stem, name=path.name), "-XMP-xmp:Rating=3")
    assert found(photos) == {f"{kind}.{kind}": (3, None) for kind in KINDS}


def test_the_programs_own_sidecars_are_read(photos, sidecar, program):
    (photos / "jpg.jpg.xmp").write_bytes(sidecar(program, 2))
    assert found(photos) == {"jpg.jpg": (2, "pick" if program == "digikam" else None)}


def test_one_precedence_where_places_disagree(photos, exiftool):
    photo = photos / "jpg.jpg"
    exiftool(photo, "-IFD0:RatingPercent=1", "-IFD0:Rating=2", "-XMP-xmp:Rating=3")
    exiftool(photos / "jpg.xmp", "-XMP-xmp:Rating=4")
    exiftool(photos / "jpg.jpg.xmp", "-XMP-xmp:Rating=5")
    (one,) = gather(photo).photos
    places = [(mark.place, mark.stars) for mark in one.marks]
    assert places == [(SIDECAR, 5), (SIDECAR, 4), (EMBEDDED, 3), (EXIF, 2), (EXIF_PERCENT, 1)]
    assert (one.stars, one.disagree) == (5, True)
    exiftool(photos / "jpg.jpg.xmp", "-XMP-xmp:Rating=0")
    exiftool(photos / "jpg.xmp", "-XMP-xmp:Rating=0")
    assert found(photos) == {"jpg.jpg": (3, None)}
    exiftool(photos / "jpg.xmp", "-XMP-xmp:Rating=-1")
    assert found(photos) == {"jpg.jpg": (None, "reject")}


def test_a_raw_photo_is_asked_whose_jpeg_stands_for_it(photos, exiftool, sidecar):
    (photos / "jpg.CR2").write_bytes(b"no raw photo")
    (photos / "jpg.CR2.xmp").write_bytes(sidecar("darktable", 5))
    exiftool(photos / "jpg.jpg", "-XMP-xmp:Rating=2")
    (one,) = [one for one in gather(photos).photos if one.marks]
    assert (one.name, one.stars, one.disagree) == ("jpg.jpg", 5, True)
    assert [path.name for path in one.shot.files] == ["jpg.jpg", "jpg.CR2"]
    (photos / "jpg.jpg").unlink()
    (one,) = [one for one in gather(photos).photos if one.marks]
    assert (one.name, one.stars) == ("jpg.CR2", 5)


def test_stars_that_piaa_wrote_are_nobodys_wherever_they_were_carried(photos, exiftool):
    (one,) = [one for one in gather(photos).photos if one.name == "jpg.jpg"]
    exiftool(one.shot.main, "-XMP-xmp:Rating=4")
    (one,) = [one for one in gather(photos).photos if one.name == "jpg.jpg"]
    assert (one.stars, one.only_ours) == (4, False)
    known = one.known(frozenset({4}))
    assert (known.stars, known.only_ours, known.hers) == (None, True, None)
    exiftool(one.shot.main, "-XMP-xmp:Rating=5")
    (one,) = [one for one in gather(photos).photos if one.name == "jpg.jpg"]
    assert one.known(frozenset({4})).stars == 5


def test_what_cannot_be_understood_is_named_and_the_rest_is_read(photos, exiftool):
    exiftool(photos / "png.png", "-XMP-xmp:Rating=4")
    (photos / "jpg.jpg.xmp").write_text('<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>')
    (photos / "tif.tif.xmp").mkdir()
    os.mkfifo(photos / "webp.webp.xmp")
    with (photos / "avif.avif.xmp").open("wb") as file:
        file.truncate(100 << 20)
    gathered = gather(photos)
    assert [(one.name, one.stars) for one in gathered.photos if one.marks] == [("png.png", 4)]
    assert gathered.skipped == {
        "avif.avif.xmp": f"{photos / 'avif.avif.xmp'} has 104857600 bytes, but at most 16777216 are read of "
        "a sidecar; take it away (it is unchanged)",
        "jpg.jpg.xmp": f"{photos / 'jpg.jpg.xmp'} cannot be read as XMP: it has a DOCTYPE, which XMP has "
        "not; let the program that wrote it write it again, or take it away (it is unchanged)",
        "tif.tif.xmp": f"{photos / 'tif.tif.xmp'} is no regular file, expected an XMP sidecar; take it away",
        "webp.webp.xmp": f"{photos / 'webp.webp.xmp'} is no regular file, expected an XMP sidecar; "
        "take it away",
    }


def test_a_photo_alone_has_its_sidecar_too(photos, exiftool):
    exiftool(photos / "jpg.xmp", "-XMP-xmp:Rating=4")
    (one,) = gather(photos / "jpg.jpg").photos
    assert (one.name, one.stars) == ("jpg.jpg", 4)
    shutil.move(photos / "jpg.jpg", photos / "jpg.dat")
    (one,) = gather(photos / "jpg.dat").photos
    assert (one.name, one.stars) == ("jpg.dat", 4)


def test_names_with_line_breaks_and_without_utf_8(photos, exiftool):
    name = os.fsdecode(b"a\n\xff.jpg")
    shutil.copy(photos / "jpg.jpg", photos / name)
    exiftool(photos, "-XMP-xmp:Rating=4")
    assert found(photos)["a\n\\udcff.jpg"] == (4, None)
