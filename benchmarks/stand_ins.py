"""Many ratings of one person: learned by photos that stand for all, against learned from all as they are.

    uv run --group train python benchmarks/stand_ins.py ROOT --away AI --kinds group curve

Nobody in OASIS (ROOT) or in the other domain (AI, a folder with ``images/`` and ``ratings.csv``) rated so
many photos. So there are crops of each photo, and people made of real ones: a *group* is four raters (of each
list, at home), each crop rated by one of them; a *curve* is a smooth function of the vector, planted, beside
the generic score, with noise. A fifth of the photos, with all crops, is kept back: SRCC with the group's
ratings of them, or with the curve before its noise. ``auto`` with the prior of the package's model and
without. The model has seen the photos at home, though not their crops: what is asked here is how near the two
ways come.
Vectors and figures so far are kept in ``--out``. Writes ``benchmarks/results/stand_ins.json``.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from bursts import crop
from numpy.typing import NDArray
from oasis_people import bootstrap
from record import table, tell, write_result
from threadpoolctl import threadpool_limits

from generic.atomic import write_bytes
from generic.cache.features import FeatureCache
from generic.metrics import spearman
from generic.model.generic_model import GenericModel
from generic.model.registry import find_model
from generic.photos.open import open_rgb
from generic.seeds import stream
from piaa.adapters.auto import AutoAdapter
from piaa.adapters.prior import PREFIX, Prior

Array = NDArray[np.float64]
Person = tuple[Array, Array]
"""Ratings of every crop as she gives them, and what they are to be compared with; each of shape (n,)."""
CROPS, KEPT = {"home": 4, "away": 30}, (0.6, 0.95)
PEOPLE = {600: 6, 1_000: 4, 1_500: 3}
"""Numbers of ratings, and of how many people each."""
GROUP = 4


class Exact(AutoAdapter):
    """Takes all ratings as they are."""

    exact = 10**6


WAYS = (AutoAdapter, Exact)


def write_crops(photos: list[Path], folder: Path, n: int) -> list[Path]:
    """Crops of each photo, one after the other."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for photo in photos:
        image, draw = open_rgb(photo), stream(0, "stand-ins", "crops", photo.name)
        for number in range(n):
            side = draw.uniform(*KEPT)
            left, top = draw.uniform(0, 1 - side, 2)
            box = (left * image.width, top * image.height, (left + side) * image.width)
            paths.append(folder / f"{photo.stem}-{number}.jpg")
            if not paths[-1].exists():
                crop(image, (*box, (top + side) * image.height)).save(paths[-1], quality=92)
    return paths


def vectors(model: GenericModel, place: str, root: Path, out: Path) -> tuple[Array, NDArray[np.str_]]:
    """Vectors of all crops, (n, 1 + d), and the photo that each is of, (n,)."""
    photos, file = sorted((root / "images").iterdir()), out / f"{place}-{model.hash[:8]}.npy"
    names = np.repeat([photo.name for photo in photos], CROPS[place])
    if not file.exists():
        paths = write_crops(photos, out / place, CROPS[place])
        with FeatureCache.open(out / "cache") as cache:
            rows = [one.vector for one in model.embed(paths, cache=cache) if one.vector is not None]
        np.save(file, np.stack(rows))
    return np.load(file).astype(np.float64), names


def groups(root: Path, names: NDArray[np.str_], place: str) -> Iterator[Person]:
    """People made of four raters, of each list if there are lists."""
    table = pd.read_csv(root / "ratings.csv", keep_default_na=False)
    lists = [table]
    if (root / "images.csv").exists():
        kinds = pd.read_csv(root / "images.csv").set_index("image")["list"]
        lists = [some for _, some in table.groupby(table["image"].map(kinds))]
    low, high = table["score"].min(), table["score"].max()
    for person in range(max(PEOPLE.values())):
        draw, scores = stream(0, "stand-ins", place, "group", person), np.full(len(names), np.nan)
        for some in lists:
            raters = draw.choice(sorted(set(some["user"])), GROUP, replace=False)
            given = some[some["user"].isin(raters)].groupby("image")["score"].agg(list).to_dict()
            for row, name in enumerate(names):
                if name in given:
                    scores[row] = draw.choice(given[name])
        unit = (scores - low) / (high - low)
        yield unit, unit


