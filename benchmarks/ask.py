"""Ratings, comparisons, and what ``piaa suggest`` asks: what is learned for an answer, and for a second.

    uv run python benchmarks/ask.py OASIS --away AI_PICTURES --models runs/lite --out runs/ask
    uv run python benchmarks/ask.py OASIS --away AI_PICTURES --models runs/lite --out runs/ask --minutes 7

Users of each OASIS list left out, models as in ``oasis_protocol.py``, and people with AI-made pictures, whom
the shipped model does not know; ``auto``. Of a user's photos a half drawn at random is the pool, the other
half is only ever predicted. A comparison is what the user's two ratings say: the higher one, or equal;
*noisy* ones are given as if she were asked again, so that she agrees with herself at 0.89, the study's
figure.
Questions are asked in batches of five, each chosen with what was answered before, of photos not asked about
yet. Seconds are 5 for a rating and 2 for a comparison. Beside it, in the first draw: how often the
probability that she prefers one of two held-out photos is right.

Draw by draw, everybody's results are a line of a file, which is taken up again; with ``--minutes`` a run ends
after so much time of the processor. The tables are of the draws that everybody of a group has.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from ask_tables import markdown, tables_of
from numpy.typing import NDArray
from oasis import LISTS, load_oasis
from oasis_people import vectors
from record import tell, write_result
from threadpoolctl import threadpool_limits

from generic.cache.features import FeatureCache
from generic.metrics import spearman
from generic.model.generic_model import GenericModel
from generic.model.registry import find_model
from generic.seeds import stream
from piaa.adapters.auto import AutoAdapter
from piaa.adapters.compared import Compared
from piaa.adapters.prior import PREFIX, Prior
from piaa.people.asking import BOTH, COMPARISONS, RATINGS, Seconds
from piaa.people.suggest import knowledge, suggest
from piaa.ratings.scale import Scale
from piaa.ratings.table import read_ratings

BATCH = 5
AGREES = 0.89
COUNTS = (10, 20, 30, 50)
STEPS = (10, 20, 30, 40)
"""Numbers of answers at which those asked are learned from."""
ASKED = {"ratings": RATINGS, "comparisons": COMPARISONS, "both": BOTH}
TRUST = (1, 3, 10, 30, 100)
PAIRS = 100
BINS = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
COST = Seconds()
AWAY = "AI pictures"
ALBUM = 20_000


@dataclass(frozen=True, kw_only=True)
class Group:
    """People and what one model says of their photos."""

    prior: Prior
    people: dict[str, tuple[NDArray[Any], NDArray[np.float64]]]
    """Model vectors and unit scores of what each rated."""
    step: float
    """Half a step of their scale: two photos nearer than that are equal to them."""
    photos: NDArray[Any]
    """Model vectors of all photos."""


@dataclass(kw_only=True)
class Answers:
    """What one person said so far, of photos by their rows in the pool."""

    x: NDArray[Any]
    y: NDArray[np.float64]
    step: float
    """Two photos that are nearer to one another are equal to her."""
    noise: float
    """Variance of what she adds to her ratings when she compares."""
    rng: np.random.Generator
    rated: list[int]
    pairs: list[tuple[int, int, bool]]

    def compare(self, one: int, other: int) -> None:
        """Ask which of two photos she prefers."""
        gap = self.y[one] - self.y[other] + np.sqrt(2 * self.noise) * self.rng.standard_normal()
        equal = bool(abs(gap) < self.step)
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


def asked(prior: Prior, answers: Answers, seconds: Seconds) -> Iterator[int]:
    """Ask in batches; yields at each of ``STEPS`` answers, as far as there are photos."""
    for count in range(BATCH, max(STEPS) + 1, BATCH):
        used = {*answers.rated, *(row for one, other, _ in answers.pairs for row in (one, other))}
        left = [row for row in range(len(answers.y)) if row not in used]
        if len(left) < 2 * BATCH:
            return
        known = knowledge(prior, answers.support, answers.compared)
        for one in suggest(prior, known, answers.x, BATCH, candidates=left, seconds=seconds):
            if one.other is None:
                answers.rated.append(one.row)
            else:
                answers.compare(one.row, one.other)
        if count in STEPS:
            yield count


def person(group: Group, user: str, repeat: int) -> dict[str, Any]:
    """One user in one draw: SRCC on the half that is predicted, and seconds, of each way to ask."""
    (x, y), prior, rng = group.people[user], group.prior, stream(0, "ask", user, repeat)
    pool, query = np.split(rng.permutation(len(y)), [len(y) // 2])
    found: dict[str, Any] = {"crowd": [spearman(x[query, 0], y[query]), 0.0]}

    def new(noise: float) -> Answers:
        return Answers(x=x[pool], y=y[pool], step=group.step, noise=noise, rng=rng, rated=[], pairs=[])

    again = (1 - AGREES) / AGREES * float(np.var(y))
    for name, answers in chain(at_random(new, again), asked_ways(prior, new, again)):
        score = answers.adapter(prior).predict(x[query]).score
        found[name] = [spearman(score, y[query]), answers.seconds]
    return {"srcc": found}


def at_random(new: Callable[[float], Answers], again: float) -> Iterator[tuple[str, Answers]]:
    """Answers of photos at random, at each of ``COUNTS``, as far as there are photos."""
    answers = new(0.0)
    for count in COUNTS:
        if count <= len(answers.y):
            answers.rated = list(range(count))
            yield f"ratings {count}", answers
    for name, noise in (("comparisons", 0.0), ("noisy comparisons", again)):
        answers = new(noise)
        for count in range(1, max(COUNTS) + 1):
            answers.compare(*answers.rng.choice(len(answers.y), 2, replace=False))
            if count in COUNTS:
                yield f"{name} {count}", answers


def asked_ways(prior: Prior, new: Callable[[float], Answers], again: float) -> Iterator[tuple[str, Answers]]:
    """Answers to what is asked, at each of ``STEPS``."""
    for name, seconds in ASKED.items():
        for noise in (0.0,) if name == "ratings" else (0.0, again):
            answers = new(noise)
            for count in asked(prior, answers, seconds):
                yield f"asked {'noisy ' * (noise > 0)}{name} {count}", answers


def trust(group: Group, user: str, repeat: int) -> dict[str, Any]:
    """By kind and number of answers, for each bin of the larger probability: pairs, their sum, how many hold.

    A third of the photos is asked about. Of two that she rates alike either may be the better: half a pair.
    """
    (x, y), rng = group.people[user], stream(0, "ask", "trust", user, repeat)
    pool, query = np.split(rng.permutation(len(y)), [2 * len(y) // 3])
    one, other = np.array([rng.choice(query, 2, replace=False) for _ in range(PAIRS)]).T
    better, found = (1 + np.sign(y[one] - y[other])) / 2, {}
    for kind in ("ratings", "comparisons"):
        answers = Answers(x=x[pool], y=y[pool], step=group.step, noise=0.0, rng=rng, rated=[], pairs=[])
        for count in range(1, max(TRUST) + 1):
            if kind == "ratings":
                answers.rated.append(count - 1)
            else:
                answers.compare(*rng.choice(len(pool), 2, replace=False))
            if count in TRUST and count <= len(pool):
                sure = answers.adapter(group.prior).preferring(x[one], x[other])
                found[f"{kind} {count}"] = _counted(sure, better)
    return {"trust": found}


def _counted(sure: NDArray[np.float64], better: NDArray[np.float64]) -> list[list[float]]:
    larger, right = np.maximum(sure, 1 - sure), np.where(sure > 0.5, better, 1 - better)
    places = np.clip(np.digitize(larger, BINS) - 1, 0, len(BINS) - 2)
    values = (np.ones(len(sure)), larger, right)
    return [[float(one[places == place].sum()) for one in values] for place in range(len(BINS) - 1)]


Measure = Callable[[Group, str, int], dict[str, Any]]


def groups(given: argparse.Namespace) -> Iterator[tuple[str, Group]]:
    """Each list with the model that does not know it, then those away from home with the shipped one."""
    data = load_oasis(given.root)
    for number in given.lists:
        model = GenericModel(given.models / f"piaa-lite-without-{number}.safetensors")
        matrix = vectors(model, data, given.cache or given.out)
        # Of who rated all alike nothing can be ranked.
        users = [user for user in data.users_of(number) if np.ptp(data.users[user][1])]
        order = stream(0, "ask", "people", number).permutation(len(users))[: given.people]
        people = {
            user: (matrix[data.users[user][0]], data.users[user][1]) for user in (users[row] for row in order)
        }
        yield str(number), Group(prior=_prior(model), people=people, step=1 / 12, photos=matrix)
    if given.away is not None:
        yield AWAY, away(given.away, given.cache or given.out)


def away(root: Path, cache: Path) -> Group:
    """People who rated AI-made pictures from 1 to 5."""
    ratings = read_ratings(root / "ratings.csv", scale=Scale(1, 5))
    model, names = GenericModel(find_model("piaa-lite")), sorted(set(ratings.images))
    with FeatureCache.open(cache) as features:
        found = list(model.embed([root / "images" / name for name in names], cache=features))
    matrix = {name: item.vector for name, item in zip(names, found, strict=True) if item.vector is not None}
    people = {}
    for user in ratings.user_names():
        hers = ratings.for_user(user)
        people[user] = np.stack([matrix[name] for name in hers.images]), hers.unit_scores
    return Group(prior=_prior(model), people=people, step=1 / 8, photos=np.stack(list(matrix.values())))


def _prior(model: GenericModel) -> Prior:
    prior = Prior.from_tensors(model.tensors(PREFIX))
    if prior is None:
        raise ValueError(f"{model.path} has no prior")
    return prior


def speed(group: Group) -> dict[str, float]:
    """Seconds of one core: an answer to a new posterior, and ten questions of either kind."""
    rng, x = stream(0, "ask", "speed"), group.photos
    y = x[:, 0] + 0.15 * rng.standard_normal(len(x))
    answers = Answers(x=x, y=y, step=group.step, noise=0.0, rng=rng, rated=list(range(100)), pairs=[])
    for _ in range(200):
        answers.compare(*rng.choice(len(x), 2, replace=False))
    noise = rng.standard_normal((ALBUM, x.shape[1])) * x.std(axis=0) / 2
    album = (x[rng.integers(0, len(x), ALBUM)] + noise).astype(np.float32)
    known = knowledge(group.prior, answers.support, answers.compared)
    return {
        "answer": _processor_time(lambda: answers.adapter(group.prior)),
        "questions": _processor_time(lambda: suggest(group.prior, known, album, 10, seconds=BOTH)),
    }


def _processor_time(run: Callable[[], object]) -> float:
    """The median of nine, after one that is not counted."""
    run()
    taken = []
    for _ in range(9):
        started = time.process_time()
        run()
        taken.append(time.process_time() - started)
    return float(np.median(taken))


def measured(file: Path) -> list[dict[str, Any]]:
    """What a file has already."""
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def measure(one_of: Measure, group: Group, repeat: int, file: Path, until: float) -> bool:
    """One draw of everybody, of whom those in the file are not asked again; whether all are done."""
    known = {(one["user"], one["repeat"]) for one in measured(file)}
    with file.open("a") as lines:
        for user in group.people:
            if (user, repeat) in known:
                continue
            if time.process_time() > until:
                return False
            one = {"user": user, "repeat": repeat, **one_of(group, user, repeat)}
            lines.write(json.dumps(one) + "\n")
            lines.flush()
    return True


def main() -> None:
    """Measure and write the results; see the module's text."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("root", type=Path)
    parser.add_argument("--away", type=Path, help="the AI-made pictures")
    parser.add_argument("--models", type=Path, default=Path("runs/lite"))
    parser.add_argument("--out", type=Path, default=Path("runs/ask"))
    parser.add_argument("--cache", type=Path, help="of vectors; default OUT")
    parser.add_argument("--lists", type=int, nargs="+", default=LISTS)
    parser.add_argument("--people", type=int, help="so many of each list, drawn at random; default all")
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--minutes", type=float, default=np.inf, help="of the processor, then it ends")
    parser.add_argument("--dry", action="store_true", help="print, and write no results")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    with threadpool_limits(limits=1):
        every = dict(groups(given))
        files = {name: given.out / f"{name.replace(' ', '-')}.jsonl" for name in every}
        trusted = {name: file.with_stem(f"{file.stem}-trust") for name, file in files.items()}
        for repeat in range(given.repeats):
            for name, group in every.items():
                done = measure(person, group, repeat, files[name], 60 * given.minutes)
                done = (repeat or measure(trust, group, 0, trusted[name], 60 * given.minutes)) and done
                tell(f"{name}: draw {repeat} {'is done' if done else 'is not done'}")
    people = {name: list(group.people) for name, group in every.items()}
    lists = tables_of(
        {name: (people[name], measured(files[name]), measured(trusted[name])) for name in every}
    )
    print(markdown(lists))
    if not given.dry:
        command = "python benchmarks/ask.py OASIS --away AI_PICTURES --models runs/lite --out runs/ask"
        command += f" --people {given.people}" * (given.people is not None) + f" --repeats {given.repeats}"
        with threadpool_limits(limits=1):
            seconds = speed(next(iter(every.values())))
        print(seconds)
        write_result("ask", command, {"groups": lists, "seconds": seconds, "markdown": markdown(lists)})


if __name__ == "__main__":
    main()
