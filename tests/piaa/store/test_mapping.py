"""Vectors that were worked out from another model's: where they count, and where they do not."""

from __future__ import annotations

import numpy as np
import pytest

from piaa.store.mapping import MapStore
from piaa.store.serving import ServingStore
from piaa.store.store import Store

N_BOTH = 4
"""Photos 1 to 4 were seen by both models, those above by the one of before alone."""


@pytest.fixture
def old(sayings) -> str:
    return sayings.MODEL


@pytest.fixture
def new(sayings) -> str:
    return sayings.OTHER_MODEL


@pytest.fixture
def moved(store, sayings, new):
    """Ana rated six photos, of which four were seen by the model of now, and compared one; ben rated two."""
    store.say("ana", sayings.rated({number: number for number in range(1, 6)}))
    store.say("ana", sayings.compared((1, 6, "a")))
    store.say("ben", sayings.rated({4: 2, 7: 3}))
    seen = {sayings.photo(n).identity: sayings.vector(100 + n) for n in range(1, N_BOTH + 1)}
    ServingStore(store.database).complete(seen, new)
    return store


def map_all(store, old, new, value: float = 1.0) -> dict[int, np.ndarray]:
    maps = MapStore(store.database)
    found = maps.gone(old, new, [one.user for one in store.users()])
    vectors = {photo: np.full(9, value, np.float32) for photo in found}
    maps.keep(vectors, new)
    return found


def test_which_model_and_which_photos(moved, sayings, old, new):
    maps = MapStore(moved.database)
    assert maps.model_before(new) == old
    assert maps.model_before(old) is None
    pairs = maps.pairs(old, new)
    np.testing.assert_array_equal(pairs.old, [sayings.vector(n) for n in range(1, N_BOTH + 1)])
    np.testing.assert_array_equal(pairs.new, [sayings.vector(100 + n) for n in range(1, N_BOTH + 1)])
    (ana,) = maps.judges(pairs, 2, 10)
    assert (ana.user, ana.rows.tolist(), ana.scores.tolist()) == ("ana", [0, 1, 2, 3], [0, 0.25, 0.5, 0.75])
    assert [one.user for one in maps.judges(pairs, 1, 10)] == ["ana", "ben"]
    assert len(maps.judges(pairs, 1, 1)) == 1
    for users, numbers in ((["ana"], {5, 6}), (["ben"], {7}), (["ana", "ben", "nobody"], {5, 6, 7})):
        found = maps.gone(old, new, users)
        assert sorted(map(bytes, found.values())) == sorted(bytes(sayings.vector(n)) for n in numbers)


def test_mapped_vectors_are_learned_from_and_told(moved, sayings, old, new):
    before = moved.said("ana", new)
    assert before.mapped == frozenset()
    map_all(moved, old, new)
    said = moved.said("ana", new)
    assert said.mapped == {sayings.photo(5).identity, sayings.photo(6).identity}
    assert len(said.vectors) == 6
    assert said.digest != before.digest
    assert MapStore(moved.database).model_before(new) is None


def test_a_photo_that_is_seen_takes_the_place_of_its_mapped_vector(moved, sayings, old, new):
    map_all(moved, old, new)
    serving = ServingStore(moved.database)
    own = sayings.vector(105)
    assert serving.complete({sayings.photo(5).identity: own}, new) == 1
    assert serving.complete({sayings.photo(5).identity: own}, new) == 0
    np.testing.assert_array_equal(moved.said("ana", new).vectors[sayings.photo(5).identity], own)
    MapStore(moved.database).keep({1: np.zeros(9, np.float32), 5: np.zeros(9, np.float32)}, new)
    assert moved.said("ana", new).mapped == {sayings.photo(6).identity}
    np.testing.assert_array_equal(moved.said("ana", new).vectors[sayings.photo(5).identity], own)


def test_a_version_learned_from_mapped_vectors_outlives_them(moved, sayings, old, new):
    map_all(moved, old, new)
    said = moved.said("ana", new)
    record, _ = sayings.fitted(moved, "ana", model_hash=new)
    mapped = np.stack([said.vectors[one.photo] for one in said.ratings])
    state = sayings.packed({"x": np.ones(1), sayings.FEATURES: mapped, sayings.SCORES: np.ones(5)})
    moved.keep("ana", type(record)(**{**record.__dict__, "state": state, "extra": {"n_mapped": 1}}), said)
    ServingStore(moved.database).complete({sayings.photo(5).identity: sayings.vector(105)}, new)
    assert moved.load("ana").state == state


def test_a_photo_is_not_scored_by_a_mapped_vector(moved, sayings, old, new):
    map_all(moved, old, new)
    hashes = [sayings.photo(number).sha256 for number in (4, 5)]
    assert list(ServingStore(moved.database).photos_of("ana", hashes, new)) == hashes[:1]


def test_an_export_holds_what_models_saw(moved, old, new, tmp_path):
    map_all(moved, old, new)
    content = moved.export("ana", tmp_path / "ana.json")
    assert sum(one.model_hash == new for one in content.vectors) == N_BOTH
    other = Store(tmp_path / "other.db")
    other.import_(tmp_path / "ana.json")
    assert other.said("ana", new).mapped == frozenset()
    assert len(other.said("ana", new).vectors) == N_BOTH


def test_of_two_photos_that_become_one_the_own_vector_stays(moved, sayings, old, new):
    map_all(moved, old, new)
    own = sayings.vector(205)
    twin = sayings.photo(5, identity=sayings.photo(5).sha256, image="old.jpg", vector=own, sha256=None)
    moved.say("cleo", sayings.rated({}, ratings=[(twin, 2)], model_hash=new))
    moved.say("dora", sayings.rated({5: 3}, model_hash=new))
    vectors = moved.said("ana", new).vectors
    assert moved.said("ana", new).mapped == {sayings.photo(6).identity}
    assert any(np.array_equal(vectors[sayings.photo(5).identity], one) for one in (own, sayings.vector(5)))
