"""What is acknowledged stays, whatever is killed; and no bytes make the server fail."""

from __future__ import annotations

import os
import random
import subprocess

import httpx
import pytest

from piaa.store import AdapterStore
from piaa.store_database import StoreDatabase
from piaa.store_service import ServiceStore


def test_random_bodies_never_fail_the_server(server):
    draw = random.Random(0)
    paths = ("/v1/score", "/v1/users/ana/ratings", "/v1/users/ana/fit", "/v1/users/ana/rollback")
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
    server.http.post("/v1/users/ana/fit")
    server.stop()
    assert [path.name for path in tmp_path.iterdir()] == ["piaa.db"]
    # Done before the stop, or still in the store for the next server.
    again = serve(tmp_path / "piaa.db", "--no-keys")
    for _ in range(100):
        if again.http.get("/v1/users/ana").json()["active"] == 1:
            break
    else:
        again.fit("ana")
    assert again.http.get("/v1/users/ana").json()["active"] == 1
    again.stop()


def kill_during_fits_and_writes(serve, place, album, names, times: int) -> None:
    """Kills a server that rates and fits; nothing acknowledged may be lost."""
    draw, acknowledged = random.Random(1), {}
    for round_ in range(times):
        server = serve(place, "--no-keys", "--rate", "100000")
        deadline = draw.uniform(0.05, 0.6)
        subprocess.Popen(["sh", "-c", f"sleep {deadline}; kill -9 {server.process.pid}"])
        try:
            while True:
                name, score = draw.choice(names), draw.randint(1, 5)
                pending = (name, score)
                if server.rate("ana", album, {name: score}).status_code == 200:
                    acknowledged[name] = {score}
                server.http.post("/v1/users/ana/fit")
        except httpx.TransportError:
            # The last one may have been stored without its answer arriving.
            acknowledged.setdefault(pending[0], set()).add(pending[1])
        server.process.wait()
        database = StoreDatabase(place)
        store = ServiceStore(database)
        kept = {one.image: one.score for one in store.given("ana")[0]} if acknowledged else {}
        for name, scores in acknowledged.items():
            assert name not in kept or kept[name] in scores, (round_, name)
            assert name in kept or len(scores) == 1
        versions = AdapterStore(database=database)
        for summary in versions.show("ana")[-2:] if store.active(["ana"]) else []:
            loaded = versions.load("ana", summary.version)
            assert len(loaded.ratings) == summary.n_ratings
        database.close()
        for name in set(acknowledged) - set(kept):
            del acknowledged[name]  # sent, never acknowledged, and not stored


@pytest.mark.slow
def test_kill_twenty_times_during_fits_and_writes(serve, tmp_path, album, names):
    kill_during_fits_and_writes(serve, tmp_path / "piaa.db", album, names, 20)


@pytest.mark.slow
@pytest.mark.skipif(
    not os.environ.get("PIAA_TEST_POSTGRES_URL"), reason="PIAA_TEST_POSTGRES_URL names no PostgreSQL database"
)
def test_two_servers_on_postgres_see_each_others_fits(serve, album, names):
    import psycopg

    url = os.environ["PIAA_TEST_POSTGRES_URL"]
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")
    one, two = (serve(url, "--no-keys", "--rate", "100000") for _ in range(2))
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
