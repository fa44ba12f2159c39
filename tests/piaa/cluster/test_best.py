"""The best of many photos are those of brute force, ties included, in whatever pieces they come."""

from __future__ import annotations

import math

import numpy as np
import pytest

from piaa.cluster.best import NOWHERE, Best


def brute_force(coefficients, vectors, top):
    """Scores of all pairs, each summed by itself, and the first ``top`` of each person's order."""
    x = np.column_stack((np.ones(len(vectors)), vectors.astype(np.float64)))
    scores = np.array([[(row * photo).sum() for photo in x] for row in coefficients])
    order = [sorted(range(len(vectors)), key=lambda n, own=own: (-own[n], n))[:top] for own in scores]
    return np.array([own[chosen] for own, chosen in zip(scores, order, strict=True)]), np.array(order)


def offered(coefficients, vectors, top, step):
    best = Best(coefficients, top)
    for first in range(0, len(vectors), step):
        best.offer(vectors[first : first + step], first)
    return best


@pytest.mark.parametrize("step", [7, 64, 1000])
def test_the_best_are_those_of_brute_force(step):
    rng = np.random.default_rng(1)
    vectors = rng.standard_normal((300, 17)).astype(np.float32)
    coefficients = rng.standard_normal((270, 18)) * 10.0 ** rng.integers(-3, 3, (270, 1))
    scores, order = brute_force(coefficients, vectors, 20)
    best = offered(coefficients, vectors, 20, step)
    assert np.array_equal(best.places, order)
    assert np.array_equal(best.scores, scores)


@pytest.mark.parametrize("step", [13, 500])
def test_of_equal_photos_the_first_ones_are_kept(step):
    rng = np.random.default_rng(2)
    few = rng.standard_normal((6, 9)).astype(np.float32)
    vectors = few[rng.integers(0, 6, 500)]
    coefficients = np.vstack((rng.standard_normal((20, 10)), np.zeros((3, 10))))
    _, order = brute_force(coefficients, vectors, 50)
    best = offered(coefficients, vectors, 50, step)
    assert np.array_equal(best.places, order)
    assert best.places[-1].tolist() == list(range(50))


def test_scores_that_differ_by_less_than_float32_sees_are_told_apart():
    steps = np.arange(200, dtype=np.float64)
    vectors = np.column_stack((np.full(200, 1000.0), np.arange(200))).astype(np.float32)
    coefficients = np.array([[0.0, 1.0, 1e-9], [0.0, 1.0, -1e-9]])
    best = offered(coefficients, vectors, 5, 50)
    assert best.places.tolist() == [[199, 198, 197, 196, 195], [0, 1, 2, 3, 4]]
    exact = [math.fsum((1000.0, 1e-9 * step)) for step in steps[:-6:-1]]
    assert best.scores[0].tolist() == exact


def test_where_there_are_fewer_photos_than_asked_for_the_rest_is_nowhere():
    vectors = np.array([[0.0], [2.0], [1.0]], np.float32)
    best = offered(np.array([[0.0, 1.0]]), vectors, 5, 2)
    assert best.places.tolist() == [[1, 2, 0, NOWHERE, NOWHERE]]
    assert best.scores.tolist() == [[2.0, 1.0, 0.0, -np.inf, -np.inf]]


def one_by_one(coefficients, vectors, top, bursts, of_burst):
    """Each person's photos from the best down, of each burst so many."""
    _, order = brute_force(coefficients, vectors, len(vectors))
    kept = []
    for own in order.tolist():
        mine = []
        for n in own:
            if [bursts[it] for it in mine].count(bursts[n]) < of_burst and len(mine) < top:
                mine.append(n)
        kept.append(mine)
    return kept


@pytest.mark.parametrize("of_burst", [1, 2])
@pytest.mark.parametrize("step", [7, 64, 1000])
def test_of_each_burst_the_best_are_kept(step, of_burst):
    rng = np.random.default_rng(4)
    scenes = rng.standard_normal((60, 9)).astype(np.float32)
    bursts = np.sort(rng.integers(0, 60, 300))
    vectors = scenes[bursts] + rng.integers(0, 3, (300, 9)).astype(np.float32) / 100
    coefficients = rng.standard_normal((40, 10))
    best = Best(coefficients, 20, of_burst)
    for first in range(0, 300, step):
        best.offer(vectors[first : first + step], first, bursts[first : first + step])
    assert best.places.tolist() == one_by_one(coefficients, vectors, 20, bursts, of_burst)
    assert np.array_equal(best.bursts, bursts[best.places])


def test_of_some_photos_for_some_people_the_best_are_kept():
    rng = np.random.default_rng(5)
    vectors = rng.standard_normal((100, 9)).astype(np.float32)
    coefficients = rng.standard_normal((5, 10))
    asked = rng.random((5, 100)) < 0.3
    asked[3] = False
    best = Best(coefficients, 8)
    for first in (0, 60):
        rows, columns = np.nonzero(asked[:, first : first + 60])
        best.offer_pairs(rows, columns, vectors[first : first + 60], first)
    _, order = brute_force(coefficients, vectors, 100)
    for row, own in enumerate(order.tolist()):
        expected = [n for n in own if asked[row, n]][:8]
        assert best.places[row].tolist() == expected + [NOWHERE] * (8 - len(expected))
