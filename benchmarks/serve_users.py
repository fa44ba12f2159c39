"""A server with a store of a million users, or of a hundred thousand, against the same one with a hundred.

    uv run python benchmarks/serve_users.py --store users.db --users 100000
    uv run python benchmarks/serve_users.py --store postgresql://... --users 1000000

A real server (`piaa serve`, piaa-lite), asked over HTTP on loopback, one request at a time. Who is in the
store: filled.py. A store, empty at first, is measured with its first hundred users and then filled further,
which takes far longer than measuring: with --minutes it stops then, and the same command goes on where it was
stopped. Who was erased is filled in again.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from filled import RATINGS, fill, photo
from record import Steps, table, tell, write_result
from serving import Served
from store_migration import size_of

from generic.seeds import stream
from piaa.store.place import open_database
from piaa.store.tidying import Retention, TidyStore

FEW, ASKED, GONE = 100, 1000, 5
"""Users at first; requests that are timed; the last users, who are exported and erased."""
PAGE = 1000


def measure(place: Path | str, n: int) -> dict[str, Any]:
    """All that is asked of a store of n users."""
    found: dict[str, Any] = {"users": n, "store_bytes": size_of(place), "tidy_s": tidied(place)}
    server = Served(place)
    found |= {"start_s": server.start_s, "start_cpu_s": server.cpu_s(), "memory_MB": server.memory() / 1e6}
    sent = server.http.post("/v1/score", data={"user": "user-0"}, files={"image": photo()})
    digest = sent.raise_for_status().json()["images"][0]["sha256"]
    drawn = stream(0, "serve", "users", n).integers(n - GONE, size=ASKED)
    asked = [f"user-{number}" for number in drawn]
    found["first_ms"] = scored(server.http, asked, digest)
    found["again_ms"] = scored(server.http, asked, digest)
    found["unknown_ms"] = scored(server.http, [f"nobody-{number}" for number in drawn], digest)
    found["pages"] = paged(server.http)
    last = [f"/v1/users/user-{number}" for number in range(n - GONE, n)]
    exports = [timed(lambda one=one: server.http.get(f"{one}/export")) for one in last]
    found["export_ms"] = [seconds * 1000 for seconds, _ in exports]
    found["export_bytes"] = len(exports[0][1].content)
    # The last one first: whatever ends this, those who are gone are filled in again.
    found["erase_ms"] = [timed(lambda one=one: server.http.delete(one))[0] * 1000 for one in last[::-1]]
    found |= {"memory_after_MB": server.memory() / 1e6, "cpu_s": server.cpu_s()}
    server.stop()
    return found


def timed(ask: Callable[[], httpx.Response]) -> tuple[float, httpx.Response]:
    """Seconds of a request, and its answer, which is no refusal."""
    started = time.perf_counter()
    answer = ask()
    return time.perf_counter() - started, answer.raise_for_status()


def scored(http: httpx.Client, users: Sequence[str], digest: str) -> dict[str, float]:
    """Milliseconds of a score of one known photo for one user, over these users in turn."""

    def ask(user: str) -> httpx.Response:
        return http.post("/v1/score", json={"users": [user], "sha256": [digest], "fallback": "generic"})

    times = [1000 * timed(lambda user=user: ask(user))[0] for user in users]
    return {f"p{q}": float(np.percentile(times, q)) for q in (50, 99)}


def paged(http: httpx.Client) -> dict[str, float]:
    """All users, a page after the other."""
    after: int | None = 0
    times, n = [], 0
    while after is not None:
        where = {"after": after, "n": PAGE}
        seconds, answer = timed(lambda where=where: http.get("/v1/users", params=where))
        page = answer.json()
        times.append(seconds)
        n, after = n + len(page["users"]), page["next"]
    return {"n": len(times), "users": n, "seconds": sum(times), "slowest_ms": 1000 * max(times)}


def tidied(place: Path | str) -> float:
    """Seconds that it takes to look for what need not be kept, of which there is nothing."""
    database = open_database(place)
    store, started = TidyStore(database), time.perf_counter()
    store.due(0)  # so that the server does not do it within this hour
    gone = store.tidy(Retention())
    database.close()
    if any(gone.__dict__.values()):
        raise RuntimeError(f"nothing was to be tidied, but gone are {gone}")
    return time.perf_counter() - started


def markdown(few: dict[str, Any], lots: dict[str, Any], adapter: str) -> str:
    """The table of the page."""
    both = (few, lots)

    def row(name: str, of: Callable[[dict[str, Any]], float], form: str) -> list[str]:
        return [name, *(format(of(one), form) for one in both)]

    def ms(name: str, key: str) -> list[str]:
        return [name, *(f"{one[key]['p50']:.1f} / {one[key]['p99']:.1f}" for one in both)]

    rows = [
        row("store, MB", lambda one: one["store_bytes"] / 1e6, ",.0f"),
        row("start until it listens, s", lambda one: one["start_s"], ".1f"),
        row("memory then, MB", lambda one: one["memory_MB"], ".0f"),
        row("memory after all that follows, MB", lambda one: one["memory_after_MB"], ".0f"),
        ms(f"a known photo, {ASKED:,} users drawn, p50 / p99 ms", "first_ms"),
        ms("the same users again, p50 / p99 ms", "again_ms"),
        ms("users who are not there (`fallback=generic`), p50 / p99 ms", "unknown_ms"),
        row(f"all users, {PAGE:,} a page, s", lambda one: one["pages"]["seconds"], ".2f"),
        row("pages", lambda one: one["pages"]["n"], ",.0f"),
        row("the slowest page, ms", lambda one: one["pages"]["slowest_ms"], ".0f"),
        row("export of one user, ms", lambda one: float(np.median(one["export_ms"])), ".0f"),
        row("erasure of one user, ms", lambda one: float(np.median(one["erase_ms"])), ".0f"),
        row("`piaa tidy`, nothing to do, s", lambda one: one["tidy_s"], ".1f"),
    ]
    a_user = (lots["store_bytes"] - few["store_bytes"]) / (lots["users"] - few["users"])
    return (
        table(["", *(f"{one['users']:,} users" for one in both)], rows)
        + f"\n\nA user with {RATINGS} ratings and a version by `{adapter}` takes {a_user / 1000:.1f} kB "
        f"of the store; her export is {lots['export_bytes'] / 1000:.0f} kB."
    )


def main() -> None:
    """Fill, measure and write the result file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--store", required=True, help="file or PostgreSQL URL, empty at first")
    parser.add_argument("--users", type=int, default=100_000)
    parser.add_argument("--adapter", default="ridge", help="by which they learn, which decides the size")
    parser.add_argument("--minutes", type=float, default=math.inf, help="stop filling after these")
    options = parser.parse_args()
    end = time.monotonic() + 60 * options.minutes
    database = "://" in options.store
    place = options.store if database else Path(options.store)
    name = "serve_users_postgres" if database else "serve_users"
    steps = Steps(name, {"store": options.store, "users": options.users, "adapter": options.adapter})

    def first() -> dict[str, Any]:
        if fill(place, FEW, other=options.adapter) > FEW:
            raise RuntimeError(f"the store has more than {FEW} users already; start with an empty one")
        return measure(place, FEW)

    few = steps.do("few", first)
    if fill(place, options.users, other=options.adapter, end=end) < options.users:
        tell("not filled yet; the same command goes on")
        return
    lots = steps.do("lots", lambda: measure(place, options.users))
    text = markdown(few, lots, options.adapter)
    where = "$PIAA_TEST_POSTGRES_URL" if database else "users.db"
    command = f"uv run python benchmarks/serve_users.py --store {where} --users {options.users}"
    command += f" --adapter {options.adapter}"
    write_result(name, command, {"few": few, "lots": lots, "markdown": text})
    steps.end()
    tell(text)


if __name__ == "__main__":
    main()
