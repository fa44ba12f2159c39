"""API keys: their secrets are shown once and kept nowhere."""

from __future__ import annotations

import pytest

from generic.errors import StoreError
from piaa.store.audit import entries
from piaa.store.clock import until
from piaa.store.keys import KeyStore, check_new


def test_a_key_opens_until_it_is_revoked(store):
    keys = KeyStore(store.database)
    admin, secret = keys.create_key("admin")
    hers, other = keys.create_key("user", "ana b")
    assert (admin.role, admin.user, hers.role, hers.user) == ("admin", None, "user", "ana b")
    assert keys.keys() == [admin, hers]
    assert (keys.key_of(secret), keys.key_of(other)) == (admin, hers)
    assert [keys.key_of(wrong) for wrong in ("", secret[:-1], "\udce9")] == [None, None, None]
    keys.revoke(hers.id)
    assert (keys.key_of(secret), keys.key_of(other)) == (admin, None)
    assert keys.keys()[1].revoked is not None


def test_secrets_are_in_no_row(store, sayings):
    _, secret = KeyStore(store.database).create_key("admin")
    assert secret not in repr(sayings.everything(store.database))


def test_a_key_that_there_is_not(store, refusal):
    assert refusal(StoreError, KeyStore(store.database).revoke, "abc") == (
        "there is no key 'abc'; see all keys with: piaa keys list"
    )


def test_the_audit_tells_of_keys(store):
    keys = KeyStore(store.database)
    key, _ = keys.create_key("user", "ana")
    keys.revoke(key.id)
    with store.database.reading() as sql:
        assert [(one.who, one.what, one.user) for one in entries(sql, 2)] == [
            ("terminal", f"create key {key.id}", "ana"),
            ("terminal", f"revoke key {key.id}", None),
        ]
        assert [one.what for one in entries(sql, 1)] == [f"revoke key {key.id}"]


def test_keys_of_a_deleted_user_open_nothing_and_do_not_name_her(store, sayings):
    keys = KeyStore(store.database)
    store.say("ana", sayings.rated({1: 3.0}))
    admin, secret = keys.create_key("admin")
    first, other = keys.create_key("user", "ana")
    second, _ = keys.create_key("user", "ana")
    keys.revoke(second.id)
    bens, another = keys.create_key("user", "ben")
    gone = store.delete("ana", source="http")
    assert (gone.n_versions, gone.n_keys) == (0, 1)
    assert [keys.key_of(one) for one in (secret, other, another)] == [admin, None, bens]
    listed = keys.keys()
    assert [(one.id, one.user, one.revoked is None) for one in listed] == [
        (admin.id, None, True),
        (first.id, "user 1", False),
        (second.id, "user 1", False),
        (bens.id, "ben", True),
    ]
    with store.database.reading() as sql:
        assert [(one.who, one.what, one.user) for one in entries(sql, 2)] == [
            ("http", "erase", "user 1"),
            ("http", f"revoke key {first.id}", "user 1"),
        ]
    # Somebody of her name who comes later is somebody else.
    store.say("ana", sayings.rated({1: 3.0}))
    assert keys.key_of(other) is None
    assert store.delete("ana", source="http").n_keys == 0


def test_a_key_has_the_scopes_of_its_role_or_some_of_them(store):
    keys = KeyStore(store.database)
    made = [
        keys.create_key("admin")[0],
        keys.create_key("user", "ana")[0],
        keys.create_key("user", "ana", scopes=["score"])[0],
        keys.create_key("service", scopes=["rate", "score"], label="web")[0],
        keys.create_key("service", scopes=["metrics"], label="prometheus")[0],
    ]
    assert [one.scopes for one in made] == [
        ("score", "rate", "admin", "metrics"),
        ("score", "rate"),
        ("score",),
        ("score", "rate"),
        ("metrics",),
    ]
    assert keys.keys() == made
    assert [one.label for one in made] == [None, None, None, "web", "prometheus"]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (("user",), "a key has the role admin, or service, or user with the name of that user"),
        (("admin", "ana"), "a key has the role admin, or service, or user with the name of that user"),
        (("boss",), "a key has the role admin, or service, or user with the name of that user"),
        (("user", "ana", ["admin"]), "a key of the role user has no scope 'admin'; choose of score, rate"),
        (
            ("service", None, ["all"]),
            "a key of the role service has no scope 'all'; choose of score, rate, admin, metrics",
        ),
        (("service",), "a service's key needs scopes; choose of score, rate, admin, metrics"),
        (
            ("admin", None, [], "two\nlines"),
            "a key's label is one line of 1 to 100 characters; give another one",
        ),
    ],
)
def test_what_does_not_go_together_is_refused(refusal, given, expected):
    assert refusal(StoreError, check_new, *given) == expected


def test_a_key_that_expired_opens_nothing(store):
    keys = KeyStore(store.database)
    lasting, secret = keys.create_key("admin", expires=until("1d"))
    _, other = keys.create_key("admin", expires="2026-01-01T00:00:00.000000+00:00")
    assert (keys.key_of(secret), keys.key_of(other)) == (lasting, None)


def test_a_new_secret_and_the_old_one_for_a_while(store, refusal):
    keys = KeyStore(store.database)
    key, first = keys.create_key("user", "ana", label="phone")
    rotated, second = keys.rotate(key.id, old_until=until("1h"))
    assert rotated == keys.key_of(first) == keys.key_of(second)
    assert (rotated.id, rotated.label, rotated.old_until is None) == (key.id, "phone", False)
    last, third = keys.rotate(key.id)  # at once: nothing older opens
    assert [keys.key_of(one) for one in (first, second, third)] == [None, None, last]
    _, fourth = keys.rotate(key.id, old_until="2026-01-01T00:00:00.000000+00:00")
    assert keys.key_of(third) is None
    keys.revoke(key.id)
    assert keys.key_of(fourth) is None
    assert refusal(StoreError, keys.rotate, key.id) == (
        f"key {key.id!r} was revoked; make another one: piaa keys create"
    )
    with store.database.reading() as sql:
        told = [(one.who, one.what) for one in entries(sql, 10)]
    assert told == [
        ("terminal", f"create key {key.id}"),
        *[("terminal", f"rotate key {key.id}")] * 3,
        ("terminal", f"revoke key {key.id}"),
    ]


def test_the_last_use(store):
    keys = KeyStore(store.database)
    key, secret = keys.create_key("admin")
    assert key.last_used is None
    keys.note_use(key.id)
    found = keys.key_of(secret)
    assert found is not None
    assert found.last_used is not None
    assert key.created <= found.last_used


def test_a_label_of_somebody_deleted_is_forgotten(store, sayings):
    keys = KeyStore(store.database)
    store.say("ana", sayings.rated({1: 3.0}))
    keys.create_key("user", "ana", label="Ana Lopez")
    store.delete("ana", source="http")
    assert "Lopez" not in repr(sayings.everything(store.database))
