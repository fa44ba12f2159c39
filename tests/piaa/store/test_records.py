"""Names and values that cannot be stored are refused before they reach a database."""

from __future__ import annotations

import tempfile
import unicodedata
from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st

from generic.errors import StoreError
from piaa.store.records import AdapterRecord, StoredRating, check_user
from piaa.store.store import Store

names = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1, max_size=200)


@settings(max_examples=10)
@given(names)
@example("../../etc/passwd")
@example("'; DROP TABLE users; --")
@example("a" * 200)
@example(" ")
@example("%_*?")
def test_any_name_is_a_user_and_only_that_one(sayings, name):
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder, "piaa.db"))
        store.say("ana", sayings.rated({1: 1}))
        store.say(name, sayings.rated({2: 2}))
        expected = {"1.jpg": 1, "2.jpg": 2} if name == "ana" else {"2.jpg": 2}
        assert sayings.scores(store, name) == expected
        assert sayings.fit(store, name) == 1
        assert store.load(name).user == name
        assert {user.user for user in store.users()} == {"ana", name}
        store.export(name, Path(folder, "one.json"))
        assert store.delete(name, source="terminal").n_versions == 1
        assert store.import_(Path(folder, "one.json")).user == name
        assert sayings.scores(store, name) == expected
        assert sorted(path.name for path in Path(folder).iterdir()) == ["one.json", "piaa.db"]


@settings(max_examples=50)
@given(st.text(max_size=10), st.characters(categories=["Cc", "Cs", "Zl", "Zp"]), st.text(max_size=10))
def test_names_that_break_a_line_are_refused(refusal, before, bad, after):
    name = before + bad + after
    first = next(c for c in name if unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp"))
    assert refusal(StoreError, check_user, name) == (
        f"user name {name!r} contains the control character U+{ord(first):04X}; choose another name"
    )


def test_impossible_values_are_all_named_at_once(refusal):
    message = refusal(
        StoreError,
        AdapterRecord,
        adapter="",
        model_name="piaa-lite",
        model_hash=b"abc",
        scale_low=5,
        scale_high=float("inf"),
        state="text",
        ratings=(
            StoredRating(image="", score=1.0),
            StoredRating(image="a.jpg", score=1.0),
            StoredRating(image="b.jpg", sha256="zz", score=1.0),
            StoredRating(image="c.jpg", score=float("nan")),
            StoredRating(image="d\udce9.jpg", score=1.0),
        ),
        extra={"a": {1}},
    )
    assert message == (
        "this adapter cannot be stored: adapter '' is empty; model_hash b'abc' is not text; "
        "scale 5 to inf is not two finite numbers, the lower one first; state is str, expected bytes; "
        "rating 1: image '' is not a name in UTF-8, rename the file; "
        "rating 3: sha256 'zz' is not 64 hex digits; rating 4: score nan is not a finite number; "
        r"rating 5: image 'd\udce9.jpg' is not a name in UTF-8, rename the file; "
        "extra holds something that JSON cannot; fit the user again"
    )
