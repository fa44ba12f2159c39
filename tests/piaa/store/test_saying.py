"""What a person withdraws is gone: from what counts, from history, from versions, from the file's bytes."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace

import pytest

from generic.errors import RatingsError, StoreError
from piaa.people.choose import choose_photos
from piaa.store.audit import entries
from piaa.store.keys import KeyStore
from piaa.store.place import open_database
from piaa.store.store import Store


def test_what_is_withdrawn_goes_with_all_that_was_learned_from_it(store, sayings):
    store.say("ana", sayings.rated({1: 1}))
    sayings.fit(store, "ana")
    store.say("ana", sayings.rated({1: 5, 2: 2}))
    sayings.fit(store, "ana")
    store.say("ana", sayings.rated({2: 4}))
    store.say("ana", sayings.rated({3: 3}), replace=True)
    sayings.fit(store, "ana")
    store.say("ben", sayings.rated({1: 2, 2: 3}))
    assert store.withdraw("ana", ["2.jpg"], sayings.by_name, source="terminal") == [2]
    assert [one.version for one in store.versions("ana")] == [1, 3]
    assert [(one.image, one.score) for one in store.rated("ana")] == [
        ("1.jpg", 1),
        ("1.jpg", 5),
        ("3.jpg", 3),
    ]
    assert store.load("ana").version == 3
    last = store.history("ana")[-1]
    assert (last.what, last.n_added, last.n_ended, last.n_withdrawn) == ("withdraw", 0, 0, 0)
    assert store.withdraw("ana", ["3.jpg"], sayings.by_name, source="http") == [3]
    assert store.history("ana")[-1].n_withdrawn == 1
    assert (sayings.scores(store, "ana"), store.active("ana")) == ({}, None)
    assert sayings.scores(store, "ben") == {"1.jpg": 2, "2.jpg": 3}
    store.say("ana", sayings.rated({1: 1}))
    assert sayings.fit(store, "ana") == 4  # no number is given twice


def test_comparisons_and_flags_of_the_photo_go_too(store, sayings):
    store.say("ana", sayings.compared((1, 2, "a"), (2, 3, "equal"), (3, 4, "b")))
    store.say("ana", sayings.flagged({2: "pick", 3: "pick"}))
    store.keep("ana", *sayings.fitted_pairs(store, "ana"))
    assert store.withdraw("ana", ["2.jpg"], sayings.by_name, source="terminal") == [1]
    assert [(one.a, one.b) for one in store.said("ana", sayings.MODEL).comparisons] == [("3.jpg", "4.jpg")]
    assert [one.image for one in store.flags("ana")] == ["3.jpg"]
    assert store.history("ana")[-1].n_withdrawn == 3


def test_withdrawing_by_name_identity_and_sha256(store, sayings):
    store.say("ana", sayings.rated({n: n for n in (1, 2, 3, 4)}))
    named = ["1.jpg", sayings.photo(2).identity, sayings.photo(3).sha256]
    store.withdraw("ana", named, choose_photos, source="terminal")
    assert sayings.scores(store, "ana") == {"4.jpg": 4}
    with pytest.raises(RatingsError):
        store.withdraw("ana", ["4.jpg", "none.jpg"], choose_photos, source="terminal")
    assert sayings.scores(store, "ana") == {"4.jpg": 4}


def test_saying_and_withdrawing_at_once(store, sayings):
    store.say("ana", sayings.rated({1: 1, 2: 2}))
    store.say("ana", sayings.compared((3, 4, "a")))
    gone = [sayings.photo(n).identity for n in (1, 3, 9)]  # of the last she never said anything
    assert store.say("ana", sayings.rated({5: 5}), withdrawn=gone) == 2
    assert sayings.scores(store, "ana") == {"2.jpg": 2, "5.jpg": 5}
    assert store.said("ana", sayings.MODEL).comparisons == ()
    assert [one.what for one in store.history("ana")] == ["rate", "compare", "withdraw", "rate"]


def test_a_version_whose_rating_was_withdrawn_meanwhile_is_not_kept(store, sayings):
    store.say("ana", sayings.rated({1: 1, 2: 2}))
    learned = sayings.fitted(store, "ana")
    store.withdraw("ana", ["1.jpg"], sayings.by_name, source="http")
    assert store.keep("ana", *learned) is None
    assert store.versions("ana") == []
    store.say("ana", sayings.rated({1: 1}))
    assert store.keep("ana", *learned) is None  # it is not the rating that was learned from
    learned = sayings.fitted(store, "ana")
    store.say("ana", sayings.rated({2: 5}))
    assert store.keep("ana", *learned) == 1  # that she changed her mind withdraws nothing
    store.delete("ana", source="terminal")
    store.say("ana", sayings.rated({1: 1, 2: 2}))
    assert store.keep("ana", *learned) is None


@pytest.mark.parametrize("served", [False, True])
def test_withdrawn_bytes_are_in_no_file(sayings, tmp_path, served):
    store = Store(database=open_database(tmp_path / "piaa.db", connections=3 if served else 0))
    secret = sayings.photo(1, image="SECRET.jpg")
    store.say("ana", sayings.rated({2: 3}))
    store.say("ana", sayings.rated({}, ratings=[(secret, 4)]))
    record, said = sayings.fitted(store, "ana")
    store.keep("ana", replace(record, state=b"SECRET-STATE" * 1000), said)
    seen = [b"SECRET", secret.sha256.encode(), secret.identity.encode(), secret.vector.tobytes()]
    assert all(found_in(tmp_path, one) for one in seen)
    assert store.withdraw("ana", ["SECRET.jpg"], sayings.by_name, source="terminal") == [1]
    assert not any(found_in(tmp_path, one) for one in seen)
    assert found_in(tmp_path, sayings.vector(2).tobytes())
    sayings.assert_sound(tmp_path / "piaa.db")
    store.close()


def found_in(folder, content: bytes) -> bool:
    return any(content in path.read_bytes() for path in folder.iterdir())


@pytest.mark.parametrize("served", [False, True])
def test_a_deleted_person_is_in_no_file(sayings, tmp_path, served):
    store = Store(database=open_database(tmp_path / "piaa.db", connections=3 if served else 0))
    for user in ("SECRET-ana", "ben"):
        store.say(user, sayings.rated({1: 3, 2: 4}))
        sayings.fit(store, user)
    store.say("SECRET-ana", sayings.rated({}, ratings=[(sayings.photo(3, image="SECRET.jpg"), 4)]))
    store.withdraw("SECRET-ana", ["2.jpg"], sayings.by_name, source="terminal")
    sayings.fit(store, "SECRET-ana")
    assert found_in(tmp_path, b"SECRET")
    assert store.delete("SECRET-ana", source="terminal").n_versions == 1
    assert not found_in(tmp_path, b"SECRET")
    assert not found_in(tmp_path, sayings.vector(3).tobytes())
    assert [user.user for user in store.users()] == ["ben"]
    assert store.load("ben").state == sayings.fitted(store, "ben")[0].state
    sayings.assert_sound(tmp_path / "piaa.db")
    store.close()


def test_a_replaced_person_is_in_no_file(sayings, file_store, tmp_path):
    file_store.say("ana", sayings.rated({}, ratings=[(sayings.photo(1, image="SECRET.jpg"), 4)]))
    other = Store(tmp_path / "other" / "piaa.db")
    other.say("ana", sayings.rated({2: 3}))
    other.export("ana", tmp_path / "ana.json")
    file_store.import_(tmp_path / "ana.json", replace=True)
    assert not found_in_file(file_store, b"SECRET")
    assert not found_in_file(file_store, sayings.vector(1).tobytes())


def found_in_file(store: Store, content: bytes) -> bool:
    return content in store.database.path.read_bytes()


def test_the_audit_says_who_withdrew_and_erased(store, sayings):
    store.say("ana", sayings.rated({1: 1, 2: 2}))
    store.say("ben", sayings.rated({1: 1}))
    KeyStore(store.database).create_key("user", "ana")
    store.withdraw("ana", ["1.jpg"], sayings.by_name, source="http")
    store.withdraw("ben", ["1.jpg"], sayings.by_name, source="python")
    with store.database.reading() as sql:
        noted = [(one.who, one.what.split()[0], one.user) for one in entries(sql, 10)]
    assert noted == [
        ("terminal", "create", "ana"),
        ("http", "withdraw", "ana"),
        ("python", "withdraw", "ben"),
    ]
    store.delete("ana", source="terminal")
    with store.database.reading() as sql:
        noted = [(one.who, one.what.split()[0], one.user) for one in entries(sql, 3)]
        everybody = {one.user for one in entries(sql, 10)}
    assert noted == [
        ("python", "withdraw", "ben"),
        ("terminal", "erase", "user 1"),
        ("terminal", "revoke", "user 1"),  # her key
    ]
    assert everybody == {"user 1", "ben"}  # the deleted person's name is gone


@pytest.mark.parametrize("image", ["d\udce9.jpg", "", "a\0b.jpg"])
def test_names_that_no_database_can_hold_are_refused(sayings, refusal, image):
    photo = sayings.photo(2, image=image)
    message = f"photo {image!r} has no name in UTF-8; rename the file (nothing was stored)"
    for said in (
        {"ratings": [(photo, 3)]},
        {"flags": [(photo, "pick")]},
        {"comparisons": [(sayings.photo(1), photo, "a")]},
    ):
        assert refusal(StoreError, sayings.rated, {}, **said) == message


def test_of_a_photo_that_somebody_else_rated_all_stays(sayings, file_store):
    for user in ("ana", "ben"):
        file_store.say(user, sayings.rated({1: 3}))
    count = "SELECT (SELECT count(*) FROM photos), (SELECT count(*) FROM vectors)"
    for user, left in (("ana", (1, 1)), ("ben", (0, 0))):
        file_store.withdraw(user, ["1.jpg"], sayings.by_name, source="terminal")
        with closing(sqlite3.connect(file_store.name)) as connection:
            assert connection.execute(count).fetchone() == left


def test_a_comparison_given_again_counts_once(store, sayings):
    store.say("ana", sayings.compared((1, 2, "a"), (3, 4, "equal")))
    store.say("ana", sayings.compared((1, 2, "a"), (2, 1, "b"), (4, 3, "equal"), (5, 1, "a")))
    said = store.said("ana", sayings.MODEL)
    assert [(one.a, one.b, one.outcome) for one in said.comparisons] == [
        ("1.jpg", "2.jpg", "a"),
        ("3.jpg", "4.jpg", "equal"),
        ("5.jpg", "1.jpg", "a"),
    ]
    # Another opinion is a comparison of its own; and replacing takes the place of all.
    store.say("ana", sayings.compared((1, 2, "b")))
    assert len(store.said("ana", sayings.MODEL).comparisons) == 4
    store.say("ana", sayings.compared((1, 2, "a")), replace=True)
    assert len(store.said("ana", sayings.MODEL).comparisons) == 1


def test_what_was_learned_before_something_was_taken_back_is_not_kept(store, sayings):
    store.say("ana", sayings.rated({1: 1, 2: 2}))
    assert sayings.fit(store, "ana") == 1
    store.say("ana", sayings.rated({3: 3}))
    learned = sayings.fitted(store, "ana")
    store.undo("ana", source="http")
    assert store.keep("ana", *learned) is None
    store.say("ana", sayings.rated({3: 3}))
    learned = sayings.fitted(store, "ana")
    store.restore("ana", 1, source="http")
    assert store.keep("ana", *learned) is None
    assert (store.active("ana"), sayings.scores(store, "ana")) == (1, {"1.jpg": 1, "2.jpg": 2})
    assert sayings.fit(store, "ana") == 2  # what is read now is what counts
