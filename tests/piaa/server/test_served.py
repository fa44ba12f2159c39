"""Under which of two models a person is learned: the first that has a vector of all that she said."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest

from piaa.server.served import said_under
from piaa.store.place import open_database
from piaa.store.records import AdapterRecord, SeenPhoto
from piaa.store.saying import Saying
from piaa.store.serving import ServingStore
from piaa.store.store import Store

NOW, BEFORE = "1" * 64, "2" * 64


@dataclass(frozen=True)
class OfHash:
    """All that is asked of a model here."""

    generic: SimpleNamespace


MODELS = [OfHash(SimpleNamespace(hash=one)) for one in (NOW, BEFORE)]


def photo(number: int) -> SeenPhoto:
    return SeenPhoto(identity=f"{number:064x}", image=f"{number}.jpg", vector=np.ones(3, np.float32))


@pytest.fixture
def store(tmp_path):
    """Ana rated three photos, of which there are vectors of the model of before."""
    database = open_database(tmp_path / "piaa.db")
    one = Store(database=database)
    ratings = [(photo(number), 3.0) for number in range(3)]
    one.say("ana", Saying(ratings=ratings, model_hash=BEFORE, source="python"))
    yield one
    database.close()


def seen_again(store: Store, *numbers: int) -> None:
    vectors = {photo(number).identity: np.zeros(3, np.float32) for number in numbers}
    ServingStore(store.database).complete(vectors, NOW)


def test_before_until_all_of_her_photos_were_seen_again(store):
    seen_again(store, 0, 1)
    model, said = said_under(store, MODELS, "ana")
    assert (model, len(said.ratings)) == (MODELS[1], 3)
    seen_again(store, 2)
    model, said = said_under(store, MODELS, "ana")
    assert (model, len(said.ratings)) == (MODELS[0], 3)


def test_a_comparison_counts_like_a_rating(store):
    seen_again(store, 0, 1, 2)
    pair = Saying(comparisons=[(photo(0), photo(9), "a")], model_hash=BEFORE, source="python")
    store.say("ana", pair)
    assert said_under(store, MODELS, "ana")[0] == MODELS[1]
    seen_again(store, 9)
    assert said_under(store, MODELS, "ana")[0] == MODELS[0]


def test_if_no_model_has_all_the_one_that_has_most(store):
    store.say("ana", Saying(ratings=[(photo(7), 5.0)], model_hash=NOW, source="http"))
    seen_again(store, 0)
    model, said = said_under(store, MODELS, "ana")
    assert (model, sorted(one.image for one in said.ratings)) == (MODELS[1], ["0.jpg", "1.jpg", "2.jpg"])
    seen_again(store, 1)
    model, said = said_under(store, MODELS, "ana")  # three of each: the model of now
    assert (model, sorted(one.image for one in said.ratings)) == (MODELS[0], ["0.jpg", "1.jpg", "7.jpg"])


def test_with_one_model_it_is_all_that_she_said(store):
    model, said = said_under(store, MODELS[:1], "ana")
    assert (model, len(said.ratings), len(said.vectors)) == (MODELS[0], 3, 0)


def test_who_is_scored_by_the_model_of_now_is_learned_under_it(store):
    """Of photos that are gone it may never have a vector: what she says from then on is to count."""
    seen_again(store, 0)
    said = store.said("ana", NOW).with_vectors()
    record = AdapterRecord(
        adapter="generic",
        model_name="now",
        model_hash=NOW,
        scale_low=1.0,
        scale_high=5.0,
        state=b"",
        ratings=said.ratings,
    )
    store.keep("ana", record, said)
    model, said = said_under(store, MODELS, "ana")
    assert (model, [one.image for one in said.ratings]) == (MODELS[0], ["0.jpg"])
