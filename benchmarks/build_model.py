"""What `piaa models build` makes of the stems at hand: two lists of OASIS teach, the third is tested.

    uv run --extra train --group train python benchmarks/build_model.py ROOT

builds, by the command itself, one model on each set of stems of ``STEMS``: packaged ImageNet networks, and a
toy tower (random weights, imported as somebody else's network would be: it shows the way, not a gain). Tested
are the generic score against the mean of raters, and ``auto`` after 10 ratings of each person of that list;
beside it what the models of ``benchmarks/train_piaa_lite.py`` that left the same list out reach, from
``lite_figures.json`` and ``oasis_protocol.json``. Writes ``benchmarks/results/build_model.json``.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from oasis import LISTS, SCALE
from record import RESULTS, piaa, tell, write_result
from torch import Tensor, nn

from generic.cache.features import FeatureCache
from generic.metrics import spearman
from generic.model.generic_model import GenericModel
from generic.seeds import stream
from piaa.people.model import Model

TOWER = "tower.onnx"
STEMS = {
    "lite1": ("tf_efficientnet_lite1",),
    "lite1 + lite2": ("tf_efficientnet_lite1", "tf_efficientnet_lite2"),
    "lite1 + toy tower": ("tf_efficientnet_lite1", TOWER),
}
K, REPEATS = 10, 3
SPEC = """
size = 64
mean = [0.5, 0.5, 0.5]
std = [0.25, 0.25, 0.25]
licence = "none needed: random weights"
"""


class Toy(nn.Module):
    """Random filters, their mean and deviation over the picture, and a random projection."""

    def __init__(self) -> None:
        super().__init__()
        self.filters, self.out = nn.Conv2d(3, 64, 8, 4), nn.Linear(128, 64)

    def forward(self, x: Tensor) -> Tensor:
        """Shape (1, 64), of a photo of shape (1, 3, 64, 64)."""
        maps = torch.relu(self.filters(x)).flatten(2)
        embedding: Tensor = self.out(torch.cat([maps.mean(2), maps.std(2)], 1))
        return embedding


def import_toy(folder: Path) -> None:
    """Write the toy tower as a stem, by way of `piaa models import`."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = Toy().eval()
    photo = torch.zeros(1, 3, 64, 64)
    torch.onnx.export(network, (photo,), folder / "toy.onnx", dynamo=True, external_data=False, verbose=False)
    (folder / "toy.toml").write_text(SPEC)
    piaa("models", "import", folder / "toy.onnx", "--spec", folder / "toy.toml", "--out", folder / TOWER)


def build(
    root: Path, ratings: pd.DataFrame, stems: Sequence[str], folder: Path
) -> tuple[GenericModel, float]:
    """The model that the command makes, and its seconds."""
    table, out = folder / "ratings.csv", folder / "model.onnx"
    ratings.to_csv(table, index=False)
    given = [part for stem in stems for part in ("--stem", str(folder / TOWER) if stem == TOWER else stem)]
    ends = ("--scale", str(SCALE.low), str(SCALE.high))
    _, seconds = piaa(
        *("models", "build", *given, "--ratings", table, "--images", root / "images", *ends),
        *("--out", out, "--overwrite"),
    )
    return GenericModel(out), seconds


def personal(model: GenericModel, ratings: pd.DataFrame, vectors: dict[str, np.ndarray]) -> dict[str, Any]:
    """Mean over people of the SRCC with their own ratings, by ``auto`` and by the generic score."""
    make, found = Model(model).maker("auto"), []
    for user, own in ratings.groupby("user"):
        x = np.stack([vectors[image] for image in own["image"]])
        y = SCALE.to_unit(own["score"].to_numpy(float))
        for repeat in range(REPEATS):
            order = stream(0, "build_model", str(user), repeat).permutation(len(own))
            rated, rest = order[:K], order[K:]
            predicted = make().fit(x[rated], y[rated]).predict(x[rest]).score
            found.append([spearman(predicted, y[rest]), spearman(x[rest, 0], y[rest])])
    auto, generic = map(float, np.nanmean(found, axis=0))
    return {"people": ratings["user"].nunique(), "k": K, "repeats": REPEATS, "auto": auto, "generic": generic}


def measure(root: Path, number: int, stems: Sequence[str], folder: Path) -> dict[str, Any]:
    """Figures of one set of stems, of the list that was left out."""
    images = pd.read_csv(root / "images.csv")
    tested = set(images["image"][images["list"] == number])
    ratings = pd.read_csv(root / "ratings.csv", keep_default_na=False)
    inside = ratings["image"].isin(tested)
    model, seconds = build(root, ratings[~inside], stems, folder)
    own = ratings[inside]
    means = own.groupby("image")["score"].mean()
    embedded = model.embed([root / "images" / name for name in means.index], cache=FeatureCache(None))
    vectors = {name: item.vector for name, item in zip(means.index, embedded, strict=True)}
    score = np.array([vectors[name][0] for name in means.index])
    return {
        "stems": list(stems),
        "built_from": {"photos": len(images) - len(means), "seconds": seconds},
        "file_mb": model.path.stat().st_size / 1e6,
        "out_of_fold": model.header.figures["srcc_out_of_fold"],
        "settings": {key: model.header.training["settings"][key] for key in ("gamma", "alpha", "directions")},
        "photos": len(means),
        "generic": spearman(score, means.to_numpy()),
        "personal": personal(model, own, vectors),
    }


def beside(number: int) -> dict[str, float]:
    """What ``piaa-lite`` reaches on the same list, left out."""
    lite = json.loads((RESULTS / "lite_figures.json").read_text())["lists"][str(number)]
    people = json.loads((RESULTS / "oasis_protocol.json").read_text())["left_out"][f"list {number}"]
    return {
        "generic": lite["generic"]["srcc"],
        "generic, kernel head alone": lite["ablation"]["kernel head alone (frozen)"],
        **{f"{name} k={K}": people[name][str(K)]["srcc"] for name in ("auto", "generic")},
    }


def main() -> None:
    """Parse, build, test, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("root", type=Path, help="folder of the data set")
    parser.add_argument("--lists", type=int, nargs="*", default=LISTS[-1:], help="lists that are tested")
    given = parser.parse_args()
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        import_toy(Path(name))
        for number in given.lists:
            figures[str(number)] = {"piaa-lite": beside(number)}
            for words, stems in STEMS.items():
                figures[str(number)][words] = measure(given.root, number, stems, Path(name))
                tell(f"list {number}, {words}: {figures[str(number)][words]}")
    command = "uv run --extra train --group train python benchmarks/build_model.py ROOT"
    write_result("build_model", command, {"lists": figures})


if __name__ == "__main__":
    main()
