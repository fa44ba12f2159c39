"""Bursts against a slow search of all pairs, and what must never be one."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from piaa.people.bursts import Limits, bursts, first_of_each, moment, moments_of, scene_places

LIMITS = Limits(seconds=10, timed=0.5, untimed=0.25)


def at(*places):
    """Photos at these places on a line, in units of the distance of two photos on average."""
    return np.column_stack((np.array(places, float), np.zeros(len(places))))


def test_photos_that_look_alike_are_one_burst_only_if_taken_together():
    alike = at(0, 0.4, 0.45, 2)
    assert bursts(alike, np.array([0.0, 5, 500, 2]), limits=LIMITS).tolist() == [0, 0, 1, 2]


def test_without_times_photos_must_look_more_alike():
    assert bursts(at(0, 0.4, 0.2), limits=LIMITS).tolist() == [0, 1, 0]
    one_unknown = np.array([0.0, 5, np.nan])
    assert bursts(at(0, 0.4, 0.2), one_unknown, limits=LIMITS).tolist() == [0, 0, 0]
    assert bursts(at(0, 0.4, 0.7), one_unknown, limits=LIMITS).tolist() == [0, 0, 1]


def test_copies_are_one_burst_whenever_their_files_say_they_were_taken():
    assert bursts(at(0, 0, 0), np.array([0.0, 1e6, np.nan]), limits=LIMITS).tolist() == [0, 0, 0]


def test_a_walk_of_photos_each_like_the_next_is_no_burst():
    walk = bursts(at(*np.arange(20) * 0.2), limits=LIMITS)
    assert np.bincount(walk).max() == 2


def test_bursts_are_numbered_by_their_first_photos_whatever_the_order():
    places, seconds = np.array([9, 0, 5, 0.1, 9.1, 0.05]), np.array([0.0, 1, 2, 3, 4, np.nan])
    for order in itertools.permutations(range(6)):
        found = bursts(at(*places[list(order)]), seconds[list(order)], limits=LIMITS)
        together = {tuple(sorted(order[i] for i in np.flatnonzero(found == n))) for n in set(found)}
        assert together == {(0, 4), (1, 3, 5), (2,)}
        _, first = np.unique(found, return_index=True)
        assert (np.diff(first) > 0).all()


@given(st.lists(st.tuples(st.floats(0, 3), st.floats(0, 40) | st.none()), min_size=1, max_size=30))
def test_no_burst_holds_a_pair_that_does_not_belong_together(photos):
    places = np.array([place for place, _ in photos])
    times = np.array([np.nan if time is None else time for _, time in photos])
    matrix = at(*places)
    found = bursts(matrix, times, limits=LIMITS)
    # The earliest copy of a picture stands for all of them.
    x = matrix[:, 0]
    first = [min((t for t, p in zip(times, x, strict=True) if p == q and t == t), default=np.nan) for q in x]
    for a, b in itertools.combinations(range(len(photos)), 2):
        if found[a] == found[b]:
            apart, between = abs(x[a] - x[b]), abs(first[a] - first[b])
            if np.isnan(between):
                assert apart <= LIMITS.untimed + 1e-4
            else:
                assert between <= LIMITS.seconds
                assert apart <= LIMITS.timed + 1e-4


def test_blocks_make_no_difference(monkeypatch):
    rng = np.random.default_rng(0)
    matrix, times = at(*rng.uniform(0, 9, 200)), rng.uniform(0, 60, 200)
    whole = bursts(matrix, times, limits=LIMITS)
    assert 1 < np.bincount(whole).max() < 20
    monkeypatch.setattr("piaa.people.bursts._BLOCK", 7)
    assert np.array_equal(bursts(matrix, times, limits=LIMITS), whole)


@pytest.mark.parametrize(("n", "kept"), [(1, [0, 1, 5]), (2, [0, 1, 2, 5]), (9, [0, 1, 2, 3, 4, 5])])
def test_the_first_photos_of_each_burst(n, kept):
    assert first_of_each([7, 3, 7, 7, 7, 0], n).tolist() == kept


def test_no_photos_are_no_bursts():
    assert bursts(np.zeros((0, 3))).tolist() == []
    assert first_of_each([]).tolist() == []


def test_when_photos_were_taken(tmp_path):
    for name, taken in (("a.jpg", "2024:05:06 07:08:09"), ("b.jpg", "2024:05:06 07:08:11"), ("c.jpg", None)):
        exif = Image.Exif()
        if taken:
            exif.get_ifd(0x8769)[0x9003] = taken
        Image.new("RGB", (8, 8)).save(tmp_path / name, exif=exif)
    found = moments_of([tmp_path / name for name in ("a.jpg", "b.jpg", "c.jpg", "missing.jpg")])
    assert found[1] - found[0] == 2
    assert np.isnan(found[2:]).all()


def test_moments_are_local_and_nan_where_they_are_none():
    assert moment("2024-05-06T07:08:09+02:00") == moment("2024-05-06T07:08:09")
    assert moment("2024-05-06T07:08:09.123456789") - moment("2024-05-06T07:08:09") == pytest.approx(0.123456)
    assert all(np.isnan(moment(text)) for text in (None, "", "yesterday"))


def test_where_photos_lie_has_one_unit_for_every_model():
    rng = np.random.default_rng(1)
    vectors = np.column_stack((rng.uniform(size=300), rng.normal(40, 1, (300, 60)))).astype(np.float32)
    for factor in (1e-3, 1, 1e3):
        x = scene_places(vectors * np.float32(factor), None)
        squares = ((x[:, None] - x) ** 2).sum(axis=2)
        assert squares.mean() == pytest.approx(1, rel=1e-2)
        assert np.array_equal(bursts(x), np.arange(300))
    assert scene_places(np.ones((2, 3), np.float32), None).tolist() == [[0, 0], [0, 0]]
    assert scene_places(np.ones((0, 3), np.float32), None).shape == (0, 2)


def test_a_long_burst_is_one_and_a_film_is_bursts_of_bounded_length(monkeypatch):
    frames = np.random.default_rng(2).normal(0, 1e-3, (200, 8))
    assert set(bursts(frames, limits=LIMITS)) == {0}
    monkeypatch.setattr("piaa.people.bursts.MOST", 20)
    counts = np.bincount(bursts(frames, limits=LIMITS))
    assert 1 < counts.max() <= 21
