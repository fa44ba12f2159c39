"""``auto`` on vectors with a richer part: heard where the ratings speak for it, and nothing else changes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from generic.metrics import spearman
from generic.seeds import stream
from piaa.adapters.auto import AutoAdapter, mixture_of
from piaa.adapters.compared import Compared
from piaa.adapters.linear_form import LinearForm
from piaa.adapters.linear_forms import LinearForms
from piaa.adapters.neighbours import NeighboursAdapter
from piaa.adapters.prior import Prior

R = 40


@pytest.fixture(scope="module")
def wide(prior) -> Prior:
    """The prior of a model whose vectors have a richer part."""
    return replace(prior, n_richer=R)


@pytest.fixture(scope="module")
def photos(wide):
    """Vectors of 260 photos."""
    draw = stream(0, "test", "richer")
    x = draw.normal(size=(260, 1 + wide.n_directions + R))
    x[:, 0] = draw.uniform(0.3, 0.7, len(x))
    return x.astype(np.float32)


def rated(photos, prior, weights, *, noise=0.05):
    """Unit scores of somebody with these weights on the richer part, beside the crowd's taste."""
    draw = stream(1, "test", "richer")
    scores = 0.5 * photos[:, 0] + 0.25 + photos[:, -R:] @ weights + draw.normal(0, noise, len(photos))
    return scores.clip(0, 1)


def test_a_taste_that_only_the_richer_part_shows_is_learned(photos, wide, prior):
    scores = rated(photos, wide, np.r_[0.1, 0.06, np.zeros(R - 2)])
    gains = []
    for used in (wide, prior):
        fitted = AutoAdapter(used).fit(photos[:100], scores[:100])
        gains.append(spearman(fitted.predict(photos[100:]).score, scores[100:]))
    assert gains[0] > gains[1] + 0.3


def test_who_has_no_such_taste_is_ranked_as_without(photos, wide, prior):
    scores = rated(photos, wide, np.zeros(R), noise=0.1)
    found = [
        AutoAdapter(used).fit(photos[:100], scores[:100]).predict(photos[100:]) for used in (wide, prior)
    ]
    assert spearman(found[0].score, found[1].score) > 0.98


def test_neighbours_takes_the_part_that_the_ratings_speak_for(photos, wide, prior):
    for weights, gain in ((np.r_[0.1, 0.06, np.zeros(R - 2)], 0.1), (np.zeros(R), 0.0)):
        scores = rated(photos, wide, weights)
        found = []
        for used in (wide, prior):
            fitted = NeighboursAdapter(used).fit(photos[:100], scores[:100])
            again = NeighboursAdapter(used).restore(fitted.state())
            found.append(spearman(again.predict(photos[100:]).score, scores[100:]))
        assert found[0] >= found[1] + gain


def test_weights_before_the_ratings_sum_to_one(wide):
    for richer in (False, True):
        assert np.exp(mixture_of(wide, richer=richer).log_weights).sum() == pytest.approx(1)


def test_the_small_form_is_learned_as_without_a_richer_part(photos, wide, prior):
    scores, small = rated(photos, wide, np.full(R, 0.02)), photos[:, :-R]
    one, other = (AutoAdapter(used).fit(small[:30], scores[:30]).predict(small) for used in (wide, prior))
    assert np.array_equal(one.score, other.score)


def test_one_rating_or_one_scene_makes_no_interval_of_the_whole_scale(photos, wide, prior):
    scene = photos[:1] + np.float32(1e-3) * photos[1:4]
    for rated_photos in (photos[:1], scene):
        scores = np.linspace(0.5, 0.6, len(rated_photos))
        one, other = (
            AutoAdapter(used).fit(rated_photos, scores).predict(photos[100:]) for used in (wide, prior)
        )
        assert np.all(one.high - one.low < 1.5 * (other.high - other.low))


@pytest.mark.parametrize("k", [1, 2, 30])
def test_linear_form_and_state_say_the_same(photos, wide, k):
    scores = rated(photos, wide, np.full(R, 0.02))
    fitted = AutoAdapter(wide).fit(photos[:k], scores[:k])
    expected = fitted.predict(photos[200:])
    packed = fitted.linear_form().pack()
    d = photos.shape[1] - 1
    assert len(packed) == 8 * (2 + d + k) + 4 * k * (1 + wide.n_directions) + 1
    form = LinearForm.unpack(packed, wide, d)
    np.testing.assert_allclose(
        LinearForms.of([form]).unit_scores(photos[200:], wide)[0], expected.score, atol=1e-9
    )
    again = AutoAdapter(wide).restore(fitted.state())
    assert np.array_equal(again.predict(photos[200:]).score, expected.score)
    (batch,) = AutoAdapter(wide).fit_many([photos[:k]], [scores[:k]])
    assert np.array_equal(batch.predict(photos[200:]).score, expected.score)


def test_many_ratings_are_heard_through_stand_ins(photos, wide):
    class Few(AutoAdapter):
        exact = 80

    scores = rated(photos, wide, np.r_[0.1, 0.06, np.zeros(R - 2)])
    exact, few = (kind(wide).fit(photos[:160], scores[:160]) for kind in (AutoAdapter, Few))
    one, other = (fitted.predict(photos[160:]) for fitted in (exact, few))
    assert spearman(one.score, other.score) > 0.97
    again = Few(wide).restore(few.state())
    assert np.array_equal(again.predict(photos[160:]).score, other.score)


def test_a_model_file_keeps_it(wide):
    again = Prior.from_tensors(wide.tensors())
    assert again.n_richer == R
    assert not again.knows_richer(1 + wide.n_directions)


def test_comparisons_are_heard_in_the_richer_part(photos, wide, prior):
    scores = rated(photos, wide, np.r_[0.1, 0.06, np.zeros(R - 2)], noise=0.0)
    order = stream(2, "test", "richer").permutation(100)
    one, other = order[:50], order[50:]
    better = scores[one] > scores[other]
    compared = Compared(
        one=photos[np.where(better, one, other)],
        other=photos[np.where(better, other, one)],
        equal=np.zeros(50, bool),
    )
    found = []
    for used in (wide, prior):
        fitted = AutoAdapter(used).fit_both(photos[100:130], scores[100:130], compared)
        expected = fitted.predict(photos[130:])
        form = LinearForm.unpack(fitted.linear_form().pack(), used, photos.shape[1] - 1)
        np.testing.assert_allclose(
            LinearForms.of([form]).unit_scores(photos[130:], used)[0], expected.score, atol=1e-6
        )
        again = AutoAdapter(used).restore(fitted.state())
        assert np.array_equal(again.predict(photos[130:]).score, expected.score)
        found.append(spearman(expected.score, scores[130:]))
        chances = fitted.preferring(photos[130:190], photos[190:250])
        turned = fitted.preferring(photos[190:250], photos[130:190])
        np.testing.assert_allclose(chances + turned, 1, atol=1e-9)
        assert spearman(chances, expected.score[:60] - expected.score[60:120]) > 0.9
    assert found[0] > found[1] + 0.1
