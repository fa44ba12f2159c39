"""A rating or flag taken off is history that an undo brings back."""

from __future__ import annotations

from piaa.store.saying import Saying


def taking_off(sayings, **what):
    return Saying(**what, model_hash=sayings.MODEL, source="page")


def test_a_rating_taken_off_is_history_and_comes_back(store, sayings):
    store.say("ana", sayings.rated({1: 4, 2: 2}))
    store.say("ben", sayings.rated({1: 3}))
    store.say("ana", taking_off(sayings, cleared=[sayings.photo(1).identity]))
    assert sayings.scores(store, "ana") == {"2.jpg": 2}
    assert sayings.scores(store, "ben") == {"1.jpg": 3}
    assert [(one.image, one.score) for one in store.rated("ana")] == [("1.jpg", 4), ("2.jpg", 2)]
    last = store.history("ana")[-1]
    assert (last.what, last.source, last.n_added, last.n_ended) == ("clear", "page", 0, 1)
    change, _ = store.undo("ana", source="page")
    assert change.what == "clear"
    assert sayings.scores(store, "ana") == {"1.jpg": 4, "2.jpg": 2}


def test_a_flag_taken_off_comes_back_too(store, sayings):
    store.say("ana", sayings.flagged({1: "pick", 2: "reject"}))
    store.say("ana", taking_off(sayings, unflagged=[sayings.photo(2).identity]))
    assert {one.image: one.flag for one in store.flags("ana")} == {"1.jpg": "pick"}
    assert store.history("ana")[-1].what == "unflag"
    store.undo("ana", source="page")
    assert {one.image: one.flag for one in store.flags("ana")} == {"1.jpg": "pick", "2.jpg": "reject"}
