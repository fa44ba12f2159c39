"""Bursts of the album."""

from __future__ import annotations

import shutil

import numpy as np


def test_a_copy_is_of_the_same_burst(photos, request):
    shutil.copy(photos / "photo-02.jpg", photos / "photo-02b.jpg")
    state = request.getfixturevalue("state")
    state.scenes.find()
    rows = {photo.name: row for row, photo in enumerate(state.album.photos)}
    numbers = state.scenes.numbers
    assert numbers[rows["photo-02.jpg"]] == numbers[rows["photo-02b.jpg"]]
    assert (numbers >= 0).all()
    assert len(np.unique(numbers)) <= 12
