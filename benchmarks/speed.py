"""How quick the commands are, against what they cannot do without.

    uv run python benchmarks/speed.py --photos ROOT/images

Start-up of ``piaa --help``; ``piaa fit-user`` on 10 uncached photos against importing torch and timm;
scoring 500 uncached photos against the bare engine on ready tensors; scoring them again. What is
compared is timed in turns, so that a machine that slows down slows both. Medians. About 5 minutes
on two cores that do nothing else. Without ``--photos`` the photos are copies of rendered scenes.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from album import copies, describe, sources, write_ratings
from record import piaa, table, tell, timed, write_result

import piaa as library
from generic.model.generic_model import GenericModel
from piaa.people.model import Model
from piaa.people.opened_model import Settings
from piaa.people.person import Person

IMPORTS = (sys.executable, "-c", "import torch, timm")


def seconds(work: Callable[[], object]) -> float:
    """Wall time of one call."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def start_up(repeats: int) -> dict[str, float]:
    """``piaa --help``."""
    piaa("--help")
    return {"help_s": median(piaa("--help")[1] for _ in range(repeats))}


def fitting(album: list[Path], model: str, work: Path, repeats: int) -> dict[str, float]:
    """``piaa fit-user`` on 10 photos with an empty cache and store, against the imports alone."""
    ratings = work / "ten.csv"
    write_ratings(album[:10], ratings)

    def fit(number: int) -> float:
        kept = ("--store", work / f"fit-{number}.db", "--cache", work / f"fit-{number}")
        given = ("--ratings", ratings, "--images", album[0].parent)
        return piaa("fit-user", "--user", "me", "--model", model, *given, *kept)[1]

    timed(IMPORTS), fit(0)  # the disk's part is not measured
    pairs = [(timed(IMPORTS)[1], fit(number)) for number in range(1, repeats + 1)]
    imports, fits = (median(column) for column in zip(*pairs, strict=True))
    return {"imports_s": imports, "fit_s": fits, "fit_to_imports": fits / imports}


def bare(generic: GenericModel, n: int) -> Callable[[], object]:
    """The engine alone on n ready photos."""
    noise = np.random.default_rng(0).integers(0, 256, (n, generic.size, generic.size, 3), np.uint8)
    return partial(generic.vectors, noise)


def scoring(album: list[Path], name: str, work: Path, repeats: int) -> dict[str, float]:
    """Scoring in one process with the network loaded and warm, first and again, against the bare engine."""
    root, names = album[0].parent, [path.name for path in album]
    model = library.load_model(name, cache=work / "in process")
    person = model.fit_user(work / "ten.csv", images=root, user="me")
    alone = bare(model.generic, len(album))
    alone()
    firsts, agains, alones = [], [], []
    for number in range(repeats):
        one = with_cache(person, work / f"in process {number}")
        score = partial(one.score_paths, album, names)
        firsts.append(seconds(score))
        agains.append(median(seconds(score) for _ in range(repeats)))
        alones.append(seconds(alone))
        tell(
            f"in process, {len(album)} photos: first {firsts[-1]:.2f} s, again {agains[-1]:.4f} s; "
            f"bare engine {alones[-1]:.2f} s"
        )
    rate, bare_rate = (len(album) / median(times) for times in (firsts, alones))
    return {
        "first_s": median(firsts),
        "again_s": median(agains),
        "first_to_again": median(firsts) / median(agains),
        "photos_per_s": rate,
        "bare_photos_per_s": bare_rate,
        "share_of_bare": rate / bare_rate,
    }


def with_cache(person: Person, folder: Path) -> Person:
    """The person on the same loaded network with another cache."""
    return replace(person, model=Model(person.model.generic, Settings(cache=folder)))


def commands(album: list[Path], model: str, work: Path, repeats: int) -> dict[str, float]:
    """``piaa score`` from start to exit, with an empty cache and again."""
    firsts, agains = [], []
    photos, store = album[0].parent, work / "fit-0.db"
    for number in range(repeats):
        kept = ("--store", store, "--cache", work / f"command {number}", "--out", work / "scores.csv")
        command = ("score", photos, "--user", "me", "--model", model, *kept)
        firsts.append(piaa(*command)[1])
        agains.append(median(piaa(*command)[1] for _ in range(repeats)))
        tell(f"piaa score, {len(album)} photos: first {firsts[-1]:.2f} s, again {agains[-1]:.3f} s")
    return {
        "first_s": median(firsts),
        "again_s": median(agains),
        "first_to_again": median(firsts) / median(agains),
        "photos_per_s": len(album) / median(firsts),
    }


def report(n: int, figures: dict[str, dict[str, float]]) -> str:
    """The figures with what was asked of them."""
    fit, inside, whole = figures["fit"], figures["in_process"], figures["whole_process"]
    rows = [
        ("`piaa --help`", f"{figures['start_up']['help_s']:.2f} s", ""),
        ('`python -c "import torch, timm"`', f"{fit['imports_s']:.2f} s", ""),
        ("`piaa fit-user`, 10 uncached photos", f"{fit['fit_s']:.2f} s", ""),
        ("  … in units of the imports", f"{fit['fit_to_imports']:.2f} ×", "at most 3"),
        ("bare engine, ready tensors", f"{inside['bare_photos_per_s']:.1f} photos/s", ""),
        (f"scoring {n} uncached photos, network loaded", f"{inside['photos_per_s']:.1f} photos/s", ""),
        ("  … in units of the bare engine", f"{inside['share_of_bare']:.2f} ×", "at least 0.85"),
        (
            f"`piaa score`, {n} uncached photos, start-up included",
            f"{whole['photos_per_s']:.1f} photos/s",
            "",
        ),
        ("scoring again, one process", f"{inside['again_s'] * 1e3:.1f} ms", ""),
        ("  … quicker than first", f"{inside['first_to_again']:.0f} ×", "at least 50"),
        ("`piaa score` again", f"{whole['again_s']:.2f} s", ""),
        ("  … quicker than first", f"{whole['first_to_again']:.0f} ×", "at least 50"),
    ]
    return table(("what", "median", "asked"), rows)


def main() -> None:
    """Measure everything; see the module's text."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photos", type=Path, help="folder of JPEG photos to copy")
    parser.add_argument("--model", default="piaa-lite", help="an embedded model's name, or a model file")
    parser.add_argument("--n", type=int, default=500, help="photos to score")
    parser.add_argument("--repeats", type=int, default=5, help="of every measurement")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        photos = sources(arguments.photos, work / "scenes")
        about = describe(photos)
        album = copies(photos, arguments.n, work / "photos")
        figures = {
            "start_up": start_up(arguments.repeats),
            "fit": fitting(album, arguments.model, work, arguments.repeats),
            "in_process": scoring(album, arguments.model, work, arguments.repeats),
            "whole_process": commands(album, arguments.model, work, arguments.repeats),
        }
    text = report(arguments.n, figures)
    print(text)
    settings: dict[str, Any] = {
        "model": Path(arguments.model).name,
        "photos": about,
        "n": arguments.n,
        "repeats": arguments.repeats,
    }
    write_result(
        "speed",
        f"python benchmarks/speed.py{' --photos ROOT/images' if arguments.photos else ''} "
        f"--n {arguments.n} --repeats {arguments.repeats}",
        settings | figures | {"markdown": text},
    )


if __name__ == "__main__":
    main()
