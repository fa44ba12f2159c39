"""What it costs that people give stars only to what they like, and what their photos without stars could say.

    uv run python benchmarks/selection_bias.py ROOT --away AI --models runs/lite

Raters of OASIS (ROOT), each list by the model that has not seen it, and of another domain (AI), by the model
of the package. Of one half of a person's photos, a third is rated, the other half is ranked: *upper third*,
the ones that she likes best; *at random*, as many drawn by chance. Then the photos of the half without a
rating count as ratings too: *below*, one fixed step under the lowest rating given; *censored*, what is to be
expected of a rating that is lower than that (Tobin, "Estimation of relationships for limited dependent
variables", Econometrica 1958), learned from and expected again, three times. Both are done to the upper
third, where they are true, and to ratings at random, where a photo without one says nothing. SRCC of ``auto``
over all ranked photos, differences with 95 % intervals over people. Writes ``results/selection_bias.json``.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from oasis import LISTS
from oasis_people import bootstrap
from record import table, tell, write_result
from scipy.stats import norm
from threadpoolctl import threadpool_limits

from generic.cache.features import FeatureCache
from generic.metrics import spearman
from generic.model.generic_model import GenericModel
from generic.model.registry import find_model
from generic.seeds import stream
from piaa.adapters.auto import AutoAdapter
from piaa.adapters.prediction import Z
from piaa.adapters.prior import PREFIX, Prior

Array = NDArray[np.float64]
STEP, ROUNDS, SMALLEST = 0.25, 3, 0.05
PEOPLE, REPEATS = 40, {"home": 1, "away": 4}
SAYS = {
    "generic score": "generic",
    "upper third": "top",
    "at random": "random",
    "upper third, the others below": "top below",
    "upper third, the others censored": "top censored",
    "at random, the others below": "random below",
    "at random, the others censored": "random censored",
}


def censored(prior: Prior | None, x: Array, y: Array, others: Array) -> AutoAdapter:
    """Learned from ratings, and from photos whose ratings are below the lowest of them."""
    lowest, learned = y.min(), AutoAdapter(prior).fit(x, y)
    for _ in range(ROUNDS):
        found = learned.predict(others)
        deviation = np.maximum((found.high - found.low) / (2 * Z), SMALLEST)
        place = (lowest - found.score) / deviation
        expected = found.score - deviation * np.exp(norm.logpdf(place) - norm.logcdf(place))
        learned = AutoAdapter(prior).fit(np.concatenate([x, others]), np.concatenate([y, expected]))
    return learned


def below(prior: Prior | None, x: Array, y: Array, others: Array) -> AutoAdapter:
    """Learned from ratings, and from photos that count one step below the lowest of them."""
    step = np.full(len(others), y.min() - STEP)
    return AutoAdapter(prior).fit(np.concatenate([x, others]), np.concatenate([y, step]))


def srccs(prior: Prior | None, x: Array, y: Array, order: NDArray[np.intp]) -> dict[str, float]:
    """Of one person: her vectors (n, 1 + d) and unit scores (n,), in one order by chance."""
    album, ranked = np.split(order, [len(order) // 2])
    best = album[np.argsort(-y[album], kind="stable")]
    k = len(album) // 3
    found = {"generic": spearman(x[ranked, 0], y[ranked])}
    for name, rows in (("top", best), ("random", album)):
        given = x[rows[:k]], y[rows[:k]]
        learned = {
            name: AutoAdapter(prior).fit(*given),
            f"{name} below": below(prior, *given, x[rows[k:]]),
            f"{name} censored": censored(prior, *given, x[rows[k:]]),
        }
        found |= {key: spearman(one.predict(x[ranked]).score, y[ranked]) for key, one in learned.items()}
    return found


def people(root: Path, number: int | None) -> Iterator[tuple[str, list[str], Array]]:
    """Users with the photos they rated and their unit scores; of one list, if it is given."""
    ratings = pd.read_csv(root / "ratings.csv", keep_default_na=False)
    low, high = ratings["score"].min(), ratings["score"].max()
    if number is not None:
        lists = pd.read_csv(root / "images.csv").set_index("image")["list"]
        ratings = ratings[ratings["image"].map(lists) == number]
    for user, own in list(ratings.groupby("user"))[:PEOPLE]:
        yield str(user), own["image"].tolist(), ((own["score"] - low) / (high - low)).to_numpy()


def measure(root: Path, model: GenericModel, cache: Path, number: int | None, place: str) -> dict[str, Array]:
    """By way of learning each person's SRCC, mean over repeats."""
    prior, found = Prior.from_tensors(model.tensors(PREFIX)), []
    everybody = list(people(root, number))
    names = sorted({name for _, own, _ in everybody for name in own})
    with FeatureCache.open(cache) as features:
        read = list(model.embed([root / "images" / name for name in names], cache=features))
    vectors = {
        n: one.vector.astype(float) for n, one in zip(names, read, strict=True) if one.vector is not None
    }
    for user, own, y in everybody:
        x = np.stack([vectors[name] for name in own])
        orders = [
            stream(0, "selection", place, user, repeat).permutation(len(y))
            for repeat in range(REPEATS["away" if number is None else "home"])
        ]
        each = [srccs(prior, x, y, order) for order in orders]
        found.append({key: np.nanmean([one[key] for one in each]) for key in each[0]})
    return {key: np.array([one[key] for one in found]) for key in found[0]}


def figures(found: dict[str, Array], place: str) -> dict[str, Any]:
    """Means, and differences from learning without the others."""
    told: dict[str, Any] = {}
    for key, values in found.items():
        base = found["random" if key.startswith("random") else "top"]
        gap = values - base
        told[key] = {"srcc": float(np.nanmean(values)), "gain": float(np.nanmean(gap))}
        told[key]["interval"] = bootstrap(gap, place, key)
        told[key]["worse"] = float(np.mean(gap[~np.isnan(gap)] < 0))
    return told


def main() -> None:
    """Measure, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("root", type=Path, help="folder of OASIS")
    parser.add_argument("--away", type=Path, required=True, help="folder of another domain")
    parser.add_argument("--models", type=Path, default=Path("runs/lite"), help="models that left a list out")
    parser.add_argument("--cache", type=Path, default=Path("runs/selection-bias"))
    given = parser.parse_args()
    found: dict[str, dict[str, Any]] = {}
    with threadpool_limits(limits=1):
        for number in LISTS:
            model = GenericModel(given.models / f"piaa-lite-without-{number}.safetensors")
            place = f"list {number}"
            found[place] = figures(measure(given.root, model, given.cache, number, place), place)
            tell(f"{place}: {found[place]}")
        model = GenericModel(find_model("piaa-lite"))
        found["AI pictures"] = figures(measure(given.away, model, given.cache, None, "away"), "away")
    rows = [[text, *(_cell(one[key]) for one in found.values())] for text, key in SAYS.items()]
    text = table(("rated", *found), rows)
    print(text)
    command = "uv run python benchmarks/selection_bias.py ROOT --away AI --models runs/lite"
    content = {"people": PEOPLE, "repeats": REPEATS, "places": found, "markdown": text}
    write_result("selection_bias", command, content)


def _cell(one: dict[str, Any]) -> str:
    if one["gain"] == 0:
        return f"{one['srcc']:.3f}"
    low, high = one["interval"]
    return f"{one['srcc']:.3f} ({one['gain']:+.3f} [{low:+.3f}, {high:+.3f}])"


if __name__ == "__main__":
    main()
