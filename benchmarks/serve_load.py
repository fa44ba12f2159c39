"""Photos per second and latency of `piaa serve` under load, beside the network by itself.

    apt-get install wrk
    uv run python benchmarks/serve_load.py

One user on `ridge`, photos of 640 x 480 (noise, which takes longer to decode than a photograph), on loopback;
wrk runs on the same cores. New: each photo sent has a quantisation table of its own, so that its picture is
new, not only its file. Known: a hash of a photo seen before, asked for in JSON. The network by itself:
decoded photos in memory; before and after the server. With `--before TREE`, a checkout of another release,
its server is asked for known photos too, in a form: releases before took no JSON. Each part is kept as it
ends: the same command goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np
from attack import quick_photo
from filled import fill, photo
from record import Steps, table, tell, write_result
from serving import Served

import piaa

AT_ONCE = 64
"""Photos in a call of the network by itself."""
RATED = 10
N_STEPS = 48
"""Of a quantisation table that are changed: enough for every millisecond a number of its own."""
SINGLE, SEVERAL = (1, 8, 64, 512), ((1, 16), (8, 4), (8, 16))
"""Clients with one photo a request, and (clients, photos a request)."""
SCRIPT = """
wrk.method = "POST"
wrk.headers["Content-Type"] = "multipart/form-data; boundary=cut"
local function read(name)
  local file = io.open("%(folder)s/" .. name, "rb")
  local content = file:read("*all")
  file:close()
  return content
end
local user, head, steps, tail, sent = read("user"), read("head"), read("steps"), read("tail"), %(first)d
local function photo()
  sent = sent + 1
  local changed, rest = {}, sent
  for i = 1, #steps do
    changed[i] = string.char(steps:byte(i) + rest %% 2)
    rest = math.floor(rest / 2)
  end
  return head .. table.concat(changed) .. tail .. "\\r\\n"
end
function request()
  local body = {user}
  for i = 1, %(photos)d do
    body[i + 1] = photo()
  end
  return wrk.format(nil, "/v1/score", nil, table.concat(body) .. "--cut--\\r\\n")
end
"""
"""What wrk sends of new photos: the finest steps of the table are one more where a bit of their number is."""
KNOWN = """
wrk.method = "POST"
wrk.headers["Content-Type"] = "%(kind)s"
wrk.body = %(body)s
"""
DONE = """
function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    '\\nRESULT {"answers": %d, "seconds": %f, "refused": %d, "lost": %d, ' ..
    '"p50_ms": %f, "p95_ms": %f, "p99_ms": %f}\\n',
    summary.requests, summary.duration / 1e6, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout,
    latency:percentile(50) / 1e3, latency:percentile(95) / 1e3, latency:percentile(99) / 1e3))
end
"""


def field(name: str, value: bytes, file: str = "") -> bytes:
    """One part of a multipart body, without its end."""
    name += f'"; filename="{file}' if file else ""
    return f'--cut\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'.encode() + value


def load(
    server: Served, folder: Path, part: bytes, clients: int, seconds: int, *, photos: int = 1
) -> dict[str, Any]:
    """What wrk measures of new photos: photos a second, percentiles of a request in ms, errors."""
    table_end = part.index(b"\xff\xdb\x00\x43\x00") + 5 + 64
    (folder / "user").write_bytes(field("user", b"user-0") + b"\r\n")
    (folder / "head").write_bytes(part[: table_end - N_STEPS])
    (folder / "steps").write_bytes(part[table_end - N_STEPS : table_end])
    (folder / "tail").write_bytes(part[table_end:])
    values = {"folder": folder, "photos": photos, "first": time.time_ns() // 10**6}
    return run_wrk(server, folder, SCRIPT % values, clients, seconds, photos=photos)


def load_known(
    server: Served, folder: Path, digest: str, clients: int, seconds: int, *, form: bool = False
) -> dict[str, Any]:
    """The same of a photo that was seen before."""
    kind, body = "application/json", json.dumps({"users": ["user-0"], "sha256": [digest]})
    if form:
        kind, body = "application/x-www-form-urlencoded", urlencode({"user": "user-0", "sha256": digest})
    return run_wrk(server, folder, KNOWN % {"kind": kind, "body": json.dumps(body)}, clients, seconds)


def load_before(tree: Path, folder: Path, seconds: int) -> dict[str, Any]:
    """The same of another release's server, 8 clients; its user is fitted over HTTP."""
    server = Served(folder / "before.db", tree=tree)
    files = [("image", (f"{number}.jpg", quick_photo(number))) for number in range(RATED)]
    rows = [{"image": name, "score": 1 + number % 5} for number, (_, (name, _)) in enumerate(files)]
    user = "/v1/users/user-0"
    server.http.post(f"{user}/ratings", data={"ratings": json.dumps(rows)}, files=files).raise_for_status()
    job = server.http.post(f"{user}/fit", params={"adapter": "ridge"}).raise_for_status().json()["id"]
    while (state := server.http.get(f"/v1/jobs/{job}").json()["state"]) != "done":
        if state == "failed":
            raise RuntimeError("the other release's server did not fit")
        time.sleep(0.1)
    digest = hashlib.sha256(quick_photo(0)).hexdigest()
    found = load_known(server, folder, digest, 8, seconds, form=True)
    server.stop()
    return found


