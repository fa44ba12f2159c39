"""``piaa-lite`` with an expert and a richer part beside the one before: the same photos, people and ratings.

    uv run --group train python benchmarks/lite3_paired.py ROOT --before runs/lite --after runs/lite3

and once, at the end, with ``--last --ai AI_PICTURES --shipped-before OLD --shipped-after NEW``, list 3 and AI
pictures as well.

Models that left a list out are tested on it, by ``generic`` and ``auto``. Of the generic score: SRCC against
the mean of raters, with an interval of the difference over photos, also without the tuned branch and
without what the EAT stages say. Of each person: the mean difference and its standard error over people. What
the models before give each person on OASIS is read from ``results/oasis_protocol/``, whose episodes are the
same. Runs are taken up again in OUT; figures go to ``results/lite3_paired.json``.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
from lite3_tables import paired_tables
from numpy.typing import NDArray
from oasis import LISTS, Oasis, load_oasis
from oasis_protocol import Study, below_the_crowd, table_figures
from oasis_sides import WITHOUT, load_lists
from oasis_users import FOLDER, read
from record import RESULTS, tell, write_result

from cli import adapters_of
from generic.cache.features import FeatureCache
from generic.lite.piaa_lite import PiaaLite
from generic.metrics import pearson, spearman
from generic.model.generic_model import GenericModel
from generic.seeds import stream
from piaa.ratings.scale import Scale
from protocols.datasets.dataset import mean_scores
from protocols.datasets.load import load_dataset
from protocols.fewshot.results import Results
from protocols.fewshot.study import Prepared, Settings, default_split, prepare, run
from protocols.report.build import collect

Array = NDArray[np.float64]
ADAPTERS = ("generic", "auto")
SHOTS, AI_SHOTS = (1, 3, 10, 30, 100), (1, 3, 10, 30)
AI_SCALE = Scale(1, 5)
AI_REPEATS = 10
DRAWS = 2000
_PAIR = ["test", "adapter", "k", "repeat", "user"]


def generic(
    data: Oasis, numbers: Sequence[int], before: Path, after: Path, cache: FeatureCache
) -> dict[str, dict[str, Any]]:
    """Row -> SRCC for each list, gains over the models before, and the mean gain with its interval."""
    scores: dict[str, dict[int, Array]] = {}
    for number in numbers:
        paths = [data.paths[row] for row in np.flatnonzero(data.lists == number)]
        old, new = (GenericModel(folder / f"{WITHOUT[number]}.safetensors") for folder in (before, after))
        rows = {"before": scores_of(old, paths, cache), "after": scores_of(new, paths, cache)}
        rows |= without_parts(new, paths)
        for name, row in rows.items():
            scores.setdefault(name, {})[number] = row
    truth = {number: data.means[data.lists == number] for number in numbers}
    return {name: gains(row, scores["before"], truth) for name, row in scores.items()}


def scores_of(model: GenericModel, paths: Sequence[Path], cache: FeatureCache) -> Array:
    """Generic unit scores of photos, through the file, shape (n,)."""
    return np.array([one.vector[0] for one in model.embed(paths, cache=cache) if one.vector is not None])


def without_parts(model: GenericModel, paths: Sequence[Path]) -> dict[str, Array]:
    """Scores with what the EAT stages say left out, and without the whole tuned branch."""
    network, nowhere = cast("PiaaLite", model.network), FeatureCache(None)
    network.tuned.eat_out.weight.zero_()
    no_eat = scores_of(model, paths, nowhere)
    for value in (network.tuned.out.weight, network.tuned.out.bias, network.tuned.eat_out.bias):
        value.zero_()
    for value in (network.kernel.weights, network.kernel.offset):  # the head's share doubles
        value.mul_(2)
    return {"after, without EAT": no_eat, "after, without the branch": scores_of(model, paths, nowhere)}


def gains(
    now: Mapping[int, Array], before: Mapping[int, Array], truth: Mapping[int, Array]
) -> dict[str, Any]:
    """Gains in SRCC by list, their mean, and its 95 % interval over photos."""
    drawn = []
    for number, means in truth.items():
        rng = stream(0, "lite3", "photos", number)
        draws = [rng.choice(len(means), len(means)) for _ in range(DRAWS)]
        drawn.append([_gain(now[number][d], before[number][d], means[d]) for d in draws])
    own = [_gain(now[number], before[number], means) for number, means in truth.items()]
    return {
        "srcc": [spearman(now[number], means) for number, means in truth.items()],
        "plcc": [pearson(now[number], means) for number, means in truth.items()],
        "gain": own,
        "mean_gain": float(np.mean(own)),
        "interval": np.quantile(np.mean(drawn, axis=0), (0.025, 0.975)).tolist(),
    }


def _gain(now: Array, before: Array, means: Array) -> float:
    return spearman(now, means) - spearman(before, means)


def frame(results: Results) -> pd.DataFrame:
    """Each person's results; people by number, in the order of names, as in ``results/oasis_protocol``."""
    found = results.to_frame()[[*_PAIR, "srcc"]].query("adapter in @ADAPTERS")
    found["user"] = found.groupby("test")["user"].transform(lambda names: pd.factorize(names, sort=True)[0])
    return found


