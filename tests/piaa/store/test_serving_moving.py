"""From one model to the next: whose vectors are complete, and who is left."""

from __future__ import annotations

import numpy as np

from piaa.store.jobs import JobStore
from piaa.store.serving import ServingStore


def seen(sayings, *numbers: int) -> dict[str, np.ndarray]:
    """Vectors of photos under another model, by identity."""
    return {sayings.photo(number).identity: sayings.vector(100 + number) for number in numbers}


def test_people_are_ready_with_the_last_of_their_photos(store, sayings):
    for user, scores in (("ana", {1: 2, 2: 3}), ("ben", {2: 4, 3: 5}), ("cleo", {1: 1})):
        store.say(user, sayings.rated(scores))
    sayings.fit(store, "ana")
    sayings.fit(store, "ben")
    serving, now, before = ServingStore(store.database), sayings.OTHER_MODEL, sayings.MODEL
    assert serving.n_left(now, before) == 2  # nothing was learned of cleo
    assert serving.ready_to_move(now, before, ()) == []
    assert serving.complete(seen(sayings, 1, 99), now) == 1  # nobody said anything of 99
    assert serving.complete(seen(sayings, 1), now) == 0
    assert serving.ready_to_move(now, before, ()) == []
    assert serving.complete(seen(sayings, 2), now) == 1
    assert serving.ready_to_move(now, before, ()) == [("ana", "ridge")]
    assert serving.ready_to_move(now, before, {"ana"}) == []
    np.testing.assert_array_equal(
        store.said("ana", now).vectors[sayings.photo(1).identity], sayings.vector(101)
    )
    JobStore(store.database).enqueue("ana", "ridge")
    assert serving.ready_to_move(now, before, ()) == []
    sayings.fit(store, "ana", model_hash=now)
    assert serving.n_left(now, before) == 1
    assert serving.active(["ana", "ben"], [now, before])["ana"].model_hash == now
    assert serving.active(["ana", "ben"], [now, before])["ben"].model_hash == before


def test_comparisons_count_too(store, sayings):
    store.say("ana", sayings.rated({1: 2}))
    store.say("ana", sayings.compared((1, 4, "a")))
    sayings.fit(store, "ana")
    serving, now = ServingStore(store.database), sayings.OTHER_MODEL
    serving.complete(seen(sayings, 1), now)
    assert serving.ready_to_move(now, sayings.MODEL, ()) == []
    serving.complete(seen(sayings, 4), now)
    assert serving.ready_to_move(now, sayings.MODEL, ()) == [("ana", "ridge")]


def test_hashes_of_photos_that_somebody_said_something_of(store, sayings):
    store.say("ana", sayings.rated({1: 2}))
    store.say("ana", sayings.flagged({2: "pick"}))
    store.say("ben", sayings.rated({3: 2}))
    serving = ServingStore(store.database)
    hashes = [sayings.photo(number).sha256 for number in (1, 2, 3, 4)]
    found = serving.photos_of("ana", hashes, sayings.MODEL)
    assert {key: identity for key, (identity, _) in found.items()} == {
        sayings.photo(number).sha256: sayings.photo(number).identity for number in (1, 2)
    }
    np.testing.assert_array_equal(found[hashes[0]][1], sayings.vector(1))
    assert serving.photos_of("ana", hashes, sayings.OTHER_MODEL) == {}
    assert serving.photos_of("nobody", hashes, sayings.MODEL) == {}


def test_what_went_with_somebody_is_told(store, sayings):
    store.say("ana", sayings.rated({1: 2, 2: 3}))
    store.say("ana", sayings.rated({1: 5}))
    store.say("ana", sayings.compared((1, 3, "a")))
    store.say("ana", sayings.flagged({2: "pick"}))
    store.say("ben", sayings.rated({2: 1}))
    sayings.fit(store, "ana")
    JobStore(store.database).enqueue("ana", "ridge")
    gone = store.delete("ana", source="terminal")
    assert (gone.n_ratings, gone.n_comparisons, gone.n_flags, gone.n_versions, gone.n_jobs, gone.n_keys) == (
        3,
        1,
        1,
        1,
        1,
        0,
    )
    assert sorted(gone.photos) == sorted(sayings.photo(number).identity for number in (1, 3))
    assert gone.overwritten is hasattr(store.database, "path")  # PostgreSQL does so when it vacuums


def test_photos_without_a_vector_of_now_are_told_in_portions(store, sayings):
    store.say("ana", sayings.rated({1: 2, 2: 3}))
    store.say("ana", sayings.compared((1, 4, "a")))
    store.see("ana", [sayings.photo(9)], sayings.MODEL)  # of which nobody said anything
    serving, now, before = ServingStore(store.database), sayings.OTHER_MODEL, sayings.MODEL
    found = serving.lacking(now, before, 0, 2)
    found += serving.lacking(now, before, found[-1][0], 2)
    assert [identity for _, identity, _ in found] == [sayings.photo(n).identity for n in (1, 2, 4)]
    for n, (_, _, vector) in zip((1, 2, 4), found, strict=True):
        np.testing.assert_array_equal(vector, sayings.photo(n).vector)
    assert [vector for _, _, vector in serving.lacking(now, "f" * 64, 0, 9)] == [None, None, None]
    serving.complete(seen(sayings, 1, 4), now)
    assert [row[1] for row in serving.lacking(now, before, 0, 9)] == [sayings.photo(2).identity]
