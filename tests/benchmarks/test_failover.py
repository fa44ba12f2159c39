"""``benchmarks/failover.py``: what it counts, on moments that are known, and a small round of it."""

from __future__ import annotations

import importlib
import itertools
import math
import sys
from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def failover(monkeypatch):
    monkeypatch.setattr(sys, "path", [str(BENCHMARKS), *sys.path])
    return importlib.import_module("failover")


def test_the_rate_is_back_when_as_much_is_answered_over_two_seconds(failover):
    # Ten answers a second; none from the tenth second to the thirteenth, then half as many for two seconds.
    answered = np.concatenate([np.arange(0, 10, 0.1), np.arange(13, 15, 0.2), np.arange(15, 25, 0.1)])
    assert failover.rate_in(answered, 5, 9.95) == pytest.approx(10, rel=0.03)
    assert failover.recovered(answered, 10.0, 9.5) == pytest.approx(5, abs=0.4)
    assert failover.recovered(answered, 10.0, 4.5) == pytest.approx(3, abs=0.5)
    assert failover.recovered(answered, 10.0, 11.0) is None
    assert failover.recovered(answered, 2.0, 9.5) == 0


def test_a_kind_of_rounds_is_summed_up(failover):
    one = {
        "asked": 100,
        "errors": {"rate: connection": 2},
        "answers": {"rate: 200": 40, "rate: ReadError": 2},
        "jobs": {"done": 5},
        "counts": {"acknowledged": 40, "lost": 0, "versions": 5, "jobs_with_a_version_of_their_own": 5},
        "longest_wait_s": 0.5,
        "rate_before": 30.0,
        "rate_after": 31.0,
        "recovered_s": 1.5,
    }
    other = {**one, "errors": {}, "recovered_s": None, "longest_wait_s": 2.0}
    good, bad = failover.summary([one, one]), failover.summary([one, other])
    assert (good["asked"], good["errors"], good["counts"]["acknowledged"]) == (
        200,
        {"rate: connection": 4},
        80,
    )
    assert bad["recovered_s"] == [1.5, math.inf]
    lines = failover.markdown({"an error": good, "a second try": bad}).splitlines()
    assert lines[0] == "| where a connection fails | an error | a second try |"
    assert "| errors that came to a client | 4 | 2 |" in lines
    assert "| until as much is answered as before, median / longest s | 1.5 / 1.5 | inf / inf |" in lines
    assert "| versions made, each by a fit of its own | 10 | 10 |" in lines


def test_a_second_try_goes_to_the_other_server(failover):
    balancer = object.__new__(failover.Balancer)
    balancer._ready, balancer._turn = ["one", "two"], itertools.count()
    assert [balancer.url() for _ in range(4)] == ["one", "two", "one", "two"]
    assert {balancer.url(but="one") for _ in range(4)} == {"two"}
    balancer._ready = ["two"]
    assert balancer.url(but="two") == "two"


@pytest.mark.slow
@pytest.mark.parametrize("tries", [0, 1])
def test_a_server_is_killed_and_nothing_is_lost(failover, postgres, monkeypatch, tries):
    monkeypatch.setattr(failover, "N_CLIENTS", 2)
    found = failover.measure(postgres, 4, tries)
    assert found["counts"]["lost"] == 0
    assert found["counts"]["acknowledged"] > 5
    assert found["jobs"]["done"] > 1
    assert set(found["jobs"]) == {"done"}
    assert found["counts"]["versions"] == found["counts"]["jobs_with_a_version_of_their_own"]
    assert found["jobs"]["done"] == found["counts"]["versions"]
    assert {one.rpartition(" ")[2] for one in found["errors"]} <= {"connection"}
    if tries:
        assert found["errors"] == {}
