"""Learning from what a store knows: what is missing is told, what is damaged is left out and named."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest

from generic.errors import ModelMismatch, PiaaError, TooFewRatings
from piaa.adapters.registry import make_adapter
from piaa.people.learn import adapter_name, learn
from piaa.store.records import StoredComparison
from piaa.store.said import Said
from piaa.store.store import Store

DAMAGED = "its vector in the store is damaged; give the rating again, with the photo"


@pytest.fixture
def ridge(model):
    return lambda: make_adapter("ridge", model.prior)


@pytest.fixture
def said(fitted, model, part, store):
    """What ana said, who rated three photos."""
    fitted(part(0, 1, 2)).save(store)
    return Store(store).said("ana", model.generic.hash)


def damage(store, image):
    """Flip a bit of the vector of a photo."""
    chosen = "SELECT photo_id FROM ratings WHERE image = ?"
    with closing(sqlite3.connect(store)) as file, file:
        (vector,) = file.execute(
            f"SELECT vector FROM vectors WHERE photo_id IN ({chosen})", (image,)
        ).fetchone()
        broken = bytes([vector[0] ^ 1]) + vector[1:]
        file.execute(f"UPDATE vectors SET vector = ? WHERE photo_id IN ({chosen})", (broken, image))


def test_nothing_was_said(model, ridge):
    with pytest.raises(TooFewRatings) as caught:
        learn(model, "ana", Said(), ridge)
    assert str(caught.value) == (
        "user 'ana' gave 0 ratings, but at least 1 is needed; rate some photos first"
    )


def test_vectors_of_another_model_are_no_vectors(model, ridge, said, store):
    with pytest.raises(ModelMismatch) as caught:
        learn(model, "ana", Store(store).said("ana", "ab" * 32), ridge)
    message = (
        f"of 3 of 3 photos that user 'ana' rated there is no vector of model piaa-tiny "
        f"{model.generic.hash[:8]}; have the photos read anew (piaa users refit ana --images "
        "DIR), or use the model under which they were rated"
    )
    assert str(caught.value) == message
    some = replace(said, vectors=dict(list(said.vectors.items())[:2]))
    with pytest.raises(ModelMismatch) as caught:
        learn(model, "ana", some, ridge)
    assert str(caught.value) == message.replace("3 of 3", "1 of 3")


def test_a_damaged_vector_is_left_out_and_named(fitted, model, part, names, said, store, scores):
    damage(store, names[1])
    person = model.refit("ana", store=store)
    assert person.skipped == {names[1]: DAMAGED}
    assert [one.image for one in person.ratings] == [names[0], names[2]]
    assert scores(person) == scores(fitted(part(0, 2)))
    assert {one.image for one in Store(store).said("ana", model.generic.hash).ratings} == set(part(0, 1, 2))


def test_a_damaged_vector_is_mended_by_rating_again(fitted, model, part, names, said, store, scores):
    damage(store, names[1])
    fitted(part(1)).save(store, add=True)
    person = model.refit("ana", store=store)
    assert (person.skipped, len(person.ratings)) == ({}, 3)


def test_every_vector_is_damaged(model, names, said, store):
    for name in names[:3]:
        damage(store, name)
    with pytest.raises(TooFewRatings) as caught:
        model.refit("ana", store=store)
    assert str(caught.value) == (
        f"none of the 3 ratings of user 'ana' can be used; the first is of {names[0]!r}: {DAMAGED}"
    )


@pytest.fixture
def auto(model):
    return lambda: make_adapter("auto", model.prior)


def test_an_adapter_of_ratings_learns_nothing_from_comparisons(model, said, ridge):
    one, other, _ = (rating.photo for rating in said.ratings)
    compared = StoredComparison(a="a.jpg", b="b.jpg", a_photo=one, b_photo=other)
    with pytest.raises(TooFewRatings) as caught:
        learn(model, "ana", Said(comparisons=(compared,), vectors=said.vectors), ridge)
    assert str(caught.value) == (
        "user 'ana' gave 1 comparison and no rating, but adapter 'ridge' learns from ratings alone; rate "
        "some photos, or use the adapter auto"
    )
    beside = replace(said, comparisons=(compared,))
    learned = learn(model, "ana", beside, ridge)
    assert (learned.comparisons, learned.n_unused) == ((), 1)


def test_ratings_and_comparisons_are_learned_from_together(model, said, auto):
    one, other, _ = (rating.photo for rating in said.ratings)
    compared = StoredComparison(a="a.jpg", b="b.jpg", outcome="equal", a_photo=one, b_photo=other)
    learned = learn(model, "ana", replace(said, comparisons=(compared,)), auto)
    assert (learned.ratings, learned.comparisons, learned.n_unused) == (said.ratings, (compared,), 0)
    assert len(learned.adapter.support[1]) == 3
    assert learned.adapter.compared.equal.tolist() == [True]


def test_a_comparison_is_the_same_from_either_side(model, said, auto):
    one, other, third = (rating.photo for rating in said.ratings)

    def state(*outcomes):
        compared = [
            StoredComparison(a="a.jpg", b="b.jpg", outcome=outcome, a_photo=a, b_photo=b)
            for a, b, outcome in outcomes
        ]
        what = Said(comparisons=tuple(compared), vectors=said.vectors)
        return learn(model, "ana", what, auto).adapter.state()

    expected = state((one, other, "a"), (other, third, "b"), (one, third, "equal"))
    same = state((other, one, "b"), (third, other, "a"), (third, one, "equal"))
    learned = [key for key in expected if not key.startswith("support.")]
    assert all(np.array_equal(expected[key], same[key]) for key in learned)


def test_comparisons_alone_are_not_for_every_adapter(said):
    comparison = StoredComparison(a="a.jpg", b="b.jpg", a_photo="1", b_photo="2")
    alone = Said(comparisons=(comparison, comparison))
    found = [adapter_name(alone, wanted, "ridge") for wanted in (None, "pairs", "auto", "bayes")]
    assert found == ["pairs", "pairs", "auto", "bayes"]
    assert [adapter_name(said, wanted, "auto") for wanted in (None, "ridge")] == ["auto", "ridge"]
    with pytest.raises(PiaaError) as caught:
        adapter_name(alone, "ridge", "auto")
    assert str(caught.value) == (
        "adapter 'ridge' learns from ratings, but she gave 2 comparisons and no rating; leave it out, or "
        "rate some photos"
    )
