"""How quick the FLICKR-AES protocol is from ready features, against the obvious loop over RidgeCV.

    uv run python benchmarks/protocol_speed.py --root ROOT_OF_FLICKR_AES_LABELS

37 test users with their real numbers of ratings, 10 repeats, k = 10 and 100, random 1280-d features,
adapter ``ridge``; then 100, 1,000 and 10,000 generated users with 120 ratings each, one repeat, k = 10.
"Harness" is everything from the table of ratings to the summary; "loop" fits scikit-learn's RidgeCV and
predicts for the same episodes, and computes the same metrics. Both in one run, in turns, five times, of which
the medians are reported; predictions are compared.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from record import table, tell, write_result
from sklearn.linear_model import RidgeCV
from threadpoolctl import threadpool_limits

from generic.seeds import stream
from piaa.adapters.prediction import Prediction
from piaa.adapters.ridge import ALPHAS, RidgeAdapter
from piaa.ratings.scale import Scale
from piaa.ratings.table import Ratings
from protocols.datasets.load import load_dataset
from protocols.fewshot.episode_metrics import measure
from protocols.fewshot.episodes import EpisodePlan, episodes
from protocols.fewshot.evaluate import Evaluation
from protocols.fewshot.results import Results
from protocols.fewshot.summary import summarise
from protocols.fewshot.vectors import Vectors

D = 1280
SCALE = Scale(1, 5)


def random_vectors(ratings: Ratings) -> Vectors:
    """A random unit score and 1280 random features for every image."""
    names = tuple(dict.fromkeys(ratings.images))
    matrix = stream(0, "features").standard_normal((len(names), 1 + D))
    matrix[:, 0] = 0.5 + 0.1 * matrix[:, 0]
    return Vectors(names=names, matrix=matrix)


def generated(n_users: int, n_each: int = 120, n_images: int = 2_000) -> Ratings:
    """Users who rated random images of a pool."""
    random = stream(0, "generated", n_users)
    images = [random.choice(n_images, n_each, replace=False) for _ in range(n_users)]
    scores = random.integers(1, 6, (n_users, n_each))
    rows = (
        (f"user {u}", f"{image}.jpg", float(score))
        for u, own in enumerate(images)
        for image, score in zip(own.tolist(), scores[u], strict=True)
    )
    return Ratings.from_rows(rows, scale=SCALE)


@dataclass(frozen=True, kw_only=True)
class Spent:
    """Seconds that a piece of work took; what else the machine does weighs less on those of the processor."""

    wall: float
    processor: float
    """Of all threads together."""


def clock() -> Callable[[], Spent]:
    """Starts now; gives what was spent until it is called."""
    wall, processor = time.perf_counter(), time.process_time()
    return lambda: Spent(wall=time.perf_counter() - wall, processor=time.process_time() - processor)


def harness(ratings: Ratings, vectors: Vectors, users: list[str], jobs: int, **plan: Any) -> Spent:
    """From the table to the summary."""
    spent = clock()
    planned = episodes(ratings, users=users, seed=0, dataset="flickr-aes", **plan)
    run = Evaluation(
        ratings, vectors, planned, {"ridge": RidgeAdapter}, train="flickr-aes", test="flickr-aes"
    )
    rows = [row for unit in run.run(jobs=jobs) for row in unit.rows]
    summarise(Results.from_rows({}, rows).columns)
    return spent()


def loop(ratings: Ratings, vectors: Vectors, plan: EpisodePlan) -> tuple[Spent, float]:
    """RidgeCV one after the other: what it took, and the largest difference to our predictions."""
    people = {}
    for user in dict.fromkeys(episode.user for episode in plan.episodes):
        own = ratings.for_user(user)
        people[user] = (vectors.matrix[vectors.rows(own.images)], own.unit_scores)
    spent, predictions = clock(), []
    # On matrices this small BLAS is quicker on one thread than on two, many times so on a busy machine.
    with threadpool_limits(limits=1, user_api="blas"):
        for episode in plan.episodes:
            x, y = people[episode.user]
            support, query = episode.support, episode.query
            model = RidgeCV(ALPHAS).fit(x[support, 1:], y[support] - x[support, 0])
            mean = x[query, 0] + model.predict(x[query, 1:])
            prediction = Prediction.from_normal(mean, np.full_like(mean, 0.1))
            measure(prediction, y[query], width=4.0)
            predictions.append(prediction.score)
    taken, gap = spent(), 0.0
    for episode, theirs in zip(plan.episodes, predictions, strict=True):
        x, y = people[episode.user]
        ours = RidgeAdapter().fit(x[episode.support], y[episode.support]).predict(x[episode.query]).score
        gap = max(gap, float(np.abs(ours - theirs).max()))
    return taken, gap


def main() -> None:
    """Measure everything; see the module's text."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--root", type=Path, required=True, help="folder of the FLICKR-AES label files")
    parser.add_argument("--jobs", type=int, default=2)
    arguments = parser.parse_args()
    dataset = load_dataset("flickr-aes", arguments.root)
    ratings, users = dataset.ratings, list(dataset.test_users)
    if ratings is None:
        parser.error("these labels have no individual ratings")
    vectors = random_vectors(ratings)
    shots: dict[str, Any] = {"shots": (10, 100), "repeats": 10}
    plan = episodes(ratings, users=users, seed=0, dataset="flickr-aes", **shots)
    harness(ratings, vectors, users, arguments.jobs, **shots)  # imports, and memory that is mapped once
    ours, theirs, gap = [], [], 0.0
    for _ in range(5):  # in turns: what else the machine does then falls on both
        ours.append(harness(ratings, vectors, users, arguments.jobs, **shots))
        taken, gap = loop(ratings, vectors, plan)
        theirs.append(taken)
        tell(f"harness {ours[-1]}, loop {taken}, largest difference {gap:.1e}")
    growth = {}
    for n in (100, 1_000, 10_000):
        many = generated(n)
        known = random_vectors(many)
        growth[n] = harness(many, known, many.user_names(), arguments.jobs, shots=(10,), repeats=1)
        tell(f"{n} users: {growth[n]}")
    text = table(("what", "wall", "processor", "asked"), lines(ours, theirs, gap, growth))
    print(text)
    write_result(
        "protocol_speed",
        f"python benchmarks/protocol_speed.py --root ROOT --jobs {arguments.jobs}",
        {
            "harness_s": [asdict(spent) for spent in ours],
            "loop_s": [asdict(spent) for spent in theirs],
            "gap": gap,
            "growth_s": {n: asdict(spent) for n, spent in growth.items()},
            "markdown": text,
        },
    )


