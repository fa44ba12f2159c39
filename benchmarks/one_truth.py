"""One truth: what a person says in the terminal, over HTTP and in Python is one set, scored alike everywhere.

    uv run python benchmarks/one_truth.py
    uv run python benchmarks/one_truth.py --photos ~/Pictures/summer

A real `piaa serve`, real commands and this process share one store in a file. Six steps: five ratings by
`piaa fit-user`, three more over HTTP, a fit over HTTP, a rating withdrawn in the terminal, one added and then
a fit in Python. After each of them the three are asked for her ratings and for the scores of all photos; none
has a vector that another one computed. Fails unless the ratings are the same, and the scores to 1e-9.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from album import sources
from record import piaa, table
from serving import Served

import piaa as library
from piaa.people.model import Model
from piaa.server.client import Client
from piaa.store.store import Store

REAL = Path(__file__).resolve().parents[2] / "shared" / "data" / "oasis_beauty" / "images"
USER, N_PHOTOS, LARGEST = "ana", 12, 1e-9
Scores = dict[str, float]


@dataclass(frozen=True, kw_only=True)
class Place:
    """One store, and the three who use it."""

    folder: Path
    store: Path
    photos: tuple[Path, ...]
    model: Model
    name: str
    """The model as commands take it."""
    client: Client

    def command(self, *words: str | Path) -> str:
        """What a command prints."""
        return piaa(*words, "--store", self.store)[0]

    def ratings(self) -> dict[str, Scores]:
        """The ratings that count, by name of the photo, as each of the three tells them."""
        shown = json.loads(self.command("users", "show", USER, "--json"))["ratings"]
        said = Store(self.store).said(USER, self.model.generic.hash).ratings
        served = self.client.user(USER).ratings
        return {
            "terminal": {row["image"]: row["score"] for row in shown},
            "HTTP": {str(one.image): one.score for one in served},
            "Python": {one.image: one.score for one in said},
        }

    def scores(self) -> dict[str, Scores]:
        """Her scores of all photos, without any rounding, as each of the three computes them."""
        out = self.folder / "scores.parquet"
        words = ("--model", self.name, "--cache", self.folder / "terminal", "--out", out)
        self.command("score", self.photos[0].parent, "--user", USER, *words)
        frame = pd.read_parquet(out)
        answer = self.client.score([USER], self.photos)
        person = self.model.load(USER, store=self.store).score_table(self.photos[0].parent)
        return {
            "terminal": dict(zip(frame["image"], frame["score"].tolist(), strict=True)),
            "HTTP": {
                seen.image: float(score or 0.0)
                for seen, score in zip(answer.images, answer.users[0].scores, strict=True)
            },
            "Python": dict(zip(person.images, person.scores.tolist(), strict=True)),
        }


def steps(place: Place) -> Iterator[tuple[str, Callable[[], object], Mapping[str, float | None]]]:
    """What is done, how, and what it changes of her ratings; None is withdrawn."""
    names = [path.name for path in place.photos]
    first = dict(zip(names, (5, 1, 4, 2, 3), strict=False))
    more = dict(zip(place.photos[5:8], (2, 5, 1), strict=True))
    csv = place.folder / "ratings.csv"
    csv.write_text("\n".join(["image,score", *(f'"{name}",{score}' for name, score in first.items())]))
    images, model = ("--images", place.photos[0].parent), ("--model", place.name)
    cache = ("--cache", place.folder / "terminal")
    fit = ("fit-user", "--user", USER, "--ratings", csv, *images, *model, *cache)
    yield "terminal: fit-user, 5 ratings", lambda: place.command(*fit), first
    told = {path.name: score for path, score in more.items()}
    yield "HTTP: 3 ratings", lambda: place.client.rate(USER, more), told
    yield "HTTP: fit", lambda: place.client.wait(place.client.fit(USER).id), {}
    forget = ("users", "forget-rating", USER, names[1], *model)
    yield "terminal: one withdrawn", lambda: place.command(*forget), {names[1]: None}
    last = {names[8]: 4}
    yield "Python: one added", lambda: add(place, last), last
    yield "Python: fit", lambda: place.model.refit(USER, store=place.store), {}


def add(place: Place, ratings: Mapping[str, float]) -> None:
    """Add ratings to the person as she is stored now."""
    person = place.model.load(USER, store=place.store)
    person.add(dict(ratings), images=place.photos[0].parent).save()


def apart(told: Mapping[str, Scores], other: str) -> float:
    """Largest difference of two scores of one photo, in points of her scale."""
    one, two = told["terminal"], told[other]
    if one.keys() != two.keys():
        return float("inf")
    return max(abs(one[name] - two[name]) for name in one)


def run(place: Place) -> tuple[list[list[str]], bool]:
    """The table, a row a step, and whether all agreed."""
    rows, good, expected = [], True, dict[str, float]()
    for what, do, changed in steps(place):
        do()
        expected = {name: score for name, score in {**expected, **changed}.items() if score is not None}
        same = all(told == expected for told in place.ratings().values())
        scores = place.scores()
        differences = [apart(scores, other) for other in ("HTTP", "Python")]
        good = good and same and max(differences) <= LARGEST
        numbers = [f"{one:.1e}" for one in differences]
        rows.append([what, str(len(expected)), "yes" if same else "NO", *numbers])
    return rows, good


def main() -> None:
    """Run, print the table, fail if the three do not agree."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--photos", type=Path, help="a folder with at least 12 JPEG photos")
    parser.add_argument("--model", default="piaa-lite", help="an embedded model's name, or a model file")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "photos").mkdir()
        found = sources(options.photos or (REAL if REAL.is_dir() else None), folder / "painted")
        if len(found) < N_PHOTOS:
            sys.exit(f"{options.photos} holds {len(found)} JPEG photos, but {N_PHOTOS} are needed")
        chosen = found[:: len(found) // N_PHOTOS][:N_PHOTOS]
        photos = [Path(shutil.copy(path, folder / "photos")) for path in chosen]
        store, model = folder / "piaa.db", library.load_model(options.model, cache=folder / "python")
        served = Served(store, "--model", options.model)
        try:
            with Client(served.url) as client:
                place = Place(
                    folder=folder,
                    store=store,
                    photos=tuple(sorted(photos)),
                    model=model,
                    name=options.model,
                    client=client,
                )
                rows, good = run(place)
        finally:
            served.stop()
    header = ["step", "ratings", "same everywhere", "scores: terminal - HTTP", "terminal - Python"]
    print(table(header, rows))
    if not good:
        sys.exit("the terminal, HTTP and Python do not agree")


if __name__ == "__main__":
    main()
