"""CPU seconds that ``piaa embed`` takes for a photo, by the photo's size: what a cluster's hours are made of.

    uv run --group dev python benchmarks/cluster_sizes.py

Rendered scenes with noise, as JPEG files of quality 88; 30 of each size, twice, in this process, so that no
start-up is counted. CPU time of all threads, which a busy machine changes little. A minute.
"""

from __future__ import annotations

import resource
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from PIL import Image
from record import table, tell, write_result

from generic.seeds import stream
from piaa.cluster.embed import embed
from piaa.cluster.folder import Folder
from piaa.cluster.manifest import write_manifest
from piaa.cluster.work import Job
from piaa.demo.scenes import draw_scenes, render

SIZES = ((500, 400), (1920, 1280), (4000, 3000))
PHOTOS, REPEATS, NOISE = 30, 3, 6


def make_photos(folder: Path, size: tuple[int, int]) -> float:
    """Photos of one size; their mean size in bytes."""
    folder.mkdir()
    rng = stream(0, "cluster_sizes", str(size))
    for number, scene in enumerate(draw_scenes(PHOTOS, 3)):
        pixels = np.asarray(render(scene, (1000, 750)).resize(size), np.int16)
        pixels = pixels + rng.integers(-NOISE, NOISE + 1, pixels.shape, np.int16)
        image = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
        image.save(folder / f"{number:03}.jpg", quality=88)
    return float(np.mean([path.stat().st_size for path in folder.iterdir()]))


def cpu_seconds() -> float:
    """Of this process so far."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def measure(work: Path, size: tuple[int, int]) -> dict[str, Any]:
    """One size."""
    name = f"{size[0]}x{size[1]}"
    n_bytes = make_photos(work / name, size)
    manifest = work / f"manifest-{name}"
    write_manifest(str(work / name), Folder(str(manifest)), shard_size=100)
    seconds = []
    for repeat in range(REPEATS):
        started = cpu_seconds()
        embed(Job(manifest=str(manifest), out=str(work / f"{name}-{repeat}"), model="piaa-lite"))
        seconds.append((cpu_seconds() - started) / PHOTOS)
    tell(f"{name}: {median(seconds):.3f} s")
    (file,) = (work / f"{name}-0").glob("[0-9a-f]*-*.parquet")
    size_of_row = file.stat().st_size / PHOTOS
    return {"size": name, "bytes": n_bytes, "cpu_seconds": median(seconds), "row_bytes": size_of_row}


def main() -> None:
    """Measure and write the results; see the module's text."""
    with tempfile.TemporaryDirectory() as folder:
        found = [measure(Path(folder), size) for size in SIZES]
    rows = [
        (
            one["size"].replace("x", "×"),
            f"{one['bytes'] / 1e6:.2f} MB",
            f"{one['cpu_seconds']:.3f} s",
            f"{1e6 * one['cpu_seconds'] / 3600:,.0f}",
            f"{1e8 * one['cpu_seconds'] / 3600:,.0f}",
            f"{1e9 * one['cpu_seconds'] / 3600:,.0f}",
        )
        for one in found
    ]
    heads = ("photos of", "a file", "CPU time a photo", "core hours for 10^6", "for 10^8", "for 10^9")
    text = table(heads, rows)
    write_result("cluster_sizes", "python benchmarks/cluster_sizes.py", {"sizes": found, "markdown": text})
    print(text)


if __name__ == "__main__":
    main()
