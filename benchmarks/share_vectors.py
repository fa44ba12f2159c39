"""What it costs to share photos through a store: processor time and waiting, in a file and in PostgreSQL.

    .ci/postgres uv run python benchmarks/share_vectors.py

One photo a transaction, as a lone client has it; of requests that come together there are fewer.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from record import table, tell, write_result

from generic.cache.contents import Content
from generic.seeds import stream
from piaa.store.place import open_database
from piaa.store.sent import Sent, SentStore

N, WIDTH, NETWORK, MANY = 500, 129, "a" * 64, 30_000


def photo(number: int) -> Sent:
    """A file, and a vector as wide as those of the first models."""
    digest = hashlib.sha256(str(number).encode()).hexdigest()
    vector = stream(0, "share", str(number)).standard_normal(WIDTH).astype(np.float32)
    return Sent(content=Content(digest, digest), owner="", vector=vector)


def cost(call: Callable[[Sent], object], photos: list[Sent]) -> dict[str, float]:
    """Of one call: milliseconds of this process, and until it is done."""
    times, cpu = [], time.process_time()
    for one in photos:
        started = time.perf_counter()
        call(one)
        times.append(time.perf_counter() - started)
    return {
        "cpu_ms": 1000 * (time.process_time() - cpu) / len(photos),
        "p50_ms": 1000 * float(np.median(times)),
    }


def measure(place: str) -> dict[str, Any]:
    """Of one store."""
    database = open_database(place, connections=4)
    sent, photos = SentStore(database), [photo(number) for number in range(N)]
    found: dict[str, Any] = {
        "keep": cost(lambda one: sent.keep([one], NETWORK), photos),
        "find": cost(lambda one: sent.find([one.content.sha256], NETWORK), photos),
    }
    for start in range(N, MANY, N):
        sent.keep([photo(number) for number in range(start, start + N)], NETWORK)
    started = time.perf_counter()
    sent.trim(0, 0.0)
    found["forget_s"] = time.perf_counter() - started
    database.close()
    return found


def markdown(rows: dict[str, dict[str, Any]]) -> str:
    """The table of the page."""
    names = {"keep": "share a photo", "find": "look one up"}
    lines = [
        [name, *(f"{one[key]['cpu_ms']:.2f} / {one[key]['p50_ms']:.1f}" for one in rows.values())]
        for key, name in names.items()
    ]
    lines.append([f"forget {MANY:,}, s", *(f"{one['forget_s']:.1f}" for one in rows.values())])
    return table(["processor time / until done, ms", *rows], lines)


def main() -> None:
    """Measure and write the result file."""
    with tempfile.TemporaryDirectory() as folder:
        rows = {"file": measure(str(Path(folder) / "piaa.db"))}
    rows["PostgreSQL"] = measure(os.environ["PIAA_TEST_POSTGRES_URL"])
    command = ".ci/postgres uv run python benchmarks/share_vectors.py"
    write_result("share_vectors", command, {"rows": rows, "markdown": markdown(rows)})
    tell(markdown(rows))


if __name__ == "__main__":
    main()
