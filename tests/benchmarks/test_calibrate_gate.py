"""Where nothing can be gained the gate of ``piaa calibrate`` stays shut, in worlds of its benchmark."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest

from generic.seeds import stream
from generic.threads import one_blas_thread

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
WORLDS = 40


@pytest.fixture
def gate(monkeypatch):
    monkeypatch.setattr(sys, "path", [str(BENCHMARKS), *sys.path])
    return importlib.import_module("calibrate_gate")


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_worlds_without_a_gain_stay_shut(gate):
    with one_blas_thread():
        worlds = [gate.draw(stream(7, "gate", n), gains=False).outcome() for n in range(WORLDS)]
    true, told, opened = np.array(worlds).T
    assert true.max() < 0.02
    assert np.isfinite(told).sum() > WORLDS / 2
    assert opened.sum() == 0
