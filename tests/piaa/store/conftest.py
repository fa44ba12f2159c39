"""Stores as earlier releases left them; who is in them: fixtures/schema-2/people.py."""

from __future__ import annotations

import gzip
import json
import sqlite3
from contextlib import closing
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pytest

SCHEMA_2 = Path(__file__).parent / "fixtures" / "schema-2"


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
        """piaa-lite's vectors of five real photos, float32 (5, 129); ``expected`` has their scores."""
        return np.load(SCHEMA_2 / "vectors.npy")


@pytest.fixture
def schema_2(tmp_path) -> Schema2:
    folder = tmp_path / "schema-2"
    folder.mkdir()
    return Schema2(folder)
