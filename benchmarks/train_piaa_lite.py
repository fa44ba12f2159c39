"""Train ``piaa-lite`` on the OASIS photos, and measure it with each list left out.

    uv run --group train python benchmarks/train_piaa_lite.py ROOT --out runs/lite

writes ``piaa-lite.safetensors`` (all lists: the shipped file), ``piaa-lite-without-N.safetensors``
(list N left out: the honest ones) and ``figures.json``. About 20 minutes on two cores. What is done
already is kept: a stopped run goes on with the next file.
"""

from __future__ import annotations

import argparse
import json
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from oasis import LISTS, SCALE, Oasis, load_oasis
from sklearn.linear_model import RidgeCV
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVR

from generic.atomic import write_bytes
from generic.cache import FeatureCache
from generic.checkpoint import Header, load_checkpoint, save_checkpoint
from generic.images import load_pixels
from generic.metrics import coverage, pearson, spearman
from generic.model import NETWORK, GenericModel
from generic.seeds import stream
from generic.train_lite import LiteConfig, Maps, Trained, imagenet_stem, stem_maps, train_lite
from piaa.adapters import ADAPTERS, make_adapter
from piaa.prior import PREFIX, Prior, learn_prior

SHOTS = (1, 3, 10, 30, 100)
REPEATS = 10
N_JOINT = 32
HISTORY = "training."
"""Prefix of what a prior can be learned from anew: the photos' rows and out-of-fold scores."""
TERMS = (
    "Photos: Open Affective Standardized Image Set (Kurdi, Lozano & Banaji, Behavior Research Methods 2017), "
    "chosen to be available for reuse with modification. Ratings: Brielmann & Pelli, individual beauty "
    "ratings, 2019; their repository carries no licence statement. Stem: EfficientNet-Lite2, ImageNet-1k, "
    "Apache-2.0."
)


def vectors(model: GenericModel, data: Oasis) -> np.ndarray:
    """Model vectors of all photos, through the same code as `piaa score`, shape (n, 1 + d)."""
    results = model.embed(data.paths, cache=FeatureCache(None))
    return np.stack([item.vector for item in results if item.vector is not None])


def train(data: Oasis, maps: Maps, left_out: int | None, config: LiteConfig, out: Path) -> None:
    """Train on all lists but one, learn the prior from their users, write the model file."""
    rows = np.flatnonzero(data.lists != left_out)
    stem = imagenet_stem()
    trained = train_lite(stem, maps.take(rows), data.means[rows], config)
    header = Header(
        name=out.stem,
        architecture=trained.architecture,
        scale=(0.0, 1.0),
        training=describe_training(data, rows, left_out, config, trained),
    )
    network = {NETWORK + key: half(value.numpy()) for key, value in trained.network.state_dict().items()}
    history = {HISTORY + "rows": rows, HISTORY + "out_of_fold": trained.out_of_fold}
    save_checkpoint(out, header, {**network, **history})
    add_prior(data, out)


def add_prior(data: Oasis, file: Path) -> None:
    """Learn the prior from the training lists' users and write it into the model file."""
    model, (header, tensors) = GenericModel(file), load_checkpoint(file)
    rows, out_of_fold = tensors[HISTORY + "rows"], tensors[HISTORY + "out_of_fold"]
    prior = learn_taste_prior(data, rows, vectors(model, data), out_of_fold)
    kept = {key: value for key, value in tensors.items() if not key.startswith(PREFIX)}
    save_checkpoint(file, header, kept | {PREFIX + key: value for key, value in prior.tensors().items()})


def half(array: np.ndarray) -> np.ndarray:
    """Large tensors in half precision: half the file. All figures are measured from the file."""
    return array.astype(np.float16) if array.size > 10_000 else array


