"""What one hostile user can do to `piaa serve`: each attack on a server of its own, beside somebody honest.

    uv run python benchmarks/attack.py
    uv run python benchmarks/attack.py --tree ../before --tree .   # the same against another checkout

Each row is a test as well: `tests/piaa/server/` has `test_app_attacked.py`, `test_connections.py`,
`test_strangers.py`, `test_app_owners.py` and `fitting/test_process.py`. Times depend on the machine; what
ends at all, and what is refused, does not. Each row is kept as it ends: the same command goes on from there.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import io
import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import httpx
import numpy as np
from PIL import Image
from record import Steps, table, tell, write_result

ROOT = Path(__file__).resolve().parents[1]
LONG_S = 60.0
"""What has not ended by then is said to take longer."""
FILES = 1024
"""Descriptors of a server: what a process has where nobody says otherwise."""
GENERIC = {"fallback": "generic"}
FILL = """
import sys, numpy as np, piaa
from piaa.store.store import Store
from piaa.store.saying import Saying
from piaa.store.records import SeenPhoto
generic = piaa.load_model("piaa-lite", cache=False).generic
width = len(generic.vector(np.zeros((generic.size, generic.size, 3), np.uint8)))
for user, n in (("mallory", 2000), ("honest", 5)):
    draw = np.random.default_rng(n)
    vectors = np.hstack([np.full((n, 1), 0.5), draw.standard_normal((n, width - 1))]).astype("f4")
    ratings = [
        (SeenPhoto(identity=f"{at:060x}{n:04x}", image=f"{at}.jpg", vector=one), float(draw.integers(1, 6)))
        for at, one in enumerate(vectors)
    ]
    Store(sys.argv[1]).say(user, Saying(ratings=ratings, model_hash=generic.hash, source="python"))
"""
"""Ratings of two users, whatever release they are written by."""


class Attacked:
    """A server of a checkout, with keys for two users and an admin."""

    def __init__(self, tree: Path, folder: Path) -> None:
        self.place, self.tree = folder / "piaa.db", tree
        self.environment = {**os.environ, "PYTHONPATH": str(tree)}
        self.keys = {user: self._key("user", "--user", user) for user in ("mallory", "honest")}
        self.keys["admin"] = self._key("admin")
        self.log = folder / "log"
        command = ["prlimit", f"--nofile={FILES}:{FILES}", sys.executable, "-m", "cli", "serve"]
        command += ["--port", "0", "--store", str(self.place), "--no-cache"]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, cwd=tree, env=self.environment, stdout=log, stderr=log)
        while not (found := re.search(r"running on http://(\S+):(\d+)", self.log.read_text())):
            if self.process.poll() is not None:
                raise RuntimeError(self.log.read_text())
            time.sleep(0.1)
        self.host, self.port = found[1], int(found[2])

    def _key(self, role: str, *more: str) -> str:
        command = [sys.executable, "-m", "cli", "keys", "create", "--role", role, *more, "--json"]
        command += ["--store", str(self.place)]
        done = subprocess.run(command, cwd=self.tree, env=self.environment, capture_output=True, check=True)
        return str(json.loads(done.stdout)["secret"])

    def http(self, who: str, timeout: float = LONG_S) -> httpx.Client:
        """A client with somebody's key."""
        headers = {"Authorization": f"Bearer {self.keys[who]}"}
        return httpx.Client(base_url=f"http://{self.host}:{self.port}", headers=headers, timeout=timeout)

    def connect(self) -> socket.socket:
        """A connection on which nothing is said yet."""
        return socket.create_connection((self.host, self.port), timeout=10)

    def raw(self, *lines: str) -> str:
        """The status of the answer to just these lines."""
        with self.connect() as connection:
            connection.sendall("\r\n".join((*lines, "", "")).encode())
            return connection.recv(1000).decode()[9:12] or "closed"


