"""The generic score against the mean of raters, on the list that each model of OASIS has not seen.

    uv run --group train python benchmarks/lite_figures.py ROOT --models runs/lite3

measures the models of ``benchmarks/train_piaa_lite.py`` that leave a list out: the score through the file,
as ``piaa score`` gives it; its parts alone; and library regressors on the same frozen features, fitted
on the same photos; and how long the network takes beside one EfficientNet-Lite2. Writes
``benchmarks/results/lite_figures.json``; ``benchmarks/report.py`` makes the model card's table of it.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import timm
import torch
from oasis import LISTS, SCALE
from oasis_sides import WITHOUT, Lists, load_lists
from record import tell, write_result
from sklearn.linear_model import RidgeCV
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVR

from generic.cache.features import FeatureCache
from generic.lite.piaa_lite import PiaaLite
from generic.lite.stems import TUNED
from generic.lite.train import LiteConfig, Maps, imagenet_stems, stem_maps
from generic.lite.tune import predict
from generic.metrics import pearson, spearman
from generic.model.generic_model import GenericModel
from generic.photos.open import load_pixels

Rows = np.ndarray
N_FAILURES = 5
"""Photos named for each list and side."""


def photo_maps(paths: Sequence[Path]) -> Maps:
    """What the frozen stem says of the photos."""
    config = LiteConfig()
    pixels = np.stack([load_pixels(path, config.size) for path in paths])
    return stem_maps(imagenet_stems(config).stem, pixels)


def through_the_file(model: GenericModel, paths: Sequence[Path]) -> np.ndarray:
    """The unit scores that ``piaa score`` gives without a user."""
    embedded = model.embed(paths, cache=FeatureCache(None))
    return np.array([item.vector[0] for item in embedded if item.vector is not None])


def failures(paths: Sequence[Path], score: np.ndarray, means: np.ndarray) -> dict[str, list[dict[str, Any]]]:
    """The photos whose score is furthest above and below the mean of raters, the worst first."""
    order = np.argsort(score - means)
    width = SCALE.high - SCALE.low

    def shown(rows: np.ndarray) -> list[dict[str, Any]]:
        return [
            {
                "photo": paths[row].stem,
                "score": SCALE.low + width * float(score[row]),
                "raters": SCALE.low + width * float(means[row]),
            }
            for row in rows
        ]

    return {"above": shown(order[::-1][:N_FAILURES]), "below": shown(order[:N_FAILURES])}


def parts(network: PiaaLite, maps: Maps, means: np.ndarray) -> dict[str, float]:
    """SRCC of the parts alone, mirror images averaged. Their shares do not change ranks."""
    with torch.inference_mode():
        centred = maps.taps - cast("torch.Tensor", network.tap_mean)
        kernel = torch.stack([network.kernel(network.project(centred[:, side])) for side in (0, 1)]).mean(0)
    return {
        "kernel head alone (frozen)": spearman(kernel.numpy(), means),
        "tuned branch alone (with EAT)": spearman(predict(network.tuned, maps.middle), means),
    }


def seconds(network: torch.nn.Module, size: int) -> float:
    """Of the processor, of the quickest of five forward passes over four photos, on one thread."""
    x = torch.zeros(4, 3, size, size).contiguous(memory_format=torch.channels_last)
    taken = []
    with torch.inference_mode():
        for _ in range(6):
            started = time.process_time()
            network(x)
            taken.append(time.process_time() - started)
    return min(taken[1:])


def speed(model: GenericModel) -> dict[str, float]:
    """Seconds of the model and of EfficientNet-Lite2 as timm makes it, on the same photos."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    plain = timm.create_model(TUNED).eval().to(memory_format=torch.channels_last)
    own, usual = seconds(model.network, model.size), seconds(plain, model.size)
    torch.set_num_threads(threads)
    return {"piaa_lite": own, "efficientnet_lite2": usual, "ratio": own / usual}


def baselines(maps: Maps, means: np.ndarray, train: Rows, test: Rows) -> dict[str, float]:
    """SRCC of library regressors on the frozen features, mirror images averaged."""
    taps = maps.taps.mean(1).numpy()
    # Divided so that photos have mean squared length 1 and gamma means the same for any number of features.
    x = StandardScaler().fit(taps[train]).transform(taps) / np.sqrt(taps.shape[1])
    y = 6 * (means[train] - means[train].mean())
    regressors = {
        "frozen + RidgeCV": RidgeCV(np.logspace(-4, 2, 25)),
        "frozen + SVR (C=10, gamma=1)": SVR(C=10, gamma=1.0, epsilon=0.1),
        "frozen + SVR (C=3, gamma=0.5)": SVR(C=3, gamma=0.5, epsilon=0.1),
    }
    return {
        name: spearman(regressor.fit(x[train], y).predict(x[test]), means[test])
        for name, regressor in regressors.items()
    }


def measure(root: Path, lists: Lists, folder: Path) -> dict[str, Any]:
    """List -> figures of the model that left it out."""
    names = sorted(lists.whole.labelled())
    paths = [root / "images" / name for name in names]
    maps = photo_maps(paths)
    tell(f"stem done on {len(paths)} photos")
    # Each photo is in one list: its mean is that of the raters of that list.
    raw = lists.whole.means
    means = (np.array([raw[name] for name in names]) - SCALE.low) / (SCALE.high - SCALE.low)
    figures = {}
    for number in LISTS:
        model = GenericModel(folder / f"{WITHOUT[number]}.safetensors")
        own = set(lists.single[number].labelled())
        tested = np.array([name in own for name in names])
        test, train = np.flatnonzero(tested), np.flatnonzero(~tested)
        own_paths = [paths[row] for row in test]
        score = through_the_file(model, own_paths)
        figures[str(number)] = {
            "model": {"name": model.name, "hash": model.hash},
            "photos": len(test),
            "generic": {"srcc": spearman(score, means[test]), "plcc": pearson(score, means[test])},
            "failures": failures(own_paths, score, means[test]),
            "ablation": parts(cast("PiaaLite", model.network), maps.take(test), means[test]),
            "baselines": baselines(maps, means, train, test),
        }
        tell(f"list {number}: {figures[str(number)]['generic']}")
    return figures


def main() -> None:
    """Parse, measure, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("root", type=Path, help="folder of the data set")
    parser.add_argument("--models", type=Path, default=Path("runs/lite3"), help="folder of the models")
    given = parser.parse_args()
    figures = measure(given.root, load_lists(given.root), given.models)
    command = "uv run --group train python benchmarks/lite_figures.py ROOT --models runs/lite3"
    times = speed(GenericModel(given.models / f"{WITHOUT[LISTS[0]]}.safetensors"))
    tell(f"forward pass: {times}")
    write_result("lite_figures", command, {"lists": figures, "forward_4_photos_s": times})


if __name__ == "__main__":
    main()
