"""A store of many people goes over to another model: what is lost, how long it takes, how well it ranks.

    uv run python benchmarks/refit_store.py ROOT --before OLD.onnx --after NEW.onnx --people 1000

The people are raters of one OASIS list, each under several names, with ratings drawn anew for each name; the
ratings left are predicted. First all are learned on the old model, then, as ``piaa users refit --all`` does
it, on the new one from the photos. Neither model may have learned from the list. Writes
``benchmarks/results/refit_store.json``.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from oasis import SCALE, Oasis, load_oasis
from record import tell, write_result

import piaa
from generic.cache.features import FeatureCache
from generic.metrics import spearman
from generic.seeds import stream
from piaa.people.model import Model
from piaa.people.refit import refit_people
from piaa.store.records import SeenPhoto
from piaa.store.saying import Saying
from piaa.store.store import Store

N_RATINGS = 60


@dataclass(frozen=True, kw_only=True)
class Name:
    """One person of the store."""

    user: str
    rated: np.ndarray
    """Photos, rows of the data."""
    scores: np.ndarray
    """On the scale of the data."""
    left: np.ndarray
    """Photos that are predicted."""
    truth: np.ndarray
    """Scores of those."""


def names_of(data: Oasis, number: int, n: int) -> list[Name]:
    """So many names, of raters of one list."""
    found, raters = [], data.users_of(number)
    for place in range(n):
        photos, unit = data.users[raters[place % len(raters)]]
        order = stream(0, "refit", place).permutation(len(photos))
        scores = SCALE.low + (SCALE.high - SCALE.low) * unit
        own, left = order[:N_RATINGS], order[N_RATINGS:]
        found.append(
            Name(
                user=f"person-{place:04}",
                rated=photos[own],
                scores=scores[own],
                left=photos[left],
                truth=scores[left],
            )
        )
    return found


def photos_of(model: Model, data: Oasis, cache: FeatureCache) -> list[SeenPhoto]:
    """All photos, with their vectors."""
    embedded = model.generic.embed(data.paths, cache=cache)
    return [
        SeenPhoto(identity=one.identity, sha256=one.digest, image=name, vector=one.vector)
        for name, one in zip(data.names, embedded, strict=True)
    ]


def srcc(model: Model, store: Path, people: Sequence[Name], photos: Sequence[SeenPhoto]) -> list[float]:
    """Of what is predicted for each person, by the version that counts for the model."""
    found = []
    for one in people:
        vectors = np.stack([photos[row].vector for row in one.left])
        predicted = model.load(one.user, store=store).adapter.predict(vectors)
        found.append(spearman(predicted.score, one.truth))
    return found


def kept(store: Store, people: Sequence[Name]) -> dict[str, Any]:
    """What a store has: ratings, and of each person her first version's number of ratings."""
    return {
        "ratings": sum(one.n_ratings for one in store.users()),
        "first": {one.user: store.versions(one.user)[0].n_ratings for one in people},
    }


def measure(data: Oasis, models: Mapping[str, Model], number: int, n: int, folder: Path) -> dict[str, Any]:
    """See the module's text."""
    place, people = folder / "piaa.db", names_of(data, number, n)
    store, users = Store(place), [one.user for one in people]
    with FeatureCache.open(folder / "cache") as cache:
        photos = {name: photos_of(model, data, cache) for name, model in models.items()}
    for one in people:
        ratings = [
            (photos["before"][row], float(score)) for row, score in zip(one.rated, one.scores, strict=True)
        ]
        before = models["before"].generic.hash
        scale = (SCALE.low, SCALE.high)
        store.say(one.user, Saying(ratings=ratings, model_hash=before, source="table", scale=scale))
    found: dict[str, Any] = {"people": n, "ratings_each": N_RATINGS}
    for name, model in models.items():
        started = time.perf_counter()
        done = list(refit_people(model, store, users, data.folder))
        found[name] = {"seconds": time.perf_counter() - started, "left": sum(not it.version for it in done)}
        scores = srcc(model, place, people, photos[name])
        found[name] |= {"srcc": float(np.nanmean(scores)), **kept(store, people)}
        tell(f"{name}: {found[name]['seconds']:.0f} s, SRCC {found[name]['srcc']:.4f}")
    again = srcc(models["before"], place, people, photos["before"])
    found["as_before"] = float(np.nanmean(again)) == found["before"]["srcc"]
    found["nothing_lost"] = all(
        found["before"].pop(key) == found["after"].pop(key) for key in ("ratings", "first")
    )
    return found


def main() -> None:
    """Parse, measure, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("root", type=Path, help="folder of the data set")
    parser.add_argument("--before", type=Path, required=True)
    parser.add_argument("--after", type=Path, required=True)
    parser.add_argument("--list", type=int, default=2, help="that both models left out")
    parser.add_argument("--people", type=int, default=1000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        cache = Path(folder, "cache")
        models = {name: piaa.load_model(vars(given)[name], cache=cache) for name in ("before", "after")}
        found = measure(load_oasis(given.root), models, given.list, given.people, Path(folder))
    command = f"python benchmarks/refit_store.py ROOT --before OLD --after NEW --people {given.people}"
    write_result("refit_store", command, found)


if __name__ == "__main__":
    main()