def describe_training(
    data: Oasis, rows: np.ndarray, left_out: int | None, config: LiteConfig, trained: Trained
) -> dict[str, Any]:
    """What the header says of the training."""
    lists = [number for number in LISTS if number != left_out]
    users = data.users_of(*lists)
    return {
        "summary": f"EfficientNet-Lite2 + EAT, trained on {len(rows)} OASIS photos (lists {lists})",
        "data": f"{len(rows)} photos, mean unit scores of {len(users)} raters, OASIS lists {lists}",
        "terms": TERMS,
        "rating_scale": SCALE.to_json(),
        "config": config.__dict__,
        "eat_share": trained.eat_share,
        "srcc_out_of_fold": spearman(trained.out_of_fold, data.means[rows]),
        "command": "uv run --group train python benchmarks/train_piaa_lite.py ROOT --out runs/lite",
    }


def learn_taste_prior(data: Oasis, rows: np.ndarray, features: np.ndarray, out_of_fold: np.ndarray) -> Prior:
    """The prior from the training lists' users, with generic scores of photos as if never seen."""
    honest = features[rows].astype(np.float64)
    honest[:, 0] = out_of_fold
    place = {row: i for i, row in enumerate(rows.tolist())}
    people = [
        (np.array([place[photo] for photo in photos.tolist()]), scores)
        for photos, scores in data.users.values()
        if photos[0] in place
    ]
    return learn_prior(honest, data.means[rows], people, n_joint=N_JOINT)


def baselines(data: Oasis, maps: Maps, left_out: int) -> dict[str, float]:
    """Frozen stem features with library regressors: SRCC on the list left out."""
    taps = maps.taps.mean(1).numpy()
    train_rows, test = data.lists != left_out, data.lists == left_out
    scaler = StandardScaler().fit(taps[train_rows])
    x = scaler.transform(taps) / np.sqrt(taps.shape[1])
    y = data.means[train_rows] * 6
    regressors = {
        "frozen + RidgeCV": RidgeCV(np.logspace(-4, 2, 25)),
        "frozen + SVR (C=10, gamma=1)": SVR(C=10, gamma=1.0, epsilon=0.1),
        "frozen + SVR (C=3, gamma=0.5)": SVR(C=3, gamma=0.5, epsilon=0.1),
    }
    return {
        name: spearman(regressor.fit(x[train_rows], y - y.mean()).predict(x[test]), data.means[test])
        for name, regressor in regressors.items()
    }


def ablation(data: Oasis, maps: Maps, model: GenericModel, left_out: int) -> dict[str, float]:
    """SRCC on the list left out of the network's two heads alone, mirror images averaged."""
    import torch

    test = np.flatnonzero(data.lists == left_out)
    chosen, network = maps.take(test), model.network
    with torch.inference_mode():
        centred = chosen.taps - network.tap_mean
        kernel = torch.stack([network.kernel(network.project(centred[:, side])) for side in (0, 1)]).mean(0)
        eat = torch.stack(
            [
                network.eat_head(network.eat(chosen.middle[:, side].float(), chosen.last[:, side].float()))[
                    :, 0
                ]
                for side in (0, 1)
            ]
        ).mean(0)
    means = data.means[test]
    return {
        "kernel head alone (no EAT)": spearman(kernel.numpy(), means),
        "EAT head alone": spearman(eat.numpy(), means),
    }


def generic_figures(data: Oasis, features: np.ndarray, left_out: int) -> dict[str, float]:
    """Agreement of the generic score with the mean of raters on the list left out."""
    test = data.lists == left_out
    predicted, means = features[test, 0], data.means[test]
    return {"srcc": spearman(predicted, means), "plcc": pearson(predicted, means)}


