"""The stores that benchmarks/schema_2.py writes are those of the release, and its people load."""

from __future__ import annotations

import gzip
import importlib
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load as unpack

ROOT = Path(__file__).resolve().parents[2]
RELEASED = ROOT / "tests" / "piaa" / "store" / "fixtures" / "schema-2" / "file.db.gz"
N = 7


@pytest.fixture
def schema_2(monkeypatch):
    monkeypatch.setattr(sys, "path", [str(ROOT / "benchmarks"), *sys.path])
    return importlib.import_module("schema_2")


@pytest.fixture
def store(schema_2, tmp_path) -> Path:
    path = tmp_path / "piaa.db"
    schema_2.write_file(path, schema_2.People().batches(N))
    return path


def layout(path: Path) -> dict:
    """Columns, keys, references and indexes of every table, however they were written down."""
    with closing(sqlite3.connect(path)) as connection:

        def rows(pragma: str, name: str) -> list:
            return connection.execute(f"PRAGMA {pragma}({name})").fetchall()

        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
        found = {}
        for (name,) in tables.fetchall():
            indexes = sorted(
                (unique, origin, tuple(column for *_, column in rows("index_info", index)))
                for _, index, unique, origin, _ in rows("index_list", name)
            )
            found[name] = (rows("table_info", name), rows("foreign_key_list", name), indexes)
        return found


def test_the_tables_are_those_of_the_release(store, tmp_path):
    released = tmp_path / "released.db"
    released.write_bytes(gzip.decompress(RELEASED.read_bytes()))
    assert layout(store) == layout(released)


def test_the_rows_are_in_order(store):
    with closing(sqlite3.connect(store)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        counts = {
            table: connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            for table in ("users", "adapters", "ratings", "given", "jobs")
        }
    # Of seven people the fifth alone fitted in the terminal as well.
    assert counts == {"users": N, "adapters": N + 1, "ratings": 10 * N + 5, "given": 10 * N, "jobs": N}


def test_a_state_holds_the_persons_own_vectors_and_scores(store):
    from piaa.adapters.kernel import places
    from piaa.adapters.registry import make_adapter
    from piaa.people.model import load_model

    model = load_model()
    with closing(sqlite3.connect(store)) as connection:
        states = connection.execute("SELECT user_id, state, head FROM adapters WHERE version = 1").fetchall()
        vectors = {
            user: np.stack(
                [
                    np.frombuffer(vector, "<f4")
                    for (vector,) in connection.execute(
                        "SELECT vector FROM given WHERE user_id = ? ORDER BY sha256", (user,)
                    )
                ]
            )
            for user, *_ in states
        }
    assert len({state for _, state, _ in states}) == N
    for user, state, head in states:
        adapter = make_adapter("auto", model.prior).restore(unpack(state))
        assert np.array_equal(adapter.support[0], vectors[user])
        form = adapter.linear_form()
        # That release packed the places, from which today's vectors are a step away.
        assert np.concatenate((form.coefficients, form.weights, form.places.ravel())).tobytes() == head
        assert form.places == pytest.approx(places(vectors[user], model.prior), abs=1e-9)
        assert np.isfinite(adapter.predict(vectors[user]).score).all()


def test_the_terminal_contradicts_two_ratings_a_day_later(store):
    rated = (
        "SELECT r.score, g.score, a.created > g.created FROM adapters a JOIN ratings r ON r.adapter_id = a.id"
        " JOIN given g ON g.user_id = a.user_id AND g.sha256 = r.sha256 WHERE a.version = 2"
    )
    with closing(sqlite3.connect(store)) as connection:
        rows = connection.execute(rated).fetchall()
    assert [(mine + given, later) for mine, given, later in rows] == [(6, 1)] * 2
