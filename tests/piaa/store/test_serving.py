"""What a server asks for many people at once."""

from __future__ import annotations

from piaa.store.serving import ServingStore

N = 1203
"""More than one statement takes."""


def test_pages_of_people(store, sayings):
    for number in range(5):
        store.say(f"user-{number}", sayings.rated(dict.fromkeys(range(number), 1)))
    sayings.fit(store, "user-3")
    serving = ServingStore(store.database)
    first = serving.page(0, 3)
    assert [(one.user, one.active, one.n_ratings) for one in first] == [
        ("user-0", None, 0),
        ("user-1", None, 1),
        ("user-2", None, 2),
    ]
    rest = serving.page(first[-1].number, 3)
    assert [(one.user, one.active, one.n_ratings) for one in rest] == [("user-3", 1, 3), ("user-4", None, 4)]
    assert serving.page(rest[-1].number, 3) == []


def test_versions_that_count_of_many_people(store, sayings):
    for user in ("ana", "ben", "cleo"):
        store.say(user, sayings.rated({1: 2, 2: 3}))
    store.keep("ana", *sayings.fitted(store, "ana"), linear_form=b"one")
    sayings.fit(store, "ana", model_hash=sayings.OTHER_MODEL)
    sayings.fit(store, "ben", model_hash=sayings.OTHER_MODEL)
    serving = ServingStore(store.database)
    names = [*(f"nobody-{n}" for n in range(N)), "ben", "ana", "cleo"]
    found = serving.active(names, [sayings.MODEL])
    assert {user: (one.version, one.model_hash) for user, one in found.items()} == {
        "ana": (1, sayings.MODEL),
        "ben": (1, sayings.OTHER_MODEL),
    }
    forms = serving.linear_forms(names, sayings.MODEL)
    assert forms == {"ana": (found["ana"].digest, b"one")}
    store.restore("ana", 2, source="terminal")
    assert serving.active(["ana"], [sayings.MODEL])["ana"].version == 1  # of each model one counts


def test_a_digest_changes_with_the_state_alone(store, sayings):
    store.say("ana", sayings.rated({1: 2, 2: 3}))
    digests = []
    for _ in range(2):
        sayings.fit(store, "ana")
        digests.append(ServingStore(store.database).active(["ana"], [sayings.MODEL])["ana"].digest)
    store.say("ana", sayings.rated({2: 5}))
    sayings.fit(store, "ana")
    assert (
        digests[0]
        == digests[1]
        != ServingStore(store.database).active(["ana"], [sayings.MODEL])["ana"].digest
    )


def test_what_is_remembered_of_versions_is_never_that_of_before(store, sayings):
    serving = ServingStore(store.database)

    def active():
        return serving.active(["ana"], [sayings.MODEL]).get("ana")

    def digest():
        found = active()
        return (found.version, found.digest)

    store.say("ana", sayings.rated({1: 2, 2: 3}))
    sayings.fit(store, "ana")
    first = digest()
    store.say("ana", sayings.rated({2: 5}))
    sayings.fit(store, "ana")
    second = digest()
    assert second == (2, second[1]) != first
    store.restore("ana", 1, source="terminal")
    assert digest() == first
    store.delete("ana", source="terminal")
    assert active() is None
    # Whoever comes later has rows with the numbers of hers.
    store.say("ana", sayings.rated({1: 1, 2: 4}))
    sayings.fit(store, "ana")
    assert digest()[0] == 1
    assert digest()[1] not in (first[1], second[1])


def test_photos_that_somebody_judged_are_known_by_their_hashes(store, sayings):
    store.say("ana", sayings.rated({1: 3}))
    store.say("ana", sayings.compared((2, 3, "a")))
    store.say("ana", sayings.flagged({4: "pick"}))
    store.say("ben", sayings.rated({5: 3}))
    hashes = {number: sayings.photo(number).sha256 for number in range(1, 7)}
    found = ServingStore(store.database).photos_of("ana", list(hashes.values()), sayings.MODEL)
    assert {sha256: identity for sha256, (identity, _) in found.items()} == {
        hashes[number]: sayings.photo(number).identity for number in (1, 2, 3, 4)
    }
