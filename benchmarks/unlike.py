"""How often photos are called unlike those of training: draws of photos at home, and of another domain.

    uv run --extra train --group train python benchmarks/unlike.py ROOT --away AI --models runs/auto-best

takes the models of ``auto_best.py``, each of which has not seen the photos of its list. Writes
``benchmarks/results/unlike.json``.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from auto_best import Array, vectors
from oasis import load_oasis
from record import write_result

from generic.cache.features import FeatureCache
from generic.model.generic_model import GenericModel
from generic.seeds import stream
from piaa.adapters.prior import PREFIX, Prior
from piaa.people.unlike import LIMIT, unlikeness

DRAWS, SIZES = 400, (10, 20, 50)


def shares(x: Array, prior: Prior, *names: str | int) -> dict[str, dict[str, float]]:
    """By number of photos: the mean ratio, its 99th percentile, and the share of draws above the limit."""
    found = {}
    for k in SIZES:
        draw = stream(0, "unlike", k, *names)
        ratios = [unlikeness(x[draw.choice(len(x), k, replace=False)], prior) for _ in range(DRAWS)]
        found[str(k)] = {
            "mean": float(np.mean(ratios)),
            "99th percentile": float(np.quantile(ratios, 0.99)),
            "above": float(np.mean(np.array(ratios) > LIMIT)),
        }
    return found


def main() -> None:
    """Draw, measure, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("root", type=Path)
    parser.add_argument("--away", type=Path, required=True)
    parser.add_argument("--models", type=Path, default=Path("runs/auto-best"))
    parser.add_argument("--lists", type=int, nargs="*", default=(1, 2))
    given = parser.parse_args()
    data, found = load_oasis(given.root), dict[str, Any]()
    for number in given.lists:
        model = GenericModel(given.models / f"without-{number}" / "model.onnx")
        prior = Prior.from_tensors(model.tensors(PREFIX))
        if prior is None:
            raise ValueError(f"{model.path} has no prior")
        home = [path for path, place in zip(data.paths, data.lists, strict=True) if place == number]
        with FeatureCache.open(given.models / "cache") as cache:
            for place, paths in (("home", home), ("away", sorted((given.away / "images").iterdir()))):
                x = vectors(model, paths, cache)
                found.setdefault(str(number), {})[place] = shares(x, prior, place, number)
    command = "uv run --extra train --group train python benchmarks/unlike.py ROOT --away AI --lists"
    write_result("unlike", f"{command} {' '.join(map(str, given.lists))}", {"limit": LIMIT, "lists": found})


if __name__ == "__main__":
    main()
