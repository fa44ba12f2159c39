"""Stores of schema 2, written by frozen statements, for when no release writes schema 2 any more.

People gave 10 ratings of their own photos over HTTP and have a version by `auto` of them; every fifth fitted
5 ratings in the terminal as well, two of them of the same photos with another score. One state for each
number of ratings is a real one. Everybody's is that one with her own vectors and their places in it, and so
is her linear form: all are of real size and no two alike, though they weigh her photos as another's.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import sqlite3
import struct
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
from bulk import Rows, copy, insert
from safetensors.numpy import save as pack

import piaa
from generic.seeds import stream
from piaa.adapters.kernel import places
from piaa.adapters.prior import Prior
from piaa.adapters.registry import make_adapter

SCHEMA_2 = """
CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY);
CREATE TABLE meta (schema_version INTEGER NOT NULL);
CREATE TABLE users (
  {key}, name TEXT NOT NULL UNIQUE, created TEXT NOT NULL, active INTEGER,
  scale_low {double}, scale_high {double}
);
CREATE TABLE adapters (
  {key}, user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE, version INTEGER NOT NULL,
  created TEXT NOT NULL, adapter TEXT NOT NULL, model_name TEXT NOT NULL, model_hash TEXT NOT NULL,
  scale_low {double} NOT NULL, scale_high {double} NOT NULL, n_ratings INTEGER NOT NULL, extra TEXT NOT NULL,
  state {bytes} NOT NULL, digest TEXT DEFAULT '' NOT NULL, head {bytes}, UNIQUE (user_id, version)
);
CREATE TABLE ratings (
  adapter_id INTEGER NOT NULL REFERENCES adapters (id) ON DELETE CASCADE, position INTEGER NOT NULL,
  image TEXT NOT NULL, sha256 TEXT, score {double} NOT NULL, PRIMARY KEY (adapter_id, position)
);
CREATE TABLE given (
  user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE, sha256 TEXT NOT NULL, image TEXT NOT NULL,
  score {double} NOT NULL, created TEXT NOT NULL, model_hash TEXT NOT NULL, vector {bytes} NOT NULL,
  PRIMARY KEY (user_id, sha256)
);
CREATE TABLE jobs (
  id TEXT NOT NULL PRIMARY KEY, user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  adapter TEXT NOT NULL, state TEXT NOT NULL, created {double} NOT NULL, lease {double} NOT NULL,
  version INTEGER, error TEXT
);
CREATE INDEX ix_jobs_user_id ON jobs (user_id);
CREATE INDEX jobs_by_state ON jobs (state, lease);
CREATE TABLE api_keys (
  id TEXT NOT NULL PRIMARY KEY, hash TEXT NOT NULL UNIQUE, role TEXT NOT NULL, user_name TEXT,
  created TEXT NOT NULL, revoked TEXT
);
INSERT INTO meta VALUES (2);
INSERT INTO alembic_version VALUES ('0002');
"""
SQLITE = {"key": "id INTEGER NOT NULL PRIMARY KEY", "double": "DOUBLE", "bytes": "BLOB"}
POSTGRES = {"key": "id SERIAL NOT NULL PRIMARY KEY", "double": "DOUBLE PRECISION", "bytes": "BYTEA"}
COLUMNS = {
    "users": "id name created active scale_low scale_high",
    "adapters": "id user_id version created adapter model_name model_hash scale_low scale_high n_ratings"
    " extra state digest head",
    "ratings": "adapter_id position image sha256 score",
    "given": "user_id sha256 image score created model_hash vector",
    "jobs": "id user_id adapter state created lease version error",
}
"""What is filled."""
GIVEN, TERMINAL, BOTH, EVERY = 10, 5, 2, 5
"""Ratings over HTTP, in the terminal, of photos rated in both; every fifth person used the terminal."""
BATCH = 500
START = datetime.datetime(2025, 3, 1, 8, tzinfo=datetime.UTC)


class Fit:
    """A real version by `auto`, into which other people's vectors are put.

    Args:
        vectors: what it is fitted on, float32, shape (k, 1 + d).
        scores: unit scores, shape (k,).
        prior: of the model.
    """

    def __init__(self, vectors: np.ndarray, scores: np.ndarray, prior: Prior) -> None:
        adapter = make_adapter("auto", prior).fit(vectors, scores)
        form = adapter.linear_form()
        # As that release had it, which kept the places of the rated photos twice.
        found = {**adapter.state(), "rated": form.places, "format": np.array(2)}
        state = pack({key: np.ascontiguousarray(value) for key, value in found.items()})
        (length,) = struct.unpack("<Q", state[:8])
        header = json.loads(state[8 : 8 + length])
        spans = [header[name]["data_offsets"] for name in ("rated", "support.features")]
        (a, b), (c, d) = [(8 + length + start, 8 + length + end) for start, end in spans]
        self._parts = (state[:a], state[b:c], state[d:])
        self._form = np.concatenate((form.coefficients, form.weights)).astype("<f8").tobytes()
        axes = np.eye(vectors.shape[1] - 1, vectors.shape[1], 1)
        self._to_places = places(axes, prior)

    def packed(self, vectors: np.ndarray) -> tuple[bytes, bytes]:
        """State and linear form with other vectors, of the same shape."""
        rated = (vectors[:, 1:].astype(np.float64) @ self._to_places).tobytes()
        first, middle, last = self._parts
        return b"".join((first, rated, middle, vectors.tobytes(), last)), self._form + rated


class People:
    """Draws people and their rows, a batch at a time."""

    def __init__(self) -> None:
        model = piaa.load_model(cache=False)
        self._model = (model.generic.name, model.generic.hash)
        prior = model.prior
        if prior is None:
            raise RuntimeError("piaa-lite has no prior, by which `auto` was fitted in schema 2")
        self._width = 1 + prior.n_directions
        self._draws = stream(0, "store migration")
        self._adapter_id = 0
        self._fits = {k: Fit(self._vectors(k), self._draws.uniform(size=k), prior) for k in (GIVEN, TERMINAL)}

    def _vectors(self, n: int) -> np.ndarray:
        """A generic score and an embedding of unit variance for n photos."""
        found = self._draws.standard_normal((n, self._width), dtype=np.float32)
        found[:, 0] = 0.55 + 0.1 * found[:, 0]
        return found

    def batches(self, people: int) -> Iterator[Rows]:
        """The rows of everybody, table by table."""
        for start in range(1, people + 1, BATCH):
            rows: Rows = {name: [] for name in COLUMNS}
            for number in range(start, min(people + 1, start + BATCH)):
                self._add(rows, number, terminal=number % EVERY == 0)
            yield rows

    def _add(self, rows: Rows, user: int, *, terminal: bool) -> None:
        """One person: rated, fitted and perhaps fitted in the terminal, a day apart."""
        days = [at(user, day) for day in range(3)]
        # In the order in which a server reads them for a fit.
        photos = sorted(self._draws.bytes(32).hex() for _ in range(GIVEN))
        vectors = self._vectors(GIVEN)
        scores = [float(score) for score in self._draws.integers(1, 6, GIVEN)]
        images = [f"upload/DSC_{i:04d}.JPG" for i in range(GIVEN)]
        rows["users"].append((user, f"person-{user}", days[0], 1 + terminal, 1.0, 5.0))
        rows["given"] += [
            (user, photo, image, score, days[0], self._model[1], vector.tobytes())
            for photo, image, score, vector in zip(photos, images, scores, vectors, strict=True)
        ]
        self._add_version(rows, user, 1, days[1], vectors, list(zip(images, photos, scores, strict=True)))
        job, moment = f"{user:032x}", START.timestamp() + user
        rows["jobs"].append((job, user, "auto", "done", moment, moment + 30, 1, None))
        if terminal:
            mine = [*photos[:BOTH], *(self._draws.bytes(32).hex() for _ in range(TERMINAL - BOTH))]
            others = [6 - score for score in scores[:TERMINAL]]
            names = [f"album {user}/IMG {i:04d}.jpg" for i in range(TERMINAL)]
            seen = np.concatenate([vectors[:BOTH], self._vectors(TERMINAL - BOTH)])
            self._add_version(rows, user, 2, days[2], seen, list(zip(names, mine, others, strict=True)))

    def _add_version(
        self,
        rows: Rows,
        user: int,
        version: int,
        created: str,
        vectors: np.ndarray,
        ratings: Sequence[tuple[str, str, float]],
    ) -> None:
        self._adapter_id += 1
        state, form = self._fits[len(vectors)].packed(vectors)
        digest = hashlib.sha256(state).hexdigest()
        head = form if version == 1 else None  # the terminal keeps none
        about = (self._adapter_id, user, version, created, "auto", *self._model, 1.0, 5.0, len(ratings), "{}")
        rows["adapters"].append((*about, state, digest, head))
        rows["ratings"] += [(self._adapter_id, i, *rating) for i, rating in enumerate(ratings)]


def at(user: int, day: int) -> str:
    """A person's moment of a day, as the store writes it."""
    return (START + datetime.timedelta(days=day, seconds=user)).isoformat(timespec="seconds")


def write_file(path: Path, batches: Iterable[Rows]) -> None:
    """A SQLite store; quick, for nobody needs it after a crash."""
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;")
        connection.executescript(SCHEMA_2.format(**SQLITE))
        for rows in batches:
            insert(connection, COLUMNS, rows)
            connection.commit()


def write_postgres(url: str, batches: Iterable[Rows]) -> None:
    """The same in an empty PostgreSQL database."""
    import psycopg

    with psycopg.connect(url) as connection:
        connection.execute(SCHEMA_2.format(**POSTGRES))
        for rows in batches:
            copy(connection, COLUMNS, rows)
        for name in ("users", "adapters"):
            connection.execute(f"SELECT setval('{name}_id_seq', max(id)) FROM {name}")  # noqa: S608
