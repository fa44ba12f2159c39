"""The main job on real raters, through the commands: fit with k ratings, score the rest, compare.

    uv run python benchmarks/main_job.py ROOT --model runs/lite/piaa-lite-without-3.safetensors

For each user of OASIS list 3, which the model file must not have seen: k of her ratings, chosen at
random, go into a CSV; ``piaa fit-user`` learns from it; ``piaa score`` ranks a folder of the other
photos that she rated. The same is done through the Python API with a cache of its own, and must
give the same numbers. About 5 seconds per user on two cores.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from oasis import SCALE, Oasis, load_oasis
from record import piaa, table, tell, write_result
from scipy.stats import wilcoxon

import piaa as library
from generic.metrics import coverage, spearman
from generic.seeds import stream
from piaa.people.model import Model
from piaa.people.score_table import COLUMNS

LEFT_OUT = 3
ADAPTERS = ("auto", "generic")
N_BOOTSTRAP = 10_000
_SHOWN = 20


@dataclass(frozen=True, kw_only=True)
class Job:
    """One user, one number of ratings, one adapter."""

    user: str
    k: int
    adapter: str
    n_scored: int
    srcc: float
    """Of the column ``score`` with the user's ratings of the scored photos; NaN if a side is constant."""
    srcc_generic: float
    """Of the column ``generic``."""
    coverage: float
    """Share of her ratings within [low, high]."""
    width: float
    """Mean of high - low, in rating points."""
    score_difference: float
    """Largest difference to the Python API in any column, beyond the rounding of the file."""
    srcc_difference: float
    """Difference to the SRCC of the Python API's unrounded scores: ties made by the file's four digits."""


@dataclass(frozen=True, kw_only=True)
class Bench:
    """What all jobs share."""

    data: Oasis
    model_file: Path
    model: Model
    """The same file for the Python API, with a cache of its own."""
    work: Path

    def prepare(self, user: str, k: int) -> tuple[Path, Path, dict[str, float]]:
        """A ratings file of k ratings, a folder of the other photos, and her ratings of those."""
        rows, unit = self.data.users[user]
        # The first 10 of the 100 are the 10.
        order = stream(0, "kshot", "oasis", user, 0).permutation(len(rows))
        names = [self.data.names[row] for row in rows]
        scores = np.round(SCALE.from_unit(unit), 9)
        place = self.work / f"{user}-{k}"
        ratings, photos = place / "ratings.csv", place / "photos"
        photos.mkdir(parents=True)
        with ratings.open("w", newline="") as file:
            csv.writer(file).writerows(
                [("image", "score"), *((names[i], f"{scores[i]:g}") for i in order[:k])]
            )
        for i in order[k:]:
            (photos / names[i]).symlink_to((self.data.folder / names[i]).resolve())
        return ratings, photos, {names[i]: float(scores[i]) for i in order[k:]}

    def by_commands(self, user: str, adapter: str, ratings: Path, photos: Path) -> dict[str, NDArray[Any]]:
        """The columns of the table that ``piaa score`` writes."""
        out = photos.parent / f"{adapter}.csv"
        common = ("--user", user, "--model", self.model_file)
        kept = ("--store", self.work / "piaa.db", "--cache", self.work / "cache")
        scale = ("--scale", f"{SCALE.low:g}", f"{SCALE.high:g}")
        source = ("--ratings", ratings, "--images", self.data.folder)
        piaa("fit-user", *common, *source, *scale, "--adapter", adapter, "--replace", *kept)
        piaa("score", photos, *common, "--out", out, *kept)
        with out.open(newline="") as file:
            rows = list(csv.DictReader(file))
        numbers = {name: np.array([float(row[name]) for row in rows]) for name in COLUMNS[1:]}
        return {COLUMNS[0]: np.array([row[COLUMNS[0]] for row in rows]), **numbers}

    def by_library(self, user: str, adapter: str, ratings: Path, photos: Path) -> dict[str, NDArray[Any]]:
        """The same through the Python API, unrounded."""
        person = self.model.fit_user(
            ratings, images=self.data.folder, scale=SCALE, user=user, adapter=adapter
        )
        frame = person.score(photos)
        return {name: frame[name].to_numpy() for name in COLUMNS}

    def run(self, user: str, k: int) -> Iterator[Job]:
        """The user's jobs with k ratings, one per adapter."""
        ratings, photos, given = self.prepare(user, k)
        for adapter in ADAPTERS:
            ours = self.by_commands(user, adapter, ratings, photos)
            theirs = self.by_library(user, adapter, ratings, photos)
            rated = np.array([given[name] for name in ours["image"]])
            if set(ours["image"]) != set(given):
                raise SystemExit(f"user {user}: {len(given)} photos to score, but {len(rated)} in the table")
            yield Job(
                user=user,
                k=k,
                adapter=adapter,
                n_scored=len(rated),
                srcc=spearman(ours["score"], rated),
                srcc_generic=spearman(ours["generic"], rated),
                coverage=coverage(ours["low"], ours["high"], rated),
                width=float(np.mean(ours["high"] - ours["low"])),
                score_difference=compare(user, ours, theirs),
                srcc_difference=abs(
                    spearman(ours["score"], rated)
                    - spearman(theirs["score"], [given[name] for name in theirs["image"]])
                ),
            )


def compare(user: str, ours: dict[str, NDArray[Any]], theirs: dict[str, NDArray[Any]]) -> float:
    """Largest difference beyond the file's four digits; the order must be the same."""
    if ours["image"].tolist() != theirs["image"].tolist():
        raise SystemExit(f"user {user}: the command and the Python API rank differently")
    worst = max(float(np.abs(ours[name] - np.round(theirs[name], 4)).max()) for name in COLUMNS[1:])
    if worst >= 1e-9:
        raise SystemExit(f"user {user}: the command and the Python API differ by {worst:g}")
    return worst


