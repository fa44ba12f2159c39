"""What people say in tests of the store; tests have it as ``sayings``, and programs import it.

Photo number n is called ``n.jpg``; what was seen of it depends on n alone.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save as pack

from piaa.adapters.ridge import RidgeAdapter
from piaa.adapters.vectors import FEATURES, SCORES
from piaa.store.backup import TABLES
from piaa.store.records import AdapterRecord, SeenPhoto
from piaa.store.saying import Saying
from piaa.store.sql import Database
from piaa.store.store import Store
from piaa.store.versions import unit_scores

MODEL = "3f2a91c0" * 8
OTHER_MODEL = "77ab01fe" * 8
WIDTH = 9


def digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


def vector(number: int, width: int = WIDTH) -> np.ndarray:
    return np.random.default_rng(number).standard_normal(width).astype(np.float32)


def photo(number: int, **changes: Any) -> SeenPhoto:
    values = {
        "identity": digest(f"picture {number}"),
        "sha256": digest(f"file {number}"),
        "image": f"{number}.jpg",
        "vector": vector(number),
    }
    return SeenPhoto(**{**values, **changes})


def rated(scores: Mapping[int, float], *, source: str = "table", **changes: Any) -> Saying:
    """Ratings of photos, by their numbers."""
    ratings = [(photo(number), score) for number, score in scores.items()]
    return Saying(**{"ratings": ratings, "model_hash": MODEL, "source": source, **changes})


def compared(*pairs: tuple[int, int, str], source: str = "table") -> Saying:
    """Comparisons of photos, by their numbers, with their outcomes."""
    comparisons = [(photo(a), photo(b), outcome) for a, b, outcome in pairs]
    return Saying(comparisons=comparisons, model_hash=MODEL, source=source)


def flagged(flags: Mapping[int, str], /, **changes: Any) -> Saying:
    given = [(photo(number), flag) for number, flag in flags.items()]
    return Saying(**{"flags": given, "model_hash": MODEL, "source": "table", **changes})


def scores(store: Store, user: str) -> dict[str, float]:
    """What counts: the score of each photo, by its name."""
    return {one.image: one.score for one in store.said(user, MODEL).ratings}


def packed(state: Mapping[str, Any]) -> bytes:
    """An adapter's state as versions have it."""
    return pack({key: np.ascontiguousarray(value) for key, value in state.items()})


def fitted(store: Store, user: str, **changes: Any) -> tuple[AdapterRecord, Any]:
    """A ridge adapter of all ratings that count, and what it was learned from."""
    said = store.said(user, MODEL)
    adapter = RidgeAdapter(None).fit(
        np.stack([said.vectors[one.photo] for one in said.ratings]), unit_scores(said.ratings, said.scale)
    )
    values = {
        "adapter": "ridge",
        "model_name": "piaa-lite",
        "model_hash": MODEL,
        "scale_low": said.scale[0],
        "scale_high": said.scale[1],
        "state": packed(adapter.state()),
        "ratings": said.ratings,
    }
    return AdapterRecord(**{**values, **changes}), said


def fitted_constant(store: Store, user: str) -> tuple[AdapterRecord, Any]:
    """A version from all ratings that count, which needs no vectors."""
    said = store.said(user, MODEL)
    values = {"adapter": "constant", "model_name": "piaa-lite", "model_hash": MODEL, "state": b"constant"}
    low, high = said.scale
    return AdapterRecord(**values, scale_low=low, scale_high=high, ratings=said.ratings), said


def fitted_pairs(store: Store, user: str, **changes: Any) -> tuple[AdapterRecord, Any]:
    """A version from the comparisons that count: its state is just what they are, as of every adapter."""
    said = store.said(user, MODEL)
    used = tuple(one for one in said.comparisons if one.outcome != "equal")
    better = [one.b_photo if one.outcome == "b" else one.a_photo for one in used]
    worse = [one.a_photo if one.outcome == "b" else one.b_photo for one in used]
    state = {
        "weights": np.arange(4.0),
        FEATURES: np.stack([said.vectors[one] for one in (*better, *worse)]),
        SCORES: np.repeat([1.0, 0.0], len(used)),
    }
    values = {
        "adapter": "pairs",
        "model_name": "piaa-lite",
        "model_hash": MODEL,
        "scale_low": said.scale[0],
        "scale_high": said.scale[1],
        "state": packed(state),
        "comparisons": used,
    }
    return AdapterRecord(**{**values, **changes}), said


def fit(store: Store, user: str, **changes: Any) -> int | None:
    """A new version from all ratings that count."""
    return store.keep(user, *fitted(store, user, **changes))


def everything(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table."""
    with database.reading() as sql:
        return {
            table: sorted((tuple(map(plain, row)) for row in sql.run(f"SELECT * FROM {table}")), key=repr)
            for table in TABLES
        }


def migrated(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    """Likewise, but for the moment at which a migration was noted."""
    found = everything(database)
    return {**found, "audit": [(number, "", *more) for number, _, *more in found["audit"]]}


def plain(value: object) -> object:
    return bytes(value) if isinstance(value, memoryview) else value


def assert_sound(path: Path) -> None:
    """SQLite finds a file in order."""
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []


def by_name(user: str, images: Any, known: Any) -> set[str]:
    """Photos of these names; what ``Store.withdraw`` asks."""
    return {identity for image, identity, _ in known if image in images}
