"""One known image for 10,000 users in one request: CPU seconds of the server, now and before.

    git worktree add ../piaa-before REVISION
    uv run python benchmarks/serve_many.py --before ../piaa-before

A real server (`piaa serve`, a SQLite file, piaa-lite), asked over HTTP on loopback; users as in
`filled.py`, `auto` on 10 ratings. Processor time, not time on the clock: other programs may run.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from filled import fill, photo
from record import table, tell, write_result
from serving import Served

TIMES = 9


def cpu(server: Served) -> float:
    """Seconds of processor time that the server has taken."""
    fields = Path(f"/proc/{server.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def asked(server: Served, users: list[str], **request: Any) -> dict[str, float]:
    """CPU seconds of one request, the first one and the median of those after it."""
    seconds = []
    for _ in range(TIMES):
        before = cpu(server)
        answer = server.http.post("/v1/score", **request)
        seconds.append(cpu(server) - before)
        answer.raise_for_status()
        if len(answer.json()["users"]) != len(users):
            raise RuntimeError(answer.text[:500])
    return {"first_s": seconds[0], "then_s": float(np.median(seconds[1:]))}


def measure(place: Path, n: int, tree: Path | None, *, linear: bool) -> dict[str, Any]:
    """Every way to ask, of one server."""
    server, users = Served(place, tree=tree), [f"user-{i}" for i in range(n)]
    sent = {"image": ("photo.jpg", photo())}
    first = server.http.post("/v1/score", data={"user": "user-0"}, files=sent)
    first.raise_for_status()
    digest = first.json()["images"][0]["sha256"]
    known = {"users": users, "sha256": [digest]}
    found = {"JSON": asked(server, users, json=known)}
    if linear:
        found["JSON, exact=false"] = asked(server, users, json={**known, "exact": False})
    found["a form"] = asked(server, users, data={"user": users, "sha256": digest})
    memory = server.memory() / 1e6
    server.stop()
    return {"asked": found, "memory_MB": memory}


def markdown(now: dict[str, Any], before: dict[str, Any] | None) -> str:
    """The table of the page."""
    head = ["asked in", "before", "now"]
    rows = []
    for name, one in now["asked"].items():
        old = before["asked"].get(name) if before else None
        rows.append([name, *(f"{x['first_s']:.2f} / {x['then_s']:.2f}" if x else "" for x in (old, one))])
    rows.append(["memory, MB", *(f"{x['memory_MB']:.0f}" if x else "" for x in (before, now))])
    return table(head, rows)


def main() -> None:
    """Measure and write the result file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--users", type=int, default=10_000)
    parser.add_argument("--before", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "piaa.db"
        fill(place, options.users, options.users)
        before = options.before and measure(place, options.users, options.before, linear=False)
        now = measure(place, options.users, None, linear=True)
    result = {"users": options.users, "before": before, "now": now, "markdown": markdown(now, before)}
    write_result("serve_many", "uv run python benchmarks/serve_many.py --before ../piaa-before", result)
    tell(result["markdown"])


if __name__ == "__main__":
    main()
