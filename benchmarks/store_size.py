"""What a person and a version cost on disk: 1,000 people with 100 ratings each, in a SQLite store.

    git worktree add ../piaa-before REVISION
    uv run python benchmarks/store_size.py --before ../piaa-before

Ratings come 20 at a time and are fitted with `auto`, as a server does it; then everybody rates one photo anew
and is fitted once more. Two cases: each person rates photos of her own; everybody rates some of the same
1,000. Vectors are drawn, as long as piaa-lite's, and not read from photos: only size is asked for here. The
store is measured closed, as one file.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from record import table, tell, write_result

import piaa
from generic.seeds import stream
from piaa.people.model import Model
from piaa.store import migrations

HERE = Path(__file__).resolve().parents[1]
RATINGS, REQUEST, POOL = 100, 20, 1_000
SCALE = (1.0, 5.0)
CASES = ("own photos", "shared photos")


@dataclass(frozen=True)
class Photo:
    """A photo as a server knows it."""

    name: str
    sha256: str
    vector: np.ndarray
    """float32, shape (1 + d,)."""


@dataclass(frozen=True)
class Store:
    """What is asked of a release."""

    rate: Callable[[str, Sequence[Photo], Sequence[float]], object]
    """Keep a person's scores of photos."""
    fit: Callable[[str], object]
    """Fit a person to all her ratings with `auto`, and keep the version."""
    close: Callable[[], object]


def schema_2(place: Path, model: Model) -> Store:
    """The release whose store has schema 2."""
    from piaa.server.fitter import Fitter
    from piaa.store.database import StoreDatabase

    from piaa.store.serving import Given, ServiceStore

    database = StoreDatabase(place)
    store = ServiceStore(database)
    fitter = Fitter(store, model.generic, model.prior)

    def rate(user: str, photos: Sequence[Photo], scores: Sequence[float]) -> None:
        rows = [
            Given(
                sha256=one.sha256,
                image=one.name,
                score=score,
                model_hash=model.generic.hash,
                vector=one.vector.tobytes(),
            )
            for one, score in zip(photos, scores, strict=True)
        ]
        store.rate(user, rows, SCALE)

    def fit(user: str) -> None:
        store.enqueue(user, "auto")
        job = store.claim()
        if job is None or store.finish(job, *fitter.fit(job)) is None:
            raise RuntimeError(f"the fit of {user} was not kept")

    return Store(rate, fit, database.close)


def schema_3(place: Path, model: Model) -> Store:
    """The releases whose store has schema 3 or 4, which differ in what a server counts."""
    from piaa.people.learn import learn, linear_form_of, record_of
    from piaa.store.records import SeenPhoto
    from piaa.store.saying import Saying
    from piaa.store.store import Store as People

    store, make = People(place), model.maker("auto")

    def rate(user: str, photos: Sequence[Photo], scores: Sequence[float]) -> None:
        seen = [
            SeenPhoto(identity=identity_of(one), sha256=one.sha256, image=one.name, vector=one.vector)
            for one in photos
        ]
        ratings = list(zip(seen, scores, strict=True))
        store.say(user, Saying(ratings=ratings, model_hash=model.generic.hash, source="http", scale=SCALE))

    def fit(user: str) -> None:
        said = store.said(user, model.generic.hash)
        learned = learn(model, user, said, make)
        record, form = record_of(model, learned, said.scale), linear_form_of(learned.adapter)
        if store.keep(user, record, said, linear_form=form) is None:
            raise RuntimeError(f"the fit of {user} was not kept")

    return Store(rate, fit, store.close)


def identity_of(photo: Photo) -> str:
    """Of its image data, which differs from the hash of its file."""
    return hashlib.sha256(photo.sha256.encode()).hexdigest()


STORES = {2: schema_2, 3: schema_3, 4: schema_3}
"""How each release is asked, by its store's schema."""


def draw(names: Sequence[str], width: int, draws: np.random.Generator) -> list[Photo]:
    """Photos with vectors: a generic score, and an embedding of unit variance."""
    vectors = draws.standard_normal((len(names), width), dtype=np.float32)
    vectors[:, 0] = 0.55 + 0.1 * vectors[:, 0]
    return [
        Photo(name, hashlib.sha256(name.encode()).hexdigest(), vector)
        for name, vector in zip(names, vectors, strict=True)
    ]


