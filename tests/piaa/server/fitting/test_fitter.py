"""Fits that last: no second server takes one over, and what was withdrawn meanwhile is learned without."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

from generic.errors import PiaaError, StoreUnavailable
from piaa import load_model
from piaa.adapters import registry
from piaa.adapters.bias import BiasAdapter
from piaa.people.choose import choose_photos
from piaa.server import repeated, telemetry
from piaa.server.fitting import fitter as fitters
from piaa.server.fitting.fitter import Fitter
from piaa.server.fitting.work import Work
from piaa.store import jobs
from piaa.store.place import open_database
from piaa.store.records import SeenPhoto
from piaa.store.saying import Saying
from piaa.store.store import Store

SHORT_S = 0.6


class Slow(BiasAdapter):
    """Bias, once it may go on."""

    name = "slow"
    started, go_on = threading.Semaphore(0), threading.Semaphore(0)
    n_fits = 0

    def fit(self, features, unit_scores):
        Slow.n_fits += 1
        Slow.started.release()
        assert Slow.go_on.acquire(timeout=60)
        return super().fit(features, unit_scores)


@pytest.fixture
def slow(monkeypatch):
    monkeypatch.setitem(registry.ADAPTERS, "slow", Slow)
    Slow.started, Slow.go_on, Slow.n_fits = threading.Semaphore(0), threading.Semaphore(0), 0
    return Slow


@pytest.fixture
def model(tiny_model):
    return load_model(tiny_model, cache=False)


@pytest.fixture(params=["file", "postgres"])
def place(request, tmp_path):
    return tmp_path / "piaa.db" if request.param == "file" else request.getfixturevalue("postgres")


@pytest.fixture
def servers(place, model):
    """Two servers' fitters, each with connections of its own, on a store where ana rated four photos."""
    databases = [open_database(place, connections=2) for _ in range(2)]
    seen = [
        SeenPhoto(
            identity=f"{at:064x}",
            image=f"{at}.jpg",
            vector=np.append(0.5, np.random.default_rng(at).standard_normal(8)).astype("f4"),
        )
        for at in range(4)
    ]
    saying = Saying(
        ratings=[(one, 1.0 + at) for at, one in enumerate(seen)],
        model_hash=model.generic.hash,
        source="python",
    )
    Store(database=databases[0]).say("ana", saying)
    both = [
        Fitter(jobs.JobStore(database), Work(Store(database=database), [model])) for database in databases
    ]
    yield both
    Slow.go_on.release(10)
    for one in both:
        one.stop()
    for database in databases:
        database.close()


def attempts(store: jobs.JobStore, job: str) -> int:
    with store.database.reading() as sql:
        return sql.run("SELECT attempts FROM jobs WHERE id = :id", id=job)[0][0]


def ended(store: jobs.JobStore, job: str) -> jobs.Job:
    for _ in range(600):
        found = store.job(job)
        if found.state in ("done", "failed"):
            return found
        time.sleep(0.05)
    raise AssertionError(found)


@pytest.mark.parametrize("beats", [True, False])
def test_a_fit_that_outlasts_its_lease_stays_with_its_server(servers, slow, monkeypatch, beats):
    monkeypatch.setattr(jobs, "LEASE_S", SHORT_S)
    monkeypatch.setattr(fitters, "LEASE_S", SHORT_S if beats else 1000.0)
    one, two = servers
    store = one._jobs
    lost = telemetry.LOST._value.get()
    job = store.enqueue("ana", "slow").id
    one.start()
    assert slow.started.acquire(timeout=60)
    two.start()
    taken = slow.started.acquire(timeout=4 * SHORT_S)
    assert taken is not beats  # who falls silent loses the fit: the heartbeat is what keeps it
    slow.go_on.release(2)
    assert (ended(store, job).state, attempts(store, job)) == ("done", 1 if beats else 2)
    one.stop()
    two.stop()
    assert telemetry.LOST._value.get() - lost == (0 if beats else 1)
    assert [version.version for version in one._worker._store.versions("ana")] == [1]


class Scarce:
    """A worker that finds no process for its first fits."""

    def __init__(self, worker: Work, n: int) -> None:
        self.worker, self.n = worker, n

    def do(self, job):
        self.n -= 1
        if self.n >= 0:
            raise PiaaError("no process to fit can be started: Cannot allocate memory")
        return self.worker.do(job)


def test_fits_wait_while_there_is_no_process_for_them(servers, caplog):
    one, _ = servers
    job = one._jobs.enqueue("ana", "bias").id
    fitter = Fitter(one._jobs, Scarce(one._worker, jobs.ATTEMPTS + 1))
    fitter.start()
    found = ended(one._jobs, job)
    fitter.stop()
    assert (found.state, found.version, attempts(one._jobs, job)) == ("done", 1, 1)
    assert "fits pause: no process to fit can be started: Cannot allocate memory" in caplog.messages


