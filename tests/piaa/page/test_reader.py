"""Photos are read in the background, those that are wanted first, each once."""

from __future__ import annotations

import numpy as np
import pytest

from generic.cache.features import FeatureCache
from generic.errors import PiaaError
from piaa.page.album import opened
from piaa.page.page_state import open_page
from piaa.page.reader import Wanted


def test_what_is_asked_for_comes_first_then_the_rest_each_once(photos):
    wanted = Wanted(opened(photos))
    wanted.ask([7, 3, 99])
    taken = [wanted.take() for _ in range(12)]
    assert taken[:2] == [7, 3]
    assert sorted(taken) == list(range(12))
    assert wanted.take() is None


def test_one_that_is_needed_comes_before_those_that_are_wanted(photos):
    wanted = Wanted(opened(photos))
    wanted.ask([7, 3])
    wanted.ask_now(9)
    assert [wanted.take() for _ in range(3)] == [9, 7, 3]


def test_one_that_is_needed_stays_first_whatever_is_wanted_meanwhile(photos):
    wanted = Wanted(opened(photos))
    for _ in range(12):
        wanted.take()
    for row in (3, 9):
        wanted.done(row)
    wanted.ask_now(9)
    wanted.ask([3])  # somebody scrolls
    assert [wanted.take() for _ in range(3)] == [9, 3, None]


def test_vectors_are_those_of_every_other_command_to_the_bit(state, model, photos):
    paths = [photo.path for photo in state.album.photos]
    with FeatureCache.open(None) as nothing:
        expected = np.stack([one.vector for one in model.generic.embed(paths, cache=nothing)])
    np.testing.assert_array_equal(state.album.vectors(range(12)), expected)
    assert all(state.pictures.has(photo.identity) for photo in state.album.photos)


def test_a_broken_photo_is_told_and_the_others_are_read(photos, model, tmp_path, until):
    (photos / "broken.jpg").write_bytes((photos / "photo-01.jpg").read_bytes()[:900])
    page = open_page(photos, model, store=tmp_path / "piaa.db")
    page.start()
    until(lambda: page.album.n_known == 12)
    (row,) = (row for row, photo in enumerate(page.album.photos) if photo.name == "broken.jpg")
    until(lambda: page.album.photos[row].error)
    assert "broken.jpg" in page.album.photos[row].error
    with pytest.raises(PiaaError, match=r"broken\.jpg"):
        page.reader.need(row)
    page.stop()


def test_what_was_read_is_there_at_once_the_next_time(album, model, tmp_path, until):
    page = open_page(album, model, store=tmp_path / "piaa.db")
    page.start()
    until(lambda: page.album.n_known == 12)
    page.stop()
    again = open_page(album, model, store=tmp_path / "piaa.db")
    again.reader._recall()  # no thread that reads was started
    assert again.album.n_known == 12
    assert all(photo.has_picture for photo in again.album.photos)
    again.reader._cache.close()