def lines(
    ours: list[Spent], theirs: list[Spent], gap: float, growth: dict[int, Spent]
) -> list[tuple[str, str, str, str]]:
    """Rows of the table: medians, and the median ratio of neighbours in time."""

    def seconds(name: str, spent: list[Spent], asked: str = "") -> tuple[str, str, str, str]:
        wall, processor = (
            statistics.median(getattr(s, field) for s in spent) for field in ("wall", "processor")
        )
        return name, f"{wall:.2f} s", f"{processor:.2f} s", asked

    pairs = list(zip(ours, theirs, strict=True))
    wall, processor = (
        statistics.median(getattr(b, field) / getattr(a, field) for a, b in pairs)
        for field in ("wall", "processor")
    )
    return [
        seconds("37 users, 10 repeats, k = 10 and 100, harness", ours, "at most 2 s wall"),
        seconds("the same, loop over RidgeCV", theirs),
        ("  … times the harness", f"{wall:.1f} ×", f"{processor:.1f} ×", "at least 3 × wall"),
        ("largest difference of a unit score", f"{gap:.0e}", "", "at most 1e-6"),
        *(seconds(f"{n:,} users, 1 repeat, k = 10", [spent]) for n, spent in growth.items()),
    ]


if __name__ == "__main__":
    main()
