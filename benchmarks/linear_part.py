"""What a ranking by the linear part of ``auto`` costs, as ``piaa rank`` does it, against all of ``auto``.

    uv run --group train python benchmarks/linear_part.py ../shared/data/oasis_beauty --models runs/lite

Each list's people on the model that learned from the other lists (``benchmarks/train_piaa_lite.py``): of k
ratings drawn, all other ratings are predicted by ``auto``, by its linear part and by ``bayes``, which is
linear as a whole. SRCC of these, and between the two rankings; means over people, 95 % bootstrap intervals.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from oasis import LISTS, Oasis, load_oasis
from oasis_sides import WITHOUT
from record import table, tell, write_result

from generic.cache.features import FeatureCache
from generic.metrics import spearman
from generic.model.generic_model import GenericModel
from generic.seeds import stream
from piaa.adapters.registry import make_adapter
from piaa.people.opened_model import OpenedModel

COLUMNS = ("auto", "its linear part", "bayes", "the two rankings of auto")
DRAWS = 10_000


def person(model: OpenedModel, x: np.ndarray, y: np.ndarray, support: np.ndarray) -> list[float]:
    """SRCC of one person's other ratings, see ``COLUMNS``; not a number where they are all equal."""
    rest = np.setdiff1d(np.arange(len(y)), support)
    auto = make_adapter("auto", model.prior).fit(x[support], y[support])
    bayes = make_adapter("bayes", model.prior).fit(x[support], y[support])
    whole, line = auto.predict(x[rest]).score, auto.linear_form().coefficients
    linear = line[0] + x[rest].astype(np.float64) @ line[1:]
    scores = (whole, linear, bayes.predict(x[rest]).score)
    return [*(spearman(one, y[rest]) for one in scores), spearman(whole, linear)]


def measure(data: Oasis, models: Path, k: int, most: int) -> np.ndarray:
    """One row a person, one column of each of ``COLUMNS``."""
    rows = []
    for number in LISTS:
        model = OpenedModel(GenericModel(models / f"{WITHOUT[number]}.safetensors"))
        mine = np.flatnonzero(data.lists == number)
        with FeatureCache.open(model.settings.cache) as cache:
            found = model.generic.embed([data.paths[row] for row in mine], cache=cache)
            vectors = {row: one.vector for row, one in zip(mine.tolist(), found, strict=True)}
        for user in sorted(data.users_of(number))[:most]:
            photos, scores = data.users[user]
            rng = stream(0, "linear_part", user, str(k))
            support = rng.permutation(len(photos))[:k]
            x = np.stack([vectors[int(row)] for row in photos])
            rows.append(person(model, x, scores, support))
        tell(f"{k} ratings: list {number} done")
    return np.array(rows)


def summary(found: np.ndarray) -> dict[str, Any]:
    """Means over people, and what the linear part loses."""
    kept = found[np.isfinite(found).all(axis=1)]
    lost = kept[:, 0] - kept[:, 1]
    draws = stream(0, "linear_part", "bootstrap").integers(0, len(lost), (DRAWS, len(lost)))
    low, high = np.quantile(lost[draws].mean(axis=1), (0.025, 0.975))
    means = dict(zip(COLUMNS, kept.mean(axis=0).tolist(), strict=True))
    return {**means, "people": len(kept), "lost": float(lost.mean()), "interval": [float(low), float(high)]}


def main() -> None:
    """Measure and write the results; see the module's text."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("root", type=Path)
    parser.add_argument("--models", type=Path, required=True)
    parser.add_argument("--shots", default="10,30,100")
    parser.add_argument("--people", type=int, default=10_000, help="of each list, at most")
    arguments = parser.parse_args()
    data = load_oasis(arguments.root)
    shots = [int(k) for k in arguments.shots.split(",")]
    found = {k: summary(measure(data, arguments.models, k, arguments.people)) for k in shots}
    heads = ("ratings", "people", *COLUMNS, "lost (95 %)")
    rows = [
        (
            str(k),
            f"{one['people']:,}",
            *(f"{one[name]:.3f}" for name in COLUMNS),
            f"{one['lost']:.4f} ({one['interval'][0]:.4f} to {one['interval'][1]:.4f})",
        )
        for k, one in found.items()
    ]
    text = table(heads, rows)
    command = f"python benchmarks/linear_part.py {arguments.root} --models {arguments.models}"
    command += f" --shots {arguments.shots} --people {arguments.people}"
    write_result("linear_part", command, {"shots": found, "markdown": text})
    print(text)


if __name__ == "__main__":
    main()
