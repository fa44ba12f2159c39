"""Folders that may be written to; what a wall refuses beside is in tests/piaa/wall."""

from __future__ import annotations

import pytest

from generic.errors import OutputError
from generic.photos.outside import check_outside, create


def test_a_new_folder_an_old_one_and_one_beside_the_photos_are_good(tmp_path):
    (tmp_path / "photos").mkdir()
    for name in ("new", "photos-best"):
        check_outside(tmp_path / name, [tmp_path / "photos"])
        create(tmp_path / name)
        check_outside(tmp_path / name, [tmp_path / "photos"])


def test_a_way_around_into_the_photos_is_seen(tmp_path):
    (tmp_path / "photos" / "inner").mkdir(parents=True)
    (tmp_path / "door").symlink_to(tmp_path / "photos" / "inner")
    for folder in (tmp_path / "photos", tmp_path / "door" / "best", tmp_path / "photos" / "x"):
        with pytest.raises(OutputError) as caught:
            check_outside(folder, [tmp_path / "photos"])
        assert str(caught.value) == (
            f"cannot write into {folder}: it lies in {tmp_path / 'photos'}, whose photos are ranked, and "
            "what is written would be ranked with them next time; name a folder elsewhere"
        )


def test_a_name_that_no_disk_takes_is_one_line(tmp_path):
    folder = tmp_path / ("x" * 256)
    with pytest.raises(OutputError) as caught:
        check_outside(folder, [])
    assert str(caught.value) == f"cannot write into {folder}: File name too long; name another folder"
