"""Photos by rows: found without being opened, named by nobody but the album."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from generic.errors import PiaaError
from generic.photos.facts import PhotoFacts
from piaa.page.album import opened


def test_a_link_that_leads_out_of_the_folder_is_not_opened(photos, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    shutil.copy(photos / "photo-01.jpg", tmp_path / "elsewhere" / "secret.jpg")
    (photos / "link.jpg").symlink_to(tmp_path / "elsewhere" / "secret.jpg")
    (photos / "inside.jpg").symlink_to(photos / "photo-01.jpg")
    (photos / "away").symlink_to(tmp_path / "elsewhere")
    found = opened(photos)
    names = [photo.name for photo in found.photos]
    assert found.n_outside == 2
    assert len(names) == 13
    assert "inside.jpg" in names
    assert not {"link.jpg", "away/secret.jpg"} & set(names)


def test_one_photo_is_an_album(photos):
    found = opened(photos / "photo-02.jpg")
    assert [photo.name for photo in found.photos] == ["photo-02.jpg"]
    assert found.root == photos


def test_what_was_found_out_is_told_once_to_whoever_asks_from_where_they_were(photos):
    found = opened(photos)
    found.note(3, facts=PhotoFacts(width=30, height=20, taken="2024-05-06T07:08:09"))
    found.note(5, vector=np.arange(9, dtype=np.float32))
    found.note(3, has_picture=True)
    assert found.news(0, 100) == ([3, 5], 3)
    assert found.news(1, 1) == ([5], 2)
    assert found.news(3, 100) == ([], 3)
    assert found.known_rows().tolist() == [5]
    assert found.n_known == 1
    assert found.moments(np.array([3, 5]))[0] == 1714979289


def test_a_row_that_is_none_is_refused(photos):
    found = opened(photos)
    with pytest.raises(PiaaError) as error:
        found.photo(12)
    assert str(error.value) == "there is no photo 12 among 12; open the page again"
    with pytest.raises(PiaaError) as error:
        found.seen(0)
    assert str(error.value) == "'photo-01.jpg' was not read yet; wait a moment and answer again"


def test_a_photo_that_became_a_link_out_of_the_folder_is_not_read(photos, tmp_path):
    found = opened(photos)
    assert found.file(0) == photos / "photo-01.jpg"
    shutil.move(photos / "photo-01.jpg", tmp_path / "elsewhere.jpg")
    (photos / "photo-01.jpg").symlink_to(tmp_path / "elsewhere.jpg")
    (photos / "photo-02.jpg").unlink()
    for row, name in ((0, "photo-01.jpg"), (1, "photo-02.jpg")):
        with pytest.raises(PiaaError) as error:
            found.file(row)
        assert str(error.value) == f"{name!r} is not in the folder any more; open the page again"
