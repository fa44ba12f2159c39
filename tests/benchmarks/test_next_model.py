"""``benchmarks/next_model.py``: people go over to another model on a running server, small."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
N_PEOPLE, N_RATED = 12, 8


@pytest.fixture
def benchmark(monkeypatch):
    monkeypatch.setattr(sys, "path", [str(BENCHMARKS), *sys.path])
    return importlib.import_module("next_model")


@pytest.mark.timeout(600)
def test_nobody_is_refused_while_all_move(benchmark, album, names, tiny_model, tiny_graph, tmp_path):
    draw = np.random.default_rng(0)
    people = []
    for number in range(N_PEOPLE):
        order = draw.permutation(len(names))
        people.append(
            benchmark.Name(
                user=f"person-{number}",
                rated=order[:N_RATED],
                scores=draw.integers(1, 8, N_RATED).astype(float),
                left=order[N_RATED:],
                truth=draw.uniform(1, 7, len(names) - N_RATED),
            )
        )
    photos = [album / name for name in names]
    benchmark.learn(tmp_path / "piaa.db", tiny_model, people, photos)
    found = benchmark.move(tmp_path / "piaa.db", tiny_model, tiny_graph, people, photos)
    assert set(found["statuses"]) == {"200"}
    assert found["statuses"]["200"] > 10
    assert sum(found["models_during"]) == N_PEOPLE
    assert found["models_after"] == 1
    assert set(found["srcc"]) == {"before", "during", "after"}
    assert all(np.isfinite(one) for one in found["srcc"].values())
    assert "all have moved" in benchmark.markdown(found)