def run_wrk(
    server: Served, folder: Path, script: str, clients: int, seconds: int, *, photos: int = 1
) -> dict[str, Any]:
    """See :func:`load`; with the CPU time of the server's own process a request, in ms."""
    place = folder / "load.lua"
    place.write_text(script + DONE)
    command = ["wrk", "-t1", f"-c{clients}", f"-d{seconds}s", "--timeout", "60s", "-s", str(place)]
    before = server.cpu_s()
    done = subprocess.run(
        [*command, f"{server.url}/v1/score"], capture_output=True, text=True, check=True
    ).stdout
    found: dict[str, Any] = json.loads(done.partition("RESULT ")[2])
    good = found["answers"] - found["refused"]
    cpu = 1000 * (server.cpu_s() - before) / max(1, found["answers"])
    return {"photos_per_s": good * photos / found["seconds"], "cpu_ms": cpu, **found}


def bare(seconds: float) -> float:
    """Photos per second of the engine by itself, in a process of its own."""
    command = [sys.executable, __file__, "--engine", str(seconds)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return float(done.stdout)


def engine(seconds: float) -> float:
    """As :func:`bare`, in this process."""
    model = piaa.load_model("piaa-lite", cache=False).generic
    pixels = np.zeros((AT_ONCE, model.size, model.size, 3), np.uint8)
    model.vectors(pixels)
    n, started = 0, time.perf_counter()
    while time.perf_counter() - started < seconds:
        model.vectors(pixels)
        n += AT_ONCE
    return n / (time.perf_counter() - started)


def markdown(figures: dict[str, Any]) -> str:
    """The table of the page."""

    def row(name: str, run: dict[str, Any]) -> list[str]:
        times = " / ".join(f"{run[f'p{q}_ms']:.0f}" for q in (50, 95, 99))
        return [name, f"{run['photos_per_s']:.0f}", times, f"{run['refused'] + run['lost']}"]

    runs, before = figures["runs"], figures["release_before"]
    rows = [row(f"{n} clients, new photos", runs[f"new {n} x 1"]) for n in SINGLE]
    rows += [row(f"{n} clients, {k} new photos a request", runs[f"new {n} x {k}"]) for n, k in SEVERAL]
    rows += [row(f"{n} clients, known photos", runs[f"known {n} x 1"]) for n in SINGLE]
    if before:
        rows.append(row("8 clients, known photos, the release before", before))
    return (
        table(["", "photos a second", "a request, p50 / p95 / p99 ms", "refused or lost"], rows)
        + f"\n\nThe engine by itself: {figures['bare_per_s']:.1f} photos a second. With 8 clients and new "
        f"photos the server reaches {figures['share_of_bare']:.2f} of its rate. A known photo takes "
        f"{runs['known 8 x 1']['cpu_ms']:.2f} ms of the server's computing at 8 clients."
    )


def measure(folder: Path, seconds: int, tree: Path | None) -> dict[str, Any]:
    """All runs on one server, the engine by itself before and after."""
    fill(folder / "piaa.db", 1, 0)
    steps = Steps("serve_load", {"seconds": seconds})
    earlier = steps.do("release before", partial(load_before, tree, folder, seconds)) if tree else None
    before = steps.do("engine before", lambda: bare(seconds))
    server = Served(folder / "piaa.db")
    sent = server.http.post("/v1/score", data={"user": "user-0"}, files={"image": photo()})
    digest = sent.raise_for_status().json()["images"][0]["sha256"]
    new = field("image", photo(), "a.jpg")
    runs: dict[str, dict[str, Any]] = {}
    for clients, photos in (*((n, 1) for n in SINGLE), *SEVERAL):
        name = f"new {clients} x {photos}"
        runs[name] = steps.do(name, partial(load, server, folder, new, clients, seconds, photos=photos))
    for clients in SINGLE:
        name = f"known {clients} x 1"
        runs[name] = steps.do(name, partial(load_known, server, folder, digest, clients, seconds))
    memory = server.memory() / 1e6
    server.stop()
    after = steps.do("engine after", lambda: bare(seconds))
    steps.end()
    rate = (before + after) / 2
    return {
        "bare_per_s": rate,
        "bare_before_and_after": [before, after],
        "runs": runs,
        "release_before": earlier,
        "memory_MB": memory,
        "share_of_bare": runs["new 8 x 1"]["photos_per_s"] / rate,
    }


def main() -> None:
    """Measure and write the result file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--before", type=Path, help="a checkout of another release")
    parser.add_argument("--engine", type=float, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.engine:
        print(engine(options.engine))
        return
    seconds = options.seconds
    with tempfile.TemporaryDirectory() as name:
        figures = measure(Path(name), seconds, options.before)
    figures["markdown"] = markdown(figures)
    command = f"uv run python benchmarks/serve_load.py --seconds {seconds}" + " --before TREE" * bool(
        options.before
    )
    write_result("serve_load", command, figures)
    tell("\n" + str(figures["markdown"]))


if __name__ == "__main__":
    main()
