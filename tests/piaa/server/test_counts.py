"""Limits that hold whichever server process is asked."""

from __future__ import annotations

import time

import httpx
import pytest

from generic.errors import StoreUnavailable
from piaa.server.counts import SharedCounts
from piaa.store.place import open_database
from piaa.store.request_counts import CountStore


class Clock:
    """The time, which stands still."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def database(tmp_path):
    one = open_database(tmp_path / "piaa.db", connections=2)
    yield one
    one.close()


def several(counts: SharedCounts, who: str, n: int) -> None:
    for _ in range(n):
        counts.add(who)


def test_of_the_ten_seconds_before_the_part_that_still_counts(database, clock):
    counts = SharedCounts(CountStore(database), clock)
    several(counts, "key a", 20)
    assert (counts.within("key a"), counts.within("key b")) == (20, 0)
    clock.now += 12.5
    several(counts, "key a", 4)
    assert counts.within("key a") == pytest.approx(4 + 20 * 0.75)
    clock.now += 10
    assert counts.within("key a") == pytest.approx(4 * 0.75)
    clock.now += 10
    assert counts.within("key a") == 0


def test_each_learns_what_the_others_counted(database, clock):
    one, other = (SharedCounts(CountStore(database), clock) for _ in range(2))
    several(one, "key a", 5)
    several(other, "key a", 3)
    one.exchange()
    assert (one.within("key a"), other.within("key a")) == (5, 3)
    other.exchange()
    assert other.within("key a") == 8
    several(other, "key a", 1)
    assert other.within("key a") == 9
    several(one, "key b", 1)
    one.exchange()
    assert (one.within("key a"), other.within("key a")) == (8, 9)
    clock.now += 20
    several(one, "key b", 1)
    one.exchange()
    assert (one.within("key a"), one.within("key b")) == (0, 1)


def test_a_store_that_is_away_loses_nothing(database, clock):
    class Away:
        def exchange(self, *_):
            raise StoreUnavailable("away")

    counts = SharedCounts(CountStore(database), clock)
    several(counts, "key a", 5)
    counts._store, there = Away(), counts._store
    with pytest.raises(StoreUnavailable):
        counts.exchange()
    assert counts.within("key a") == 5
    counts._store = there
    counts.exchange()
    assert there.exchange({}, 0) == {("key a", 100): 5}


def test_what_is_remembered_has_an_end(database, clock, monkeypatch):
    monkeypatch.setattr("piaa.server.counts._REMEMBERED", 3)
    counts = SharedCounts(CountStore(database), clock)
    for number in range(5):
        counts.add(f"wrong key 10.0.0.{number}")
    assert [counts.within(f"wrong key 10.0.0.{number}") for number in range(5)] == [0, 0, 1, 1, 1]


@pytest.fixture
def two(serve, server):
    """The server of the session, and another one on its store."""
    second = serve(server.store)
    yield server, second
    second.stop()


def guess(url: str, n: int, address: str) -> list[int]:
    transport = httpx.HTTPTransport(local_address=address)
    with httpx.Client(base_url=url, transport=transport) as guesser:
        return [
            guesser.get("/v1/models", headers={"Authorization": f"Bearer piaa_{number}"}).status_code
            for number in range(n)
        ]


def test_guesses_at_one_server_count_at_the_other(two):
    answers = guess(two[0].url, 260, "127.0.0.4")
    assert (answers[:200], answers[-1]) == ([401] * 200, 429)
    time.sleep(1.5)  # what was counted is told each second
    guess(two[1].url, 40, "127.0.0.4")  # some of which it took before it knew
    time.sleep(1.5)
    # Of its own it would answer 200; of the other's a part has left the ten seconds, more on a slow machine.
    assert guess(two[1].url, 150, "127.0.0.4")[-1] == 429
