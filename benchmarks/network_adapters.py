"""``lora`` and ``finetune`` on some OASIS users of a list that the model has not seen: SRCC, time, bytes.

    uv run python benchmarks/network_adapters.py ROOT --models runs/lite --list 2 --users 20 --repeats 2

takes ``piaa-lite-without-N.safetensors`` of ``train_piaa_lite.py``. Users are taken in a fixed random order;
supports are those of ``oasis_protocol.py``. What is done already is kept in ``--out``, person by person.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from oasis import load_oasis
from oasis_people import vectors
from record import table, tell, write_result

from generic.atomic import write_bytes
from generic.metrics import spearman
from generic.model.generic_model import GenericModel
from generic.photos.lazy_pixels import LazyPixels
from generic.seeds import stream
from piaa.adapters.base import Photos
from piaa.adapters.prior import PREFIX, Prior
from piaa.adapters.registry import ADAPTERS, make_adapter

NAMES = ("generic", "bayes", "lora", "finetune")
SHOTS = (10, 100)


def main() -> None:
    """Measure; see the module's text."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("root", type=Path)
    parser.add_argument("--models", type=Path, default=Path("runs/lite"))
    parser.add_argument("--out", type=Path, default=Path("runs/network"))
    parser.add_argument("--cache", type=Path, default=Path("runs/meta"))
    parser.add_argument("--list", type=int, default=2)
    parser.add_argument("--users", type=int, default=20)
    parser.add_argument("--repeats", type=int, default=2)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    data = load_oasis(given.root)
    model = GenericModel(given.models / f"piaa-lite-without-{given.list}.safetensors")
    prior, features = Prior.from_tensors(model.tensors(PREFIX)), vectors(model, data, given.cache)
    pixels = LazyPixels(data.paths, model.size, fit=model.fit)
    users = data.users_of(given.list)
    chosen = [users[place] for place in stream(0, "network users", given.list).permutation(len(users))]
    found: dict[tuple[str, int], list[dict[str, Any]]] = {}
    for user in chosen[: given.users]:
        rows, scores = data.users[user]
        photos = Photos(vectors=features[rows], pixels=pixels.take(rows))
        for repeat in range(given.repeats):
            order = stream(0, "kshot", "oasis", user, repeat).permutation(len(rows))
            for k in SHOTS:
                for name in NAMES:
                    file = given.out / f"{given.list}-{user}-{repeat}-{k}-{name}.json"
                    if not file.exists():
                        cell = measure(name, model, prior, photos, scores, order, k)
                        write_bytes(file, json.dumps(cell).encode())
                        tell(f"{user} {repeat} {k} {name}: {cell}")
                    found.setdefault((name, k), []).append(json.loads(file.read_text()))
    figures = {f"{name} k={k}": summarise(cells) for (name, k), cells in found.items()}
    rows_ = [
        (
            f"`{name}`",
            *(f"{figures[f'{name} k={k}']['srcc']:.3f}" for k in SHOTS),
            *(f"{figures[f'{name} k={k}']['fit_s']:.2f} s" for k in SHOTS),
            *(
                f"{figures[f'{name} k={k}']['changed']:.0%}" if ADAPTERS[name].needs_pixels else ""
                for k in SHOTS
            ),
            f"{figures[f'{name} k=100']['bytes'] / 1024:.0f} KiB",
        )
        for name in NAMES
    ]
    head = (
        "adapter",
        "SRCC, k = 10",
        "k = 100",
        "fit, k = 10",
        "k = 100",
        "tuned, k = 10",
        "k = 100",
        "state",
    )
    text = table(head, rows_)
    settings = {"list": given.list, "users": given.users, "repeats": given.repeats}
    command = "python benchmarks/network_adapters.py ROOT " + " ".join(
        f"--{key} {value}" for key, value in settings.items()
    )
    write_result("network_adapters", command, {**settings, "figures": figures, "markdown": text})
    print(text)


def measure(
    name: str,
    model: GenericModel,
    prior: Prior | None,
    photos: Photos,
    scores: np.ndarray,
    order: np.ndarray,
    k: int,
) -> dict[str, Any]:
    """One fit."""
    adapter = make_adapter(name, prior, generic=model)
    support, query = photos.take(order[:k]), photos.take(order[k:])
    tuned = adapter.needs_pixels
    started = time.perf_counter()
    adapter.fit(support if tuned else support.vectors, scores[order[:k]])
    seconds = time.perf_counter() - started
    predicted = adapter.predict(query if tuned else query.vectors)
    state = adapter.state()
    return {
        "srcc": spearman(predicted.score, scores[order[k:]]),
        "fit_s": seconds,
        "bytes": sum(value.nbytes for value in state.values()),
        "changed": any(key.startswith("change.") for key in state),
    }


def summarise(cells: list[dict[str, Any]]) -> dict[str, float]:
    """Means over people and repeats; the largest state."""
    return {
        "srcc": float(np.nanmean([cell["srcc"] for cell in cells])),
        "fit_s": float(np.median([cell["fit_s"] for cell in cells])),
        "bytes": max(cell["bytes"] for cell in cells),
        "changed": float(np.mean([cell["changed"] for cell in cells])),
        "cells": len(cells),
    }


if __name__ == "__main__":
    main()
