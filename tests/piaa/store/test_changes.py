"""What counts after any sequence of saying, taking back, undoing and restoring; the journal of it."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from generic.errors import StoreError
from piaa.store.saying import say
from piaa.store.store import Store
from piaa.store.versions import user_id


@dataclass
class Model:
    """What should count, in plain Python: the states before each change that can still be taken back."""

    now: dict[int, float] = field(default_factory=dict)
    before: list[dict[int, float] | None] = field(default_factory=list)
    """None where something was withdrawn."""
    versions: dict[int, dict[int, float]] = field(default_factory=dict)
    last: int = 0

    def rate(self, scores: dict[int, float], *, replace: bool = False) -> None:
        self.before.append(self.now)
        self.now = dict(scores) if replace else {**self.now, **scores}

    def withdraw(self, number: int) -> None:
        self.before.append(None)
        self.now = {key: score for key, score in self.now.items() if key != number}
        self.versions = {key: learned for key, learned in self.versions.items() if number not in learned}

    def fit(self) -> int:
        self.last += 1
        self.versions[self.last] = self.now
        return self.last

    def restore(self, version: int) -> None:
        self.before.append(self.now)
        self.now = self.versions[version]

    def undo(self) -> bool:
        if not self.before or self.before[-1] is None:
            return False
        self.now = self.before.pop()
        return True


PHOTOS = st.integers(0, 4)
STEPS = st.one_of(
    st.tuples(st.just("rate"), st.dictionaries(PHOTOS, st.integers(1, 5), min_size=1, max_size=3)),
    st.tuples(st.just("replace"), st.dictionaries(PHOTOS, st.integers(1, 5), min_size=1, max_size=3)),
    st.tuples(st.just("withdraw"), PHOTOS),
    st.tuples(st.just("fit"), st.none()),
    st.tuples(st.just("restore"), st.integers(0, 9)),
    st.tuples(st.just("undo"), st.none()),
    st.tuples(st.just("undo"), st.none()),
)


@settings(max_examples=60)
@given(steps=st.lists(STEPS, min_size=1, max_size=12))
def test_what_counts_is_what_plain_reasoning_says(sayings, steps):
    with tempfile.TemporaryDirectory() as folder:
        store, model = Store(Path(folder, "piaa.db")), Model()
        store.say("ana", sayings.rated({}))
        for step in steps:
            take(store, model, sayings, *step)
            assert sayings.scores(store, "ana") == {f"{n}.jpg": score for n, score in model.now.items()}
            assert [one.version for one in store.versions("ana")] == list(model.versions)
            for version, learned in model.versions.items():
                found = {one.image: one.score for one in store.load("ana", version).ratings}
                assert found == {f"{n}.jpg": score for n, score in learned.items()}
        assert sum(not one.undone and one.what != "undo" for one in store.history("ana")) == len(model.before)
        sayings.assert_sound(Path(folder, "piaa.db"))


def take(store: Store, model: Model, sayings, what: str, value) -> None:
    """One step, in both."""
    if what in ("rate", "replace"):
        store.say("ana", sayings.rated(value), replace=what == "replace")
        model.rate(value, replace=what == "replace")
    elif what == "withdraw":
        if f"{value}.jpg" in {one.image for one in store.rated("ana")}:
            store.withdraw("ana", [f"{value}.jpg"], sayings.by_name, source="terminal")
            model.withdraw(value)
    elif what == "fit":
        if model.now:
            assert sayings.fit(store, "ana") == model.fit()
    elif what == "restore":
        if model.versions:
            version = sorted(model.versions)[value % len(model.versions)]
            store.restore("ana", version, source="terminal")
            model.restore(version)
            assert store.active("ana") == version
    elif model.undo():
        store.undo("ana", source="terminal")
    else:
        with pytest.raises(StoreError):
            store.undo("ana", source="terminal")


def test_undo_goes_back_change_by_change(store, sayings, refusal):
    states = [{}, {1: 1}, {1: 2}, {1: 2, 2: 3}]
    store.say("ana", sayings.rated({1: 1}))
    store.say("ana", sayings.rated({1: 2}))
    store.say("ana", sayings.rated({2: 3}))
    for expected in states[-2::-1]:
        change, versions = store.undo("ana", source="http")
        assert (change.what, change.undone, versions) == ("rate", False, [])
        assert sayings.scores(store, "ana") == {f"{n}.jpg": score for n, score in expected.items()}
    assert refusal(StoreError, store.undo, "ana", source="terminal") == (
        "user 'ana' has no change that could be taken back; see: piaa users history ana"
    )
    assert [(one.what, one.source, one.undone) for one in store.history("ana")] == [
        *[("rate", "table", True)] * 3,
        *[("undo", "http", False)] * 3,
    ]
    store.say("ana", sayings.rated({1: 5}))
    assert sayings.scores(store, "ana") == {"1.jpg": 5}


def test_undo_takes_back_comparisons_and_flags(store, sayings):
    store.say("ana", sayings.compared((1, 2, "a")))
    store.say("ana", sayings.compared((2, 3, "b")), replace=True)
    store.say("ana", sayings.flagged({1: "pick"}))
    store.say("ana", sayings.flagged({1: "reject"}))
    store.undo("ana", source="terminal")
    assert [one.flag for one in store.flags("ana")] == ["pick"]
    store.undo("ana", source="terminal")
    assert store.flags("ana") == []
    store.undo("ana", source="terminal")
    assert [one.pair for one in store.said("ana", sayings.MODEL).comparisons] == [("1.jpg", "2.jpg")]


def test_undo_brings_back_the_scale(store, sayings):
    store.say("ana", sayings.rated({1: 5}))
    store.say("ana", sayings.rated({1: 9}, scale=(1, 10)), replace=True)
    store.undo("ana", source="terminal")
    assert store.said("ana", sayings.MODEL).scale == (1, 5)
    store.say("ana", sayings.rated({2: 4}, scale=(1, 5)))


def test_undo_has_the_version_count_that_was_learned_from_it(store, sayings):
    store.say("ana", sayings.rated({1: 1}))
    assert sayings.fit(store, "ana") == 1
    store.say("ana", sayings.rated({2: 2}))
    assert sayings.fit(store, "ana") == 2
    change, versions = store.undo("ana", source="terminal")
    assert (change.n_added, change.n_ended, versions, store.active("ana")) == (1, 0, [1], 1)


def test_restore_brings_back_what_she_had_said_by_then(store, sayings, refusal):
    store.say("ana", sayings.rated({1: 1, 2: 2}))
    sayings.fit(store, "ana")
    store.say("ana", sayings.rated({2: 5, 3: 3}))
    sayings.fit(store, "ana")
    for version in (0, -1, 3, 2**40):
        assert refusal(StoreError, store.restore, "ana", version, source="terminal") == (
            f"user 'ana' in store '{store.name}' has no version {version}, but: 1, 2; name one of these"
        )
    store.restore("ana", 1, source="http")
    assert sayings.scores(store, "ana") == {"1.jpg": 1, "2.jpg": 2}
    assert (store.active("ana"), store.load("ana").version) == (1, 1)
    last = store.history("ana")[-1]
    assert (last.what, last.source, last.n_added, last.n_ended, last.version) == ("restore", "http", 1, 2, 1)
    assert store.undo("ana", source="terminal")[1] == [2]
    assert sayings.scores(store, "ana") == {"1.jpg": 1, "2.jpg": 5, "3.jpg": 3}
    assert sayings.fit(store, "ana") == 3


def test_restore_of_comparisons(store, sayings):
    store.say("ana", sayings.compared((1, 2, "a"), (2, 3, "b")))
    said = store.said("ana", sayings.MODEL)
    record, _ = sayings.fitted_pairs(store, "ana")
    assert store.keep("ana", record, said) == 1
    store.say("ana", sayings.compared((4, 5, "a")))
    store.restore("ana", 1, source="terminal")
    assert [one.pair for one in store.said("ana", sayings.MODEL).comparisons] == [
        ("1.jpg", "2.jpg"),
        ("3.jpg", "2.jpg"),
    ]


def test_no_undo_of_what_was_withdrawn(store, sayings, refusal):
    store.say("ana", sayings.rated({1: 1, 2: 2}))
    store.withdraw("ana", ["1.jpg"], sayings.by_name, source="terminal")
    at = store.history("ana")[-1].at
    assert refusal(StoreError, store.undo, "ana", source="terminal") == (
        f"the last change of user 'ana', of {at}, withdrew what she said of some photos, "
        "which was deleted for good; rate these photos again instead"
    )
    store.say("ana", sayings.rated({1: 4}))
    store.undo("ana", source="terminal")
    assert sayings.scores(store, "ana") == {"2.jpg": 2}


def test_a_long_history_is_told_and_taken_back_at_once(store, sayings):
    """Nothing is counted anew for each change: 2,000 of them took half a minute."""
    with store.database.writing() as sql:
        number = user_id(sql, "ana")
        for turn in range(2000):
            say(sql, number, "ana", sayings.rated({turn % 7: 1 + turn % 5}))
    begin = time.perf_counter()
    changes = store.history("ana")
    undone, _ = store.undo("ana", source="terminal")
    assert time.perf_counter() - begin < 2
    assert [(one.n_added, one.n_ended) for one in changes] == [(1, 0)] * 7 + [(1, 1)] * 1993
    assert undone == changes[-1]
