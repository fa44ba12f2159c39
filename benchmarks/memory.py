"""Peak memory of ``piaa score`` on a small and a large album: it must not grow with their number.

    uv run python benchmarks/memory.py --photos ROOT/images

Each album is a set of copies under other bytes, scored uncached by one command. About 3 minutes
on two cores. Without ``--photos`` the copies are of rendered scenes.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from album import copies, describe, sources, write_ratings
from record import PIAA, piaa, table, tell, write_result

LIMIT_MIB = 1536
MIB = 2**20


def peak(command: list[str]) -> float:
    """Peak resident memory of a program, in MiB.

    What the kernel reports for a child begins at the memory of the process that started it; this
    one imports no torch and stays far below.
    """
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"the command exited with {process.returncode}; its message is above")
    per_unit = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss, in bytes
    return usage.ru_maxrss * per_unit / MIB


def measure(n: int, photos: list[Path], model: str, work: Path) -> dict[str, Any]:
    """Score n copies, uncached."""
    place = work / str(n)
    album = copies(photos, n, place / "photos")
    kept = ("--store", str(place / "piaa.db"), "--cache", str(place / "cache"))
    options = ("--user", "me", "--model", model, *kept)
    write_ratings(album[:10], place / "ratings.csv")
    piaa("fit-user", "--ratings", place / "ratings.csv", "--images", place / "photos", *options)
    piaa("cache", "clear", "--cache", place / "cache")
    tell(f"scoring {n} photos")
    mebibytes = peak([*PIAA, "score", str(place / "photos"), *options, "--out", str(place / "scores.csv")])
    n_scored = len((place / "scores.csv").read_text().splitlines()) - 1
    if n_scored != n:
        raise SystemExit(f"{n_scored} of {n} photos were scored")
    tell(f"  {mebibytes:.0f} MiB")
    return {"n_photos": n, "peak_mib": round(mebibytes, 1)}


def main() -> None:
    """Measure every count; see the module's text."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photos", type=Path, help="folder of JPEG photos to copy")
    parser.add_argument("--model", default="piaa-lite", help="an embedded model's name, or a model file")
    parser.add_argument("--counts", default="500,5000", help="album sizes, separated by commas")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        photos = sources(arguments.photos, work / "scenes")
        about = describe(photos)
        runs = [measure(int(n), photos, arguments.model, work) for n in arguments.counts.split(",")]
    peaks = [run["peak_mib"] for run in runs]
    growth = peaks[-1] - peaks[0]
    rows = [[f"{run['n_photos']}", f"{run['peak_mib']:.0f} MiB"] for run in runs]
    text = (
        f"{table(('photos scored', 'peak memory'), rows)}\n\n"
        f"The larger album changes the peak by {growth:+.0f} MiB (`benchmarks/memory.py`)."
    )
    print(text)
    write_result(
        "memory",
        f"python benchmarks/memory.py{' --photos ROOT/images' if arguments.photos else ''} "
        f"--counts {arguments.counts}",
        {
            "model": Path(arguments.model).name,
            "photos": about,
            "runs": runs,
            "growth_mib": round(growth, 1),
            "markdown": text,
        },
    )


if __name__ == "__main__":
    main()
