"""Bursts: their limits chosen on some photos and measured on others; what they do to the best twenty.

    uv run --group train python benchmarks/bursts.py ROOT

Each photo of OASIS is a scene, and four slightly different crops of it are its burst: 88 to 98 % of each
side, at a place drawn at random. On 185 scenes the limits are chosen: ``untimed`` as the largest that joins
no two of them, ``timed`` as the largest that joins at most one pair, all times alike. Other 185 scenes are
reported on: as they are, without times, and with drawn ones, where bursts take a photo a second and follow
each other after a gap of an exponential distribution with a mean of a minute. Crops share their light and
their moment, so that the photos of a real burst lie further apart. The model in the
package has seen the photos, though not their crops.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from record import table, tell, write_result

import piaa
from generic.cache.features import FeatureCache
from generic.photos.open import open_rgb
from generic.seeds import stream
from piaa.people.bursts import LIMITS, Limits, bursts, first_of_each, scene_places
from piaa.people.model import Model

SCENES, CROPS, TOP = 185, 4, 20
KEPT = (0.88, 0.98)
GRID = tuple(round(0.02 * step, 2) for step in range(5, 31))
GAP = 60.0
"""Seconds between the last photo of a scene and the first of the next, on average."""
HEADER = ("best photos", "bursts found of 185", "pairs of a scene found", "pairs of scenes joined", "scenes")
SCENE = np.repeat(np.arange(SCENES), CROPS)


def write_crops(photos: list[Path], folder: Path) -> list[Path]:
    """Four crops of each photo, one after the other."""
    paths = []
    for photo in photos:
        image, draw = open_rgb(photo), stream(0, "bursts", "crops", photo.name)
        for number in range(CROPS):
            sides = draw.uniform(*KEPT, 2)
            corner = draw.uniform(0, 1, 2) * (1 - sides)
            box = (*(corner * image.size), *((corner + sides) * image.size))
            paths.append(folder / f"{photo.stem}-{number}.jpg")
            crop(image, box).save(paths[-1], quality=92)
    return paths


def crop(image: Image.Image, box: tuple[float, ...]) -> Image.Image:
    """The part of a photo in a box of whole pixels."""
    left, top, right, bottom = (round(value) for value in box)
    return image.crop((left, top, right, bottom))


def vectors(model: Model, paths: list[Path]) -> NDArray[Any]:
    """Shape (n, 1 + d)."""
    with FeatureCache.open(None) as cache:
        found = model.generic.embed(paths, cache=cache)
        return np.stack([one.vector for one in found if one.vector is not None])


def agreement(found: NDArray[np.intp]) -> dict[str, float]:
    """How many bursts there are, which pairs of one scene are one burst, and which scenes are joined."""
    one, other = np.triu_indices(len(SCENE), 1)
    same, joined = SCENE[one] == SCENE[other], found[one] == found[other]
    wrong = joined & ~same
    scenes = set(zip(SCENE[one[wrong]].tolist(), SCENE[other[wrong]].tolist(), strict=True))
    return {
        "bursts": int(found.max() + 1),
        "pairs_found": float((same & joined).sum() / same.sum()),
        "scenes_joined": len(scenes),
    }


def choose(at: NDArray[np.float64]) -> Limits:
    """The limits, by photos that are not reported on."""
    joined = {limit: agreement(bursts(at, None, Limits(untimed=limit)))["scenes_joined"] for limit in GRID}
    return Limits(
        untimed=max(limit for limit in GRID if joined[limit] == 0),
        timed=max(limit for limit in GRID if joined[limit] <= 1),
    )


def drawn_moments() -> NDArray[np.float64]:
    """When the crops were taken, scene after scene in an order of its own, in seconds."""
    draw = stream(0, "bursts", "moments")
    starts = np.empty(SCENES)
    starts[draw.permutation(SCENES)] = np.cumsum(draw.exponential(GAP, SCENES) + CROPS - 1)
    return np.asarray(starts[SCENE] + np.tile(np.arange(CROPS), SCENES))


def best(scores: NDArray[np.float64], found: NDArray[np.intp] | None) -> int:
    """How many scenes the best twenty show, with one photo of each burst or with all."""
    order = np.argsort(-scores, kind="stable")
    if found is not None:
        order = order[first_of_each(found[order])]
    return len(set(SCENE[order[:TOP]].tolist()))


def measure(matrix: NDArray[Any], at: NDArray[np.float64], limits: Limits) -> dict[str, Any]:
    """The figures of the reported photos."""
    ways = {"one a burst, by looks alone": None, "one a burst, by looks and drawn times": drawn_moments()}
    scores = matrix[:, 0].astype(np.float64)
    figures: dict[str, Any] = {"the best 20": {"scenes_in_top": best(scores, None)}}
    for name, moments in ways.items():
        found = bursts(at, moments, limits)
        figures[name] = {**agreement(found), "scenes_in_top": best(scores, found)}
    return figures


def rows(figures: dict[str, Any]) -> list[list[str]]:
    """Of the table in the docs."""
    told = []
    for name, one in figures.items():
        found = ["", "", ""]
        if "bursts" in one:
            found = [str(one["bursts"]), f"{100 * one['pairs_found']:.1f} %", str(one["scenes_joined"])]
        told.append([name, *found, f"{one['scenes_in_top']} of {TOP}"])
    return told


def main() -> None:
    """Choose, measure, write the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("root", type=Path, help="OASIS, as benchmarks/oasis.py reads it")
    root = parser.parse_args().root
    photos = sorted((root / "images").iterdir())
    chosen = [photos[row] for row in stream(0, "bursts", "photos").permutation(len(photos))[: 2 * SCENES]]
    model = piaa.load_model(cache=False)
    with tempfile.TemporaryDirectory() as folder:
        matrix = vectors(model, write_crops(chosen, Path(folder)))
    at = scene_places(matrix, model.prior)
    half = SCENES * CROPS
    limits = choose(at[:half])
    tell(f"chosen: {limits}; in the package: {LIMITS}")
    figures = measure(matrix[half:], at[half:], limits)
    found = {
        "scenes": SCENES,
        "photos": half,
        "chosen": {"timed": limits.timed, "untimed": limits.untimed},
        "ways": figures,
        "markdown": table(HEADER, rows(figures)),
    }
    write_result("bursts", "python benchmarks/bursts.py ROOT", found)
    print(found["markdown"])


if __name__ == "__main__":
    main()
