"""Stores of many users, each with ten ratings and one version that was learned from just these.

There is a pool of photos, whose vectors are drawn, as long as piaa-lite's. Users rate ten of them each, by a
taste of their own; the first users are fitted by `auto`, the others by `ridge`, whose state is smaller. Rows
are as a server would have written them, but come many at once. A store can be filled further at any time.
"""

from __future__ import annotations

import datetime
import hashlib
import io
import math
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
from bulk import Rows, copy, insert
from PIL import Image
from record import tell
from safetensors.numpy import save as pack
from store_size import draw, identity_of

import piaa
from generic.seeds import stream
from piaa.adapters.registry import make_adapter
from piaa.adapters.vectors import FEATURES, SCORES
from piaa.store.clock import written
from piaa.store.learned_from import learned_from
from piaa.store.photos import keep_photos, model_id
from piaa.store.place import open_database
from piaa.store.records import SeenPhoto
from piaa.store.states import checksum

RATINGS, POOL, BATCH = 10, 1_000, 500
LOW, HIGH = 1.0, 5.0
START = datetime.datetime(2026, 3, 1, 8, tzinfo=datetime.UTC)
COLUMNS = {
    "users": "id name created scale_low scale_high last_version",
    "changes": "id user_id at what source",
    "ratings": "id user_id photo_id image sha256 score scale_low scale_high given source added_by",
    "versions": "id user_id number created adapter model_id model_name scale_low scale_high n_ratings extra"
    " state checksum digest learned_from linear_form form_checksum",
    "version_ratings": "version_id position rating_id",
    "active": "user_id model_id version_id at",
}
"""What is filled, beside the photos."""
COUNTED = ("users", "changes", "ratings", "versions")
"""Of these the tables that count their rows."""


def fill(place: Path | str, n: int, n_auto: int = 0, *, other: str = "ridge", end: float = math.inf) -> int:
    """Have n users in a store, the first n_auto of them `auto`; who is there already stays.

    Args:
        place: a file or a PostgreSQL URL, made if new.
        n: how many; they are called ``user-0`` and so on.
        n_auto: how many of them learn by `auto`.
        other: by what the others do.
        end: when to stop at the latest, by the monotonic clock.

    Returns:
        how many there are now.
    """
    crowd, started = Crowd(place), time.perf_counter()
    with filling(place) as (first, add):
        there = first
        while there < n and time.monotonic() < end:
            numbers = range(there, min(n, there + BATCH))
            add(crowd.rows({number: "auto" if number < n_auto else other for number in numbers}))
            there = numbers.stop
            if there % 10_000 < BATCH or there == n:
                a_second = (there - first) / (time.perf_counter() - started)
                tell(f"{there} users, {a_second:.0f} a second, {a_second * (4 + 2 * RATINGS):.0f} rows")
    database = open_database(place)
    with database.writing() as sql:
        for table in COUNTED:
            sql.count_on(table)
    database.close()
    return there