@pytest.mark.parametrize(("kind", "name"), [(Store, "said"), (jobs.JobStore, "finish")])
def test_a_store_that_is_away_for_a_moment_ends_no_fit(servers, monkeypatch, kind, name):
    one, _ = servers
    real, left = getattr(kind, name), [jobs.ATTEMPTS + 1]

    def away(*arguments):
        if left[0]:
            left[0] -= 1
            raise StoreUnavailable("store 'piaa.db' cannot be used now: it is away; try again later")
        return real(*arguments)

    monkeypatch.setattr(kind, name, away)
    job = one._jobs.enqueue("ana", "bias").id
    one.start()
    found = ended(one._jobs, job)
    assert (found.state, found.version, attempts(one._jobs, job)) == ("done", 1, 1)
    assert left == [0]


class Faulty:
    """A worker with a fault of piaa's own in one person's fits."""

    def __init__(self, worker: Work, user: str) -> None:
        self.worker, self.user = worker, user

    def do(self, job):
        if job.user == self.user:
            raise ZeroDivisionError("a fault of ours")
        return self.worker.do(job)


def test_a_fault_of_ours_fails_that_fit_and_no_other(servers, monkeypatch, caplog):
    monkeypatch.setattr(repeated, "_AFTER_ERROR_S", 0.01)
    one, _ = servers
    seen = SeenPhoto(identity="e" * 64, image="hers.jpg", vector=np.ones(9, "f4"))
    hash_ = one._worker._models[0].generic.hash
    one._worker._store.say("bea", Saying(ratings=[(seen, 4.0)], model_hash=hash_, source="http"))
    faulty, well = (one._jobs.enqueue(user, "bias").id for user in ("ana", "bea"))
    fitter = Fitter(one._jobs, Faulty(one._worker, "ana"))
    fitter.start()
    found = [ended(one._jobs, job) for job in (well, faulty)]
    fitter.stop()
    assert [(job.state, job.version) for job in found] == [("done", 1), ("failed", None)]
    assert (
        found[1].error
        == "the fit failed by an error of piaa (ZeroDivisionError), 3 times; it is not tried again"
    )
    assert "a fault of ours" in caplog.text  # the log has what is to be mended


def test_what_is_withdrawn_during_a_fit_is_learned_without(servers, slow):
    one, _ = servers
    store, kept = one._jobs, one._worker._store
    job = store.enqueue("ana", "slow").id
    one.start()
    for at in range(3):  # three times, which is no sign that the fit ends servers
        assert slow.started.acquire(timeout=60)
        assert kept.withdraw("ana", [f"{at}.jpg"], choose_photos, source="terminal") == []
        slow.go_on.release()
    assert slow.started.acquire(timeout=60)
    slow.go_on.release()
    found = ended(store, job)
    assert (found.state, found.version, found.error, slow.n_fits) == ("done", 1, None, 4)
    assert [one.image for one in kept.load("ana").ratings] == ["3.jpg"]


def test_all_withdrawn_during_a_fit_ends_it(servers, slow):
    one, _ = servers
    job = one._jobs.enqueue("ana", "slow").id
    one.start()
    assert slow.started.acquire(timeout=60)
    one._worker._store.withdraw("ana", [f"{at}.jpg" for at in range(4)], choose_photos, source="terminal")
    slow.go_on.release()
    found = ended(one._jobs, job)
    assert (found.state, found.version, found.error) == (
        "failed",
        None,
        "user 'ana' gave 0 ratings, but at least 1 is needed; rate some photos first",
    )


def test_who_is_erased_during_a_fit_does_not_come_back(servers, slow):
    one, _ = servers
    job = one._jobs.enqueue("ana", "slow").id
    one.start()
    assert slow.started.acquire(timeout=60)
    one._worker._store.delete("ana", source="terminal")
    slow.go_on.release()
    one.stop()
    assert one._jobs.job(job) is None
    assert one._worker._store.users() == []


def test_ratings_during_a_fit_are_kept_for_the_next(servers, slow, model):
    one, _ = servers
    job = one._jobs.enqueue("ana", "slow").id
    one.start()
    assert slow.started.acquire(timeout=60)
    more = SeenPhoto(identity="f" * 64, image="new.jpg", vector=np.ones(9, "f4"))
    one._worker._store.say("ana", Saying(ratings=[(more, 5.0)], model_hash=model.generic.hash, source="http"))
    slow.go_on.release()
    assert ended(one._jobs, job).version == 1
    assert len(one._worker._store.load("ana").ratings) == 4
    assert len(one._worker._store.said("ana", model.generic.hash).ratings) == 5
