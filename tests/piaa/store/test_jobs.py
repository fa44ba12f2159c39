"""Fits that were asked for: taken by one server, taken over when it falls silent, given up in the end."""

from __future__ import annotations

import threading
import time
from types import SimpleNamespace

import pytest

from generic.errors import UnknownUser
from piaa.store import jobs as module
from piaa.store.jobs import ATTEMPTS, LEASE_S, JobStore


@pytest.fixture
def clock(monkeypatch):
    """Seconds that the test turns."""
    clock = SimpleNamespace(now=1_000_000.0)
    monkeypatch.setattr(module, "time", SimpleNamespace(time=lambda: clock.now))
    return clock


@pytest.fixture
def jobs(store, sayings, clock) -> JobStore:
    for user in ("ana", "ben"):
        store.say(user, sayings.rated({1: 3, 2: 4}))
    return JobStore(store.database)


def test_people_have_their_fits_in_turn_and_each_once(jobs, clock):
    asked = []
    for user, adapter in (("ana", "ridge"), ("ben", "ridge"), ("ana", "bias")):
        clock.now += 1
        asked.append(jobs.enqueue(user, adapter))
    assert [(one.user, one.adapter, one.state, one.version, one.error) for one in asked] == [
        ("ana", "ridge", "queued", None, None),
        ("ben", "ridge", "queued", None, None),
        ("ana", "bias", "queued", None, None),
    ]
    assert jobs.enqueue("ana", "ridge") == asked[0]  # the one that waits will do
    assert jobs.n_waiting() == 3
    taken = [jobs.claim() for _ in range(3)]
    assert [one and one.id for one in taken] == [asked[0].id, asked[1].id, None]  # nobody has two at once
    assert {one.state for one in taken[:2]} == {"running"}
    jobs.fail(taken[0], "for a reason")
    assert jobs.claim().id == asked[2].id
    assert jobs.n_waiting() == 2
    assert jobs.enqueue("ana", "ridge").id != asked[0].id  # what runs may have begun before the last rating
    assert jobs.job("none") is None


def test_a_fit_that_ends_leaves_its_version(jobs, store, sayings):
    job = jobs.enqueue("ana", "ridge")
    taken = jobs.claim()
    record, said = sayings.fitted(store, "ana")
    assert jobs.finish(taken, record, said, b"form") == 1
    done = jobs.job(job.id)
    assert (done.state, done.version, done.error) == ("done", 1, None)
    assert store.load("ana").state == record.state
    assert jobs.finish(taken, record, said, None) is None  # it was finished already
    assert jobs.claim() is None
    assert [one.version for one in store.versions("ana")] == [1]


def test_a_silent_server_loses_its_fit_and_one_that_beats_does_not(jobs, clock):
    jobs.enqueue("ana", "ridge")
    taken = jobs.claim()
    for _ in range(5):
        clock.now += LEASE_S * 0.9
        jobs.beat(taken)
        assert jobs.claim() is None
    clock.now += LEASE_S * 1.1
    again = jobs.claim()
    assert again.id == taken.id
    assert jobs.claim() is None


def test_who_was_overtaken_changes_nothing(jobs, store, sayings, clock):
    jobs.enqueue("ana", "ridge")
    slow = jobs.claim()
    clock.now += LEASE_S + 1
    quick = jobs.claim()
    learned = sayings.fitted(store, "ana")
    assert jobs.finish(quick, *learned, None) == 1
    jobs.beat(slow)
    jobs.fail(slow, "it was slow")
    assert jobs.finish(slow, *learned, None) is None
    done = jobs.job(quick.id)
    assert (done.state, done.version, done.error) == ("done", 1, None)


def test_a_fit_that_ends_its_servers_is_given_up(jobs, clock):
    job = jobs.enqueue("ana", "ridge")
    clock.now += 1
    other = jobs.enqueue("ben", "ridge")
    assert ATTEMPTS == 3
    for _ in range(ATTEMPTS):
        assert jobs.claim().id == job.id
        clock.now += LEASE_S + 1
    assert jobs.claim() is None  # this is where it is given up
    failed = jobs.job(job.id)
    assert (failed.state, failed.error) == (
        "failed",
        "the server ended 3 times while it did this fit; it is not tried again",
    )
    assert jobs.claim().id == other.id
    assert jobs.enqueue("ana", "ridge").id != job.id  # asked for again, it is tried again


def test_what_was_withdrawn_meanwhile_is_learned_again_however_often(jobs, store, sayings):
    store.say("ana", sayings.rated(dict.fromkeys(range(10, 20), 3)))
    job = jobs.enqueue("ana", "ridge")
    for number in range(10, 10 + ATTEMPTS + 1):
        taken = jobs.claim()
        assert taken.id == job.id
        learned = sayings.fitted(store, "ana")
        store.withdraw("ana", [f"{number}.jpg"], sayings.by_name, source="http")
        assert jobs.finish(taken, *learned, None) is None
        assert jobs.job(job.id).state == "queued"
    assert jobs.finish(jobs.claim(), *sayings.fitted(store, "ana"), None) == 1


