"""Whether a photo's score is one: by both engines, alone and in a folder, on one core and two, over HTTP.

    uv run --extra all python benchmarks/engines_agree.py ../shared/data

Every photo below the folder goes through ONNX Runtime and through torch: the largest difference of any number
of the vectors, and Spearman's correlation of the scores. Then the commands score a hundred of them for a
fitted person: in one folder on two cores and on one (by the affinity of the process), the first ten each
alone, and all over HTTP; every score must be the same to the last digit that the answers have.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from record import PIAA, table, tell, write_result
from serving import Served

from generic.engine.torch_engine import TorchEngine
from generic.errors import ImageError
from generic.metrics import spearman
from generic.model.generic_model import GenericModel
from generic.model.registry import find_model
from generic.photos.find import find_images
from generic.photos.open import load_pixels
from piaa.people.model import load_model

N_PHOTOS, N_ALONE = 100, 10


def engines(photos: list[Path], model: GenericModel) -> dict[str, float]:
    """Both engines on the same pixels."""
    torch = TorchEngine(model.network)
    largest, scores = 0.0, []
    for number, photo in enumerate(photos, 1):
        try:
            pixels = load_pixels(photo, model.size, fit=model.fit)
        except ImageError:
            continue
        one, other = model.vector(pixels), torch.vector(pixels)
        largest = max(largest, float(np.abs(one - other).max()))
        scores.append((one[0], other[0]))
        if number % 100 == 0:
            tell(f"{number} of {len(photos)} photos by both engines")
    ours, theirs = np.array(scores, dtype=np.float64).T
    return {
        "photos": len(scores),
        "largest_difference": largest,
        "largest_difference_of_scores": float(np.abs(ours - theirs).max()),
        "srcc": spearman(ours, theirs),
    }


def told(*arguments: object, cores: set[int] | None = None) -> Any:  # noqa: ANN401  (JSON)
    """What a command prints as JSON, on some cores only."""

    def pin() -> None:
        if cores is not None:
            os.sched_setaffinity(0, cores)

    command = [*PIAA, *map(str, arguments), "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, preexec_fn=pin)
    return json.loads(done.stdout)


def everywhere(photos: list[Path], work: Path) -> dict[str, Any]:
    """The scores of one person's photos from each place, by name."""
    album = work / "album"
    album.mkdir()
    for photo in photos:
        (album / photo.name).symlink_to(photo.resolve())
    ratings = work / "ratings.csv"
    rows = [f"{photo.name},{1 + number % 5}" for number, photo in enumerate(photos[:20])]
    ratings.write_text("\n".join(["image,score", *rows]) + "\n")
    kept = ("--user", "ana", "--store", work / "piaa.db")
    told("fit-user", *kept, "--ratings", ratings, "--images", album, "--cache", work / "cache")

    def scores(path: Path, cores: set[int] | None = None) -> dict[str, tuple[float, ...]]:
        found = told("score", path, *kept, "--no-cache", cores=cores)["scores"]
        return {row["image"]: (row["score"], row["low"], row["high"], row["generic"]) for row in found}

    both = sorted(os.sched_getaffinity(0))[:2]
    folder = scores(album, set(both))
    one_core = scores(album, {both[0]})
    alone = {name: row for photo in photos[:N_ALONE] for name, row in scores(album / photo.name).items()}
    unrounded = unrounded_scores(album, work)
    many = over_http(photos, work, intervals=False)
    return {
        "scored": len(folder),
        "one_core_as_two": one_core == folder,
        "alone_as_in_the_folder": all(folder[name] == row for name, row in alone.items()),
        "http_with_intervals_as_python_to_the_bit": over_http(photos, work, intervals=True) == unrounded,
        "largest_difference_of_http_for_many_users": max(abs(many[name] - unrounded[name]) for name in many),
    }


def unrounded_scores(album: Path, work: Path) -> dict[str, float]:
    """Scores in Python."""
    person = load_model(cache=False).load("ana", store=work / "piaa.db")
    found = person.score_table(album)
    return dict(zip(found.images, found.scores.tolist(), strict=True))


def over_http(photos: list[Path], work: Path, *, intervals: bool) -> dict[str, float]:
    """Scores of a server, in requests of 16 images."""
    found: dict[str, float] = {}
    server = Served(work / "piaa.db")
    for start in range(0, len(photos), 16):
        some = photos[start : start + 16]
        files = [("image", (photo.name, photo.read_bytes())) for photo in some]
        asked = {"intervals": str(intervals).lower()}
        answer = server.http.post("/v1/score", data={"user": ["ana"]}, files=files, params=asked)
        scores = answer.raise_for_status().json()["users"][0]["scores"]
        found |= {photo.name: score for photo, score in zip(some, scores, strict=True)}
    server.stop()
    return found


def main() -> None:
    """Compare and write the results; ends non-zero if scores differ where they must not."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="photos, searched with its subfolders")
    parser.add_argument("--model", default="piaa-lite")
    given = parser.parse_args()
    photos = find_images(given.folder)
    figures: dict[str, Any] = {"engines": engines(photos, GenericModel(find_model(given.model)))}
    some = list({photo.name: photo for photo in photos}.values())[:N_PHOTOS]
    with tempfile.TemporaryDirectory() as folder:
        figures["everywhere"] = everywhere(some, Path(folder))
    found, places = figures["engines"], figures["everywhere"]
    same = {name: value for name, value in places.items() if isinstance(value, bool)}
    rows = [
        [f"{found['photos']} photos by torch and ONNX Runtime: largest difference in a vector"],
        ["  of generic unit scores"],
        ["  SRCC of generic scores"],
        *([f"{places['scored']} photos of a person: {name.replace('_', ' ')}"] for name in same),
        ["  linear form (HTTP without intervals): largest difference of scores"],
    ]
    values = [
        f"{found['largest_difference']:.1e}",
        f"{found['largest_difference_of_scores']:.1e}",
        f"{found['srcc']:.9f}",
        *("yes" if value else "NO" for value in same.values()),
        f"{places['largest_difference_of_http_for_many_users']:.1e}",
    ]
    rows = [[*row, value] for row, value in zip(rows, values, strict=True)]
    figures["markdown"] = table(("what", "found"), rows)
    write_result("engines_agree", "uv run --extra all python benchmarks/engines_agree.py ROOT", figures)
    print(figures["markdown"])
    sys.exit(0 if all(same.values()) else 1)


if __name__ == "__main__":
    main()
