"""The line ``expected ranking`` of ``piaa fit-user`` against the truth: people of a list that was left out.

    uv run python benchmarks/expected_ranking.py ROOT --models runs/lite3

Every third user of list 3: the estimate from k ratings, and the SRCC of the ratings that it has not seen.
``bias`` ranks as the generic score does, so what it is said to gain is the bias of the estimate.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

import numpy as np
from oasis import LISTS, load_oasis
from oasis_people import vectors
from record import table, tell, write_result
from threadpoolctl import threadpool_limits

from generic.metrics import spearman
from generic.model.generic_model import GenericModel
from generic.seeds import stream
from piaa.adapters.prior import PREFIX, Prior
from piaa.adapters.registry import make_adapter
from piaa.people.estimate import estimate_ranking

SHOTS = (20, 30, 100)
ADAPTERS = ("bias", "auto")
EVERY = 3


def main() -> None:
    """Measure and write the results; see the module's text."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("root", type=Path)
    parser.add_argument("--models", type=Path, default=Path("runs/lite3"))
    parser.add_argument("--out", type=Path, default=Path("runs/adapters"))
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    data, number = load_oasis(given.root), LISTS[-1]
    model = GenericModel(given.models / f"piaa-lite-without-{number}.safetensors")
    matrix, prior = vectors(model, data, given.out), Prior.from_tensors(model.tensors(PREFIX))
    users, figures = data.users_of(number)[::EVERY], []
    for k in SHOTS:
        for name in ADAPTERS:
            make, found = partial(make_adapter, name, prior), []
            for user in users:
                rows, scores = data.users[user]
                order = stream(0, "expected", "oasis", user).permutation(len(rows))
                (support, query), (own, new) = np.split(rows[order], [k]), np.split(scores[order], [k])
                with threadpool_limits(limits=1):
                    estimate = estimate_ranking(make, matrix[support], own)
                    learned = make().fit(matrix[support], own).predict(matrix[query]).score
                if estimate is not None:
                    gains = spearman(learned, new) - spearman(matrix[query, 0], new)
                    found.append((estimate.srcc - estimate.generic, gains))
            estimated, true = np.array(found).T
            figures.append(
                {
                    "k": k,
                    "adapter": name,
                    "users": len(found),
                    "estimated_gain": float(estimated.mean()),
                    "error": float(estimated.std(ddof=1) / np.sqrt(len(found))),
                    "gain": float(np.nanmean(true)),
                }
            )
            tell(str(figures[-1]))
    text = table(
        ("ratings", "adapter", "users", "gain it says, mean", "gain on new photos"),
        [
            (
                str(one["k"]),
                f"`{one['adapter']}`",
                str(one["users"]),
                f"{one['estimated_gain']:+.3f}±{one['error']:.3f}",
                f"{one['gain']:+.3f}",
            )
            for one in figures
        ],
    )
    command = "python benchmarks/expected_ranking.py ROOT --models runs/lite3"
    write_result("expected_ranking", command, {"figures": figures, "markdown": text})
    print(text)


if __name__ == "__main__":
    main()
