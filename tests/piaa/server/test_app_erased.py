"""Erased is erased: in the store, in its log, and in what the machine remembers of photos."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from piaa.store.keys import KeyStore
from piaa.store.place import open_database


@pytest.fixture
def keyed(serve, tmp_path):
    """A server, and a client for each of two users and an admin."""
    place = tmp_path / "piaa.db"
    database = open_database(place)
    keys = KeyStore(database)
    secrets = {user: keys.create_key("user", user)[1] for user in ("gone", "left")}
    secrets["admin"] = keys.create_key("admin")[1]
    database.close()
    server = serve(place)
    clients = {
        who: httpx.Client(base_url=server.url, timeout=60, headers={"Authorization": f"Bearer {secret}"})
        for who, secret in secrets.items()
    }
    yield server, clients
    for one in clients.values():
        one.close()
    server.stop()


def remembered(server) -> int:
    """Vectors in the feature cache of the server."""
    with closing(sqlite3.connect(server.log.parent / "served-cache" / "piaa-features.sqlite")) as cache:
        return int(cache.execute("SELECT count(*) FROM features").fetchone()[0])


def bytes_of(place: Path) -> bytes:
    """All that lies on the disk of a store."""
    return b"".join(path.read_bytes() for path in place.parent.glob(f"{place.name}*"))


def send(client: httpx.Client, user: str, photo: bytes) -> None:
    params = {"fallback": "generic"}
    answer = client.post("/v1/score", params=params, data={"user": user}, files={"image": ("a.jpg", photo)})
    assert answer.status_code == 200


def rate(client: httpx.Client, user: str, photo: bytes, name: str) -> None:
    ratings = json.dumps([{"image": name, "score": 4}])
    path = f"/v1/users/{user}/ratings"
    assert client.post(path, data={"ratings": ratings}, files={"image": (name, photo)}).status_code == 200


def test_what_was_hers_alone_goes_and_what_others_have_stays(keyed, picture):
    server, clients = keyed
    scored, rated, shared = picture(900), picture(901), picture(902)
    send(clients["gone"], "gone", scored)
    rate(clients["gone"], "gone", rated, "unmistakable-name.jpg")
    send(clients["gone"], "gone", shared)
    send(clients["left"], "left", shared)
    clients["gone"].post("/v1/users/gone/fit", params={"adapter": "bias"})
    for _ in range(300):  # it is written after the answer
        if remembered(server) == 3:
            break
        time.sleep(0.1)
    assert remembered(server) == 3
    assert b"unmistakable-name" in bytes_of(server.store)

    answer = clients["admin"].delete("/v1/users/gone")
    assert answer.status_code == 200
    gone = answer.json()
    assert (gone["n_ratings"], gone["n_jobs"], gone["n_keys"], gone["n_photos"]) == (1, 1, 1, 1)
    assert (gone["n_remembered"], gone["overwritten"]) == (2, True)
    assert remembered(server) == 1
    assert b"unmistakable-name" not in bytes_of(server.store)
    assert clients["gone"].get("/v1/users/gone").status_code == 401
    for photo, status in ((scored, 422), (rated, 422), (shared, 200)):
        form = {"user": "left", "sha256": hashlib.sha256(photo).hexdigest()}
        assert clients["admin"].post("/v1/score?fallback=generic", data=form).status_code == status


def test_what_a_reader_still_holds_is_told(keyed, picture):
    server, clients = keyed
    rate(clients["gone"], "gone", picture(910), "unmistakable-name.jpg")
    with closing(sqlite3.connect(server.store)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM users").fetchone()
        assert clients["admin"].delete("/v1/users/gone").json()["overwritten"] is False
    rate(clients["left"], "left", picture(911), "other.jpg")  # a later write
    assert b"unmistakable-name" not in bytes_of(server.store)
