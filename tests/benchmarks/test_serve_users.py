"""``benchmarks/serve_users.py``, with few users, on a server of either database."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

from piaa.store.store import Store

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def benchmark(monkeypatch):
    monkeypatch.setattr(sys, "path", [str(BENCHMARKS), *sys.path])
    found = importlib.import_module("serve_users")
    monkeypatch.setattr(found, "ASKED", 12)
    monkeypatch.setattr(found, "PAGE", 20)
    return found


@pytest.fixture(params=["sqlite", "postgres"])
def place(request, tmp_path) -> Path | str:
    return tmp_path / "piaa.db" if request.param == "sqlite" else request.getfixturevalue("postgres")


def test_a_server_is_measured_and_who_was_erased_is_filled_in(benchmark, place):
    benchmark.fill(place, 50)
    found = benchmark.measure(place, 50)
    assert (found["pages"]["n"], found["pages"]["users"]) == (3, 50)
    assert len(found["export_ms"]) == len(found["erase_ms"]) == benchmark.GONE
    assert found["export_bytes"] > 55_000  # a state with the vectors of ten photos, in base64
    for key in ("first_ms", "again_ms", "unknown_ms"):
        assert 0 < found[key]["p50"] <= found[key]["p99"]
    store = Store(place)
    assert len(store.users()) == 45
    assert benchmark.fill(place, 50) == 50
    assert len(store.users()) == 50
    store.close()
    text = benchmark.markdown(
        found, {**found, "users": 150, "store_bytes": found["store_bytes"] + 2_500_000}, "ridge"
    )
    assert "| all users, 20 a page, s |" in text
    assert "A user with 10 ratings and a version by `ridge` takes 25.0 kB of the store" in text
