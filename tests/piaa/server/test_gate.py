"""Who may do what: a cell a test; and what is refused before it is read."""

from __future__ import annotations

import contextlib
import json
import socket
import time

import httpx
import pytest

from piaa.store.keys import KeyStore
from piaa.store.place import open_database

ROUTES = {
    "score own": ("POST", "/v1/score", {"data": {"user": "ana"}}),
    "score other": ("POST", "/v1/score", {"data": {"user": "bob"}}),
    "score own and other": ("POST", "/v1/score", {"data": {"user": ["ana", "bob"]}}),
    "rate own": ("POST", "/v1/users/ana/ratings", {}),
    "rate other": ("POST", "/v1/users/bob/ratings", {}),
    "compare own": ("POST", "/v1/users/ana/comparisons", {}),
    "compare other": ("POST", "/v1/users/bob/comparisons", {}),
    "flag own": ("POST", "/v1/users/ana/flags", {}),
    "flag other": ("POST", "/v1/users/bob/flags", {}),
    "withdraw own": ("DELETE", "/v1/users/ana/ratings/" + "0" * 64, {}),
    "withdraw other": ("DELETE", "/v1/users/bob/ratings/" + "0" * 64, {}),
    "fit own": ("POST", "/v1/users/ana/fit", {}),
    "fit other": ("POST", "/v1/users/bob/fit", {}),
    "see own": ("GET", "/v1/users/ana", {}),
    "see other": ("GET", "/v1/users/bob", {}),
    "see nobody": ("GET", "/v1/users/nobody", {}),
    "export own": ("GET", "/v1/users/ana/export", {}),
    "export other": ("GET", "/v1/users/bob/export", {}),
    "suggest own": ("GET", "/v1/users/ana/suggest", {"params": {"sha256": "0" * 64}}),
    "suggest other": ("GET", "/v1/users/bob/suggest", {"params": {"sha256": "0" * 64}}),
    "list users": ("GET", "/v1/users", {}),
    "roll back own": ("POST", "/v1/users/ana/rollback", {"json": {"version": 1}}),
    "roll back other": ("POST", "/v1/users/bob/rollback", {"json": {"version": 1}}),
    "job own": ("GET", "/v1/jobs/{ana}", {}),
    "job other": ("GET", "/v1/jobs/{bob}", {}),
    "models": ("GET", "/v1/models", {}),
    "calibration": ("GET", "/v1/calibration", {}),
    "calibrate": ("POST", "/v1/calibration", {}),
    "metrics": ("GET", "/metrics", {}),
    "keys": ("GET", "/v1/keys", {}),
    "make a key": ("POST", "/v1/keys", {"json": {"role": "service"}}),
    "rotate a key": ("POST", "/v1/keys/abc/rotate", {"json": {}}),
    "revoke a key": ("DELETE", "/v1/keys/abc", {}),
    "audit": ("GET", "/v1/audit", {}),
    "health": ("GET", "/health", {}),
    "ready": ("GET", "/ready", {}),
    "erase own": ("DELETE", "/v1/users/ana2", {}),
    "erase other": ("DELETE", "/v1/users/bob2", {}),
}
OPEN = {"health", "ready"}
ADMIN = {"list users", "roll back own", "roll back other", "metrics", "erase own", "erase other"}
ADMIN |= {"calibration", "calibrate", "keys", "rotate a key", "revoke a key", "audit"}
ADMIN |= {"make a key"}
HIDDEN = {"job other"}
FOREIGN = {name for name in ROUTES if "other" in name or name == "see nobody"} - HIDDEN


def expected(who: str, what: str) -> set[int]:
    """The statuses that a cell of the table may give."""
    if what in OPEN:
        return {200}
    if who in ("nobody", "wrong", "revoked"):
        return {401}
    if who == "ana":
        if what in HIDDEN:
            return {404}
        if what in ADMIN | FOREIGN:
            return {403}
    if what.startswith("calibrat"):
        return {501}  # this server makes no models
    return {200, 202, 404, 422}


@pytest.fixture(scope="module")
def guarded(server, album, names):
    """The server with ana and bob fitted, their jobs by name, and a new key of ana's."""
    database = open_database(server.store)
    server.keys["ana"] = KeyStore(database).create_key("user", "ana")[1]
    database.close()
    server.jobs = {}
    for user in ("ana", "bob"):
        assert server.rate(user, album, {names[0]: 4, names[1]: 2}).status_code == 200
        server.jobs[user] = server.fit(user)["id"]
    yield server
    for user in ("ana", "bob"):
        server.http.delete(f"/v1/users/{user}")


