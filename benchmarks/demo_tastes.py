"""Which simulated tastes the model learns, of real pictures and of the scenes of ``piaa demo``.

    uv run --group dev python benchmarks/demo_tastes.py ROOT --albums 5

Twenty people each are drawn who care for what a picture shows alone, for how it was taken alone, or for both
as the people of the demo do. Real pictures are the OASIS photos under ROOT/oasis_beauty, a hundred drawn an
album: what they show is their category (people, animals, objects, scenery), how they were taken is measured
in their pixels. Nothing is chosen: albums and people 0, 1, 2 ... Writes benchmarks/results/demo_tastes.json.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from record import table, tell, write_result

from generic.cache.features import FeatureCache
from generic.seeds import stream
from piaa import load_model
from piaa.demo.compared import Row, compared
from piaa.demo.people import draw_people, rated
from piaa.demo.run import N_PEOPLE, N_PHOTOS
from piaa.demo.scenes import KINDS, QUALITIES, render_album
from piaa.people.model import Model

Numbers = NDArray[np.float64]
TASTES = {"what it shows": (1.0, 0.0), "how it was taken": (0.0, 1.0), "both, as in the demo": (1.0, 0.7)}
"""Spread of the weights of what a picture shows, and of how it was taken."""


def taken(path: Path) -> list[float]:
    """How a picture was taken: light, warmth, colour, and how fine its detail is."""
    with Image.open(path) as photo:
        image = np.asarray(photo.convert("RGB").resize((240, 180)), np.float64) / 255
    grey = image.mean(axis=-1)
    warmth, colour = image[..., 0] - image[..., 2], image.max(axis=-1) - image.min(axis=-1)
    return [grey.mean(), warmth.mean(), colour.mean(), np.abs(np.diff(grey, axis=1)).mean()]


def vectors_of(model: Model, paths: list[Path]) -> NDArray[np.float32]:
    """Of readable photos."""
    with FeatureCache.open(model.settings.cache) as cache:
        return np.stack([one.vector for one in model.generic.embed(paths, cache=cache)])  # type: ignore[misc]


def one_hot(values: list[str]) -> Numbers:
    """Which of the values that occur, shape (n, values)."""
    return np.array([[float(value == one) for one in sorted(set(values))] for value in values])


def like_qualities(values: Numbers) -> Numbers:
    """Spread as the qualities of rendered scenes are."""
    return np.asarray(0.27 * (values - values.mean(axis=0)) / values.std(axis=0))


def rendered(model: Model, seed: int) -> tuple[NDArray[np.float32], Numbers, Numbers]:
    """Vectors of an album of the demo, what its scenes show, and how they were taken."""
    with tempfile.TemporaryDirectory() as folder:
        album = render_album(Path(folder), N_PHOTOS, seed)
        vectors = vectors_of(model, [Path(folder) / name for name, _ in album])
    shows = np.array([[float(scene.kind == kind) for kind in KINDS] for _, scene in album])
    how = np.array([[getattr(scene, name) for name in QUALITIES] for _, scene in album])
    return vectors, shows, how


def photographed(model: Model, root: Path, seed: int) -> tuple[NDArray[np.float32], Numbers, Numbers]:
    """The same of a hundred real pictures."""
    with (root / "images.csv").open(newline="", encoding="utf-8") as file:
        rows = sorted(csv.DictReader(file), key=lambda row: row["image"])
    rng = stream(seed, "demo_tastes", "pictures")
    chosen = [rows[place] for place in rng.permutation(len(rows))[:N_PHOTOS]]
    paths = [root / "images" / row["image"] for row in chosen]
    how = like_qualities(np.array([taken(path) for path in paths]))
    return vectors_of(model, paths), one_hot([row["category"] for row in chosen]), how


def study(
    model: Model, album: tuple[NDArray[np.float32], Numbers, Numbers], seed: int
) -> dict[str, list[Row]]:
    """What learning is worth to each kind of taste."""
    vectors, shows, how = album
    found = {}
    for name, (of_shows, of_how) in TASTES.items():
        ratings = []
        for number in range(N_PEOPLE):
            rng = stream(seed, "demo_tastes", "person", number)
            weights = rng.standard_normal(shows.shape[1]), rng.standard_normal(how.shape[1])
            ratings.append(rated(of_shows * shows @ weights[0] + of_how * how @ weights[1], rng))
        found[name] = compared(model, vectors, draw_people(N_PEOPLE, seed), ratings, seed)
    return found


def cells(albums: list[dict[str, list[Row]]], pictures: str, taste: str) -> list[str]:
    """One line: means over albums, and the lowest and highest album."""
    shares = np.array([[row.pairs for row in album[taste]] for album in albums])
    low, high = shares.min(axis=0), shares.max(axis=0)
    texts = [f"{m:.1%} ({a:.1%} to {b:.1%})" for m, a, b in zip(shares.mean(axis=0), low, high, strict=True)]
    return [f"{pictures}: {taste}", *texts]


def main() -> None:
    """Measure; see the module's text."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("root", type=Path, help="folder with oasis_beauty/")
    parser.add_argument("--albums", type=int, default=5)
    given = parser.parse_args()
    model = load_model()
    found: dict[str, list[dict[str, list[Row]]]] = {"photographs": [], "rendered": []}
    for seed in range(given.albums):
        found["photographs"].append(
            study(model, photographed(model, given.root / "oasis_beauty", seed), seed)
        )
        found["rendered"].append(study(model, rendered(model, seed), seed))
        tell(
            f"album {seed}: {[round(row.pairs, 3) for row in found['rendered'][-1]['both, as in the demo']]}"
        )
    lines = [cells(albums, pictures, taste) for pictures, albums in found.items() for taste in TASTES]
    header = ["taste for", "the crowd's ranking", "after 10 ratings", "after 30 ratings"]
    figures: dict[str, Any] = {
        pictures: [
            {taste: [asdict(row) for row in rows] for taste, rows in album.items()} for album in albums
        ]
        for pictures, albums in found.items()
    }
    command = f"benchmarks/demo_tastes.py ROOT --albums {given.albums}"
    print(write_result("demo_tastes", command, {**figures, "markdown": table(header, lines)}))


if __name__ == "__main__":
    main()
