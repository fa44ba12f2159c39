"""Fits in a process of their own: it may be ended, or take too much, and the server goes on."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from generic.errors import PiaaError
from piaa import load_model
from piaa.server.fitting.process import FitOptions, FitProcess
from piaa.store.jobs import Claimed, JobStore
from piaa.store.place import open_database
from piaa.store.records import SeenPhoto
from piaa.store.saying import Saying
from piaa.store.store import Store

ENDLESS = '''
"""An adapter whose fit never ends."""

from piaa.adapters.bias import BiasAdapter


class EndlessAdapter(BiasAdapter):
    name = "endless"

    def fit(self, features, unit_scores):
        while True:
            pass
'''


def fill(place: Path, user: str, n: int, model_hash: str) -> None:
    draw = np.random.default_rng(n)
    seen = [
        SeenPhoto(
            identity=f"{at:060x}{n:04x}",
            image=f"{at}.jpg",
            vector=np.append(0.5, draw.standard_normal(8)).astype("f4"),
        )
        for at in range(n)
    ]
    ratings = [(one, float(draw.integers(1, 6))) for one in seen]
    Store(place).say(user, Saying(ratings=ratings, model_hash=model_hash, source="python"))


def fit_process(server, seconds: float = 60) -> int | None:
    """The process that fits, once there is one; None if there is none in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                command = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if parent == server.process.pid and b"piaa.server.fitting.child" in command:
                return int(entry.name)
        time.sleep(0.01)
    return None


@pytest.fixture
def endless(install) -> str:
    install("endless = endless_adapter:EndlessAdapter", package="endless-adapter", source=ENDLESS)
    return "endless"


@pytest.fixture(scope="module")
def model_hash(tiny_model) -> str:
    return load_model(tiny_model, cache=False).generic.hash


def test_a_fit_that_takes_too_much_is_given_up_and_others_are_done(serve, tmp_path, model_hash, endless):
    place = tmp_path / "piaa.db"
    fill(place, "huge", 5, model_hash)
    fill(place, "ana", 5, model_hash)
    server = serve(place, "--no-keys", "--fit-seconds", "1")
    asked = (("huge", endless), ("ana", "ridge"))
    jobs = [
        server.http.post(f"/v1/users/{user}/fit", params={"adapter": adapter}).json()["id"]
        for user, adapter in asked
    ]
    huge, ana = (server.follow(job) for job in jobs)
    assert (ana["state"], ana["version"]) == ("done", 1)
    assert (huge["state"], huge["error"]) == (
        "failed",
        "the fit takes more than 1 s of computing, the limit of this server; choose a simpler adapter, such "
        "as ridge, or withdraw some ratings",
    )
    assert server.http.get("/ready").status_code == 200
    server.stop()


def test_a_fit_that_kills_its_process_is_given_up_after_three(serve, tmp_path, model_hash):
    place = tmp_path / "piaa.db"
    fill(place, "ana", 5, model_hash)
    server = serve(place, "--no-keys")
    job = server.http.post("/v1/users/ana/fit").json()["id"]
    ended = set()
    while server.http.get(f"/v1/jobs/{job}").json()["state"] not in ("done", "failed"):
        pid = fit_process(server, seconds=0.1)
        if pid is not None and pid not in ended:
            ended.add(pid)
            os.kill(pid, signal.SIGKILL)
    found = server.http.get(f"/v1/jobs/{job}").json()
    assert (found["state"], found["error"]) == (
        "failed",
        "the process that did this fit was ended by signal 9, 3 times; it is not tried again",
    )
    assert len(ended) == 3
    assert server.fit("ana")["state"] == "done"
    server.stop()


def test_a_process_that_cannot_be_started_is_one_line(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "no python"))
    process = FitProcess(FitOptions(store="piaa.db", model="piaa-lite", seconds=1, memory=2**30))
    job = Claimed(id="1", user="ana", adapter="auto", state="running", version=None, error=None, attempt=1)
    with pytest.raises(PiaaError) as caught:
        process.do(job)
    assert str(caught.value) == "no process to fit can be started: No such file or directory"


def test_a_process_that_ends_before_it_reads_costs_an_attempt_and_not_the_server(monkeypatch, tmp_path):
    program = tmp_path / "python"
    program.write_text("#!/bin/sh\nexit 3\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    process = FitProcess(FitOptions(store="piaa.db", model="piaa-lite", seconds=1, memory=2**30))
    more_than_a_pipe_holds = "a" * 2**20
    job = Claimed(
        id="1",
        user=more_than_a_pipe_holds,
        adapter="auto",
        state="running",
        version=None,
        error=None,
        attempt=1,
    )
    ended = process.do(job)
    assert (ended.outcome, ended.reason) == ("died", "the process that did this fit ended with exit code 3")
    process.close()


def test_a_stop_leaves_the_fit_at_hand_to_the_next_server(serve, tmp_path, model_hash, endless):
    place = tmp_path / "piaa.db"
    fill(place, "huge", 5, model_hash)
    server = serve(place, "--no-keys")
    job = server.http.post("/v1/users/huge/fit", params={"adapter": endless}).json()["id"]
    pid = fit_process(server)
    started = time.monotonic()
    server.stop()
    assert time.monotonic() - started < 20
    assert not Path(f"/proc/{pid}").exists()
    database = open_database(place)
    found = JobStore(database).job(job)
    database.close()
    assert (found.state, found.version) == ("queued", None)


def test_a_fit_gives_way_to_the_server(tmp_path, tiny_model, model_hash):
    place = tmp_path / "piaa.db"
    fill(place, "ana", 5, model_hash)
    jobs = JobStore(open_database(place))
    jobs.enqueue("ana", "bias")
    job = jobs.claim()
    assert job is not None
    options = FitOptions(store=str(place), model=str(tiny_model), seconds=60, memory=2**32)
    process = FitProcess(options)
    assert process.do(job).outcome == "done"
    own = os.getpriority(os.PRIO_PROCESS, 0)
    assert os.getpriority(os.PRIO_PROCESS, process._process.pid) == min(19, own + 15)
    process.stop()
    process.close()
