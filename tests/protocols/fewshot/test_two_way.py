"""The interval over people and photos: each draw by hand, and how often it holds what is true of others."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import spearmanr

from generic.metrics import spearman
from generic.seeds import stream
from protocols.fewshot.summary import bootstrap_interval
from protocols.fewshot.two_way import DRAWS, TwoWay, two_way_interval

IMAGES = [f"{n:02d}.jpg" for n in range(12)]
PEOPLE = {"bo": np.arange(3, 12), "ana": np.arange(0, 9)}


@pytest.fixture
def two_way() -> TwoWay:
    return TwoWay(IMAGES, PEOPLE, seed=0, test="toy")


def drawn() -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """How often each photo and each person is drawn, from the stream that is named for it."""
    generator = stream(0, "two-way", "toy")
    photos = generator.multinomial(12, np.full(12, 1 / 12), size=DRAWS)
    people = generator.multinomial(2, np.full(2, 0.5), size=DRAWS)
    return photos, {"ana": people[:, 0], "bo": people[:, 1]}


def test_each_draw_is_the_correlation_of_the_photos_drawn_as_often_as_drawn(two_way):
    rng = np.random.default_rng(0)
    rows = np.array([2, 3, 5, 7, 8, 0])
    predicted, rated = rng.integers(0, 4, 6) / 4, rng.integers(1, 4, 6) / 4
    found = two_way.correlations(rows, predicted, rated)
    photos, _ = drawn()
    for draw, counts in enumerate(photos[:, rows]):
        p, r = (np.repeat(side, counts) for side in (predicted, rated))
        if len(set(r)) < 2:
            assert math.isnan(found[draw])
        else:
            expected = spearmanr(p, r).statistic if len(set(p)) > 1 else 0.0
            assert found[draw] == pytest.approx(expected, abs=1e-5)


def test_people_count_as_often_as_drawn_and_only_where_they_have_a_correlation(two_way):
    rng = np.random.default_rng(1)
    values = {"ana": rng.random(DRAWS), "bo": rng.random(DRAWS)}
    values["bo"][::3] = np.nan
    found = two_way.means(list(values), list(values.values()))
    _, people = drawn()
    for draw in range(DRAWS):
        pairs = [(values[user][draw], people[user][draw]) for user in values]
        there = [(value, times) for value, times in pairs if times and not np.isnan(value)]
        if there:
            numbers, times = zip(*there, strict=True)
            assert found[draw] == pytest.approx(np.average(numbers, weights=times), abs=1e-6)
        else:
            assert math.isnan(found[draw])


def test_draws_depend_on_names_and_not_on_the_order_of_rows():
    backwards = IMAGES[::-1]
    people = {"ana": 11 - PEOPLE["ana"], "bo": 11 - PEOPLE["bo"]}
    scores = np.random.default_rng(2).random((2, 9))
    one = TwoWay(IMAGES, PEOPLE, seed=0, test="toy").correlations(PEOPLE["ana"], *scores)
    two = TwoWay(backwards, people, seed=0, test="toy").correlations(people["ana"], *scores)
    np.testing.assert_array_equal(one, two)
    other = TwoWay(IMAGES, PEOPLE, seed=1, test="toy").correlations(PEOPLE["ana"], *scores)
    assert (one != other).any()


def test_an_interval_needs_draws_that_differ():
    assert two_way_interval(0.5, [0.4, math.nan, 0.6]) == pytest.approx((0.5 - 1.96 * 0.02**0.5, 0.777186))
    for draws in ([], [0.5], [0.5, 0.5], [math.nan] * 3):
        assert np.isnan(two_way_interval(0.5, draws)).all()


# ---- coverage ----

N_PEOPLE, N_PHOTOS = 20, 60
STUDIES = 150


def study(rng: np.random.Generator, n_people: int, n_photos: int) -> tuple[np.ndarray, np.ndarray]:
    """A generic score of correlation 0.75 with the crowd's mean, and what each person gave each photo."""
    crowd = rng.standard_normal(n_photos)
    generic = 0.75 * crowd + math.sqrt(1 - 0.75**2) * rng.standard_normal(n_photos)
    follows = np.clip(1 + 0.3 * rng.standard_normal(n_people), 0.1, None)
    own = rng.standard_normal((n_people, n_photos))
    return generic, np.round(1.2 * (follows[:, None] * crowd + own))


def levels(generic: np.ndarray, ratings: np.ndarray) -> np.ndarray:
    return np.array([spearman(generic, own) for own in ratings])


@pytest.fixture(scope="module")
def truth() -> float:
    """The mean over other people and other photos: of many studies of many photos."""
    rng = np.random.default_rng(10)
    return float(np.mean([levels(*study(rng, 10, 600)).mean() for _ in range(150)]))


def test_the_interval_over_people_and_photos_holds_what_is_true_and_that_over_people_does_not(truth):
    """New people and new photos in each study: 95 % by the one, little more than half by the other."""
    rng, hits = np.random.default_rng(11), {"two-way": 0, "people": 0}
    for number in range(STUDIES):
        generic, ratings = study(rng, N_PEOPLE, N_PHOTOS)
        people = {f"{n:02d}": np.arange(N_PHOTOS) for n in range(N_PEOPLE)}
        two_way = TwoWay([f"{n:02d}" for n in range(N_PHOTOS)], people, seed=number, test="toy")
        drawn = [two_way.correlations(people[user], generic, ratings[int(user)]) for user in people]
        each = levels(generic, ratings)
        low, high = two_way_interval(float(each.mean()), two_way.means(list(people), drawn))
        hits["two-way"] += low <= truth <= high
        low, high = bootstrap_interval(each[:, None], stream(number, "bootstrap"))
        hits["people"] += low <= truth <= high
    assert 0.92 <= hits["two-way"] / STUDIES <= 0.995
    assert hits["people"] / STUDIES < 0.7


def gains(rng: np.random.Generator, n: int, crowd: np.ndarray, generic: np.ndarray) -> np.ndarray:
    """Of an adapter that knows part of each person's own taste: its SRCC minus that of the generic score."""
    own = rng.standard_normal((n, len(crowd)))
    ratings = np.round(1.2 * (crowd + own))
    learned = generic + 0.4 * rng.random((n, 1)) * own
    better = [spearman(p, r) for p, r in zip(learned, ratings, strict=True)]
    return np.array(better) - levels(generic, ratings)


def photos(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """What the crowd thinks of new photos, and a generic score of them."""
    crowd, noise = rng.standard_normal((2, N_PHOTOS))
    return crowd, 0.75 * crowd + math.sqrt(1 - 0.75**2) * noise


def held(rng: np.random.Generator, number: int, expected: float, pictures: tuple) -> bool:
    low, high = bootstrap_interval(gains(rng, N_PEOPLE, *pictures)[:, None], stream(number, "bootstrap"))
    return low <= expected <= high


def test_the_interval_over_people_holds_a_difference_on_these_photos():
    """For other people of the same photos; a percentile interval of so few people is a little short."""
    rng = np.random.default_rng(12)
    same = photos(rng)
    expected = gains(rng, 4000, *same).mean()
    hits = sum(held(rng, number, expected, same) for number in range(300))
    assert 0.89 <= hits / 300 <= 0.98


def test_on_other_photos_the_interval_of_a_difference_is_too_short_but_far_less_than_that_of_a_level():
    rng = np.random.default_rng(13)
    expected = np.mean([gains(rng, 10, *photos(rng)).mean() for _ in range(400)])
    hits = sum(held(rng, number, expected, photos(rng)) for number in range(300))
    assert 0.75 <= hits / 300 <= 0.9