@pytest.mark.parametrize("who", ["admin", "ana", "revoked", "wrong", "nobody"])
@pytest.mark.parametrize("what", ROUTES)
def test_table(guarded, album, names, who, what):
    method, path, options = ROUTES[what]
    secret = guarded.keys.get(who, "piaa_wrong")
    headers = {"Authorization": f"Bearer {secret}"} if who != "nobody" else {}
    if what.startswith("score"):
        options = {**options, "files": [("image", (names[0], (album / names[0]).read_bytes()))]}
    if what.startswith("rate"):
        options = {
            "data": {"ratings": json.dumps([{"image": "a", "score": 3}])},
            "files": [("image", ("a", (album / names[0]).read_bytes()))],
        }
    if what.startswith("compare"):
        options = {"data": {"comparisons": json.dumps([{"a": "a", "b": "b", "outcome": "a"}])}}
    if what.startswith("flag"):
        options = {"data": {"flags": json.dumps([{"image": "a", "flag": "pick"}])}}
    answer = httpx.request(
        method, guarded.url + path.format(**guarded.jobs), headers=headers, timeout=30, **options
    )
    assert answer.status_code in expected(who, what), answer.text
    if answer.status_code >= 400:
        assert answer.headers["content-type"] == "application/problem+json"
        assert set(answer.json()) >= {"title", "status", "detail"}
    if who == "ana" and what in ("see other", "see nobody"):
        assert answer.json()["detail"] == "this key is for another user; use that user's key or an admin's"


@pytest.mark.parametrize("name", ["../ana", "a/b", "%2e%2e%2fana", "a%00b", "a%0Ab", "x" * 10_000, "%ff"])
def test_ids_that_look_like_paths(guarded, name):
    with httpx.Client(base_url=guarded.url, headers=guarded.http.headers) as client:
        for method, path in (("GET", "/v1/users/{}"), ("POST", "/v1/users/{}/fit"), ("GET", "/v1/jobs/{}")):
            answer = client.request(method, path.format(name))
            assert 400 <= answer.status_code < 500, answer.text


def test_a_revoked_key_is_refused_at_once(guarded, piaa):
    made = json.loads(
        piaa("keys", "create", "--role", "user", "--user", "ana", "--store", guarded.store, "--json").stdout
    )
    headers = {"Authorization": f"Bearer {made['secret']}"}
    assert httpx.get(f"{guarded.url}/v1/users/ana", headers=headers).status_code == 200
    assert piaa("keys", "revoke", made["id"], "--store", guarded.store).exit_code == 0
    assert httpx.get(f"{guarded.url}/v1/users/ana", headers=headers).status_code == 401
    listed = piaa("keys", "list", "--store", guarded.store).stdout
    assert f"{made['id']}: user ana, for score rate, of " in listed
    assert made["secret"] not in listed


def test_no_keys_is_for_loopback_only(piaa, tiny_model):
    result = piaa("serve", "--host", "0.0.0.0", "--no-keys", "--model", tiny_model)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        "piaa: --no-keys is for a loopback address such as 127.0.0.1, not for 0.0.0.0; "
        "leave it out and make a key: piaa keys create --role admin\n"
    )


def test_a_body_that_is_too_large(guarded):
    answer = guarded.http.post("/v1/score", data={"user": "ana"}, files={"image": b"x" * 3_000_000})
    assert answer.status_code == 413
    assert answer.json()["detail"].endswith("at most 2000000 may be; send fewer images")

    def pieces():
        yield b'--b\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n'
        for _ in range(300):
            yield b"x" * 10_000

    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    # Such an error: the server answered and closed while we were still sending.
    with contextlib.suppress(httpx.WriteError, httpx.ReadError):
        assert guarded.http.post("/v1/score", content=pieces(), headers=headers).status_code == 413


def test_half_a_body_does_not_hold_up_others(guarded):
    host, port = guarded.url.removeprefix("http://").split(":")
    key = guarded.keys["admin"]
    head = (
        f"POST /v1/score HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\nContent-Length: 1000\r\n\r\n"
    )
    waiting = [socket.create_connection((host, int(port))) for _ in range(20)]
    for one in waiting:
        one.sendall(head.encode() + b"half")
    started = time.monotonic()
    assert guarded.http.get("/v1/users/ana").status_code == 200
    assert time.monotonic() - started < 5
    for one in waiting:
        one.close()


@pytest.mark.slow
def test_too_many_requests(serve, tmp_path):
    server = serve(tmp_path / "piaa.db", "--no-keys", "--rate", "1")
    answers = [server.http.get("/v1/models") for _ in range(15)]
    assert [answer.status_code for answer in answers[:10]] == [200] * 10
    refused = answers[-1]
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
    assert refused.json()["detail"] == (
        "this key sent more than 1 requests a second; slow down and try again"
    )
    server.stop()