def curves(x: Array, place: str) -> Iterator[Person]:
    """People whose taste is a smooth function, planted."""
    z = (x[:, 1:] - x[:, 1:].mean(axis=0)) / x[:, 1:].std()
    for person in range(max(PEOPLE.values())):
        draw = stream(0, "stand-ins", place, "curve", person)
        centers, width = z[draw.choice(len(z), 20)], draw.choice((0.6, 1.0)) * np.sqrt(z.shape[1])
        squares = ((z[:, None] - centers) ** 2).sum(axis=2)
        taste = np.exp(-squares / (2 * width**2)) @ draw.standard_normal(len(centers))
        truth = x[:, 0] + 0.12 * (taste - taste.mean()) / taste.std()
        yield np.clip(truth + 0.12 * draw.standard_normal(len(truth)), 0, 1), truth


def srcc(
    kind: type[AutoAdapter],
    x: Array,
    names: NDArray[np.str_],
    person: Person,
    prior: Prior | None,
    k: int,
    *key: Any,
) -> float:
    """SRCC of one way of learning on the photos that were kept back."""
    scores, truth = person
    draw = stream(0, "stand-ins", *key)
    kept_back = draw.permutation(np.unique(names))[: len(np.unique(names)) // 5]
    there = ~np.isnan(scores)
    query = np.flatnonzero(np.isin(names, kept_back) & there)
    rows = draw.permutation(np.flatnonzero(~np.isin(names, kept_back) & there))[:k]
    return spearman(kind(prior).fit(x[rows], scores[rows]).predict(x[query]).score, truth[query])


def measure(
    place: str,
    kind: str,
    x: Array,
    names: NDArray[np.str_],
    people: list[Person],
    prior: Prior | None,
    keep: Callable[[str, Callable[[], Any]], Any],
) -> dict[str, Any]:
    """By number of ratings: means of either way, and their difference over people."""
    found = {}
    for k, n in PEOPLE.items():
        key = f"{place} {kind} {k} {'with' if prior else 'without'}"

        def one(way: type[AutoAdapter], person: int, k: int = k) -> float:
            return srcc(way, x, names, people[person], prior, k, place, kind, person)

        pairs = np.array(
            [
                [keep(f"{key} {person} {way.__name__}", partial(one, way, person)) for way in WAYS]
                for person in range(n)
            ]
        )
        gaps = pairs[:, 0] - pairs[:, 1]
        found[key] = {
            "stand_ins": float(pairs[:, 0].mean()),
            "all": float(pairs[:, 1].mean()),
            "gap": float(gaps.mean()),
            "interval": bootstrap(gaps, key),
            "lowest": float(gaps.min()),
        }
        tell(f"{key}: {found[key]}")
    return found


def main() -> None:
    """Measure, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("root", type=Path, help="folder of OASIS")
    parser.add_argument("--away", type=Path, help="folder of another domain")
    parser.add_argument("--kinds", nargs="*", default=("group", "curve"), help="which people")
    parser.add_argument("--out", type=Path, default=Path("runs/stand-ins"))
    given = parser.parse_args()
    model = GenericModel(find_model("piaa-lite"))
    prior, kept_file = Prior.from_tensors(model.tensors(PREFIX)), given.out / "figures.json"
    kept = json.loads(kept_file.read_text()) if kept_file.exists() else {}

    def keep(key: str, measured: Callable[[], Any]) -> Any:  # noqa: ANN401
        if key not in kept:
            kept[key] = measured()
            write_bytes(kept_file, json.dumps(kept).encode())
        return kept[key]

    found: dict[str, Any] = {}
    with threadpool_limits(limits=1):
        places = {"home": given.root} | ({"away": given.away} if given.away else {})
        for place, root in places.items():
            x, names = vectors(model, place, root, given.out)
            for kind in given.kinds:
                people = list(groups(root, names, place) if kind == "group" else curves(x, place))
                for used in (prior, None):
                    found |= measure(place, kind, x, names, people, used, keep)
    rows = [
        (
            key,
            f"{one['all']:.4f}",
            f"{one['stand_ins']:.4f}",
            f"{one['gap']:+.4f} [{one['interval'][0]:+.4f}, {one['interval'][1]:+.4f}]",
            f"{one['lowest']:+.4f}",
        )
        for key, one in found.items()
    ]
    text = table(("people", "all ratings as they are", "stand-ins", "difference", "lowest"), rows)
    print(text)
    command = f"uv run --group train python benchmarks/stand_ins.py ROOT --kinds {' '.join(given.kinds)}"
    command += " --away AI" if given.away else ""
    write_result("stand_ins", command, {"figures": found, "markdown": text})


if __name__ == "__main__":
    main()
