"""What was sent to the servers of a store: found by all, forgotten with its owner, kept within bounds."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from generic.cache.contents import Content
from piaa.store.sent import Sent, SentStore, owner_of

NETWORK, OTHER = "a" * 64, "b" * 64
ANA, BEN = owner_of("ana"), owner_of("ben")


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


def test_who_is_forgotten_takes_along_what_nobody_else_has(sent, sayings, store):
    alone, shared, judged, rated = 1, 2, 3, 4
    for number, owners in ((alone, (ANA,)), (shared, (ANA, BEN)), (judged, (ANA,)), (rated, ())):
        sent.keep([file(sayings, number), *(file(sayings, number, owner) for owner in owners)], NETWORK)
        sent.keep([file(sayings, number)], OTHER)
    store.say("ana", sayings.rated({shared: 3, judged: 3, rated: 3}))
    store.say("ben", sayings.rated({judged: 3}))
    gone = store.delete("ana", source="terminal")
    assert set(gone.sent) == {
        *(file(sayings, number, ANA).content.sha256 for number in (alone, shared, judged)),
        *(file(sayings, number).content.sha256 for number in (alone, rated)),
    }
    for network in (NETWORK, OTHER):
        vectors = [sent.vector(file(sayings, number).content.key, network) for number in (1, 2, 3, 4)]
        assert [one is None for one in vectors] == [True, False, False, True]
    assert list(sent.find([file(sayings, shared, BEN).content.sha256], NETWORK)) != []
    assert sent.find([file(sayings, judged, ANA).content.sha256], NETWORK) == {}


@pytest.mark.parametrize("how", ["withdraw", "say"])
def test_what_is_withdrawn_is_forgotten_unless_others_have_it(sent, sayings, store, how):
    for number, owners in ((1, (ANA,)), (2, (ANA, BEN)), (3, (ANA,))):
        sent.keep([file(sayings, number), *(file(sayings, number, owner) for owner in owners)], NETWORK)
    store.say("ana", sayings.rated({1: 3, 2: 3, 3: 3}))
    if how == "withdraw":
        store.withdraw("ana", ["1.jpg", "2.jpg"], sayings.by_name, source="http")
    else:
        identities = [sayings.digest(f"picture {number}") for number in (1, 2)]
        store.say("ana", sayings.rated({9: 1}), withdrawn=identities)
    names = [file(sayings, number, owner).content.sha256 for number in (1, 2, 3) for owner in ("", ANA, BEN)]
    found = sent.find(names, NETWORK)
    assert [name in found for name in names] == [False, False, False, True, False, True, True, True, False]


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


def test_what_was_forgotten_or_sent_long_ago_is_lacking(sent, sayings, store):
    files = [file(sayings, number, owner) for number in range(4) for owner in ("", ANA)]
    assert sent.lacking(files, NETWORK) == files
    sent.keep(files, NETWORK)
    assert sent.lacking(files, NETWORK) == []
    assert sent.lacking(files, OTHER) == files
    with store.database.writing() as sql:
        sql.run("DELETE FROM sent_files WHERE name = :name", name=files[1].content.sha256)
        key = files[2].content.key
        sql.run("UPDATE sent_vectors SET checksum = 'damaged' WHERE picture = :key", key=key)
        day_ago = time.time() - 86401
        sql.run("UPDATE sent_files SET at = :at WHERE name = :name", at=day_ago, name=files[4].content.sha256)
        sql.run("UPDATE sent_vectors SET at = :at WHERE picture = :key", at=day_ago, key=files[6].content.key)
    assert sent.lacking(files, NETWORK) == [files[at] for at in (1, 2, 3, 4, 6, 7)]
    sent.keep(files, NETWORK)
    assert sent.lacking(files, NETWORK) == []