def people(now: pd.DataFrame, before: pd.DataFrame) -> list[dict[str, Any]]:
    """Mean SRCC over people, before and now, and the difference with its standard error over people."""
    both = now.merge(before[[*_PAIR, "srcc"]], on=_PAIR, suffixes=("", "_before")).dropna()
    found = []
    for (test, adapter, _), rows in both.groupby(["test", "adapter", "k"]):
        own = rows.groupby("user")[["srcc", "srcc_before"]].mean()
        gain = own["srcc"] - own["srcc_before"]
        found.append(
            {
                "test": test,
                "adapter": adapter,
                "k": int(rows["k"].iloc[0]),
                "people": len(own),
                "repeats": int(rows["repeat"].nunique()),
                "before": float(own["srcc_before"].mean()),
                "after": float(own["srcc"].mean()),
                "gain": float(gain.mean()),
                "error": float(gain.std() / np.sqrt(len(gain))),
            }
        )
    return found


def ai_test(root: Path, model: GenericModel, repeats: int, cache: FeatureCache) -> Prepared:
    """Everybody, on all pictures."""
    dataset, settings = load_dataset("table", root, scale=AI_SCALE), Settings(shots=AI_SHOTS, repeats=repeats)
    makers = adapters_of(model, ADAPTERS)
    return prepare(
        dataset,
        default_split(dataset),
        model,
        makers,
        settings,
        cache=cache,
        train="OASIS",
        name="AI pictures",
    )


def ai_pictures(
    root: Path, files: Mapping[str, Path], repeats: int, out: Path, cache: FeatureCache
) -> dict[str, Any]:
    """Both shipped files away from home."""
    models = {name: GenericModel(file) for name, file in files.items()}
    dataset = load_dataset("table", root, scale=AI_SCALE)
    names = sorted(dataset.labelled())
    raw = mean_scores(dataset.ratings) if dataset.ratings is not None else {}
    truth = {0: np.array([raw[name] for name in names])}
    paths = [root / "images" / name for name in names]
    scores = {name: {0: scores_of(model, paths, cache)} for name, model in models.items()}
    tests = {name: ai_test(root, model, repeats, cache) for name, model in models.items()}
    frames = {name: frame(run([test], out / name)) for name, test in tests.items()}
    return {
        "generic": {name: gains(row, scores["before"], truth) for name, row in scores.items()},
        "people": people(frames["after"], frames["before"]),
    }


def main() -> None:
    """Parse, measure, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("root", type=Path, help="folder of the OASIS data set")
    parser.add_argument("--before", type=Path, default=Path("runs/lite"))
    parser.add_argument("--after", type=Path, default=Path("runs/lite3"))
    parser.add_argument("--out", type=Path, default=Path("runs/lite3-paired"), help="run folders")
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--last", action="store_true", help="list 3 as well, once everything is chosen")
    parser.add_argument("--ai", type=Path, help="folder of the AI pictures, likewise")
    parser.add_argument("--shipped-before", type=Path)
    parser.add_argument("--shipped-after", type=Path)
    given = parser.parse_args()
    numbers, data = LISTS if given.last else LISTS[:2], load_oasis(given.root)
    with FeatureCache.open(given.out / "cache") as cache:
        rows = generic(data, numbers, given.before, given.after, cache)
        tell(str({name: row["mean_gain"] for name, row in rows.items()}))
        settings = Settings(shots=SHOTS, repeats=given.repeats)
        study = Study(load_lists(given.root), given.after, ADAPTERS, settings, cache)
        results = run(list(study.left_out(numbers)), given.out / "left-out")
        each = people(frame(results), read("left_out", RESULTS / FOLDER)[0])
        found: dict[str, Any] = {"generic": rows, "people": each}
        found |= {"left_out": table_figures(collect(results)), "below_the_crowd": below_the_crowd(results)}
        found["config"] = {"shots": list(SHOTS), "repeats": given.repeats, "ai_repeats": AI_REPEATS}
        if given.ai is not None:
            files = {"before": given.shipped_before, "after": given.shipped_after}
            found["ai_pictures"] = ai_pictures(given.ai, files, AI_REPEATS, given.out, cache)
    last = " --last --ai AI --shipped-before OLD --shipped-after NEW" * given.last
    command = f"python benchmarks/lite3_paired.py ROOT --repeats {given.repeats}{last}"
    write_result("lite3_paired", command, {**found, "markdown": paired_tables(found)})


if __name__ == "__main__":
    main()
