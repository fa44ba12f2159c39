"""A thread that does one thing again and again."""

from __future__ import annotations

import logging
import queue
import time

import pytest

from generic.errors import PiaaError
from piaa.server import repeated
from piaa.server.repeated import Repeated


class Turns:
    """Turns that a test sees begin, each with a given end."""

    def __init__(self, *ends):
        self.begun, self.ends = queue.Queue(), list(ends)

    def __call__(self):
        self.begun.put(time.monotonic())
        end = self.ends.pop(0) if self.ends else 1000.0
        if isinstance(end, Exception):
            raise end
        return end

    def next(self, timeout=60):
        return self.begun.get(timeout=timeout)


@pytest.fixture
def run():
    made = []

    def start(turns, **more):
        made.append(Repeated("piaa-test", turns, "the test pauses", **more))
        made[-1].start()
        return made[-1]

    yield start
    for one in made:
        one.stop()
        assert not one._thread.is_alive()


def test_it_goes_on_at_once_waits_and_is_woken(run):
    turns = Turns(0.0, 0.0)
    thread = run(turns)
    for _ in range(3):
        turns.next()
    with pytest.raises(queue.Empty):
        turns.next(timeout=0.3)
    thread.wake()
    turns.next()


def test_it_is_woken_no_faster_than_its_spacing(run):
    turns = Turns(0.0)
    run(turns, spacing_s=0.4)
    assert turns.next() + 0.4 <= turns.next()


@pytest.mark.parametrize(
    ("error", "said", "traced"),
    [
        (PiaaError("the database is away"), "the test pauses: the database is away", False),
        (BrokenPipeError("of ours"), "the test pauses", True),
    ],
)
def test_it_outlives_what_goes_wrong_and_says_so(run, monkeypatch, caplog, error, said, traced):
    monkeypatch.setattr(repeated, "_AFTER_ERROR_S", 0.1)
    turns = Turns(error)
    run(turns)
    assert turns.next() + 0.1 <= turns.next()
    (record,) = caplog.records
    assert (record.getMessage(), record.exc_info is not None) == (said, traced)
    assert record.levelno == (logging.ERROR if traced else logging.WARNING)


def test_stopping_twice_or_before_it_began_is_nothing(run):
    never = Repeated("piaa-test", Turns(), "the test pauses")
    never.stop()
    thread = run(Turns())
    thread.stop()
    thread.stop()
