"""Choices are made by the held-out users who gave enough ratings, and not by those who gave fewest."""

from __future__ import annotations

import numpy as np
import pytest

from piaa.meta.choose import attempt, choose, possible
from piaa.meta.episodes import Held, Rater
from piaa.meta.head import Standard

N = 120
VECTORS = np.random.default_rng(0).random((N, 3))
UNITS = 2
START = {
    "body.weight": np.full((UNITS, 3), 0.1),
    "body.bias": np.zeros(UNITS),
    "last.weight": np.zeros((1, UNITS + 1)),
    "last.bias": np.zeros(1),
}


def held(*n_ratings):
    rng = np.random.default_rng(1)
    return [
        Held(
            rater=Rater(name=f"u{number}", rows=np.arange(n), targets=rng.normal(0, 0.1, n)),
            query=Rater(name=f"u{number}", rows=np.arange(110, N), targets=rng.normal(0, 0.1, 10)),
        )
        for number, n in enumerate(n_ratings)
    ]


@pytest.mark.parametrize(
    ("n_ratings", "shots", "wanted"),
    [
        ([110] * 30, (1, 100), [1, 3, 10, 30, 100]),
        ([110] * 30 + [2], (1, 100), [1, 3, 10, 30, 100]),
        ([110] * 10 + [12] * 30, (1, 100), [1, 3, 10]),
        ([110] * 30, (3, 20), [3, 10]),
        ([40] * 9, (5, 8), [5]),
    ],
)
def test_the_numbers_of_ratings_that_most_users_have(n_ratings, shots, wanted):
    assert possible(held(*n_ratings), shots) == wanted


def test_users_with_too_few_ratings_take_no_part():
    people, options = held(50, 4, 50, 9), {"steps": 1, "caution": 3.0, "seed": 0}
    rates = {"last.bias": np.full(1, 0.1)}
    trial = attempt(people, VECTORS, Standard.of(VECTORS), START, rates, k=10, **options)
    both = attempt([people[0], people[2]], VECTORS, Standard.of(VECTORS), START, rates, k=10, **options)
    np.testing.assert_array_equal(trial.query, both.query)
    _, figures = choose(people, VECTORS, Standard.of(VECTORS), START, rates, shots=(1, 100), seed=0)
    assert {name: found["users"] for name, found in figures.items()} == {"k=1": 4, "k=3": 4, "k=10": 2}
