"""What ``piaa embed`` costs: Ray against --jobs 2 against one process against the bare engine.

    uv run --group cluster --group dev python benchmarks/cluster_embed.py --photos 5000 --work DIR

The same photos each time, in turns: the network alone on photos that are ready in memory, by as many callers
as there are cores; ``piaa embed`` in one process; with ``--jobs 2``; with ``--ray`` on two ready nodes of one
core each. Start-up is in the time, as a person waits for it. Figures so far are in ``--work``, and are not
measured again. Without ``--source`` the photos are rendered scenes, under many names each. About 10 minutes
of two idle cores for each of the repeats.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from album import sources
from cluster_rank import run
from record import PIAA, piaa, table, tell, write_result

from generic.model.generic_model import GenericModel
from generic.model.registry import find_model
from generic.photos.open import load_pixels

ROOT = Path(__file__).parents[1]
NODES = ROOT / "tests" / "piaa" / "cluster" / "ray_nodes.py"
SHARD, READY = 250, 200
"""Photos in a shard: twenty shards of 5,000; photos that the bare engine has in memory."""
WAYS = {"one process": (), "--jobs 2": ("--jobs", "2"), "--ray": ("--ray",)}


@contextmanager
def ray_nodes() -> Iterator[str]:
    """The address of a cluster that is ready."""
    quiet = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join((str(ROOT), os.environ.get("PYTHONPATH", ""))),
        **quiet,
    }
    words = [sys.executable, str(NODES), "2"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(words, env=environment, text=True, **pipes)
    try:
        yield process.stdout.readline().strip()
    finally:
        process.stdin.close()
        process.wait(timeout=120)


def linked(photos: list[Path], n: int, folder: Path) -> list[Path]:
    """A folder of n names of these photos; nothing is remembered of them, so that each is read anew."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    names = [folder / f"{number:05}.jpg" for number in range(n)]
    for number, name in enumerate(names):
        name.hardlink_to(photos[number % len(photos)])
    return names


def engine(photos: list[Path]) -> float:
    """Photos a second of the network alone."""
    model = GenericModel(find_model("piaa-lite"))
    ready = [load_pixels(path, model.size, fit=model.fit) for path in photos[:READY]]
    model.vectors(ready[:4])
    started = time.perf_counter()
    model.vectors(ready)
    return len(ready) / (time.perf_counter() - started)


def embed(work: Path, way: str, n: int) -> dict[str, float]:
    """Photos a second, and CPU seconds of this machine's processes that ended."""
    out = work / "vectors"
    shutil.rmtree(out, ignore_errors=True)
    words = [*PIAA, "embed", str(work / f"manifest-{n}"), "--out", str(out), *WAYS[way]]
    if way == "--ray":
        with ray_nodes() as address:
            found = run([*words, address])
    else:
        found = run(words)
    return {"rate": n / found["seconds"], **found}


def main() -> None:
    """Measure what is missing and write the results; see the module's text."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photos", type=int, default=5_000)
    parser.add_argument("--source", type=Path, help="a folder of photos")
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--work", type=Path, required=True)
    arguments = parser.parse_args()
    work, n = arguments.work, arguments.photos
    album = work / f"photos-{n}"
    photos = sorted(album.iterdir()) if album.exists() else []
    if len(photos) < n:
        photos = linked(sources(arguments.source, work / "scenes"), n, album)
    piaa("manifest", album, "--out", work / f"manifest-{n}", "--shard-size", str(SHARD))
    kept = work / f"embed-{n}.json"
    found: dict[str, Any] = json.loads(kept.read_text()) if kept.exists() else {}
    for repeat in range(arguments.repeats):
        for way in ("engine", *WAYS):
            if (name := f"{way} {repeat}") not in found:
                tell(name)
                found[name] = {"rate": engine(photos)} if way == "engine" else embed(work, way, n)
                kept.write_text(json.dumps(found))
    rates = {
        way: median(found[f"{way} {repeat}"]["rate"] for repeat in range(arguments.repeats))
        for way in ("engine", *WAYS)
    }
    beside = {"one process": "engine", "--jobs 2": "engine", "--ray": "--jobs 2"}
    rows = [("the network alone", f"{rates['engine']:.1f}", "")]
    rows += [
        (f"`piaa embed`, {way}", f"{rates[way]:.1f}", f"{rates[way] / rates[than]:.2f} × {than}")
        for way, than in beside.items()
    ]
    text = table((f"{n:,} photos", "photos a second", "of"), rows)
    command = f"python benchmarks/cluster_embed.py --photos {n} --repeats {arguments.repeats} --work DIR"
    write_result("cluster_embed", command, {**found, "markdown": text})
    print(text)


if __name__ == "__main__":
    main()
