"""What all servers of a store count together."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from piaa.store.request_counts import CountStore


def test_what_everybody_counted_is_added_up(store):
    one, other = CountStore(store.database), CountStore(store.database)
    assert one.exchange({("key a", 7): 3}, 6) == {("key a", 7): 3}
    assert other.exchange({("key a", 7): 2, ("key b", 6): 1}, 6) == {("key a", 7): 5, ("key b", 6): 1}
    assert one.exchange({}, 6) == {("key a", 7): 5, ("key b", 6): 1}


def test_what_is_too_old_goes(store):
    counts = CountStore(store.database)
    counts.exchange({("key a", 6): 3, ("key a", 7): 4}, 6)
    assert counts.exchange({("key a", 8): 1}, 7) == {("key a", 7): 4, ("key a", 8): 1}
    with store.database.reading() as sql:
        assert sql.run("SELECT count(*) FROM request_counts") == [(2,)]


def test_whoever_asked_most_is_told_first(store, monkeypatch):
    monkeypatch.setattr("piaa.store.request_counts._MOST", 2)
    found = CountStore(store.database).exchange({("a", 7): 1, ("b", 7): 3, ("c", 7): 2}, 6)
    assert found == {("b", 7): 3, ("c", 7): 2}


def test_servers_add_at_once_and_nothing_is_lost(store):
    def add(number: int) -> None:
        counts = CountStore(store.database)
        names = ["a", "b", "c"] if number % 2 else ["c", "b", "a"]
        for _ in range(10):
            counts.exchange({(name, 7): 1 for name in names}, 6)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(add, range(4)))
    assert CountStore(store.database).exchange({}, 6) == {("a", 7): 40, ("b", 7): 40, ("c", 7): 40}
