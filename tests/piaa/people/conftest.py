"""A person in Python: a tiny model whose vectors of the album are remembered, a table, a store."""

from __future__ import annotations

import numpy as np
import pytest

import piaa

SCORES = (5, 1, 4, 2, 3, 5, 2, 1, 4, 3)


@pytest.fixture
def model(tiny_model, warm):
    return piaa.load_model(tiny_model, cache=warm)


@pytest.fixture
def table(names):
    """Ten ratings of the album, on 1..5."""
    return dict(zip(names, SCORES, strict=False))


@pytest.fixture
def part(table):
    """``part(0, 3)``: the ratings of these photos alone."""
    names = list(table)
    return lambda *places: {names[place]: table[names[place]] for place in places}


@pytest.fixture
def fitted(model, album):
    """``fitted(ratings, ...)``: a person in memory."""
    return lambda ratings, **options: model.fit_user(ratings, images=album, user="ana", **options)


@pytest.fixture
def store(tmp_path):
    return tmp_path / "people.db"


@pytest.fixture
def scores(album, names):
    """``scores(person)``: of the album's photos, by name."""

    def run(person):
        frame = person.score_table(album)
        return dict(zip(frame.images, np.asarray(frame.scores).tolist(), strict=True))

    return run
