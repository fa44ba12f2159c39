"""``anil``, ``maml`` and ``meta-sgd`` on the OASIS users of each list, meta-trained on the other two.

    uv run --extra meta python benchmarks/meta_learning.py ROOT --models runs/lite --out runs/meta

takes ``piaa-lite-without-N.safetensors`` of ``train_piaa_lite.py``: neither these models nor the starts have
seen a photo or a user of list N. What is done already is kept. Nothing is selected on the tested list.
"""

from __future__ import annotations

import argparse
import json
import logging
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from oasis import LISTS, Oasis, load_oasis
from record import machine
from train_piaa_lite import HISTORY, REPEATS, SHOTS, vectors

from generic.atomic import write_bytes
from generic.checkpoint import load_checkpoint
from generic.metrics import coverage, spearman
from generic.model import GenericModel
from generic.seeds import stream
from piaa.adapters import make_adapter
from piaa.adapters.base import Adapter
from piaa.adapters.meta import AnilAdapter, MamlAdapter, MetaSGDAdapter
from piaa.meta.config import ALGORITHMS, Algorithm, MetaConfig
from piaa.meta.start import Start
from piaa.prior import PREFIX, Prior

CLASSES = {"anil": AnilAdapter, "maml": MamlAdapter, "meta-sgd": MetaSGDAdapter}


def learn(
    data: Oasis, model: GenericModel, features: np.ndarray, left_out: int, config: MetaConfig, out: Path
) -> Start:
    """A start from the users of the other lists, with generic scores of photos as if never seen."""
    from piaa.meta.train import MetaTraining

    tensors = load_checkpoint(model.path)[1]
    rows, out_of_fold = tensors[HISTORY + "rows"], tensors[HISTORY + "out_of_fold"]
    honest = features[rows].astype(np.float64)
    honest[:, 0] = out_of_fold
    place = {row: i for i, row in enumerate(rows.tolist())}
    lists = [number for number in LISTS if number != left_out]
    people = [
        (user, np.array([place[row] for row in data.users[user][0].tolist()]), data.users[user][1])
        for user in data.users_of(*lists)
    ]
    origin = {"data": f"OASIS lists {lists}"}
    return MetaTraining(honest, people, config, model_hash=model.hash, origin=origin).run(out)


def measure(
    data: Oasis, features: np.ndarray, left_out: int, makers: dict[str, Callable[[], Adapter]]
) -> dict[str, Any]:
    """SRCC per user, coverage, fit time, bytes of each adapter and k; supports as in train_piaa_lite."""
    users, figures = data.users_of(left_out), {}
    for k in SHOTS:
        for name, make in makers.items():
            srcc, covered = np.full((REPEATS, len(users)), np.nan), np.full((REPEATS, len(users)), np.nan)
            seconds, size = [], 0
            for repeat in range(REPEATS):
                for j, user in enumerate(users):
                    rows, scores = data.users[user]
                    order = stream(0, "kshot", "oasis", user, repeat).permutation(len(rows))
                    support, query = order[:k], order[k:]
                    started = time.perf_counter()
                    adapter = make().fit(features[rows[support]], scores[support])
                    seconds.append(time.perf_counter() - started)
                    predicted = adapter.predict(features[rows[query]])
                    srcc[repeat, j] = spearman(predicted.score, scores[query])
                    covered[repeat, j] = coverage(predicted.low, predicted.high, scores[query])
                    size = sum(value.nbytes for value in adapter.state().values())
            per_user, means = np.nanmean(srcc, axis=0), np.nanmean(srcc, axis=1)
            low, high = bootstrap(per_user)
            figures[f"{name} k={k}"] = {
                "srcc": float(means.mean()),
                "std_over_repeats": float(means.std(ddof=1)),
                "low": low,
                "high": high,
                "coverage": float(covered.mean()),
                "users": len(users),
                "dropped": int(np.isnan(srcc).sum()),
                "fit_ms": 1000 * float(np.median(seconds)),
                "bytes": size,
            }
            logging.info("  list %d %-8s k=%-3d SRCC %.3f", left_out, name, k, means.mean())
    return figures


def bootstrap(per_user: np.ndarray, draws: int = 2000) -> tuple[float, float]:
    """95 % interval of the mean over users."""
    known = per_user[~np.isnan(per_user)]
    rng = stream(0, "bootstrap", len(known))
    means = known[rng.integers(0, len(known), (draws, len(known)))].mean(axis=1)
    low, high = np.quantile(means, (0.025, 0.975))
    return float(low), float(high)


def main() -> None:
    """Learn and measure; see the module's text."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("root", type=Path)
    parser.add_argument("--models", type=Path, default=Path("runs/lite"))
    parser.add_argument("--out", type=Path, default=Path("runs/meta"))
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    arguments.out.mkdir(parents=True, exist_ok=True)
    data, record = load_oasis(arguments.root), arguments.out / "figures.json"
    figures: dict[str, Any] = json.loads(record.read_text()) if record.exists() else {}
    for number in sorted(LISTS, reverse=True):
        if str(number) in figures:
            continue
        model = GenericModel(arguments.models / f"piaa-lite-without-{number}.safetensors")
        features = vectors(model, data)
        prior = Prior.from_tensors(model.tensors(PREFIX))
        makers: dict[str, Callable[[], Adapter]] = {
            name: partial(make_adapter, name, prior) for name in ("generic", "ridge", "bayes")
        }
        seconds: dict[Algorithm, float] = {}
        for algorithm in ALGORITHMS:
            file = arguments.out / f"{algorithm}-without-{number}.safetensors"
            started = time.perf_counter()
            start = (
                Start.load(file)
                if file.exists()
                else learn(data, model, features, number, MetaConfig(algorithm=algorithm), file)
            )
            seconds[algorithm] = time.perf_counter() - started
            logging.info("list %d left out, %s learned: %s", number, algorithm, start.figures)
            makers[algorithm] = partial(CLASSES[algorithm], start)
        figures[str(number)] = {
            "model_hash": model.hash,
            "training_seconds": seconds,
            "personal": measure(data, features, number, makers),
        }
        write_bytes(record, json.dumps(figures, indent=1).encode())
    content = {"machine": machine(), "repeats": REPEATS, "lists": figures}
    write_bytes(
        Path(__file__).parent / "results" / "meta_learning.json", json.dumps(content, indent=1).encode()
    )


if __name__ == "__main__":
    main()
