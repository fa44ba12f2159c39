"""What is acknowledged stays, whatever is killed; and no bytes make the server fail."""

from __future__ import annotations

import hashlib
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from safetensors.numpy import load as unpack

from piaa.store.place import open_database
from piaa.store.serving import ServingStore
from piaa.store.store import Store

KINDS = ("ratings", "comparisons", "flags", "fit", "rollback")


def test_random_bodies_never_fail_the_server(server):
    draw = random.Random(0)
    paths = ("/v1/score", *(f"/v1/users/ana/{one}" for one in KINDS))
    kinds = (
        "multipart/form-data; boundary=b",
        "application/json",
        "application/x-www-form-urlencoded",
        "text/plain",
        "multipart/form-data",
    )
    for _ in range(1000):
        body = draw.randbytes(draw.choice([0, 1, 10, 100, 5000]))
        if draw.random() < 0.5:
            body = (
                b'--b\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n'
                + body
                + b"\r\n--b--"
            )
        answer = server.http.post(
            draw.choice(paths), content=body, headers={"Content-Type": draw.choice(kinds)}
        )
        assert 400 <= answer.status_code < 500 or answer.status_code == 202, (body, answer.text)
        assert "detail" in answer.json() or answer.status_code == 202


@pytest.mark.slow
def test_stopping_finishes_what_is_in_flight(serve, tmp_path, album, names):
    server = serve(tmp_path / "piaa.db", "--no-keys")
    assert server.rate("ana", album, {names[0]: 4, names[1]: 2}).status_code == 200
    job = server.http.post("/v1/users/ana/fit").json()["id"]
    request = server.http.build_request(
        "POST",
        "/v1/score",
        params={"fallback": "generic"},
        data={"user": "bob"},
        files={"image": ("a", (album / names[2]).read_bytes())},
    )
    body = request.read()
    host, port = server.url.removeprefix("http://").split(":")
    head = (
        f"POST {request.url.raw_path.decode()} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        f"Content-Type: {request.headers['content-type']}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection((host, int(port)), timeout=60) as connection:
        connection.sendall(head.encode() + body[:100])
        assert server.http.get("/health").status_code == 200  # by now the half has been read as well
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        connection.sendall(body[100:])
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 200 OK"), answer
    assert b'"fallback":true' in answer
    server.stop()
    assert [path.name for path in tmp_path.iterdir()] == ["piaa.db"]
    # Done before the stop, or still in the store for the next server.
    again = serve(tmp_path / "piaa.db", "--no-keys")
    assert again.follow(job)["state"] == "done"
    assert again.http.get("/v1/users/ana").json()["active"] == 1
    again.stop()


class Book:
    """What a client knows of its ratings: what must be in the store, and what may be."""

    def __init__(self) -> None:
        self.must: set[str] = set()
        self.may: dict[str, set[float]] = {}

    def send(self, name: str, score: float) -> None:
        self.may.setdefault(name, set()).add(score)

    def acknowledge(self, name: str, score: float) -> None:
        self.must.add(name)
        self.may[name] = {score}

    def check(self, kept: dict[str, float]) -> None:
        """Nothing acknowledged is lost, nothing unsent appeared; from here on the store is known."""
        assert self.must <= set(kept)
        for name, score in kept.items():
            assert score in self.may[name], name
        self.must, self.may = set(kept), {name: {score} for name, score in kept.items()}


def test_the_book_finds_what_is_lost():
    book = Book()
    book.send("a", 1)
    book.check({})
    book.send("a", 2)
    book.acknowledge("a", 2)
    for lost in ({}, {"a": 1}, {"a": 2, "b": 1}):
        with pytest.raises((AssertionError, KeyError)):
            book.check(lost)
    book.send("a", 3)
    book.check({"a": 3})
    with pytest.raises(AssertionError):
        book.check({"a": 2})


def rate_and_fit_until_killed(server, album, names, draw, book, seconds: float) -> None:
    """The first rating is acknowledged; then the server is killed after so many seconds."""
    killer = threading.Timer(seconds, server.process.kill)
    try:
        while True:
            name, score = draw.choice(names), draw.randint(1, 5)
            book.send(name, score)
            answer = server.rate("ana", album, {name: score})
            assert answer.status_code == 200, answer.text
            book.acknowledge(name, score)
            if killer.ident is None:  # not started; one that has fired is not alive either
                killer.start()
            assert server.http.post("/v1/users/ana/fit").status_code == 202
    except httpx.TransportError:
        killer.join()
    server.http.close()
    assert server.process.wait() == -signal.SIGKILL


def check_whole(place, names: int) -> int:
    """Every version of ana can be loaded and scores; the one that counts is the newest."""
    database = open_database(place)
    store = Store(database=database)
    versions = store.versions("ana")
    for summary in versions:
        loaded = store.load("ana", summary.version)
        assert len(loaded.ratings) == summary.n_ratings <= names
        state = unpack(loaded.state)
        assert len(state["support.features"]) == len(state["support.scores"]) == summary.n_ratings
    if versions:
        active = ServingStore(database).active(["ana"], [summary.model_hash])["ana"]
        assert active.version == summary.version
        assert active.digest == hashlib.sha256(loaded.state).hexdigest()
    database.close()
    return len(versions)


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_kill_twenty_times_during_fits_and_writes(serve, tmp_path, album, names):
    draw, book, place = random.Random(1), Book(), tmp_path / "piaa.db"
    versions = []
    for _ in range(20):
        server = serve(place, "--no-keys", "--rate", "100000")
        if versions and versions[-1]:
            assert server.score(["ana"], [("a", (album / names[0]).read_bytes())]).status_code == 200
        rate_and_fit_until_killed(server, album, names, draw, book, draw.uniform(0.0, 0.8))
        kept = Store(place).said("ana", "").ratings
        assert len({one.photo for one in kept}) == len(kept)
        book.check({one.image: one.score for one in kept})
        versions.append(check_whole(place, len(names)))
    assert versions == sorted(versions)
    assert versions[-1] > 5  # fits went on


@pytest.mark.slow
def test_two_servers_on_postgres_see_each_others_fits(serve, postgres, album, names):
    one, two = (serve(postgres, "--no-keys", "--rate", "100000") for _ in range(2))
    file = (names[0], (album / names[0]).read_bytes())
    for version, rating in enumerate((5, 1, 4), 1):
        assert one.rate("ana", album, {names[0]: rating, names[1]: 3}).status_code == 200
        jobs = [server.http.post("/v1/users/ana/fit").json()["id"] for server in (one, two)]
        assert {two.follow(job)["state"] for job in jobs} == {"done"}
        answers = [server.score(["ana"], [file]).json()["users"] for server in (one, two)]
        assert answers[0] == answers[1]
        assert answers[0][0]["version"] >= version
    for server in (one, two):
        server.stop()


@pytest.mark.slow
def test_workers_that_fit_the_same_user(serve, postgres, album, names):
    servers = [serve(postgres, "--no-keys", "--rate", "100000") for _ in range(2)]
    rated = {name: 1 + place % 5 for place, name in enumerate(names)}
    assert servers[0].rate("ana", album, rated).status_code == 200
    adapters = ("auto", "bayes", "ridge", "bias", "generic", "pam")
    with ThreadPoolExecutor(12) as pool:
        jobs = list(
            pool.map(
                lambda i: (
                    servers[i % 2]
                    .http.post("/v1/users/ana/fit", params={"adapter": adapters[i % 6]})
                    .json()["id"]
                ),
                range(24),
            )
        )
    ended = {job: servers[0].follow(job) for job in jobs}
    assert {job["state"] for job in ended.values()} == {"done"}
    # One version for each fit, and none lost or written twice.
    info = servers[1].http.get("/v1/users/ana").json()
    numbers = [one["version"] for one in info["versions"]]
    assert numbers == list(range(1, len(ended) + 1))
    assert sorted(job["version"] for job in ended.values()) == numbers
    by_version = {one["version"]: one["adapter"] for one in info["versions"]}
    assert all(by_version[job["version"]] == job["adapter"] for job in ended.values())
    assert info["active"] == numbers[-1]
    for server in servers:
        server.stop()


@pytest.mark.slow
def test_postgres_restarted_under_load(serve, postgres, restart_postgres, album, names):
    server = serve(postgres, "--no-keys", "--rate", "100000")
    book, draw, seen, ended = Book(), random.Random(2), [], threading.Event()

    def load() -> None:
        while not ended.is_set():
            name, score = draw.choice(names), draw.randint(1, 5)
            book.send(name, score)
            answer = server.rate("ana", album, {name: score})
            seen.append(answer.status_code)
            if answer.status_code == 200:
                book.acknowledge(name, score)
                seen.append(server.http.post("/v1/users/ana/fit").status_code)
            else:
                assert answer.headers["content-type"] == "application/problem+json"
                assert answer.headers["retry-after"] == "1"

    with ThreadPoolExecutor(1) as pool:
        loading = pool.submit(load)
        for _ in range(3):
            time.sleep(1)
            restart_postgres()
        time.sleep(1)
        ended.set()
        loading.result()
    assert set(seen) <= {200, 202, 503}
    after = [server.rate("ana", album, {name: 3}) for name in names]
    assert {answer.status_code for answer in after} == {200}
    for name in names:
        book.send(name, 3)
        book.acknowledge(name, 3)
    info = server.http.get("/v1/users/ana").json()
    book.check({one["image"]: one["score"] for one in info["ratings"]})
    assert server.fit("ana")["state"] == "done"
    server.stop()


@pytest.mark.parametrize("digest", ["", "..", "a/b", "\0", "A" * 64, "0" * 63, "x" * 5000])
def test_what_is_no_hash_is_an_image_never_seen(server, album, names, digest):
    server.rate("una", album, {names[0]: 3})
    suggested = server.http.get("/v1/users/una/suggest", params={"sha256": digest})
    assert (suggested.status_code, suggested.json()["detail"]) == (
        404,
        "none of these images was seen before; score or rate them first",
    )
    form = {"user": "una", "sha256": digest}
    scored = server.http.post("/v1/score", data=form, params={"fallback": "generic"})
    assert scored.status_code == 422
    assert "seen before" in scored.json()["detail"] or digest == ""


# What a form holds beyond its fields no description can say: that a rating in its text names a file that is
# sent with it, or a hash that was seen before; nor which scopes go with which role. Such a request is in
# order for schemathesis, and 422 here.
LINKED = """
[[operations]]
include-path = "{}"
checks.positive_data_acceptance.expected-statuses = ["2xx", "401", "403", "404", "409", "422", "429", "5xx"]
"""
# What this server was not started for, it says.
NOT_STARTED = """
[[operations]]
include-path = "/v1/calibration"
checks.not_a_server_error.expected-statuses = ["2xx", "3xx", "4xx", "501"]
"""
FORMS = (
    "/v1/score",
    "/v1/keys",
    *(f"/v1/users/{{id}}/{what}" for what in ("ratings", "comparisons", "flags")),
)


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_the_description_holds_for_generated_requests(server, tmp_path):
    settings = tmp_path / "schemathesis.toml"
    settings.write_text(NOT_STARTED + "".join(LINKED.format(path) for path in FORMS))
    command = [Path(sys.executable).parent / "schemathesis", "--config-file", settings]
    command += ["run", f"{server.url}/openapi.json", "--checks", "all", "--max-examples", "40"]
    command += ["--phases", "examples,coverage,fuzzing,stateful", "--max-time", "240"]
    command += ["--header", f"Authorization: Bearer {server.keys['admin']}"]
    command += ["--seed", "1", "--no-color", "--generation-database", "none", "--continue-on-failure"]
    done = subprocess.run(
        list(map(str, command)), cwd=tmp_path, capture_output=True, text=True, timeout=380, check=False
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert server.http.get("/ready").status_code == 200
