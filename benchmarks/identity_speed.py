"""What knowing a photo by its picture costs: seconds per file, beside the hash of the file alone.

    uv run python benchmarks/identity_speed.py

Files are rendered by code: JPEGs of 24 megapixels with noise as of a sensor, 8 to 12 MB each. Every
file is read in turn by both ways, warm in the system's memory, and the best of several rounds
counts. The second table is of files that the cache knows. About 2 minutes.
"""

from __future__ import annotations

import argparse
import hashlib
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from record import table, tell, write_result

from generic.cache.contents import Memos, read_content
from generic.cache.features import FeatureCache

SIZE = (6000, 4000)
"""Width and height in pixels."""
KNOWN = 5000
CHUNK = 512
"""Files at once, as :meth:`generic.model.generic_model.GenericModel.embed` asks."""


def photo(path: Path, seed: int) -> None:
    """A JPEG with large shapes, fine detail and noise."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (12, 18, 3), dtype=np.uint8)
    fine = rng.integers(0, 256, (SIZE[1] // 8, SIZE[0] // 8, 3), dtype=np.uint8)
    shapes, detail = (
        np.asarray(Image.fromarray(it).resize(SIZE, Image.Resampling.BICUBIC), np.int16)
        for it in (coarse, fine)
    )
    noise = rng.integers(-12, 13, (SIZE[1], SIZE[0], 1), dtype=np.int16)
    pixels = np.clip(shapes + (detail - 128) // 8 + noise, 0, 255).astype(np.uint8)
    Image.fromarray(pixels).save(path, "JPEG", quality=92)


def hash_alone(path: Path) -> None:
    """What was done before."""
    with path.open("rb", buffering=0) as file:
        hashlib.file_digest(file, "sha256")


def both(path: Path) -> None:
    """SHA-256 and identity in one read."""
    read_content(path, Memos())


def best(work: Callable[[Path], None], path: Path) -> float:
    """Seconds of one file, once."""
    started = time.perf_counter()
    work(path)
    return time.perf_counter() - started


def measure(paths: list[Path], rounds: int) -> dict[str, Any]:
    """Both ways, turn by turn, so that what else the machine does meets both."""
    seconds = {"hash_alone": [1e9] * len(paths), "hash_and_identity": [1e9] * len(paths)}
    for _ in range(rounds):
        for i, path in enumerate(paths):
            for name, work in (("hash_alone", hash_alone), ("hash_and_identity", both)):
                seconds[name][i] = min(seconds[name][i], best(work, path))
    means = {name: float(np.mean(values)) for name, values in seconds.items()}
    ratio = means["hash_and_identity"] / means["hash_alone"]
    return {"seconds_per_photo": means, "ratio": round(ratio, 3)}


def measure_known(folder: Path, rounds: int) -> float:
    """Seconds for the contents of files that the cache knows."""
    paths = [folder / f"{i}.jpg" for i in range(KNOWN)]
    for i, path in enumerate(paths):
        path.write_bytes(b"%d" % i)
    time.sleep(2.5)  # the cache relies on files that have not changed just now
    with FeatureCache.open(folder / "cache") as cache:
        cache.digest_many(paths)
        took = []
        for _ in range(rounds):
            started = time.perf_counter()
            for start in range(0, KNOWN, CHUNK):
                cache.digest_many(paths[start : start + CHUNK])
            took.append(time.perf_counter() - started)
    return min(took)


def main() -> None:
    """Measure both; see the module's text."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photos", type=int, default=20, help="how many JPEGs to render")
    parser.add_argument("--rounds", type=int, default=7, help="the best of so many counts")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        paths = [Path(name) / f"photo-{i:02d}.jpg" for i in range(arguments.photos)]
        for seed, path in enumerate(paths):
            photo(path, seed)
            tell(f"{path.name}: {path.stat().st_size / 1e6:.1f} MB")
        sizes = [path.stat().st_size for path in paths]
        figures = measure(paths, arguments.rounds)
        known = measure_known(Path(name), arguments.rounds)
    seconds = figures["seconds_per_photo"]
    rows = [[way.replace("_", " "), f"{1e3 * one:.2f} ms"] for way, one in seconds.items()]
    rows += [["ratio", f"{figures['ratio']:.2f}"], [f"{KNOWN} known files, all", f"{1e3 * known:.1f} ms"]]
    print(table(["each photo of 24 megapixels", "time"], rows))
    about = {"n_photos": len(paths), "megapixels": 24, "bytes": {"least": min(sizes), "most": max(sizes)}}
    command = f"benchmarks/identity_speed.py --photos {arguments.photos} --rounds {arguments.rounds}"
    known_files = {"n": KNOWN, "seconds": known}
    tell(f"wrote {write_result('identity_speed', command, {**about, **figures, 'known_files': known_files})}")


if __name__ == "__main__":
    main()
