"""This release against the one before, which ran torch in calls of 16 photos: speed and memory, in one run.

    git worktree add ../piaa-before 228a50c      # and an environment of its own for it
    uv run --extra all python benchmarks/against_before.py --before ../piaa-before \
        --python-before ../piaa-before/.venv/bin/python --photos ../shared/data/oasis_beauty/images

Both releases do the same in turns, each from a cache and a store of its own, and each ratio is that of the
medians: 10 new photos and 500 new ones in a process of their own, 500 in a process that is warm, an album of
5,000 that is known, and 24-megapixel photos, whose decoding costs more than the network. Peak memory is that
of the process with 500 new photos. About 15 minutes on two cores that do nothing else.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from album import copies, sources, write_ratings
from PIL import Image
from record import ENVIRONMENT, table, tell, write_result

WARM = """
import sys, time, piaa
folder, store, warm = sys.argv[1:]
person = piaa.load_model(cache=False).load("me", store=store)
person.score(warm)
started = time.perf_counter()
person.score(folder)
print(time.perf_counter() - started)
"""
BARE = """
import sys, time, numpy as np
from generic.model.registry import find_model
from generic.model.generic_model import GenericModel
model = GenericModel(find_model("piaa-lite"))
noise = np.random.default_rng(0).integers(0, 256, (100, model.size, model.size, 3), np.uint8)
model.vectors(noise[:8])
started = time.perf_counter()
model.vectors(noise)
print((time.perf_counter() - started) / len(noise))
"""
MIB = 2**20


@dataclass(frozen=True)
class Release:
    """One release, and where it keeps what it remembers."""

    name: str
    tree: Path
    python: str
    work: Path

    def run(self, *command: str | Path) -> tuple[str, float, float]:
        """What a program of the release printed, its wall time in seconds and its peak memory in MiB."""
        environment = {**ENVIRONMENT, "PYTHONPATH": str(self.tree)}
        started = time.perf_counter()
        process = subprocess.Popen(
            [self.python, *map(str, command)], env=environment, cwd=self.tree, stdout=subprocess.PIPE
        )
        assert process.stdout is not None  # noqa: S101
        text = process.stdout.read().decode()
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        process.stdout.close()
        if process.returncode:
            raise SystemExit(f"{self.name}: {' '.join(map(str, command))[:200]} ... failed")
        return text, seconds, usage.ru_maxrss * 1024 / MIB

    def piaa(self, *arguments: str | Path) -> tuple[str, float, float]:
        """As :meth:`run`, for a command."""
        return self.run("-c", "from cli import app; app()", *arguments)

    def score(self, folder: Path, *options: str | Path) -> tuple[float, float]:
        """Seconds and MiB of ``piaa score``."""
        kept = ("--user", "me", "--store", self.work / "piaa.db")
        _, seconds, peak = self.piaa("score", folder, *kept, "--out", self.work / "scores.csv", *options)
        return seconds, peak

    def fit(self, album: list[Path]) -> None:
        """Somebody to score for."""
        ratings = self.work / "ratings.csv"
        write_ratings(album[:10], ratings)
        kept = ("--user", "me", "--store", self.work / "piaa.db", "--cache", self.work / "fit")
        self.piaa("fit-user", "--ratings", ratings, "--images", album[0].parent, *kept)


def in_turns(releases: list[Release], repeats: int, measure: Any) -> dict[str, list[Any]]:  # noqa: ANN401
    """What is measured of each release, in turns."""
    found: dict[str, list[Any]] = {release.name: [] for release in releases}
    for number in range(repeats):
        for release in releases if number % 2 == 0 else releases[::-1]:
            found[release.name].append(measure(release))
    return found


def large_photos(folder: Path, n: int) -> list[Path]:
    """JPEGs of 24 megapixels with detail and noise everywhere."""
    folder.mkdir()
    draws = np.random.default_rng(0)
    made = []
    for number in range(n):
        coarse = Image.fromarray(draws.integers(0, 256, (200, 300, 3), dtype=np.uint8))
        pixels = np.asarray(coarse.resize((6000, 4000), Image.Resampling.BICUBIC), dtype=np.int16)
        noisy = np.clip(pixels + draws.normal(0, 6, (4000, 6000, 1)), 0, 255).astype(np.uint8)
        path = folder / f"large-{number:02d}.jpg"
        Image.fromarray(noisy).save(path, quality=90)
        made.append(path)
    return made


def measure(releases: list[Release], photos: Path, work: Path, repeats: int) -> dict[str, Any]:
    """All figures, in seconds and MiB."""
    few = sources(photos, work)
    album = {n: copies(few, n, work / str(n)) for n in (10, 20, 500, 5000)}
    for release in releases:
        release.fit(album[20])

    def new(n: int) -> Any:  # noqa: ANN401
        return lambda release: release.score(work / str(n), "--no-cache")

    def warm(release: Release) -> float:
        given = (work / "500", release.work / "piaa.db", work / "20")
        return float(release.run("-c", WARM, *given)[0])

    def known(release: Release) -> float:
        return release.score(work / "5000", "--cache", release.work / "cache")[0]

    found: dict[str, Any] = {}
    tell("10 new photos")
    found["10 new"] = in_turns(releases, repeats, lambda one: new(10)(one)[0])
    tell("500 new photos")
    many = in_turns(releases, repeats, new(500))
    found["500 new"] = {name: [seconds for seconds, _ in values] for name, values in many.items()}
    found["peak MiB"] = {name: [peak for _, peak in values] for name, values in many.items()}
    tell("500 new photos, warm")
    found["500 warm"] = in_turns(releases, repeats, warm)
    # Not before: the peak that the kernel reports of a child is at least that of who started it.
    large = large_photos(work / "large", 24)
    tell(f"{len(large)} photos of 24 megapixels, warm")
    store = "piaa.db"
    found["24 of 24 MP, warm"] = in_turns(
        releases,
        repeats,
        lambda one: float(one.run("-c", WARM, work / "large", one.work / store, work / "20")[0]),
    )
    found["bare s a photo"] = {"now": [float(releases[1].run("-c", BARE)[0]) for _ in range(repeats)]}
    tell("5,000 photos to remember, by each release")
    for release in releases:
        known(release)
    tell("5,000 known photos")
    found["5000 known"] = in_turns(releases, repeats, known)
    return found


def rows(found: dict[str, Any]) -> Iterator[list[str]]:
    """The table."""
    middle = {what: {name: median(values) for name, values in one.items()} for what, one in found.items()}
    bare = middle["bare s a photo"]["now"]

    def row(what: str, key: str, asked: str, unit: str = "s") -> list[str]:
        before, now = middle[key]["before"], middle[key]["now"]
        return [what, f"{before:.2f} {unit}", f"{now:.2f} {unit}", f"{before / now:.2f} ×", asked]

    yield row("`piaa score`, 10 new photos, whole process", "10 new", "at least 3 ×")
    yield row("`piaa score`, 500 new photos, whole process", "500 new", "at least 2.1 ×")
    yield row("500 new photos, process warm", "500 warm", "at least 2.3 ×")
    yield row("24 new photos of 24 megapixels, process warm", "24 of 24 MP, warm", "")
    yield row("`piaa score`, 5,000 known photos", "5000 known", "now at most 0.8 s")
    yield row("peak memory, 500 new photos", "peak MiB", "at least 2 ×", "MiB")
    shares = {n: bare * n / middle[key]["now"] for n, key in ((500, "500 warm"), (24, "24 of 24 MP, warm"))}
    yield ["share of the engine's bare rate, 500 photos warm", "", f"{shares[500]:.2f}", "", "at least 0.85"]
    yield ["  … 24 photos of 24 megapixels", "", f"{shares[24]:.2f}", "", ""]


def main() -> None:
    """Measure and write the results."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--before", type=Path, required=True, help="a checkout of the release before")
    parser.add_argument("--python-before", required=True, help="its interpreter")
    parser.add_argument("--photos", type=Path, required=True, help="a folder of JPEG photos")
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        here = Path(__file__).resolve().parents[1]
        places = (("before", given.before.resolve(), given.python_before), ("now", here, sys.executable))
        releases = []
        for name, tree, python in places:
            (work / name).mkdir()
            releases.append(Release(name, tree, str(Path(python).absolute()), work / name))
        found = measure(releases, given.photos, work, given.repeats)
    text = table(("", "before", "now", "before / now", "asked"), rows(found))
    command = (
        "uv run --extra all python benchmarks/against_before.py --before CHECKOUT --python-before PYTHON"
    )
    command += " --photos ROOT/images"
    write_result("against_before", command, {"repeats": given.repeats, **found, "markdown": text})
    print(text)


if __name__ == "__main__":
    main()