def quick_photo(number: int) -> bytes:
    """A small photo; each number another one."""
    out = io.BytesIO()
    pixels = np.random.default_rng(number).integers(0, 256, (6, 6, 3), np.uint8)
    Image.fromarray(pixels).resize((300, 200)).save(out, "JPEG")
    return out.getvalue()


def slow_photo() -> bytes:
    """Less than a megabyte that takes seconds to decode: a progressive JPEG whose last scan is said often."""
    out = io.BytesIO()
    grey = Image.effect_noise((400, 300), 60).resize((8000, 6000)).convert("L")
    grey.save(out, "JPEG", quality=5, progressive=True)
    jpeg = out.getvalue()
    last = jpeg[jpeg.rindex(b"\xff\xda") : -2]
    return jpeg[:-2] + last * (60 - jpeg.count(b"\xff\xda")) + b"\xff\xd9"


def form(user: str, name: str, content: bytes) -> tuple[bytes, str]:
    """A body that asks for one score, and its type."""
    request = httpx.Request("POST", "http://x", data={"user": user}, files={"image": (name, content)})
    return request.read(), request.headers["content-type"]


@contextlib.contextmanager
def slow_requests(server: Attacked, n: int) -> Iterator[None]:
    """So many slow photos of mallory, of which nobody reads the answer."""
    photo, connections = slow_photo(), []
    for number in range(n):
        body, kind = form("mallory", "slow.jpg", photo + b"%d" % number)
        head = (
            f"POST /v1/score?fallback=generic HTTP/1.1\r\nHost: {server.host}\r\nContent-Type: {kind}\r\n"
            f"Authorization: Bearer {server.keys['mallory']}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        connections.append(server.connect())
        connections[-1].sendall(head.encode() + body)
    time.sleep(1)
    yield
    for one in connections:
        one.close()


def seconds(act: Callable[[], object]) -> str:
    """How long something takes, or that it takes longer than we wait."""
    started = time.monotonic()
    try:
        act()
    except (httpx.TransportError, subprocess.TimeoutExpired, TimeoutError):
        return f"not within {LONG_S:.0f} s"
    return f"{time.monotonic() - started:.1f} s"


def score(server: Attacked, number: int) -> None:
    """An honest score of a new photo."""
    with server.http("honest") as http:
        answer = http.post(
            "/v1/score", params=GENERIC, data={"user": "honest"}, files={"image": quick_photo(number)}
        )
        answer.raise_for_status()


def slow_photos(server: Attacked) -> str:
    """Eight slow photos of one user: an honest score."""
    with slow_requests(server, 8):
        return seconds(lambda: score(server, 1))


def stop(server: Attacked) -> str:
    """Eight slow photos of one user: SIGTERM, until the server has ended."""
    with slow_requests(server, 8):
        server.process.send_signal(signal.SIGTERM)
        return seconds(lambda: server.process.wait(LONG_S))


def silent(server: Attacked, n: int = 1100, first: bytes = b"") -> str:
    """1,100 connections on which nothing is said: /health."""
    connections = []
    with contextlib.suppress(OSError):
        for _ in range(n):
            connections.append(server.connect())
            if first:
                connections[-1].sendall(first)
    time.sleep(1)
    try:
        with httpx.Client(timeout=10) as http:
            return seconds(lambda: http.get(f"http://{server.host}:{server.port}/health").raise_for_status())
    finally:
        for one in connections:
            one.close()


def dribbling(server: Attacked) -> str:
    """1,000 connections with half a head: /health."""
    return silent(server, 1000, b"GET /health HTTP/1.1\r\nHost: ")


def huge_fit(server: Attacked) -> str:
    """A fit to 2,000 ratings of one user: the fit of another."""
    command = [sys.executable, "-c", FILL, str(server.place)]
    subprocess.run(command, cwd=server.tree, env=server.environment, check=True)
    with server.http("mallory") as http:
        for adapter in ("auto", "bayes", "neighbours"):
            http.post("/v1/users/mallory/fit", params={"adapter": adapter})
    time.sleep(1)

    def fit() -> None:
        with server.http("honest") as http:
            job = http.post("/v1/users/honest/fit").raise_for_status().json()["id"]
            end = time.monotonic() + LONG_S
            while http.get(f"/v1/jobs/{job}").json()["state"] not in ("done", "failed"):
                if time.monotonic() > end:
                    raise TimeoutError
                time.sleep(0.1)

    return seconds(fit)


def another_hash(server: Attacked) -> str:
    """The hash of another user's photo: whether it is scored."""
    score(server, 2)
    digest = hashlib.sha256(quick_photo(2)).hexdigest()
    with server.http("mallory") as http:
        answer = http.post("/v1/score", params=GENERIC, data={"user": "mallory", "sha256": digest})
    return str(answer.status_code)


def unknown_user(server: Attacked) -> str:
    """A user who is not there, among 20,000: the answer."""
    with contextlib.closing(sqlite3.connect(server.place)) as connection:
        connection.executemany(
            "INSERT INTO users (name, created) VALUES (?, '')", ((f"somebody-{at}",) for at in range(20_000))
        )
        connection.commit()
    with server.http("admin") as http:
        http.get("/v1/users/nobody-1")
        started = time.monotonic()
        for at in range(10):
            http.get(f"/v1/users/nobody-{at}")
        return f"{(time.monotonic() - started) * 100:.0f} ms"


def two_keys(server: Attacked) -> str:
    """Two Authorization headers."""
    first, second = (f"Authorization: Bearer {server.keys[who]}" for who in ("mallory", "admin"))
    return server.raw("GET /v1/models HTTP/1.1", f"Host: {server.host}", first, second)


def two_lengths(server: Attacked) -> str:
    """Content-Length and Transfer-Encoding."""
    key, host = f"Authorization: Bearer {server.keys['mallory']}", f"Host: {server.host}"
    lengths = ("Content-Length: 5", "Transfer-Encoding: chunked")
    return server.raw("POST /v1/score HTTP/1.1", host, key, *lengths, "", "0")


def redirect(server: Attacked) -> str:
    """A slash too many, and somebody's Host."""
    key = f"Authorization: Bearer {server.keys['admin']}"
    return server.raw("GET /v1/users/ HTTP/1.1", "Host: evil.example", key)


ATTACKS = {
    "slow_photos": slow_photos,
    "stop": stop,
    "silent": silent,
    "dribbling": dribbling,
    "huge_fit": huge_fit,
    "another_hash": another_hash,
    "unknown_user": unknown_user,
    "two_keys": two_keys,
    "two_lengths": two_lengths,
    "redirect": redirect,
}


def run(name: str, tree: Path) -> str:
    """What came of one attack on a server of its own."""
    with tempfile.TemporaryDirectory() as folder:
        server = Attacked(tree, Path(folder))
        try:
            return ATTACKS[name](server)
        except (OSError, httpx.HTTPError) as error:
            return f"no answer ({type(error).__name__})"
        finally:
            server.process.kill()
            server.process.wait()


def main() -> None:
    """Attack, and write the result file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--tree", type=Path, action="append", help="checkouts; this one if there is none")
    parser.add_argument("--only", action="append", choices=ATTACKS, help="these attacks alone")
    options = parser.parse_args()
    trees = [tree.resolve() for tree in options.tree or [ROOT]]
    rows, found = [], {}
    steps = Steps("attack", [str(tree) for tree in trees])
    for name in options.only or ATTACKS:
        found[name] = [steps.do(f"{name} at {tree}", partial(run, name, tree)) for tree in trees]
        rows.append([(ATTACKS[name].__doc__ or "").rstrip("."), *found[name]])
        tell(" | ".join(rows[-1]))
    heads = ["attack: what is looked at", *(["before", "now"] if len(trees) == 2 else ["now"])]
    command = "uv run python benchmarks/attack.py" + "".join(" --tree TREE" for _ in options.tree or ())
    command += "".join(f" --only {name}" for name in options.only or ())
    write_result("attack", command, {"attacks": found, "markdown": table(heads, rows)})
    steps.end()


if __name__ == "__main__":
    main()