class Crowd:
    """Draws users and their rows.

    Args:
        place: of the store, to which the photos are added if it has none.
    """

    def __init__(self, place: Path | str) -> None:
        model = piaa.load_model("piaa-lite", cache=False)
        if model.prior is None:
            raise RuntimeError("piaa-lite has no prior, by which `auto` is fitted")
        self._name, self._prior = model.generic.name, model.prior
        width = 1 + model.prior.n_directions + model.prior.n_richer
        names = [f"pool/photo-{i:04d}.jpg" for i in range(POOL)]
        self._photos = draw(names, width, stream(0, "filled", "photos"))
        self._sums = [checksum(one.vector.tobytes()) for one in self._photos]
        self._keep(place, model.generic.hash)

    def _keep(self, place: Path | str, model_hash: str) -> None:
        seen = [
            SeenPhoto(identity=identity_of(one), sha256=one.sha256, image=one.name, vector=one.vector)
            for one in self._photos
        ]
        database = open_database(place)
        with database.writing() as sql:
            numbers = keep_photos(sql, 0, seen, model_hash)
            self._model = model_id(sql, model_hash)
        database.close()
        self._numbers = [numbers[one.identity] for one in seen]

    def rows(self, adapters: Mapping[int, str]) -> Rows:
        """The rows of some users, by number, each learned by an adapter."""
        draws: np.random.Generator = stream(0, "filled", "users", min(adapters))
        rows: Rows = {name: [] for name in COLUMNS}
        for number, adapter in adapters.items():
            self._add(rows, number, adapter, draws)
        return rows

    def _add(self, rows: Rows, number: int, adapter: str, draws: np.random.Generator) -> None:
        """One user, with ids that follow from her number."""
        user, first, at = number + 1, number * RATINGS + 1, written(START + datetime.timedelta(0, number))
        chosen = [int(row) for row in draws.choice(POOL, RATINGS, replace=False)]
        x = np.stack([self._photos[row].vector for row in chosen])
        unit = x[:, 0] + 0.15 * x[:, draws.integers(1, 100)] + 0.1 * draws.standard_normal(RATINGS)
        scores = np.clip(np.round(LOW + (HIGH - LOW) * unit), LOW, HIGH).tolist()
        rows["users"].append((user, f"user-{number}", at, LOW, HIGH, 1))
        rows["changes"].append((user, user, at, "rate", "http"))
        for i, (row, score) in enumerate(zip(chosen, scores, strict=True)):
            photo, about = self._photos[row], (LOW, HIGH, at, "http", user)
            seen = (self._numbers[row], photo.name, photo.sha256)
            rows["ratings"].append((first + i, user, *seen, score, *about))
            rows["version_ratings"].append((user, i, first + i))
        said = [(self._sums[row], score, LOW, HIGH) for row, score in zip(chosen, scores, strict=True)]
        unit_scores = (np.array(scores) - LOW) / (HIGH - LOW)
        about = (user, user, 1, at, adapter, self._model, self._name, LOW, HIGH, RATINGS, "{}")
        state, digest, form = self._learned(adapter, x, unit_scores)
        kept = (state, checksum(state), digest, learned_from(said, []), form, checksum(form))
        rows["versions"].append((*about, *kept))
        rows["active"].append((user, self._model, user, at))

    def _learned(self, adapter: str, x: np.ndarray, unit_scores: np.ndarray) -> tuple[bytes, str, bytes]:
        """State without its support, as the store keeps it; digest of all of it; linear form."""
        fit = make_adapter(adapter, self._prior).fit(x, unit_scores)
        state = {name: np.ascontiguousarray(value) for name, value in fit.state().items()}
        digest = hashlib.sha256(pack(state)).hexdigest()
        less = {name: value for name, value in state.items() if name not in (FEATURES, SCORES)}
        return pack(less), digest, fit.linear_form().pack()


@contextmanager
def filling(place: Path | str) -> Iterator[tuple[int, Callable[[Rows], None]]]:
    """How many users a store has, and what adds rows to it, each time as one transaction."""
    highest = "SELECT coalesce(max(id), 0) FROM users"
    if "://" not in str(place):
        with closing(sqlite3.connect(place)) as file:
            file.execute("PRAGMA synchronous = OFF")

            def to_file(rows: Rows) -> None:
                insert(file, COLUMNS, rows)
                file.commit()

            yield int(file.execute(highest).fetchone()[0]), to_file
        return
    import psycopg

    with psycopg.connect(str(place)) as connection:

        def to_database(rows: Rows) -> None:
            copy(connection, COLUMNS, rows)
            connection.commit()

        [(there,)] = connection.execute(highest).fetchall()
        yield int(there), to_database


def photo() -> bytes:
    """A JPEG of 640 x 480."""
    pixels = stream(0, "serve", "photo").integers(0, 256, (480, 640, 3), np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "JPEG")
    return out.getvalue()
