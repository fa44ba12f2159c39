"""Many users: one image for 10,000 of them, and 100,000 in the store against 100.

    uv run python benchmarks/serve_users.py

A real server (`piaa serve`, a SQLite file, piaa-lite), asked over HTTP on loopback. Users are made from a few
fits on random vectors, each moved a little so that no two are the same: 10,000 `auto` on 10 ratings, the
others `ridge`.
"""

from __future__ import annotations

import argparse
import io
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from record import table, tell, write_result
from safetensors.numpy import save as pack
from serving import Served

import piaa
from generic.seeds import stream
from piaa.adapters.prior import Prior
from piaa.adapters.registry import make_adapter
from piaa.store.learned_from import learned_from
from piaa.store.place import open_database
from piaa.store.records import AdapterRecord
from piaa.store.versions import add_version, user_id

RATINGS = 10
SEEDS = 50
ASKED = 100


def fill(place: Path, n: int, n_auto: int) -> None:
    """A store of n users, the first n_auto of them `auto`."""
    model = piaa.load_model("piaa-lite", cache=False)
    draw, d, prior = stream(0, "serve", "users"), model.prior.n_directions, model.prior
    bases = {name: seeds(name, prior, draw, d) for name in ("auto", "ridge")}
    database, nothing = open_database(place), learned_from([], [])
    for start in range(0, n, 2000):
        with database.writing() as sql:
            for number in range(start, min(n, start + 2000)):
                name = "auto" if number < n_auto else "ridge"
                state = dict(bases[name][number % SEEDS])
                moved = "mean" if name == "auto" else "weights"
                state[moved] = state[moved] + draw.normal(0, 1e-3, state[moved].shape)
                form = make_adapter(name, prior).restore(state).linear_form()
                record = AdapterRecord(
                    adapter=name,
                    model_name=model.generic.name,
                    model_hash=model.generic.hash,
                    scale_low=1,
                    scale_high=5,
                    state=pack({key: np.ascontiguousarray(value) for key, value in state.items()}),
                )
                add_version(sql, user_id(sql, f"user-{number}"), record, nothing, form.pack())
        tell(f"{min(n, start + 2000)} users")
    database.close()


def seeds(name: str, prior: Prior | None, draw: np.random.Generator, d: int) -> list[dict[str, Any]]:
    """A few fits on random vectors."""
    return [
        make_adapter(name, prior)
        .fit(draw.normal(0.5, 0.2, (RATINGS, 1 + d)).astype(np.float32), draw.uniform(size=RATINGS))
        .state()
        for _ in range(SEEDS)
    ]


def photo() -> bytes:
    """A JPEG of 640 x 480."""
    pixels = stream(0, "serve", "photo").integers(0, 256, (480, 640, 3), np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "JPEG")
    return out.getvalue()


def timed(server: Served, users: list[str], digest: str) -> float:
    """Seconds of one scoring request."""
    started = time.perf_counter()
    answer = server.http.post("/v1/score", json={"users": users, "sha256": [digest]})
    seconds = time.perf_counter() - started
    answer.raise_for_status()
    if len(answer.json()["users"]) != len(users):
        raise RuntimeError(answer.text)
    return seconds


def single(server: Served, users: list[str], digest: str) -> dict[str, float]:
    """Latency of one image for one user, each user once, in milliseconds."""
    times = [timed(server, [user], digest) * 1000 for user in users]
    return {f"p{q}": float(np.percentile(times, q)) for q in (50, 95)}


def measure(place: Path, n: int, many: int) -> dict[str, Any]:
    """Start, memory and latency with a store of n users."""
    server = Served(place)
    sent = {"image": ("photo.jpg", photo())}
    first = server.http.post("/v1/score", data={"user": "user-0"}, files=sent)
    first.raise_for_status()
    digest = first.json()["images"][0]["sha256"]
    spread = [f"user-{i}" for i in np.linspace(0, n - 1, ASKED).astype(int)]
    found: dict[str, Any] = {
        "users": n,
        "start_s": server.start_s,
        "store_MB": place.stat().st_size / 1e6,
        "memory_MB": server.memory() / 1e6,
        "one_user_first_ms": single(server, spread, digest),
        "one_user_ms": single(server, spread, digest),
    }
    if many:
        names = [f"user-{i}" for i in range(many)]
        cold, warm = timed(server, names, digest), [timed(server, names, digest) for _ in range(5)]
        alone = [timed(server, [name], digest) for name in names[:ASKED]]
        found |= {
            "many": many,
            "many_first_s": cold,
            "many_s": float(np.median(warm)),
            "one_by_one_s": float(np.mean(alone)) * many,
            "memory_after_MB": server.memory() / 1e6,
        }
        found["ratio"] = found["one_by_one_s"] / found["many_s"]
    server.stop()
    return found


def markdown(few: dict[str, Any], lots: dict[str, Any]) -> str:
    """The tables of the page."""

    def row(name: str, key: str, form: str = "{:.0f}") -> list[str]:
        return [name, *(form.format(one[key]) for one in (few, lots))]

    def ms(name: str, key: str) -> list[str]:
        return [name, *(f"{one[key]['p50']:.1f} / {one[key]['p95']:.1f}" for one in (few, lots))]

    stores = table(
        ["", *(f"{one['users']:,} users" for one in (few, lots))],
        [
            row("store, MB", "store_MB"),
            row("start until it listens, s", "start_s"),
            row("memory, MB", "memory_MB"),
            ms(
                f"a known image, {ASKED} users in turn, first time, p50 / p95 ms",
                "one_user_first_ms",
            ),
            ms("the same users again, p50 / p95 ms", "one_user_ms"),
        ],
    )
    many = (
        f"One known image for {lots['many']:,} `auto` users in one request: {lots['many_first_s']:.2f} s "
        f"for the first time, then {lots['many_s']:.2f} s. One request a user "
        f"takes {lots['one_by_one_s']:.0f} s "
        f"({ASKED} requests measured, times {lots['many'] // ASKED}), {lots['ratio']:.0f} times as "
        f"long; memory is {lots['memory_after_MB']:.0f} MB after it."
    )
    return f"{stores}\n\n{many}"


def main() -> None:
    """Measure and write the result file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--users", type=int, default=100_000)
    parser.add_argument("--many", type=int, default=10_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        few, lots = Path(folder) / "few.db", Path(folder) / "lots.db"
        fill(few, 100, 10)
        fill(lots, options.users, options.many)
        result = {"few": measure(few, 100, 0), "lots": measure(lots, options.users, options.many)}
    command = f"uv run python benchmarks/serve_users.py --users {options.users} --many {options.many}"
    write_result("serve_users", command, {**result, "markdown": markdown(**result)})
    tell(markdown(**result))


if __name__ == "__main__":
    main()
