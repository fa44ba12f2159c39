"""What `auto` loses where its smooth function is left out (`exact=false` of `piaa serve`): SRCC and scores.

    uv run python benchmarks/exact_false.py ROOT --models runs/lite --out runs/exact-false

Users of one OASIS list under the model that learned from the other lists, as in `oasis_protocol.py`. Of each
user k ratings are learned from; 80 photos that she rated otherwise are ranked, by all of what was learned and
by its linear part.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from oasis import load_oasis
from oasis_people import bootstrap, vectors
from record import table, tell, write_result
from threadpoolctl import threadpool_limits

from generic.metrics import spearman
from generic.model.generic_model import GenericModel
from generic.seeds import stream
from piaa.adapters.auto import AutoAdapter
from piaa.adapters.linear_forms import LinearForms
from piaa.adapters.prior import PREFIX, Prior

SHOTS = (10, 30, 100)
N_TEST = 80


def person(
    prior: Prior, x: NDArray[Any], y: NDArray[np.float64], k: int, draw: np.random.Generator
) -> dict[str, float]:
    """One person's figures."""
    order = draw.permutation(len(y))
    seen, new = order[:k], order[-N_TEST:]
    form = AutoAdapter(prior).fit(x[seen], y[seen]).linear_form()
    whole, linear = (
        LinearForms.of([form], exact=exact).unit_scores(x[new], prior)[0] for exact in (True, False)
    )
    return {
        "whole": spearman(whole, y[new]),
        "linear": spearman(linear, y[new]),
        "together": spearman(whole, linear),
        "largest": float(np.abs(whole - linear).max()),
        "mean": float(np.abs(whole - linear).mean()),
    }


def figures(people: list[dict[str, float]], k: int) -> dict[str, Any]:
    """Means over people, with the interval of the loss."""
    found: dict[str, Any] = {"k": k, "people": len(people)}
    found |= {name: float(np.mean([one[name] for one in people])) for name in people[0]}
    loss = np.array([one["linear"] - one["whole"] for one in people])
    found |= {"loss": float(loss.mean()), "interval": bootstrap(loss, "linear part", k)}
    return found | {"largest": max(one["largest"] for one in people)}


def markdown(rows: list[dict[str, Any]]) -> str:
    """The table of the page."""
    head = [
        "ratings",
        "SRCC, all of `auto`",
        "its linear part",
        "difference",
        "scores differ by, mean / largest",
    ]
    lines = [
        [
            str(row["k"]),
            f"{row['whole']:.3f}",
            f"{row['linear']:.3f}",
            f"{row['loss']:+.4f} [{row['interval'][0]:+.4f}, {row['interval'][1]:+.4f}]",
            f"{row['mean']:.3f} / {row['largest']:.3f}",
        ]
        for row in rows
    ]
    return table(head, lines)


def main() -> None:
    """Measure and write the result file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("root", type=Path)
    parser.add_argument("--models", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--list", type=int, default=2)
    parser.add_argument("--people", type=int, default=100)
    options = parser.parse_args()
    data = load_oasis(options.root)
    model = GenericModel(options.models / f"piaa-lite-without-{options.list}.safetensors")
    prior = Prior.from_tensors(model.tensors(PREFIX))
    x = vectors(model, data, options.out)
    chosen = data.users_of(options.list)
    chosen = [
        chosen[i] for i in stream(0, "linear part", "people").permutation(len(chosen))[: options.people]
    ]
    rows = []
    with threadpool_limits(1):
        for k in SHOTS:
            draws = [stream(0, "linear part", user, str(k)) for user in chosen]
            people = [
                person(prior, x[data.users[user][0]], data.users[user][1], k, draw)
                for user, draw in zip(chosen, draws, strict=True)
                if len(data.users[user][0]) >= k + N_TEST
            ]
            rows.append(figures(people, k))
            tell(markdown(rows[-1:]))
    command = f"uv run python benchmarks/exact_false.py ROOT --list {options.list} --people {options.people}"
    write_result("exact_false", command, {"rows": rows, "markdown": markdown(rows)})


if __name__ == "__main__":
    main()
