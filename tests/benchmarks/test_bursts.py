"""The limits in the package are those that ``benchmarks/bursts.py`` chose; its figures on planted scenes."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from piaa.people.bursts import LIMITS

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def benchmark(monkeypatch):
    monkeypatch.setattr(sys, "path", [str(BENCHMARKS), *sys.path])
    return importlib.import_module("bursts")


def test_the_limits_are_those_that_were_chosen():
    chosen = json.loads((BENCHMARKS / "results" / "bursts.json").read_text())["chosen"]
    assert chosen == {"timed": LIMITS.timed, "untimed": LIMITS.untimed}


def test_planted_scenes_are_counted(benchmark):
    found = benchmark.SCENE.copy()
    assert benchmark.agreement(found) == {"bursts": 185, "pairs_found": 1.0, "scenes_joined": 0}
    found[found == 1] = 0  # two scenes become one
    found[-1] = 500  # and one photo is alone
    told = benchmark.agreement(np.unique(found, return_inverse=True)[1])
    assert told == {"bursts": 185, "pairs_found": pytest.approx(1 - 3 / (6 * 185)), "scenes_joined": 1}


def test_limits_are_the_largest_that_join_none_and_one(benchmark):
    """Scenes a unit apart, but 0.23 between the first two, and 0.31 between two others."""
    at = benchmark.SCENE + 0.001 * np.tile(np.arange(4), 185)
    at = np.where(benchmark.SCENE == 1, at - 0.77, at)
    at = np.where(benchmark.SCENE == 3, at + 0.69, at)[:, None]
    limits = benchmark.choose(at)
    assert (limits.untimed, limits.timed) == (0.22, 0.3)


def test_the_best_show_as_many_scenes_as_there_are(benchmark):
    scores = -benchmark.SCENE.astype(float)
    assert benchmark.best(scores, None) == 5
    assert benchmark.best(scores, benchmark.SCENE) == 20


def test_drawn_times_keep_a_burst_together(benchmark):
    moments = benchmark.drawn_moments().reshape(185, 4)
    assert np.allclose(np.diff(moments, axis=1), 1)
    starts = np.sort(moments[:, 0])
    assert (np.diff(starts) >= 3).all()
    assert 40 < np.diff(starts).mean() < 80
