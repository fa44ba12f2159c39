"""Memory of `piaa serve` over ten minutes of new photos.

    apt-get install wrk
    uv run python benchmarks/serve_memory.py

As in `serve_load.py`: eight clients, one new photo a request. Vectors are remembered up to 128 MiB, which ten
minutes do not fill: the growth that they explain is counted apart.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from filled import fill, photo
from record import tell, write_result
from serve_load import field, load
from serving import Served

import piaa

CLIENTS, SLICE_S = 8, 30
ENTRY_BYTES = 500
"""Python's own bytes for a remembered vector: its hash as text, array objects, dictionary entries."""


def measure(folder: Path, minutes: float) -> dict[str, Any]:
    """Memory after every slice of load."""
    fill(folder / "piaa.db", 1, 0)
    server = Served(folder / "piaa.db")  # one process from start to end: this cannot go on after a stop
    part = field("image", photo(), "a.jpg")
    answers, memory, refused = [], [], 0
    for number in range(round(minutes * 60 / SLICE_S)):
        run = load(server, folder, part, CLIENTS, SLICE_S)
        answers.append(run["answers"])
        refused += run["refused"] + run["lost"]
        memory.append(server.memory() / 1e6)
        tell(f"{(number + 1) * SLICE_S} s: {sum(answers)} photos, {memory[-1]:.0f} MB")
    server.stop()
    model = piaa.load_model("piaa-lite", cache=False).generic
    vector = model.vectors(np.zeros((1, model.size, model.size, 3), np.uint8)).nbytes
    later = sum(answers[2:])
    return {
        "minutes": minutes,
        "photos": sum(answers),
        "refused_or_lost": refused,
        "memory_MB": memory,
        "growth_MB": memory[-1] - memory[1],
        "remembered_MB": later * (vector + ENTRY_BYTES) / 1e6,
        "spread_MB": float(np.ptp(memory[1:])),
    }


def main() -> None:
    """Measure and write the result file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10)
    minutes = parser.parse_args().minutes
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(Path(folder), minutes)
    first, last = figures["memory_MB"][1], figures["memory_MB"][-1]
    figures["markdown"] = (
        f"{figures['photos']:,} new photos from {CLIENTS} clients in {minutes:g} minutes: "
        f"{first:.0f} MB after one minute, {last:.0f} MB at the end, between them never apart by more than "
        f"{figures['spread_MB']:.0f} MB. The vectors remembered since the first minute are "
        f"{figures['remembered_MB']:.0f} MB of it; they are kept up to 128 MiB."
    )
    write_result("serve_memory", f"uv run python benchmarks/serve_memory.py --minutes {minutes:g}", figures)
    tell("\n" + str(figures["markdown"]))


if __name__ == "__main__":
    main()