def scores_of(photos: Sequence[Photo], draws: np.random.Generator) -> list[float]:
    """Whole scores that follow the generic score and a taste."""
    x = np.stack([one.vector for one in photos])
    unit = x[:, 0] + 0.15 * x[:, 1] + 0.1 * draws.standard_normal(len(x))
    return [float(score) for score in np.clip(np.round(1 + 4 * unit), *SCALE)]


def measure(case: str, people: int) -> dict[str, float]:
    """Sizes of this release's store with everybody rated, fitted, and fitted again."""
    model, draws = piaa.load_model(cache=False), stream(0, "store size", case)
    prior = model.prior
    # Releases before know of no richer part.
    width = 1 + prior.n_directions + getattr(prior, "n_richer", 0) if prior else 129
    pool = draw([f"album/photo-{i:04d}.jpg" for i in range(POOL)], width, draws)

    def photos_of(person: str) -> list[Photo]:
        if case == CASES[0]:
            return draw([f"{person}/photo-{i:03d}.jpg" for i in range(RATINGS)], width, draws)
        return [pool[row] for row in draws.choice(POOL, RATINGS, replace=False)]

    rated = {person: photos_of(person) for person in (f"person {number}" for number in range(people))}
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder, "piaa.db")
        sizes = fill(place, model, rated, draws)
    return per_person(sizes, people)


def fill(
    place: Path, model: Model, rated: dict[str, list[Photo]], draws: np.random.Generator
) -> tuple[int, int, int]:
    """Bytes of the closed store after each of the three steps."""
    make = STORES[migrations.SCHEMA]

    def step(work: Callable[[Store, str, list[Photo]], object]) -> int:
        store = make(place, model)
        for user, photos in rated.items():
            work(store, user, photos)
        store.close()
        tell(f"{len(rated)} people, {place.stat().st_size / 1e6:.1f} MB")
        return place.stat().st_size

    def rate(store: Store, user: str, photos: list[Photo]) -> None:
        scores = scores_of(photos, draws)
        for start in range(0, len(photos), REQUEST):
            end = start + REQUEST
            store.rate(user, photos[start:end], scores[start:end])

    def again(store: Store, user: str, photos: list[Photo]) -> None:
        store.rate(user, photos[:1], [SCALE[1]])
        store.fit(user)

    return step(rate), step(lambda store, user, _: store.fit(user)), step(again)


def per_person(sizes: tuple[int, int, int], people: int) -> dict[str, float]:
    """Bytes of a person who rated, of one who was fitted once, and of one version more."""
    rated, once, twice = sizes
    return {
        "store_bytes": once,
        "bytes_per_person_rated": rated / people,
        "bytes_per_person": once / people,
        "bytes_per_further_version": (twice - once) / people,
    }


def run(tree: Path, python: str, people: int) -> dict[str, Any]:
    """A release's figures, in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": str(tree), "OMP_NUM_THREADS": "1"}
    command = [python, __file__, "--people", str(people), "--measure-alone"]
    done = subprocess.run(command, stdout=subprocess.PIPE, env=environment, check=True)
    return dict(json.loads(done.stdout))


def markdown(releases: dict[str, dict[str, Any]]) -> str:
    """A row a release and case, in kB."""
    keys = ("bytes_per_person_rated", "bytes_per_person", "bytes_per_further_version")
    rows = [
        [f"{name}, {case}", *(f"{found[case][key] / 1e3:,.1f}" for key in keys)]
        for name, found in releases.items()
        for case in CASES
    ]
    return table(("kB", "a person, rated only", "fitted once", "a further version"), rows)


def main() -> None:
    """Measure one release or two and write the results."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--people", type=int, default=1_000)
    parser.add_argument("--before", type=Path, help="a checkout of the release before")
    parser.add_argument("--python-before", default=sys.executable, help="its interpreter; default: this one")
    parser.add_argument("--measure-alone", action="store_true", help="only the piaa that is imported; JSON")
    given = parser.parse_args()
    if given.measure_alone:
        print(json.dumps({case: measure(case, given.people) for case in CASES}))
        return
    releases = {}
    if given.before is not None:
        releases["before"] = run(given.before.resolve(), given.python_before, given.people)
    releases["now"] = run(HERE, sys.executable, given.people)
    text = markdown(releases)
    command = f"uv run python benchmarks/store_size.py --people {given.people}"
    command += " --before CHECKOUT" * (given.before is not None)
    write_result("store_size", command, {"people": given.people, **releases, "markdown": text})
    print(text)


if __name__ == "__main__":
    main()
