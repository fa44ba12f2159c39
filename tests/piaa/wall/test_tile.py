"""A ranking as tiles: places in both orders."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from generic.model.generic_model import Embedded
from piaa.people.score_table import ScoreTable
from piaa.wall.tile import tiles_of

FOUND = {name: Embedded(path=Path("/photos") / name, identity=name * 64) for name in "abcd"}


def test_places_count_the_whole_ranking_though_only_the_best_are_shown():
    columns = np.array([[4.0, 3, 2, 1], [3, 2, 1, 1], [5, 4, 3, 2], [1.0, 2, 4, 2]])
    table = replace(ScoreTable.ranked(list("abcd"), columns, {}), sure=np.array([0.9, 0.8, 0.7, 0.6]))
    tiles = tiles_of(table, FOUND, {"b": 5.0}, top=3)
    assert [(one.name, one.crowd, one.own) for one in tiles] == [
        ("a", 4, None),
        ("b", 2, 5.0),
        ("c", 1, None),
    ]
    assert (tiles[0].score, tiles[0].low, tiles[0].high, tiles[0].sure) == (4, 3, 5, 0.9)
    assert (tiles[1].path, tiles[1].identity) == (Path("/photos/b"), "b" * 64)


def test_the_crowds_ranking_has_one_order():
    tiles = tiles_of(ScoreTable.ranked(list("abcd"), np.array([[1.0, 2, 3, 4]]), {}), FOUND)
    assert [(one.name, one.score, one.low, one.crowd) for one in tiles] == [
        ("d", 4, None, None),
        ("c", 3, None, None),
        ("b", 2, None, None),
        ("a", 1, None, None),
    ]
