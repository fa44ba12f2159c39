"""Ratings, comparisons, and what ``piaa suggest`` asks: what is learned for an answer, and for a second.

    uv run python benchmarks/ask.py ROOT --models runs/lite --out runs/ask
    uv run python benchmarks/ask.py ROOT --models runs/lite --out runs/ask --lists 1 --people 20 --dry

Users of each OASIS list left out, models as in ``oasis_protocol.py``, ``auto``. Of a user's photos a half
drawn at random is the pool, the other half is only ever predicted. A comparison is what the user's two
ratings say: the higher one, or equal; *noisy* ones are given as if she were asked again, so that she agrees
with herself at 0.89 (the study's figure). Questions are asked in batches of five, each chosen with what was
answered before. Seconds are 5 for a rating and 2 for a comparison. Beside it: how often the probability that
she prefers one of two held-out photos is right. Each user's results are a line of a file, which is taken up
again.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from oasis import LISTS, Oasis, load_oasis
from oasis_people import bootstrap, vectors
from record import table, tell, write_result
from threadpoolctl import threadpool_limits

from generic.metrics import spearman
from generic.model.generic_model import GenericModel
from generic.seeds import stream
from piaa.adapters.auto import AutoAdapter
from piaa.adapters.compared import Compared
from piaa.adapters.prior import PREFIX, Prior
from piaa.people.asking import BOTH, COMPARISONS, RATINGS, Seconds
from piaa.people.suggest import knowledge, suggest

BATCH = 5
AGREES = 0.89
COUNTS = (10, 20, 30, 50)
ASKED = {"ratings": RATINGS, "comparisons": COMPARISONS, "both": BOTH}
TRUST = (1, 3, 10, 30, 100)
PAIRS = 100
BINS = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
COST = Seconds()


@dataclass(kw_only=True)
class Answers:
    """What one person said so far, of photos by their rows in the pool."""

    x: NDArray[Any]
    y: NDArray[np.float64]
    noise: float
    """Variance of what she adds to her ratings when she compares."""
    rng: np.random.Generator
    rated: list[int]
    pairs: list[tuple[int, int, bool]]

    def compare(self, one: int, other: int) -> None:
        """Ask which of two photos she prefers."""
        step = 1 / 12  # half of a step of the scale of seven
        gap = self.y[one] - self.y[other] + np.sqrt(2 * self.noise) * self.rng.standard_normal()
        equal = bool(abs(gap) < step)
        self.pairs.append((one, other, equal) if gap > 0 or equal else (other, one, False))

    @property
    def compared(self) -> Compared | None:
        """As an adapter takes them."""
        if not self.pairs:
            return None
        one, other, equal = map(list, zip(*self.pairs, strict=True))
        return Compared(one=self.x[one], other=self.x[other], equal=np.array(equal, bool))

    @property
    def support(self) -> tuple[NDArray[Any], NDArray[np.float64]] | None:
        """Likewise."""
        return (self.x[self.rated], self.y[self.rated]) if self.rated else None

    @property
    def seconds(self) -> float:
        """What the answers took."""
        return len(self.rated) * (COST.rating or 0) + len(self.pairs) * (COST.comparison or 0)

    def adapter(self, prior: Prior) -> AutoAdapter:
        """Learned from them."""
        x, y = self.support or (self.x[:0], self.y[:0])
        return AutoAdapter(prior).fit_both(x, y, self.compared or Compared.preferring(self.x[:0], self.x[:0]))


def asked(prior: Prior, answers: Answers, seconds: Seconds, counts: tuple[int, ...]) -> Iterator[int]:
    """Ask in batches; yields at each of the counts of answers."""
    for count in range(BATCH, max(counts) + 1, BATCH):
        known = knowledge(prior, answers.support, answers.compared)
        used = {*answers.rated, *(row for one, other, _ in answers.pairs for row in (one, other))}
        left = [row for row in range(len(answers.y)) if row not in used]
        for one in suggest(prior, known, answers.x, BATCH, candidates=left, seconds=seconds):
            if one.other is None:
                answers.rated.append(one.row)
            else:
                answers.compare(one.row, one.other)
        if count in counts:
            yield count


def person(prior: Prior, x: NDArray[Any], y: NDArray[np.float64], *names: str | int) -> dict[str, Any]:
    """One user in one draw: SRCC on the half that is predicted, and seconds, of each way to ask."""
    rng = stream(0, "ask", *names)
    pool, query = np.split(rng.permutation(len(y)), [len(y) // 2])
    found: dict[str, Any] = {"crowd": [spearman(x[query, 0], y[query]), 0.0]}

    def note(name: str, answers: Answers) -> None:
        score = answers.adapter(prior).predict(x[query]).score
        found[name] = [spearman(score, y[query]), answers.seconds]

    def new(noise: float = 0.0) -> Answers:
        return Answers(x=x[pool], y=y[pool], noise=noise, rng=rng, rated=[], pairs=[])

    again = (1 - AGREES) / AGREES * float(np.var(y))
    for count in COUNTS:
        answers = new()
        answers.rated = list(range(min(count, len(pool))))
        note(f"ratings {count}", answers)
    for name, noise in (("comparisons", 0.0), ("noisy comparisons", again)):
        answers = new(noise)
        for count in range(1, max(COUNTS) + 1):
            answers.compare(*rng.choice(len(pool), 2, replace=False))
            if count in COUNTS:
                note(f"{name} {count}", answers)
    for name, seconds in ASKED.items():
        for noise in (0.0,) if name == "ratings" else (0.0, again):
            answers = new(noise)
            for count in asked(prior, answers, seconds, (10, 30)):
                note(f"asked {'noisy ' * (noise > 0)}{name} {count}", answers)
    return {"srcc": found, "trust": trust(prior, x, y, pool, query, rng)}


def trust(
    prior: Prior,
    x: NDArray[Any],
    y: NDArray[np.float64],
    pool: NDArray[np.intp],
    query: NDArray[np.intp],
    rng: np.random.Generator,
) -> dict[str, list[list[float]]]:
    """By number of ratings, for each bin of the larger probability: pairs, their sum, how many are right."""
    one, other = rng.choice(query, (2, PAIRS))
    told = y[one] != y[other]
    one, other = one[told], other[told]
    found = {}
    for count in TRUST:
        if count > len(pool):
            continue
        sure = AutoAdapter(prior).fit(x[pool[:count]], y[pool[:count]]).preferring(x[one], x[other])
        larger, right = np.maximum(sure, 1 - sure), (sure > 0.5) == (y[one] > y[other])
        places = np.clip(np.digitize(larger, BINS) - 1, 0, len(BINS) - 2)
        found[str(count)] = [
            [float(values[places == place].sum()) for values in (np.ones(len(one)), larger, right * 1.0)]
            for place in range(len(BINS) - 1)
        ]
    return found


def measure(
    data: Oasis, matrix: NDArray[Any], prior: Prior, number: int, people: int | None, repeats: int, out: Path
) -> list[dict[str, Any]]:
    """All users of a list, in as many draws; what a file has already is not done again."""
    file = out / f"list-{number}.jsonl"
    done = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    known = {(one["user"], one["repeat"]) for one in done}
    with file.open("a") as lines:
        for repeat in range(repeats):
            for user in data.users_of(number)[:people]:
                if (user, repeat) in known:
                    continue
                rows, scores = data.users[user]
                one = person(prior, matrix[rows], scores, "oasis", user, repeat)
                done.append({"user": user, "repeat": repeat, **one})
                lines.write(json.dumps(done[-1]) + "\n")
                lines.flush()
            tell(f"list {number}: repeat {repeat} is done")
    return done


def summary(done: list[dict[str, Any]], number: int) -> dict[str, Any]:
    """Means over users of means over draws, paired against ten random ratings, and against seconds."""
    users = sorted({one["user"] for one in done})
    names = list(done[0]["srcc"])
    mean = {
        name: np.array(
            [np.nanmean([one["srcc"][name] for one in done if one["user"] == user], axis=0) for user in users]
        )
        for name in names
    }
    base, crowd = mean["ratings 10"][:, 0], mean["crowd"][:, 0]
    curve = [
        (float(mean[f"ratings {k}"][:, 1].mean()), float(np.nanmean(mean[f"ratings {k}"][:, 0])))
        for k in COUNTS
    ]
    rows = {}
    for name, values in mean.items():
        srcc, seconds = values.T
        gain, lost = srcc - base, srcc - crowd
        rows[name] = {
            "srcc": float(np.nanmean(srcc)),
            "gain": float(np.nanmean(gain)),
            "interval": bootstrap(gain, number, name),
            "seconds": float(seconds.mean()),
            "rating_seconds": float(
                np.interp(np.nanmean(srcc), [s for _, s in curve], [t for t, _ in curve])
            ),
            "below_crowd": float(np.mean(lost < 0)),
            "one_in_twenty": float(np.nanquantile(lost, 0.05)),
        }
    return {"users": len(users), "ways": rows, "trust": reliability(done)}


def reliability(done: list[dict[str, Any]]) -> dict[str, list[list[float]]]:
    """By number of ratings, for each bin: pairs, the mean probability, the share that is right."""
    found = {}
    for count in map(str, TRUST):
        bins = [np.array(one["trust"][count]) for one in done if count in one["trust"]]
        if bins:
            pairs, told, right = np.sum(bins, axis=0).T
            each = np.maximum(pairs, 1)
            found[count] = np.column_stack([pairs, told / each, right / each]).tolist()
    return found


def markdown(lists: dict[str, Any]) -> str:
    """The table of docs/adapters.md: a row for each way to ask."""
    rows = [
        (
            number,
            name,
            f"{one['srcc']:.3f}",
            f"{one['gain']:+.3f} [{one['interval'][0]:+.3f}, {one['interval'][1]:+.3f}]",
            f"{one['seconds']:.0f} s",
            f"{100 * one['below_crowd']:.0f} %, {one['one_in_twenty']:+.3f}",
        )
        for number, content in lists.items()
        for name, one in content["ways"].items()
    ]
    return table(("list", "answers", "SRCC", "over 10 random ratings", "seconds", "below the crowd"), rows)


def main() -> None:
    """Measure and write the results; see the module's text."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("root", type=Path)
    parser.add_argument("--models", type=Path, default=Path("runs/lite"))
    parser.add_argument("--out", type=Path, default=Path("runs/ask"))
    parser.add_argument("--lists", type=int, nargs="+", default=LISTS)
    parser.add_argument("--people", type=int, help="so many of each list; default all")
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--dry", action="store_true", help="print, and write no results")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    data, lists = load_oasis(given.root), {}
    with threadpool_limits(limits=1):
        for number in given.lists:
            model = GenericModel(given.models / f"piaa-lite-without-{number}.safetensors")
            matrix, prior = vectors(model, data, given.out), Prior.from_tensors(model.tensors(PREFIX))
            if prior is None:
                raise ValueError(f"{model.path} has no prior")
            done = measure(data, matrix, prior, number, given.people, given.repeats, given.out)
            lists[str(number)] = summary(done, number)
            print(markdown(lists), json.dumps(lists[str(number)]["trust"]))
    if not given.dry:
        command = f"python benchmarks/ask.py ROOT --models runs/lite --repeats {given.repeats}"
        write_result("ask", command, {"repeats": given.repeats, "lists": lists, "markdown": markdown(lists)})


if __name__ == "__main__":
    main()
