"""What parts a score from another, against the adapters' own predictions; the nearest, against SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from piaa.adapters.linear_form import LinearForm
from piaa.adapters.linear_forms import LinearForms
from piaa.adapters.registry import make_adapter, names_where
from piaa.people.model import load_model
from piaa.people.reasons import N_DIRECTIONS, nearest, parts_of
from piaa.store.records import StoredRating

LINEAR = [name for name in names_where(lambda kind: kind.has_linear_form) if name != "anil"]
K, WIDTH = 12, 4.0
D = load_model(cache=False).prior.n_directions


@pytest.fixture(scope="module")
def prior():
    return load_model(cache=False).prior


@pytest.fixture(scope="module")
def rated():
    draws = np.random.default_rng(5)
    vectors = draws.standard_normal((K + 1, 1 + D)).astype(np.float32)
    vectors[:, 0] = 0.5 + 0.05 * vectors[:, 0]
    return vectors.astype(np.float64)


IMAGES = [f"photo-{number}.jpg" for number in range(K)]
RATINGS = [StoredRating(image=name, score=float(row % 5)) for row, name in enumerate(IMAGES)]


@pytest.fixture(params=LINEAR)
def person(request, prior, rated):
    scores = np.clip(0.5 + 0.2 * rated[:K, 3] + 0.1 * rated[:K, 7], 0, 1)
    return make_adapter(request.param, prior).fit(rated[:K].astype(np.float32), scores)


def test_the_parts_add_up_to_the_difference_of_the_scores(person, prior, rated):
    photo = rated[K]
    parts = parts_of(person.linear_form(), photo, rated[:K], RATINGS, prior, WIDTH)
    both = person.predict(np.stack([photo, rated[:K].mean(axis=0)])).score
    assert np.all((both > 0.1) & (both < 0.9)), "bent scores differ by less"
    assert parts.total == pytest.approx(WIDTH * (both[0] - both[1]), abs=1e-9)


def test_a_direction_adds_what_the_score_loses_without_it(person, prior, rated):
    form, photo, mean = person.linear_form(), rated[K], rated[:K].mean(axis=0)
    for one in parts_of(form, photo, rated[:K], RATINGS, prior, WIDTH).directions:
        without = photo.copy()
        without[one.number] = mean[one.number]
        line = LinearForm(coefficients=form.coefficients)
        with_it, less = LinearForms.of([line]).unit_scores(np.stack([photo, without]), prior)[0]
        assert one.adds == pytest.approx(WIDTH * (with_it - less), abs=1e-9)


def test_directions_are_the_largest_and_shown_by_the_photos_farthest_out(prior, rated):
    coefficients = np.zeros(2 + D)
    coefficients[2 + np.arange(6)] = [0.1, -3.0, 2.0, 0.0, -0.5, 1.0]
    photo = np.ones(1 + D)
    shown = parts_of(LinearForm(coefficients=coefficients), photo, rated[:K], RATINGS, prior, WIDTH)
    adds = WIDTH * coefficients[2:] * (1 - rated[:K, 1:].mean(axis=0))
    assert [one.number for one in shown.directions] == list(1 + np.argsort(-np.abs(adds))[:N_DIRECTIONS])
    assert shown.others == pytest.approx(adds.sum() - sum(one.adds for one in shown.directions), abs=1e-12)
    for one in shown.directions:
        order = np.argsort(rated[:K, one.number])
        ends = [[(one.image, one.score) for one in some] for some in (one.towards, one.away)]
        rows = (order[-1], order[-2]), (order[0], order[1])
        assert ends == [[(RATINGS[row].image, RATINGS[row].score) for row in some] for some in rows]


def test_who_goes_by_nothing_has_no_directions(prior, rated):
    shown = parts_of(LinearForm(coefficients=np.zeros(2 + D)), rated[K], rated[:K], RATINGS, prior, WIDTH)
    assert (shown.directions, shown.total) == ((), 0)


def test_the_nearest_without_a_prior_are_those_of_scipy(rated):
    found = nearest(rated[K], rated[:K], RATINGS, None, n=4)
    squares = cdist(rated[K:, 1:], rated[:K, 1:], "sqeuclidean")[0] / (2 * D)
    order = np.argsort(squares)[:4]
    assert [one.image for one in found] == [IMAGES[row] for row in order]
    assert [one.score for one in found] == [float(row % 5) for row in order]
    assert [one.likeness for one in found] == pytest.approx(np.exp(-squares[order] / 2), abs=1e-9)


def test_a_photo_that_she_rated_is_the_nearest_to_itself(prior, rated):
    ratings = [StoredRating(image=name, score=3.0) for name in IMAGES]
    first = nearest(rated[4], rated[:K], ratings, prior)[0]
    assert (first.image, first.likeness) == (IMAGES[4], pytest.approx(1, abs=1e-9))
