from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

from piaa.store.keys import KeyStore
from piaa.store.place import open_database

ROOT = Path(__file__).resolve().parents[3]


class Server:
    """``piaa serve`` in a process of its own, on a free loopback port."""

    def __init__(self, store: str | Path, model: Path, folder: Path, *options: str) -> None:
        self.store, self.model = store, model
        self.log = folder / f"server-{time.monotonic_ns()}.log"
        command = [sys.executable, "-m", "cli", "serve", "--port", "0", "--store", store, "--model", model]
        command += ["--cache", folder / "served-cache", *options]
        # What a test put on the path stays there, behind the checkout.
        path = os.pathsep.join((str(ROOT), os.environ.get("PYTHONPATH", "")))
        environment = {**os.environ, "PYTHONPATH": path.rstrip(os.pathsep), "OMP_NUM_THREADS": "1"}
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                list(map(str, command)), cwd=ROOT, env=environment, stdout=log, stderr=log
            )
        self.url = self._wait()
        self.http = httpx.Client(base_url=self.url, timeout=60)

    def _wait(self) -> str:
        for _ in range(3000):  # five minutes: a machine that many use starts nothing quickly
            if self.process.poll() is not None:
                raise AssertionError(self.log.read_text())
            found = re.search(r"running on (http://\S+)", self.log.read_text())
            if found:
                return found[1]
            time.sleep(0.1)
        self.process.kill()
        raise AssertionError(self.log.read_text())

    def kill(self) -> None:
        self.http.close()
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        """As a service manager does it; uvicorn ends in good order, then by the signal itself."""
        self.http.close()
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(timeout=60) in (0, -signal.SIGTERM)
        assert "Application shutdown complete." in self.log.read_text()

    def rate(self, user: str, album: Path, scores: dict[str, float], **options: object) -> httpx.Response:
        ratings = [{"image": name, "score": score} for name, score in scores.items()]
        files = [("image", (name, (album / name).read_bytes())) for name in scores]
        data = {"ratings": json.dumps(ratings)}
        return self.http.post(f"/v1/users/{user}/ratings", data=data, files=files, **options)

    def say(
        self, kind: str, user: str, rows: list[dict[str, object]], files: dict[str, bytes] | None = None
    ) -> httpx.Response:
        """Post ``ratings``, ``comparisons`` or ``flags`` with these files."""
        images = [("image", file) for file in (files or {}).items()]
        data = {kind: json.dumps(rows)}
        return self.http.post(f"/v1/users/{user}/{kind}", data=data, files=images or None)

    def fit(self, user: str, adapter: str = "auto") -> dict:
        """The job of a fit, when it has ended."""
        answer = self.http.post(f"/v1/users/{user}/fit", params={"adapter": adapter})
        assert answer.status_code == 202, answer.text
        return self.follow(answer.json()["id"])

    def follow(self, job: str) -> dict:
        for _ in range(300):
            found = self.http.get(f"/v1/jobs/{job}").json()
            if found["state"] in ("done", "failed"):
                return found
            time.sleep(0.1)
        raise AssertionError(found)

    def score(self, users: list[str], files: list[tuple[str, bytes]], **options: object) -> httpx.Response:
        images = [("image", file) for file in files]
        return self.http.post("/v1/score", data={"user": users}, files=images, **options)


@pytest.fixture(scope="session")
def picture() -> Callable[[int], bytes]:
    """``picture(number)``: a JPEG for each number, of which no album and no cache knows."""

    def draw(number: int) -> bytes:
        colours = np.random.default_rng(1000 + number).integers(0, 256, (6, 6, 3), np.uint8)
        out = io.BytesIO()
        Image.fromarray(colours).resize((72, 60), Image.Resampling.BICUBIC).save(out, "JPEG", quality=92)
        return out.getvalue()

    return draw


@pytest.fixture(scope="session")
def starred() -> Callable[[bytes], bytes]:
    """``starred(jpeg)``: the same picture after another program gave it five stars and a comment."""

    def write(jpeg: bytes) -> bytes:
        xmp = b'http://ns.adobe.com/xap/1.0/\0<x:xmpmeta xmlns:x="adobe:ns:meta/"><xmp:Rating>5</xmp:Rating>'
        segments = b"".join(
            b"\xff" + marker + (len(text) + 2).to_bytes(2, "big") + text
            for marker, text in ((b"\xe1", xmp), (b"\xfe", b"five stars"))
        )
        return jpeg[:2] + segments + jpeg[2:]

    return write


@pytest.fixture(scope="session")
def serve(tiny_model, tmp_path_factory):
    """``serve(store, *options)`` starts a server, which ends with the session at the latest."""
    servers = []

    def start(store: str | Path, *options: str) -> Server:
        server = Server(store, tiny_model, tmp_path_factory.mktemp("server"), *options)
        servers.append(server)
        return server

    yield start
    for server in servers:
        if server.process.poll() is None:
            server.kill()


@pytest.fixture(scope="session")
def server(serve, tmp_path_factory):
    """One server that asks for keys, asked as an admin, for tests that use users of their own."""
    place = tmp_path_factory.mktemp("store") / "piaa.db"
    database = open_database(place)
    keys = KeyStore(database)
    secrets = {"admin": keys.create_key("admin")[1]}
    gone, secrets["revoked"] = keys.create_key("admin")
    keys.revoke(gone.id)
    database.close()
    one = serve(place, "--rate", "100000", "--max-body", "2000000")
    one.keys = secrets
    one.http.headers["Authorization"] = f"Bearer {secrets['admin']}"
    return one