@pytest.mark.parametrize("what", ["a version is restored", "a change is undone"])
def test_what_was_taken_back_while_a_fit_runs_is_learned_again(jobs, store, sayings, what):
    sayings.fit(store, "ana")
    store.say("ana", sayings.rated({5: 5}))
    job = jobs.enqueue("ana", "ridge")
    taken, learned = jobs.claim(), sayings.fitted(store, "ana")
    if what == "a version is restored":
        store.restore("ana", 1, source="http")
    else:
        store.undo("ana", source="http")
    assert jobs.finish(taken, *learned, None) is None
    assert (store.active("ana"), jobs.job(job.id).state) == (1, "queued")
    assert jobs.finish(jobs.claim(), *sayings.fitted(store, "ana"), None) == 2
    assert store.versions("ana")[-1].n_ratings == 2


def test_who_asks_for_many_fits_keeps_nobody_waiting(jobs, clock):
    many = [jobs.enqueue("ana", adapter).id for adapter in ("ridge", "bias", "auto", "bayes")]
    order = []
    for turn in range(5):
        clock.now += 1
        order.append(jobs.claim())
        jobs.fail(order[-1], "for a reason")
        if not turn:
            late = jobs.enqueue("ben", "auto").id
    assert [one.id for one in order[:2]] == [many[0], late]
    assert {one.id for one in order[2:]} == set(many[1:])


def test_a_fit_whose_process_dies_is_tried_three_times(jobs):
    job = jobs.enqueue("ana", "ridge")
    for attempt in range(1, ATTEMPTS + 1):
        taken = jobs.claim()
        assert (taken.id, taken.attempt) == (job.id, attempt)
        jobs.release(taken, "its process was ended by signal 9")
    found = jobs.job(job.id)
    assert (found.state, found.error) == (
        "failed",
        "its process was ended by signal 9, 3 times; it is not tried again",
    )


def test_a_fit_that_is_left_by_a_server_that_stops_was_no_attempt(jobs):
    job = jobs.enqueue("ana", "ridge")
    for _ in range(2 * ATTEMPTS):
        taken = jobs.claim()
        assert (taken.id, taken.attempt) == (job.id, 1)
        jobs.release(taken, None)
    assert jobs.job(job.id).state == "queued"


def test_a_failed_fit_says_why(jobs):
    job = jobs.enqueue("ana", "ridge")
    jobs.fail(jobs.claim(), "3 of 3 ratings are damaged")
    assert [(one.id, one.state, one.error) for one in jobs.of_user("ana")] == [
        (job.id, "failed", "3 of 3 ratings are damaged")
    ]
    assert (jobs.claim(), jobs.n_waiting(), jobs.of_user("ben")) == (None, 0, [])


def test_somebody_deleted_while_her_fit_runs(jobs, store, sayings):
    jobs.enqueue("ana", "ridge")
    taken, learned = jobs.claim(), sayings.fitted(store, "ana")
    store.delete("ana", source="terminal")
    assert jobs.finish(taken, *learned, None) is None
    with pytest.raises(UnknownUser):
        jobs.of_user("ana")
    with pytest.raises(UnknownUser):
        jobs.enqueue("ana", "ridge")


def test_several_servers_never_take_the_same(jobs, store, sayings):
    for number in range(12):
        store.say(f"user-{number}", sayings.rated({1: 3}))
        jobs.enqueue(f"user-{number}", "ridge")
    taken = []

    def serve() -> None:
        while (job := jobs.claim()) is not None:
            taken.append(job.id)

    threads = [threading.Thread(target=serve) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == len(set(taken))
    while (job := jobs.claim()) is not None:  # one may have found its row taken, and stopped
        taken.append(job.id)
    assert len(set(taken)) == 12


def test_fits_end_while_others_rate_and_erase(store, sayings):
    """Whoever waits for another one is not waited for by that one; nobody is missing half way."""
    jobs, end, problems = JobStore(store.database), time.monotonic() + 3, []

    def again_and_again(act) -> None:
        while time.monotonic() < end:
            try:
                act()
            except UnknownUser:
                pass
            except Exception as error:
                problems.append(repr(error))

    def fit() -> None:
        jobs.enqueue("ana", "ridge")
        if (job := jobs.claim()) is not None:
            jobs.finish(job, *sayings.fitted(store, "ana"), None)

    acts = (
        *[lambda: store.say("ana", sayings.rated({1: 3, 2: 4}))] * 2,
        *[fit] * 2,
        lambda: store.delete("ana", source="terminal"),
    )
    threads = [threading.Thread(target=again_and_again, args=(act,)) for act in acts]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert problems == []


def test_a_fit_that_waits_has_an_age(jobs, clock):
    assert jobs.waiting_s() == 0
    jobs.enqueue("ana", "bias")
    clock.now += 100
    jobs.enqueue("ben", "bias")
    assert jobs.waiting_s() == 100
    assert jobs.claim().user == "ana"
    assert jobs.waiting_s() == 0
    clock.now -= 50  # another server's clock
    assert jobs.waiting_s() == 0


def test_who_takes_a_fit_over_knows_it(jobs, clock):
    jobs.enqueue("ana", "bias")
    first = jobs.claim()
    jobs.release(first, None)
    second = jobs.claim()
    clock.now += LEASE_S + 1
    assert [one.taken_over for one in (first, second, jobs.claim())] == [False, False, True]
