"""Walls in folders: what is written, what is used again, and what is never touched."""

from __future__ import annotations

import re
import shutil

import pytest
from PIL import Image

from generic.errors import OutputError
from piaa.wall.tile import Tile, Wall
from piaa.wall.wall import check_wall, write_wall


def tiles_of(*paths):
    return [
        Tile(path=path, identity=identity(number), name=path.name, score=3.0)
        for number, path in enumerate(paths, 1)
    ]


def files_in(folder):
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def size_of(path):
    with Image.open(path) as picture:
        return picture.size


@pytest.fixture
def photos(tmp_path):
    """A wide JPEG, one that lies on its side, and a TIFF, which no browser shows."""
    folder = tmp_path / "photos"
    folder.mkdir()
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (1600, 800), "navy").save(folder / "a.jpg")
    Image.new("RGB", (1600, 800), "navy").save(folder / "b.jpg", exif=exif)
    Image.new("RGB", (300, 200), "olive").save(folder / "c.tiff")
    return sorted(folder.iterdir())


def identity(number):
    return f"{number:0<64x}"


def test_a_wall_has_a_page_thumbnails_and_what_browsers_lack(photos, tmp_path):
    done = []
    page = write_wall(Wall(title="t", tiles=tiles_of(*photos)), tmp_path / "wall", done.append)
    assert (page, sum(done)) == (tmp_path / "wall" / "index.html", 3)
    small = [f"thumbnails/{identity(number)[:24]}.jpg" for number in (1, 2, 3)]
    large = f"large/{identity(3)[:24]}.jpg"
    assert set(files_in(tmp_path / "wall")) == {"index.html", large, *small}
    text = page.read_text()
    assert re.findall(r'<img src="([^"]+)"', text) == small
    # Upright, whole, and never enlarged.
    assert [size_of(tmp_path / "wall" / name) for name in small] == [(400, 200), (150, 300), (300, 200)]
    assert size_of(tmp_path / "wall" / large) == (300, 200)
    assert re.findall(r'<figure[^>]*><a href="([^"]+)"', text) == [
        "../photos/a.jpg",
        "../photos/b.jpg",
        large,
    ]


def test_a_wall_is_written_again_over_itself_and_draws_no_photo_twice(photos, tmp_path):
    wall = Wall(title="t", tiles=tiles_of(*photos))
    write_wall(wall, tmp_path / "wall")
    before = files_in(tmp_path / "wall")
    half = tmp_path / "wall" / "thumbnails" / f"{identity(2)[:24]}.jpg"
    half.write_bytes(half.read_bytes()[:100])  # as a power cut leaves it
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "wall").rglob("*.jpg") if path != half}
    write_wall(wall, tmp_path / "wall")
    assert files_in(tmp_path / "wall") == before
    assert {path: path.stat().st_mtime_ns for path in times} == times


def test_a_photo_that_is_gone_leaves_its_place(photos, tmp_path, caplog):
    photos[0].unlink()
    page = write_wall(Wall(title="t", tiles=tiles_of(*photos)), tmp_path / "wall")
    assert page.read_text().count("cannot be read</span>") == 1
    assert caplog.messages == [f"wall: {photos[0]} cannot be read: No such file or directory"]


def test_photos_are_never_touched(photos, tmp_path):
    before = files_in(photos[0].parent)
    write_wall(Wall(title="t", tiles=tiles_of(*photos)), tmp_path / "wall")
    assert files_in(photos[0].parent) == before


def refused(folder, *roots):
    with pytest.raises(OutputError) as caught:
        check_wall(folder, roots)
    return str(caught.value)


def test_a_folder_with_something_else_is_no_place_for_a_wall(tmp_path):
    folder = tmp_path / "letters"
    folder.mkdir()
    check_wall(folder)
    (folder / "index.html").write_text("my own page")
    assert (
        refused(folder) == f"cannot write into {folder}: it holds files that are no wall; name a new folder"
    )
    assert refused(folder / "index.html") == (
        f"cannot write into {folder / 'index.html'}: it is no folder; name a folder or a new name"
    )
    assert refused(tmp_path / "no" / "wall") == (
        f"cannot write into {tmp_path / 'no' / 'wall'}: the folder {tmp_path / 'no'} does not exist; "
        "create it first"
    )


def test_a_wall_does_not_lie_among_the_photos(photos, tmp_path):
    folder = photos[0].parent
    assert refused(folder / "wall", tmp_path / "missing", folder) == (
        f"cannot write into {folder / 'wall'}: it lies in {folder}, whose photos are ranked, and what is "
        "written would be ranked with them next time; name a folder elsewhere"
    )
    check_wall(folder / "wall", [photos[0]])


def test_no_link_is_followed(photos, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / "link").symlink_to(elsewhere)
    assert refused(tmp_path / "link") == (
        f"cannot write into {tmp_path / 'link'}: it is a link to {elsewhere}; name the folder itself"
    )
    write_wall(Wall(title="t", tiles=tiles_of(*photos)), tmp_path / "wall")
    shutil.rmtree(tmp_path / "wall" / "thumbnails")
    (tmp_path / "wall" / "thumbnails").symlink_to(elsewhere)
    with pytest.raises(OutputError) as caught:
        write_wall(Wall(title="t", tiles=tiles_of(*photos)), tmp_path / "wall")
    assert str(caught.value) == (
        f"cannot write into {tmp_path / 'wall'}: {tmp_path / 'wall' / 'thumbnails'} is a link to elsewhere; "
        "name another folder"
    )
    assert list(elsewhere.iterdir()) == []
