"""API keys: their secrets are shown once and kept nowhere."""

from __future__ import annotations

from generic.errors import StoreError
from piaa.store.audit import entries
from piaa.store.keys import KeyStore


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
