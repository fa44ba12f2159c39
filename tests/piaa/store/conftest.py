"""A store in each place; stores as earlier releases left them, of fixtures/schema-2/people.py."""

from __future__ import annotations

import gzip
import importlib.util
import json
import os
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from piaa.adapters.prior import Prior
from piaa.store.place import open_database
from piaa.store.store import Store

HERE = Path(__file__).parent
collect_ignore = ["victims.py"]  # a program, which imports sayings.py beside it

SCHEMA_2 = HERE / "fixtures" / "schema-2"


class Schema2:
    """The stores of the release with schema 2, and what it said of them.

    Args:
        folder: where their files are written, one store in a folder of its own.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def file(self, name: str = "file") -> Path:
        """A new copy of a SQLite store: ``file``, ``schema-1``, or ``hot``, whose server was killed."""
        place = self._folder / f"{name}-{len(list(self._folder.iterdir()))}"
        place.mkdir()
        for packed in SCHEMA_2.glob(f"{name}.db*.gz"):
            (place / packed.stem).write_bytes(gzip.decompress(packed.read_bytes()))
        return place / f"{name}.db"

    def postgres(self, url: str) -> None:
        """Put what is in ``file`` into an empty PostgreSQL database, or its connection's first schema."""
        import psycopg

        text = gzip.decompress((SCHEMA_2 / "postgres.sql.gz").read_bytes()).decode()
        with psycopg.connect(url) as connection, closing(sqlite3.connect(self.file())) as file:
            for statement in text.split(";\n"):
                connection.execute(statement)
            states = file.execute("SELECT state, id FROM adapters").fetchall()
            connection.cursor().executemany("UPDATE adapters SET state = %s WHERE id = %s", states)

    @cached_property
    def expected(self) -> dict[str, Any]:
        """What the release said of each store, by its name; fixtures/schema-2/describe.py tells the form."""
        found: dict[str, Any] = json.loads(gzip.decompress((SCHEMA_2 / "expected.json.gz").read_bytes()))
        return found

    @cached_property
    def vectors(self) -> np.ndarray:
        """Vectors of five real photos by the model of then, float32 (5, 129); ``expected`` has scores."""
        return np.load(SCHEMA_2 / "vectors.npy")

    @cached_property
    def prior(self) -> Prior:
        """How people differ, as that piaa-lite knew it: prior.npz, the arrays of its file."""
        return Prior.from_tensors(dict(np.load(SCHEMA_2 / "prior.npz")))


@pytest.fixture
def schema_2(tmp_path) -> Schema2:
    folder = tmp_path / "schema-2"
    folder.mkdir()
    return Schema2(folder)


@pytest.fixture(scope="session")
def sayings() -> ModuleType:
    """sayings.py, loaded as ``kill`` is."""
    spec = importlib.util.spec_from_file_location("piaa_tests_sayings", HERE / "sayings.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(params=["sqlite", "postgres"])
def place(request, tmp_path) -> str:
    """Where no store is yet: a file, and an empty PostgreSQL."""
    return str(tmp_path / "piaa.db") if request.param == "sqlite" else request.getfixturevalue("postgres")


@pytest.fixture(params=["file", "served", "postgres"])
def store(request, tmp_path) -> Iterator[Store]:
    """An empty store: a file as commands use it, one that a server holds open, and PostgreSQL."""
    where = request.getfixturevalue("postgres") if request.param == "postgres" else tmp_path / "piaa.db"
    n = 0 if request.param == "file" else 3
    store = Store(database=open_database(where, connections=n))
    yield store
    store.close()


@pytest.fixture
def file_store(tmp_path) -> Store:
    """A file as commands use it, that does not wait long for others."""
    return Store(tmp_path / "piaa.db", timeout_s=0.2)


@pytest.fixture(scope="session")
def program() -> Callable[..., subprocess.Popen[str]]:
    """Starts Python in a process of its own, which can import ``sayings``; its arguments are sys.argv[1:]."""
    folders = (str(HERE.parents[2]), str(HERE))

    def start(source: str, *arguments: object) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(source), *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(folders)},
        )

    return start


@pytest.fixture(scope="session")
def refusal() -> Callable[..., str]:
    """``refusal(Kind, call, *arguments)``: the message of an error of just this kind, which is one line."""

    def message(kind: type[Exception], call: Callable[..., object], *arguments: Any, **options: Any) -> str:
        with pytest.raises(kind) as caught:
            call(*arguments, **options)
        assert type(caught.value) is kind
        assert "\n" not in str(caught.value)
        return str(caught.value)

    return message
