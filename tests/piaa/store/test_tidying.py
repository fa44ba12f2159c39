"""What a store need not keep for ever goes; what counts stays."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from generic.cache.contents import Content
from generic.errors import StoreError
from piaa.store.jobs import JobStore
from piaa.store.sent import Sent, SentStore
from piaa.store.store import Store
from piaa.store.tidying import Retention, Tidied, TidyStore

ALL = Retention(versions=0, job_days=0, sent_bytes=2**30, sent_days=0)


def learned(store: Store, sayings, user: str, n: int, **changes) -> None:
    """A user with n versions, each with a linear form."""
    store.say(user, sayings.rated({1: 1, 2: 5, 3: 4}))
    for _ in range(n):
        record, said = sayings.fitted(store, user, **changes)
        store.keep(user, record, said, linear_form=b"form")


def numbers(store: Store, user: str) -> list[int]:
    return [one.version for one in store.versions(user)]


def forms(store: Store) -> dict[int, bool]:
    """Whether each version of the first user has its linear form."""
    with store.database.reading() as sql:
        rows = sql.run(
            "SELECT number, linear_form IS NOT NULL FROM versions WHERE user_id = 1 ORDER BY number"
        )
    return {number: bool(there) for number, there in rows}


def test_the_newest_versions_stay_and_those_that_count(store, sayings):
    learned(store, sayings, "ana", 3, model_hash=sayings.OTHER_MODEL)
    learned(store, sayings, "ana", 8)
    learned(store, sayings, "ben", 2)
    gone = TidyStore(store.database).tidy(Retention())
    # Of the other model the version that counts is kept, however old it is.
    assert numbers(store, "ana") == [3, 7, 8, 9, 10, 11]
    assert numbers(store, "ben") == [1, 2]
    assert gone == Tidied(n_versions=5, n_forms=5, n_jobs=0, n_sent=0)
    assert forms(store) == {3: True, 7: False, 8: False, 9: False, 10: False, 11: True}
    assert TidyStore(store.database).tidy(Retention()) == Tidied(n_versions=0, n_forms=0, n_jobs=0, n_sent=0)
    before = store.load("ana", 7).state
    store.restore("ana", 7, source="terminal")
    assert (store.active("ana"), store.load("ana").state) == (7, before)
    learned(store, sayings, "ana", 1)
    assert numbers(store, "ana")[-1] == 12  # no number is given twice
    TidyStore(store.database).tidy(Retention(versions=1))
    assert numbers(store, "ana") == [3, 12]


def test_many_people_in_small_transactions(store, sayings, monkeypatch):
    for name, value in (("_FOUND", 7), ("_USERS", 2), ("_FORMS", 3)):
        monkeypatch.setattr(f"piaa.store.tidying.{name}", value)
    for number in range(6):
        learned(store, sayings, f"user-{number}", 1 + number)
    gone = TidyStore(store.database).tidy(Retention(versions=2))
    assert gone == Tidied(n_versions=10, n_forms=5, n_jobs=0, n_sent=0)
    assert [len(numbers(store, f"user-{number}")) for number in range(6)] == [1, 2, 2, 2, 2, 2]


def test_fits_that_ended_go_and_those_that_wait_stay(store, sayings):
    learned(store, sayings, "ana", 1)
    jobs = JobStore(store.database)
    ended = jobs.enqueue("ana", "ridge")
    jobs.fail(jobs.claim(), "it is a test")
    waiting = jobs.enqueue("ana", "bias")
    tidy = TidyStore(store.database)
    assert tidy.tidy(Retention()).n_jobs == 0
    with store.database.writing() as sql:
        sql.run("UPDATE jobs SET created = :at", at=time.time() - 31 * 86_400)
    assert tidy.tidy(ALL).n_jobs == 0
    assert tidy.tidy(Retention(job_days=32)).n_jobs == 0
    assert tidy.tidy(Retention()).n_jobs == 1
    assert (jobs.job(ended.id), jobs.job(waiting.id)) == (None, waiting)


def test_photos_sent_long_ago_go(store, sayings):
    sent, digest = SentStore(store.database), sayings.digest("file")
    with store.database.writing():
        pass
    sent.keep([Sent(content=Content(digest, digest), owner="", vector=sayings.vector(1))], "a")
    tidy = TidyStore(store.database)
    assert tidy.tidy(Retention()).n_sent == 0
    with store.database.writing() as sql:
        for table in ("sent_files", "sent_vectors"):
            sql.run(f"UPDATE {table} SET at = :at", at=time.time() - 31 * 86_400)
    assert tidy.tidy(ALL).n_sent == 0
    assert tidy.tidy(Retention()).n_sent == 2


def test_of_several_servers_one_tidies(store, sayings):
    store.say("ana", sayings.rated({1: 1}))
    with ThreadPoolExecutor(4) as pool:
        due = list(pool.map(lambda _: TidyStore(store.database).due(3600), range(8)))
    assert sorted(due) == [False] * 7 + [True]
    assert not TidyStore(store.database).due(3600)
    time.sleep(0.02)
    assert TidyStore(store.database).due(0.01)


@pytest.mark.parametrize("round_", range(3))
def test_a_version_that_comes_to_count_meanwhile_stays(store, sayings, round_):
    learned(store, sayings, "ana", 8)
    with ThreadPoolExecutor(2) as pool:
        tidied = pool.submit(TidyStore(store.database).tidy, Retention(versions=1))
        with suppress(StoreError):  # it had gone by then
            store.restore("ana", 1 + round_, source="terminal")
        tidied.result()
    assert store.active("ana") in numbers(store, "ana")
