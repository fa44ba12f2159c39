"""How long ten honest users wait beside a hostile one, and without her.

    uv run python benchmarks/honest.py --seconds 300

Ten clients with keys of their own ask twice a second, three times of four for a photo seen before and else
for a new one. Mallory, with a key of her own, meanwhile sends slow photos, eight at a time, asks for fits of
2,000 ratings, and opens connections on which she dribbles. She would be on another machine, so her client is
a process of its own that gives way to all others. Each half is on a server of its own, and kept as it ends:
the same command goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import multiprocessing
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from attack import FILL, GENERIC, ROOT, Attacked, form, quick_photo, slow_photo
from record import Steps, table, tell, write_result

from piaa.store.keys import KeyStore
from piaa.store.place import open_database

N_HONEST, EVERY_S, N_SLOW, N_DRIBBLING = 10, 0.5, 8, 200


class Honest(threading.Thread):
    """One user's client.

    Args:
        server: that it asks.
        number: of the client.
        secret: its key.
        end: until when, by the monotonic clock.
    """

    def __init__(self, server: Attacked, number: int, secret: str, end: float) -> None:
        super().__init__(daemon=True)
        self._url, self._number, self._end = f"http://{server.host}:{server.port}", number, end
        self._headers = {"Authorization": f"Bearer {secret}"}
        self.waits: dict[str, list[float]] = {"known": [], "new": []}
        self.statuses: Counter[str] = Counter()

    def run(self) -> None:
        """Ask twice a second until the end, from a moment of its own on."""
        user, photo = f"honest-{self._number}", quick_photo(1000 + self._number)
        known = {"users": [user], "sha256": [hashlib.sha256(photo).hexdigest()], "fallback": "generic"}
        with httpx.Client(base_url=self._url, headers=self._headers, timeout=120) as http:
            http.post("/v1/score", params=GENERIC, data={"user": user}, files={"image": photo})
            due, n = time.monotonic() + EVERY_S * self._number / N_HONEST, 0
            while due < self._end:
                time.sleep(max(0.0, due - time.monotonic()))
                n, started = n + 1, time.perf_counter()
                if n % 4:
                    answer = http.post("/v1/score", json=known)
                else:
                    new = {"image": quick_photo(10_000 * (1 + self._number) + n)}
                    answer = http.post("/v1/score", params=GENERIC, data={"user": user}, files=new)
                self.waits["known" if n % 4 else "new"].append(time.perf_counter() - started)
                self.statuses[str(answer.status_code)] += 1
                due += EVERY_S


@contextlib.contextmanager
def hostile(server: Attacked, folder: Path) -> Iterator[None]:
    """All that mallory does, until the block ends."""
    fill = [sys.executable, "-c", FILL, str(server.place)]
    subprocess.run(
        fill, cwd=server.tree, env=server.environment, check=True, stdout=(folder / "fill").open("w")
    )
    apart = multiprocessing.get_context("fork").Process(target=mallory, args=(server,), daemon=True)
    apart.start()
    time.sleep(2)
    yield
    apart.kill()
    apart.join()


def mallory(server: Attacked) -> None:
    """All of it at once, until the process ends."""
    os.nice(19)
    acts: list[Callable[[], None]] = [partial(slow, server, number) for number in range(N_SLOW)]
    acts += [partial(fits, server), partial(dribble, server)]
    threads = [threading.Thread(target=act) for act in acts]
    for one in threads:
        one.start()


def slow(server: Attacked, number: int) -> None:
    """One slow photo after the other, each another one."""
    photo, n = slow_photo(), 0
    with server.http("mallory", timeout=30) as http:
        while True:
            n += 1
            body, kind = form("mallory", "slow.jpg", photo + b"%d-%d" % (number, n))
            with contextlib.suppress(httpx.TransportError):
                http.post("/v1/score", params=GENERIC, content=body, headers={"Content-Type": kind})


def fits(server: Attacked) -> None:
    """Fits to 2,000 ratings, asked for again and again."""
    with server.http("mallory", timeout=30) as http:
        while True:
            time.sleep(0.5)
            for adapter in ("auto", "bayes", "neighbours"):
                with contextlib.suppress(httpx.TransportError):
                    http.post("/v1/users/mallory/fit", params={"adapter": adapter})


def dribble(server: Attacked) -> None:
    """Heads of requests, a byte a second on each of many connections."""
    connections: list[Any] = []
    while True:
        time.sleep(1)
        while len(connections) < N_DRIBBLING:
            with contextlib.suppress(OSError):
                connections.append(server.connect())
                connections[-1].sendall(b"GET /health HTTP/1.1\r\nX: ")
        for one in list(connections):
            try:
                one.sendall(b"x")
            except OSError:
                connections.remove(one)
                one.close()


def half(seconds: float, *, beside: bool) -> dict[str, Any]:
    """Waits of the honest ones, in ms, with mallory beside them or without."""
    with tempfile.TemporaryDirectory() as name:
        server = Attacked(ROOT, Path(name))
        try:
            database = open_database(server.place)
            keys = [KeyStore(database).create_key("user", f"honest-{n}")[1] for n in range(N_HONEST)]
            database.close()
            with hostile(server, Path(name)) if beside else contextlib.nullcontext():
                end = time.monotonic() + seconds
                clients = [Honest(server, number, key, end) for number, key in enumerate(keys)]
                for one in clients:
                    one.start()
                for one in clients:
                    one.join()
        finally:
            server.process.kill()
            server.process.wait()
    statuses: Counter[str] = Counter()
    for one in clients:
        statuses.update(one.statuses)
    found: dict[str, Any] = {"statuses": dict(statuses)}
    for kind in ("known", "new"):
        waits = 1000 * np.array([wait for one in clients for wait in one.waits[kind]])
        found[kind] = {f"p{q}": float(np.percentile(waits, q)) for q in (50, 95, 99)}
    return found


def main() -> None:
    """Measure and write the result file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seconds", type=float, default=300, help="of each half")
    seconds = parser.parse_args().seconds
    steps = Steps("honest", {"seconds": seconds})
    alone = steps.do("alone", lambda: half(seconds, beside=False))
    beside = steps.do("beside", lambda: half(seconds, beside=True))
    rows = []
    for kind, words in (("known", "a photo seen before"), ("new", "a new photo")):
        cells = [" / ".join(f"{one[kind][f'p{q}']:.0f}" for q in (50, 95, 99)) for one in (alone, beside)]
        rows.append([words, *cells, f"{beside[kind]['p99'] / alone[kind]['p99']:.1f}"])
    heads = ["p50 / p95 / p99 ms", "ten honest users alone", "beside a hostile one", "p99, times"]
    answers = ", ".join(f"{n} answered {status}" for status, n in sorted(beside["statuses"].items()))
    text = f"{table(heads, rows)}\n\nBeside her the honest ones had {answers}."
    command = f"uv run python benchmarks/honest.py --seconds {seconds:g}"
    write_result("honest", command, {"alone": alone, "beside": beside, "markdown": text})
    steps.end()
    tell("\n" + text)


if __name__ == "__main__":
    main()
