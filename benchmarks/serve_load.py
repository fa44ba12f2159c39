"""Photos per second and latency of `piaa serve` under load, beside the network by itself.

    apt-get install wrk
    uv run python benchmarks/serve_load.py

One user on `ridge`, one photo of 640 x 480 a request, on loopback; wrk runs on the same cores. Uncached: each
request's photo ends in other bytes, so that its content hash is new. Cached: a hash of a photo seen before.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from record import table, tell, write_result
from serve_users import fill, photo
from serving import Served

import piaa
from generic.model import BATCH

CLIENTS = (1, 8, 64)
MILLISECONDS = {"us": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4}
SCRIPT = """
wrk.method = "POST"
wrk.headers["Content-Type"] = "multipart/form-data; boundary=cut"
local file = io.open("%(body)s", "rb")
local body = file:read("*all")
file:close()
local thread = 0
function setup(t) t:set("number", thread); thread = thread + 1 end
local sent = 0
function request()
  sent = sent + 1
  local fresh = %(fresh)s and string.format("%%d-%(run)s-%%d", number, sent) or ""
  return wrk.format(nil, "/v1/score", nil, body .. fresh .. "\\r\\n--cut--\\r\\n")
end
"""


def field(name: str, value: bytes, file: str = "") -> bytes:
    """One part of a multipart body, without its end."""
    name += f'"; filename="{file}' if file else ""
    return f'--cut\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'.encode() + value


def load(
    server: Served, folder: Path, last: bytes, clients: int, seconds: int, *, fresh: bool
) -> dict[str, Any]:
    """What wrk measures: requests a second, percentiles in ms, errors."""
    body = folder / "body"
    body.write_bytes(field("user", b"user-0") + b"\r\n" + last)
    script = folder / "load.lua"
    values = {"body": body, "fresh": str(fresh).lower(), "run": f"{clients}"}
    script.write_text(SCRIPT % values)
    command = [
        "wrk",
        "-t1",
        f"-c{clients}",
        f"-d{seconds}s",
        "--timeout",
        "60s",
        "--latency",
        "-s",
        str(script),
    ]
    done = subprocess.run([*command, server.url], capture_output=True, text=True, check=True).stdout
    percentiles = dict(re.findall(r"(50|99)%\s+(\S+)", done))
    rate = re.search(r"Requests/sec:\s+(\S+)", done)
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", done)
    lost = re.search(r"Socket errors: (.*)", done)
    return {
        "per_s": float(rate[1]) if rate else 0.0,
        **{f"p{q}_ms": milliseconds(text) for q, text in percentiles.items()},
        "refused": int(bad[1]) if bad else 0,
        "socket_errors": lost[1] if lost else "",
    }


def milliseconds(text: str) -> float:
    """Of wrk's 12.34ms, 1.20s or 900.00us."""
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s|m)", text).groups()  # type: ignore[union-attr]
    return float(number) * MILLISECONDS[unit]


def bare(seconds: float) -> float:
    """Photos per second of the network in full batches, decoded photos in memory."""
    model = piaa.load_model("piaa-lite", cache=False).generic
    pixels = np.zeros((BATCH, model.size, model.size, 3), np.uint8)
    model.forward(pixels)
    started, n = time.perf_counter(), 0
    while time.perf_counter() - started < seconds:
        model.forward(pixels)
        n += BATCH
    return n / (time.perf_counter() - started)


def markdown(figures: dict[str, Any]) -> str:
    """The table of the page."""
    rows = [
        [f"{clients}, {name}", *(f"{run[kind][key]:.0f}" for key in ("per_s", "p50_ms", "p99_ms", "refused"))]
        for kind, name in (("uncached", "new images"), ("cached", "known images"))
        for clients, run in figures["clients"].items()
    ]
    before, after = figures["bare_network_per_s"]
    return (
        table(["clients", "answers a second", "p50 ms", "p99 ms", "refused"], rows)
        + f"\n\nThe network by itself, in batches of {BATCH}: {before:.0f} photos a second before "
        f"and {after:.0f} after; with 8 clients and new images the server reaches "
        f"{figures['share_of_bare_at_8']:.2f} of the mean."
    )


def main() -> None:
    """Measure and write the result file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seconds", type=int, default=10)
    seconds = parser.parse_args().seconds
    runs: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        fill(folder / "piaa.db", 1, 0)
        before = bare(seconds)
        server = Served(folder / "piaa.db")
        sent = server.http.post("/v1/score", data={"user": "user-0"}, files={"image": photo()})
        digest = sent.raise_for_status().json()["images"][0]["sha256"]
        for clients in CLIENTS:
            fresh = load(server, folder, field("image", photo(), "a.jpg"), clients, seconds, fresh=True)
            known = load(server, folder, field("sha256", digest.encode()), clients, seconds, fresh=False)
            runs[str(clients)] = {"uncached": fresh, "cached": known, "memory_MB": server.memory() / 1e6}
            tell(json.dumps(runs[str(clients)]))
        server.stop()
        after = bare(seconds)
    rates = [before, after]
    share = runs["8"]["uncached"]["per_s"] / float(np.mean(rates))
    figures = {"bare_network_per_s": rates, "clients": runs, "share_of_bare_at_8": share}
    figures["markdown"] = markdown(figures)
    write_result("serve_load", f"uv run python benchmarks/serve_load.py --seconds {seconds}", figures)
    tell("\n" + str(figures["markdown"]))


if __name__ == "__main__":
    main()
