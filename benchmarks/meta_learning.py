"""``anil``, ``maml`` and ``meta-sgd`` on the OASIS users of each list, meta-trained on the other two.

    uv run --extra meta python benchmarks/meta_learning.py ROOT --models runs/lite --out runs/meta

takes ``piaa-lite-without-N.safetensors`` of ``train_piaa_lite.py``: neither these models nor the starts have
seen a photo or a user of list N. What is done already is kept. Nothing is selected on the tested list.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from oasis import LISTS, Oasis, load_oasis
from oasis_people import SHOTS, bootstrap, compare, vectors
from record import table, tell, write_result
from threadpoolctl import threadpool_limits
from train_piaa_lite import HISTORY

from generic.atomic import write_bytes
from generic.metrics import coverage, spearman
from generic.model.checkpoint import load_checkpoint
from generic.model.generic_model import GenericModel
from generic.seeds import stream
from piaa.adapters.base import Adapter
from piaa.adapters.prior import PREFIX, Prior
from piaa.adapters.registry import make_adapter
from piaa.meta.config import ALGORITHMS, MetaConfig
from piaa.meta.start import Start


def learn(
    data: Oasis, model: GenericModel, features: np.ndarray, left_out: int, config: MetaConfig, out: Path
) -> Start:
    """A start from the users of the other lists, with generic scores of photos as if never seen."""
    from piaa.meta.train import MetaTraining

    out_of_fold = load_checkpoint(model.path)[1][HISTORY + "out_of_fold"]
    rows = np.flatnonzero(data.lists != left_out)  # sorted by name, as the scores are
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
    data: Oasis,
    features: np.ndarray,
    left_out: int,
    makers: dict[str, Callable[[], Adapter]],
    repeats: int,
    kept: Path,
) -> dict[str, Any]:
    """SRCC per user, coverage, fit time, bytes by adapter and k; supports as in ``oasis_protocol.py``."""
    users: list[str] = data.users_of(left_out)
    figures: dict[str, Any] = {}
    for k in SHOTS:
        means = {}
        for name, make in makers.items():
            file = kept / f"{left_out}-{name}-{k}-{repeats}.json"
            if not file.exists():
                write_bytes(file, json.dumps(cell(data, features, users, make, k, repeats)).encode())
            found = json.loads(file.read_text())
            srcc = np.array(found.pop("srcc"), dtype=np.float64)
            means[name] = np.nanmean(srcc, axis=0)
            figures.setdefault(name, {})[str(k)] = {
                "srcc": float(np.nanmean(srcc, axis=1).mean()),
                "std_over_repeats": float(np.nanmean(srcc, axis=1).std(ddof=1)),
                "interval": bootstrap(means[name], left_out, name, str(k)),
                "users": len(users),
                "dropped": int(np.isnan(srcc).sum()),
                "against_generic": compare(means[name], means["generic"][None]),
                **found,
            }
            tell(f"list {left_out} {name} k={k}: {figures[name][str(k)]['srcc']:.4f}")
    return figures


def cell(
    data: Oasis, features: np.ndarray, users: list[str], make: Callable[[], Adapter], k: int, repeats: int
) -> dict[str, Any]:
    """One adapter at one k on every user."""
    srcc, covered = np.full((2, repeats, len(users)), np.nan)
    seconds, size = [], 0
    for repeat in range(repeats):
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
    return {
        "srcc": srcc.tolist(),
        "coverage": float(covered.mean()),
        "fit_ms": 1e3 * float(np.median(seconds)),
        "bytes": size,
    }


def markdown(lists: dict[str, Any]) -> str:
    """The table of docs/meta-learning.md."""
    rows = [
        (
            number,
            f"`{name}`",
            *(
                f"{c['srcc']:.3f}±{c['std_over_repeats']:.3f} "
                f"[{c['interval'][0]:.3f}, {c['interval'][1]:.3f}]"
                for c in shots.values()
            ),
            f"{100 * shots['10']['coverage']:.0f} %",
            f"{shots['10']['fit_ms']:.1f} ms",
            f"{shots['10']['bytes'] / 1024:.0f} KiB",
        )
        for number, found in lists.items()
        for name, shots in found["personal"].items()
    ]
    head = ("list", "adapter", *(f"k = {k}" for k in SHOTS), "coverage, k = 10", "fit", "state")
    return table(head, rows)


def main() -> None:
    """Learn and measure; see the module's text."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("root", type=Path)
    parser.add_argument("--models", type=Path, default=Path("runs/lite"))
    parser.add_argument("--out", type=Path, default=Path("runs/meta"))
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--lists", type=int, nargs="*", default=list(LISTS))
    parser.add_argument("--adapters", nargs="*", default=["generic", "ridge", "bayes"])
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    data, lists = load_oasis(arguments.root), dict[str, Any]()
    for number in arguments.lists:
        model = GenericModel(arguments.models / f"piaa-lite-without-{number}.safetensors")
        features = vectors(model, data, arguments.out)
        prior = Prior.from_tensors(model.tensors(PREFIX))
        makers: dict[str, Callable[[], Any]] = {
            name: partial(make_adapter, name, prior) for name in arguments.adapters
        }
        figures: dict[str, Any] = {}
        for algorithm in ALGORITHMS:
            file = arguments.out / f"{algorithm}-without-{number}.safetensors"
            start = (
                Start.load(file)
                if file.exists()
                else learn(data, model, features, number, MetaConfig(algorithm=algorithm), file)
            )
            figures[algorithm] = dict(start.figures)
            makers[algorithm] = partial(make_adapter, algorithm, prior, start=start)
        with threadpool_limits(limits=1):
            personal = measure(data, features, number, makers, arguments.repeats, arguments.out)
        lists[str(number)] = {
            "model_hash": model.hash,
            "held_out_training_users": figures,
            "personal": personal,
        }
    command = f"python benchmarks/meta_learning.py ROOT --models runs/lite --repeats {arguments.repeats}"
    if arguments.lists != list(LISTS):
        command += f" --lists {' '.join(map(str, arguments.lists))}"
    text = markdown(lists)
    write_result("meta_learning", command, {"repeats": arguments.repeats, "lists": lists, "markdown": text})
    print(text)


if __name__ == "__main__":
    main()
