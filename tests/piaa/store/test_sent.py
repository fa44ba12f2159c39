"""What was sent to the servers of a store: found by all, forgotten with its owner, kept within bounds."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from generic.cache.contents import Content
from piaa.store.sent import Sent, SentStore

NETWORK, OTHER = "a" * 64, "b" * 64
ANA, BEN = "user" + "1" * 20, "user" + "2" * 20


@pytest.fixture
def sent(store) -> SentStore:
    with store.database.writing():
        pass  # the tables, of a file that is opened as commands do
    return SentStore(store.database)


def file(sayings, number: int, owner: str = "", *, anew: bool = False) -> Sent:
    """Photo of a number, called by its hash or by a name of its owner's."""
    digest = sayings.digest(f"file {number}")
    name = owner + digest[: 64 - len(owner)] if owner else digest
    content = Content(name, sayings.digest(f"picture {number}"), anew)
    return Sent(content=content, owner=owner, vector=sayings.vector(number))


def test_what_one_sends_another_finds(sent, sayings, store):
    one, hers, anew = file(sayings, 1), file(sayings, 1, ANA), file(sayings, 2, anew=True)
    sent.keep([one, hers, anew], NETWORK)
    names = [it.content.sha256 for it in (one, hers, anew)]
    found = SentStore(store.database).find([*names, "0" * 64], NETWORK)
    assert {name: content for name, (content, _) in found.items()} == {
        it.content.sha256: it.content for it in (one, hers, anew)
    }
    for it in (one, hers, anew):
        np.testing.assert_array_equal(found[it.content.sha256][1], it.vector)
    assert sent.find(names, OTHER) == {}
    np.testing.assert_array_equal(sent.vector(anew.content.key, NETWORK), anew.vector)
    assert sent.vector(anew.content.identity, NETWORK) is None


def test_a_damaged_vector_is_none_and_is_replaced(sent, sayings, store):
    one = file(sayings, 1)
    sent.keep([one], NETWORK)
    with store.database.writing() as sql:
        sql.run("UPDATE sent_vectors SET checksum = 'damaged'")
    assert sent.find([one.content.sha256], NETWORK) == {}
    assert sent.vector(one.content.key, NETWORK) is None
    sent.keep([one], NETWORK)
    assert list(sent.find([one.content.sha256], NETWORK)) == [one.content.sha256]


def test_who_is_forgotten_takes_along_what_nobody_else_has(sent, sayings):
    alone, shared, rated = 1, 2, 3
    for number, owners in ((alone, (ANA,)), (shared, (ANA, BEN)), (rated, ())):
        sent.keep([file(sayings, number), *(file(sayings, number, owner) for owner in owners)], NETWORK)
        sent.keep([file(sayings, number)], OTHER)
    names, pictures = sent.forget(ANA, [sayings.digest(f"picture {rated}")])
    assert pictures == {sayings.digest(f"picture {number}") for number in (alone, rated)}
    assert names == {
        *(file(sayings, number, ANA).content.sha256 for number in (alone, shared)),
        *(file(sayings, number).content.sha256 for number in (alone, rated)),
    }
    for network in (NETWORK, OTHER):
        vectors = [sent.vector(file(sayings, number).content.key, network) for number in (1, 2, 3)]
        assert [one is None for one in vectors] == [True, False, True]
    assert sent.forget(ANA, []) == (set(), set())
    assert list(sent.find([file(sayings, shared, BEN).content.sha256], NETWORK)) != []


def test_what_was_sent_longest_ago_goes_first(sent, sayings, store, monkeypatch):
    monkeypatch.setattr("piaa.store.sent._AT_ONCE", 7)
    for number in range(50):
        sent.keep([file(sayings, number)], NETWORK)
    with store.database.writing() as sql:
        for number in range(50):
            for table, key, value in (
                ("sent_files", "name", file(sayings, number).content.sha256),
                ("sent_vectors", "picture", file(sayings, number).content.key),
            ):
                sql.run(f"UPDATE {table} SET at = :at WHERE {key} = :key", at=1000.0 + number, key=value)
    each = 36 + 2 * 400
    assert sent.trim(50 * each, 0.0) == 0
    assert sent.trim(50 * each, 1010.0) == 20
    assert sent.trim(20 * each, 0.0) == 40
    left = sent.find([file(sayings, number).content.sha256 for number in range(50)], NETWORK)
    assert set(left) == {file(sayings, number).content.sha256 for number in range(30, 50)}
    assert sent.trim(0, 0.0) == 40
    assert sent.trim(0, time.time()) == 0


def test_servers_keep_the_same_photos_at_once(sent, sayings, store):
    def keep(number: int) -> None:
        files = [file(sayings, one) for one in range(20)]
        for _ in range(10):
            SentStore(store.database).keep(files if number % 2 else files[::-1], NETWORK)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(keep, range(4)))
    assert len(sent.find([file(sayings, one).content.sha256 for one in range(20)], NETWORK)) == 20
