"""A prior learned on embeddings of any scale, from a group's ratings."""

from __future__ import annotations

import numpy as np
import pytest

from generic.errors import TooFewRatings
from generic.metrics import spearman
from piaa.adapters.linear_form import LinearForm
from piaa.adapters.linear_forms import LinearForms
from piaa.adapters.prior import Prior, Projection
from piaa.adapters.registry import ADAPTERS, make_adapter
from piaa.people.learn_prior import prior_of

N, D = 120, 40


def group(n_people=60, *, error=0.0, seed=0):
    """Raw vectors of photos, and people who differ in two directions of the six that the photos vary in."""
    rng = np.random.default_rng(seed)
    hidden = rng.standard_normal((N, 6))
    embedding = 7 + 30 * hidden @ rng.standard_normal((6, D)) + 1e-3 * rng.standard_normal((N, D))
    crowd = 0.5 + 0.08 * rng.standard_normal(N)
    people = []
    for number in range(n_people):
        rows = rng.choice(N, 60, replace=False)
        taste = rng.normal(0, 0.08, 2)
        scores = crowd[rows] + hidden[rows, :2] @ taste + 0.05 * rng.standard_normal(60)
        people.append((f"p{number}", np.sort(rows), scores[np.argsort(rows)]))
    vectors = np.column_stack((crowd + error * rng.standard_normal(N), embedding))
    return vectors, people


ALL = np.ones(N, bool)


def test_directions_are_those_of_the_photos_with_unit_variance():
    vectors, people = group()
    prior, n_people, n_photos = prior_of(vectors, ALL, people)
    assert (n_people, n_photos) == (60, N)
    seen = prior.directions(vectors)
    assert seen.shape[1] <= N // 4
    np.testing.assert_allclose(seen.mean(axis=0), 0, atol=1e-9)
    np.testing.assert_allclose(np.cov(seen.T, bias=True), np.eye(seen.shape[1]), atol=1e-6)


def test_it_survives_a_file():
    prior, _, _ = prior_of(*group()[:1], ALL, group()[1])
    again = Prior.from_tensors(prior.tensors())
    x = group(seed=3)[0]
    np.testing.assert_array_equal(again.basis(x), prior.basis(x))


@pytest.mark.parametrize("name", ["bayes", "auto"])
def test_people_like_those_who_taught_are_learned_better_with_it(name):
    vectors, people = group()
    prior, _, _ = prior_of(vectors, ALL, people[:50])
    gains = []
    for _, rows, scores in people[50:]:
        x, new = vectors[rows[:15]], vectors[rows[15:]]
        with_prior = ADAPTERS[name](prior).fit(x, scores[:15]).predict(new).score
        ridge = ADAPTERS["ridge"](None).fit(x, scores[:15]).predict(new).score
        gains.append(spearman(with_prior, scores[15:]) - spearman(ridge, scores[15:]))
    assert np.mean(gains) > 0.02


@pytest.mark.parametrize("name", ["bias", "bayes", "auto", "neighbours", "pairs"])
def test_every_adapter_runs_on_it_and_linear_forms_give_the_same_scores(name):
    vectors, people = group()
    prior, _, _ = prior_of(vectors, ALL, people)
    adapter = make_adapter(name, prior).fit(vectors[:9].astype(np.float32), people[0][2][:9])
    got = adapter.predict(vectors[20:30]).score
    if adapter.has_linear_form:
        form = LinearForm.unpack(adapter.linear_form().pack(), prior, D)
        np.testing.assert_allclose(
            LinearForms.of([form]).unit_scores(vectors[20:30], prior)[0], got, rtol=0, atol=1e-8
        )


def test_what_the_score_errs_by_is_learned_from_photos_that_are_new_to_the_model():
    vectors, people = group()  # scores equal to the crowd's: of photos that were learned by heart
    new = np.arange(N) < 40
    vectors[new, 0] += 0.1 * np.random.default_rng(1).standard_normal(40)
    trusting, _, _ = prior_of(vectors[:], ALL & True, people)
    careful, _, _ = prior_of(vectors, new, people)
    assert careful.noise.min() > trusting.noise.min() + 0.005
    assert careful.noise.min() == pytest.approx(0.1**2 + 0.05**2, rel=0.5)


def test_too_few_people_or_new_photos():
    vectors, people = group()
    with pytest.raises(TooFewRatings) as caught:
        prior_of(vectors, ALL, people[:19])
    assert str(caught.value) == (
        "19 people rated photos that 5 or more rated, and 20 are needed to tell how people differ; give "
        "ratings of more people of the same photos"
    )
    with pytest.raises(TooFewRatings) as caught:
        prior_of(vectors, np.arange(N) < 19, people)
    assert str(caught.value) == (
        "19 photos that 5 or more people rated are new to the model, and 20 are needed to tell how far its "
        "scores err; give ratings of photos that it was not trained on"
    )


def test_a_projection_keeps_a_quarter_of_the_photos_at_most():
    flat = np.random.default_rng(0).standard_normal((20, 50))
    assert Projection.of(flat, most=128).axes.shape == (5, 50)
    assert Projection.of(np.repeat(flat[:, :2], 25, axis=1), most=128).axes.shape == (2, 50)
