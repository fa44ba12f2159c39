"""What a server answers while other programs keep every core busy, with one BLAS thread and with the default.

    git worktree add ../piaa-before 2cdc14e      # the last commit whose server left BLAS as it is
    uv run --extra all python benchmarks/busy_cores.py --before ../piaa-before

Photos are known, so that the time is that of products and not of the network. Asked are one `auto` user with
intervals a request, and a thousand users in one, by eight clients; as many processes as there are cores only
count. Both servers take turns.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import httpx
from filled import fill, photo
from record import table, tell, write_result
from serving import Served

from generic.engine.engine import usable_cores

CLIENTS, SECONDS, ROUNDS, USERS = 8, 6.0, 3, 1000


@contextmanager
def busy() -> Iterator[None]:
    """A process that counts, for each core."""
    counting = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(usable_cores())]
    try:
        yield
    finally:
        for one in counting:
            one.kill()
            one.wait()


def answered(server: Served, fields: dict[str, Any], parameters: dict[str, Any]) -> int:
    """Requests that eight clients had answered in :data:`SECONDS`."""
    end = time.monotonic() + SECONDS

    def ask(_: int) -> int:
        n = 0
        with httpx.Client(base_url=server.url, timeout=60) as http:
            while time.monotonic() < end:
                http.post("/v1/score", params=parameters, data=fields).raise_for_status()
                n += time.monotonic() < end
        return n

    with ThreadPoolExecutor(CLIENTS) as pool:
        return sum(pool.map(ask, range(CLIENTS)))


def measure(place: Path, tree: Path | None) -> dict[str, int]:
    """Requests answered, by what is asked, on cores at rest and on busy ones."""
    server = Served(place, tree=tree)
    sent = server.http.post("/v1/score", data={"user": "user-0"}, files={"image": photo()})
    digest = sent.raise_for_status().json()["images"][0]["sha256"]
    users = [f"user-{number}" for number in range(USERS)]
    asked = {
        "one user with intervals": ({"user": "user-0", "sha256": digest}, {"intervals": True}),
        f"{USERS:,} users": ({"user": users, "sha256": digest}, {}),
    }
    found = {f"{name}, cores at rest": answered(server, *what) for name, what in asked.items()}
    with busy():
        found |= {f"{name}, cores busy": answered(server, *what) for name, what in asked.items()}
    server.stop()
    return found


def main() -> None:
    """Measure and write the result file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--before", type=Path, required=True, help="checkout of the release before")
    options = parser.parse_args()
    trees = {"default": options.before.resolve(), "one thread": None}
    runs: dict[str, list[dict[str, int]]] = {name: [] for name in trees}
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "piaa.db"
        fill(place, USERS, 100)
        for _ in range(ROUNDS):
            for name, tree in trees.items():
                runs[name].append(measure(place, tree))
                tell(f"{name}: {runs[name][-1]}")
    middle = {
        name: {what: median(run[what] for run in found) for what in found[0]} for name, found in runs.items()
    }
    rows = [[what, *(f"{middle[name][what]:.0f}" for name in runs)] for what in middle["default"]]
    heads = [f"requests in {SECONDS:.0f} s", "BLAS as it is", "one BLAS thread"]
    figures = {"runs": runs, "medians": middle, "markdown": table(heads, rows)}
    write_result("busy_cores", "uv run python benchmarks/busy_cores.py --before CHECKOUT", figures)
    tell("\n" + str(figures["markdown"]))


if __name__ == "__main__":
    main()