def summarise(jobs: list[Job]) -> dict[str, Any]:
    """Means over users, with the interval of the mean by resampling users, and the paired test."""
    clean = [job for job in jobs if not np.isnan([job.srcc, job.srcc_generic]).any()]
    personal, generic = (np.array([getattr(job, name) for job in clean]) for name in ("srcc", "srcc_generic"))
    picks = stream(0, "bootstrap", "main job").integers(len(clean), size=(N_BOOTSTRAP, len(clean)))

    def interval(values: NDArray[np.float64]) -> list[float]:
        return [float(end) for end in np.quantile(values[picks].mean(1), (0.025, 0.975))]

    gain = personal - generic
    return {
        "n_users": len(clean),
        "n_dropped": len(jobs) - len(clean),
        "srcc": float(personal.mean()),
        "srcc_interval": interval(personal),
        "srcc_generic": float(generic.mean()),
        "srcc_generic_interval": interval(generic),
        "gain": float(gain.mean()),
        "gain_interval": interval(gain),
        # All differences are zero for the adapter that adapts nothing.
        "p_wilcoxon": float(wilcoxon(personal, generic).pvalue) if np.abs(gain).max() > 1e-12 else 1.0,
        "coverage": float(np.mean([job.coverage for job in jobs])),
        "width": float(np.mean([job.width for job in jobs])),
        "max_score_difference": max(job.score_difference for job in jobs),
        "max_srcc_difference": max(job.srcc_difference for job in clean),
    }


def user_table(jobs: list[Job], shots: list[int]) -> str:
    """One line per user, for the first ``_SHOWN``."""
    by_key = {(job.user, job.k): job for job in jobs if job.adapter == ADAPTERS[0]}
    users = list(dict.fromkeys(job.user for job in jobs))[:_SHOWN]
    columns = ("generic", "personal", "in interval")
    header = ["user", *(f"k={k} {column}" for k in shots for column in columns)]
    rows = []
    for user in users:
        mine = [by_key[user, k] for k in shots]
        cells = ((f"{j.srcc_generic:.3f}", f"{j.srcc:.3f}", f"{j.coverage:.0%}") for j in mine)
        rows.append([user, *(cell for three in cells for cell in three)])
    return table(header, rows)


def summary_table(summaries: dict[str, dict[str, Any]]) -> str:
    """One line per adapter and k."""
    header = ("adapter, k", "users", "SRCC generic", "SRCC personal", "gain", "p", "80 % interval holds")
    return table(
        header,
        (
            [
                name,
                str(s["n_users"]),
                *(_with_interval(s, key) for key in ("srcc_generic", "srcc", "gain")),
                f"{s['p_wilcoxon']:.1g}",
                f"{s['coverage']:.1%}",
            ]
            for name, s in summaries.items()
        ),
    )


def _with_interval(summary: dict[str, Any], key: str) -> str:
    sign = "+" if key == "gain" else ""
    low, high = summary[f"{key}_interval"]
    return f"{summary[key]:{sign}.3f} [{low:{sign}.3f}, {high:{sign}.3f}]"


def main() -> None:
    """Run every user; see the module's text."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("root", type=Path)
    parser.add_argument("--model", type=Path, required=True, help="a model trained without list 3")
    parser.add_argument("--users", default="20", help="how many users of list 3, or 'all'")
    parser.add_argument("--shots", default="10,100", help="numbers of ratings, separated by commas")
    arguments = parser.parse_args()
    shots = [int(k) for k in arguments.shots.split(",")]
    data = load_oasis(arguments.root)
    users = data.users_of(LEFT_OUT)
    users = users if arguments.users == "all" else users[: int(arguments.users)]
    jobs: list[Job] = []
    with tempfile.TemporaryDirectory() as folder:
        work, file = Path(folder), arguments.model.resolve()
        model = library.load_model(file, cache=work / "cache of the library")
        bench = Bench(data=data, model_file=file, model=model, work=work)
        for number, user in enumerate(users, 1):
            mine = [job for k in shots for job in bench.run(user, k)]
            jobs += mine
            tell(
                f"{number}/{len(users)} {user}: "
                + ", ".join(
                    f"k={j.k} {j.srcc_generic:.3f} -> {j.srcc:.3f}" for j in mine if j.adapter == ADAPTERS[0]
                )
            )
    summaries = {
        f"{adapter}, k={k}": summarise([job for job in jobs if (job.adapter, job.k) == (adapter, k)])
        for adapter in ADAPTERS
        for k in shots
    }
    worst = [
        max(s[key] for s in summaries.values()) for key in ("max_score_difference", "max_srcc_difference")
    ]
    text = (
        f"{summary_table(summaries)}\n\n{len(users)} users of list 3. Commands against Python API, at most: "
        f"{worst[0]:.1g} in scores to the file's four digits, {worst[1]:.1g} in SRCC of unrounded scores."
    )
    print(user_table(jobs, shots), text, sep="\n\n")
    header = model.generic.header
    write_result(
        "main_job",
        f"python benchmarks/main_job.py ROOT --model {arguments.model.name} "
        f"--users {arguments.users} --shots {arguments.shots}",
        {
            "model": {"name": header.name, "hash": header.hash, "data": header.training["data"]},
            "summary": summaries,
            "markdown": text,
            "jobs": [asdict(job) for job in jobs],
        },
    )


if __name__ == "__main__":
    main()
