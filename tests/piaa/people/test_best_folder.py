"""Photos copied and linked: whole, by name, and never over anything."""

from __future__ import annotations

import errno
import json
import os
import shutil
import sys

import pytest

from generic.errors import OutputError
from piaa.people.best_folder import place_best


@pytest.fixture
def photos(tmp_path):
    """Three photos, of which the last has the name of the first."""
    paths = []
    for name in ("one/a.jpg", "one/写真 é.jpg", "two/a.jpg"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(name.encode() * 1000)
        os.utime(path, (1_000_000_000, 1_000_000_000))
        paths.append(path)
    return paths


@pytest.mark.parametrize(("how", "done"), [("copy", "copied"), ("link", "linked")])
def test_photos_keep_their_names_and_a_clash_is_told(photos, tmp_path, how, done):
    placed = place_best(photos, tmp_path / "best", how)
    assert placed.placed == ("a.jpg", "写真 é.jpg")
    assert placed.lines() == [
        f"2 photos {done} to {tmp_path / 'best'}",
        f"not {done}: {photos[2]}, since {tmp_path / 'best' / 'a.jpg'} is another file",
    ]
    assert sorted(path.name for path in (tmp_path / "best").iterdir()) == ["a.jpg", "写真 é.jpg"]
    for photo in photos[:2]:
        there = tmp_path / "best" / photo.name
        assert there.read_bytes() == photo.read_bytes()
        assert there.stat().st_mtime == 1_000_000_000
        assert there.is_symlink() == (how == "link")


@pytest.mark.parametrize("how", ["copy", "link"])
def test_the_same_again_changes_nothing(photos, tmp_path, how):
    place_best(photos[:2], tmp_path / "best", how)
    again = place_best(photos[:2], tmp_path / "best", how)
    assert (again.placed, again.there, again.clashes) == ((), ("a.jpg", "写真 é.jpg"), ())
    done = {"copy": "copied", "link": "linked"}[how]
    assert again.lines() == [f"0 photos {done} to {tmp_path / 'best'}, 2 photos there already"]
    assert again.facts() == {
        "folder": str(tmp_path / "best"),
        "how": how,
        "placed": [],
        "there_already": ["a.jpg", "写真 é.jpg"],
        "clashes": [],
    }


@pytest.mark.parametrize("how", ["copy", "link"])
def test_no_link_in_the_folder_is_followed(photos, tmp_path, how):
    treasure = tmp_path / "treasure.jpg"
    treasure.write_text("hers")
    best = tmp_path / "best"
    best.mkdir()
    (best / "a.jpg").symlink_to(treasure)
    (best / "写真 é.jpg").symlink_to(tmp_path / "missing.jpg")
    placed = place_best(photos[:2], best, how)
    assert (placed.placed, len(placed.clashes)) == ((), 2)
    assert treasure.read_text() == "hers"
    assert not (tmp_path / "missing.jpg").exists()


def test_a_copy_that_fails_leaves_nothing_half(photos, tmp_path, monkeypatch):
    def copy(source, target, length):
        target.write(source.read(100))
        if source.name == str(photos[1]):
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(shutil, "copyfileobj", copy)
    with pytest.raises(OutputError) as caught:
        place_best(photos, tmp_path / "best", "copy")
    assert str(caught.value) == (
        f"cannot copy {photos[1]} to {tmp_path / 'best' / photos[1].name}: No space left on device; 1 "
        "photo before it is there; free some space or name another folder"
    )
    assert [path.name for path in (tmp_path / "best").iterdir()] == ["a.jpg"]


def test_a_photo_that_went_away_is_told_and_the_others_are_copied(photos, tmp_path):
    photos[0].unlink()
    placed = place_best(photos, tmp_path / "best", "copy")
    assert placed.placed == ("写真 é.jpg", "a.jpg")
    assert placed.lines() == [
        f"2 photos copied to {tmp_path / 'best'}",
        f"not copied: {photos[0]}: No such file or directory",
    ]


@pytest.mark.skipif(sys.platform == "darwin", reason="its disks take names in UTF-8 alone")
def test_a_name_that_is_not_utf_8_can_be_told(tmp_path):
    photo = tmp_path / "Z\udcfcrich.jpg"
    photo.write_bytes(b"one")
    placed = place_best([photo], tmp_path / "best", "copy")
    assert json.dumps(placed.facts(), ensure_ascii=False).encode()
    assert placed.placed == ("Z\\udcfcrich.jpg",)
    assert (tmp_path / "best" / photo.name).read_bytes() == b"one"


def test_a_folder_that_cannot_be_made(photos, tmp_path):
    with pytest.raises(OutputError) as caught:
        place_best(photos, tmp_path / "no" / "best", "copy")
    assert str(caught.value) == (
        f"cannot create the folder {tmp_path / 'no' / 'best'}: No such file or directory; name another"
    )