def personal_figures(data: Oasis, model: GenericModel, features: np.ndarray, left_out: int) -> dict[str, Any]:
    """Per-user SRCC and interval coverage of every adapter on the users of the list left out.

    Supports are nested and named by (user, repeat); the query is all that the user rated beyond
    the support. Mean over users, then mean and standard deviation over repeats.
    """
    prior = Prior.from_tensors(model.tensors(PREFIX))
    figures: dict[str, Any] = {}
    users = data.users_of(left_out)
    for k in SHOTS:
        for name in ADAPTERS:
            srcc, covered = np.full((REPEATS, len(users)), np.nan), np.full((REPEATS, len(users)), np.nan)
            for repeat in range(REPEATS):
                for j, user in enumerate(users):
                    rows, scores = data.users[user]
                    order = stream(0, "kshot", "oasis", user, repeat).permutation(len(rows))
                    support, query = order[:k], order[k:]
                    adapter = make_adapter(name, prior).fit(features[rows[support]], scores[support])
                    predicted = adapter.predict(features[rows[query]])
                    srcc[repeat, j] = spearman(predicted.score, scores[query])
                    covered[repeat, j] = coverage(predicted.low, predicted.high, scores[query])
            means = np.nanmean(srcc, axis=1)
            figures[f"{name} k={k}"] = {
                "srcc": float(means.mean()),
                "std_over_repeats": float(means.std(ddof=1)),
                "coverage": float(covered.mean()),
                "users": len(users),
                "dropped": int(np.isnan(srcc).sum()),
            }
            logging.info("  %-8s k=%-3d SRCC %.3f", name, k, means.mean())
    return figures


def measure(data: Oasis, maps: Maps, model: GenericModel, left_out: int) -> dict[str, Any]:
    """Everything that is reported of a model on the list that it has not seen."""
    features = vectors(model, data)
    return {
        "generic": generic_figures(data, features, left_out),
        "ablation": ablation(data, maps, model, left_out),
        "baselines": baselines(data, maps, left_out),
        "personal": personal_figures(data, model, features, left_out),
        "eat_share": model.header.training["eat_share"],
        "model_hash": model.hash,
    }


def add_figures(file: Path, figures: dict[str, Any]) -> None:
    """Write what was measured with each list left out into the header; the model's hash does not change."""
    header, tensors = load_checkpoint(file)
    summary: dict[str, Any] = {
        "protocol": "each OASIS list left out in turn, by models trained like this one on the other two",
        "command": header.training["command"],
    }
    for number, measured in figures.items():
        summary[f"list {number}, generic score against the mean of raters"] = measured["generic"]
        for key in ("bayes k=10", "generic k=10", "bayes k=100", "generic k=100"):
            summary[f"list {number}, {key}"] = measured["personal"][key]
    save_checkpoint(file, replace(header, figures=summary), tensors)


def main() -> None:
    """Train and measure; see the module's text."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("root", type=Path)
    parser.add_argument("--out", type=Path, default=Path("runs/lite"))
    parser.add_argument(
        "--lists", type=int, nargs="*", default=[3, 2, 1, 0], help="lists to leave out; 0 is none"
    )
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    arguments.out.mkdir(parents=True, exist_ok=True)
    data, config = load_oasis(arguments.root), LiteConfig()
    photos = np.stack([load_pixels(path, config.size) for path in data.paths])
    maps = stem_maps(imagenet_stem(), photos)
    logging.info("stem done on %d photos", len(photos))
    record = arguments.out / "figures.json"
    figures: dict[str, Any] = json.loads(record.read_text()) if record.exists() else {}
    files = {
        number: arguments.out
        / (f"piaa-lite-without-{number}.safetensors" if number else "piaa-lite.safetensors")
        for number in arguments.lists
    }
    for number, file in files.items():
        if not file.exists():
            logging.info("training %s", file.name)
            train(data, maps, number or None, config, file)
    for number, file in files.items():
        if number and str(number) not in figures:
            logging.info("measuring %s", file.name)
            figures[str(number)] = measure(data, maps, GenericModel(file), number)
            write_bytes(record, json.dumps(figures, indent=1).encode())
    if set(figures) == {str(number) for number in LISTS}:
        results = Path(__file__).parent / "results" / "piaa_lite.json"
        write_bytes(results, record.read_bytes())
        add_figures(arguments.out / "piaa-lite.safetensors", figures)
        logging.info("figures: %s", results)


if __name__ == "__main__":
    main()
