"""Photos seen before, asked for in JSON: the same answers as to a form, and the same refusals."""

from __future__ import annotations

import hashlib

import httpx
import pytest

from piaa.store.keys import KeyStore
from piaa.store.place import open_database


@pytest.fixture(scope="module")
def known(server, album, names):
    """Hashes of two photos that the server saw, and a user who is fitted."""
    assert server.rate("quentin", album, {names[0]: 4, names[1]: 2}).status_code == 200
    assert server.fit("quentin")["state"] == "done"
    yield [hashlib.sha256((album / name).read_bytes()).hexdigest() for name in names[:2]]
    server.http.delete("/v1/users/quentin")


@pytest.mark.parametrize("intervals", [False, True])
def test_the_answer_is_that_to_a_form(server, known, intervals):
    users, digests = ["quentin", "nobody"], [*known, "0" * 64]
    asked = {"users": users, "sha256": digests, "intervals": intervals, "fallback": "generic"}
    params = {"intervals": str(intervals).lower(), "fallback": "generic"}
    quick = server.http.post("/v1/score", json=asked)
    form = server.http.post("/v1/score", data={"user": users, "sha256": digests}, params=params)
    assert (quick.status_code, quick.json()) == (200, form.json())
    assert quick.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("body", "status", "detail"),
    [
        (
            {"users": ["nobody"], "sha256": ["0" * 64]},
            404,
            "1 of 1 user is not fitted, the first is 'nobody'; ",
        ),
        ({"users": [], "sha256": []}, 422, "users: List should have at least 1 item"),
        ({"users": ["quentin"], "sha256": []}, 422, "the request has no image; "),
        ({"users": ["quentin"], "sha256": ["0" * 64]}, 422, "not even the one image can be scored: "),
        ({"users": ["quentin"], "sha256": [], "more": 1}, 422, "more: Extra inputs are not permitted"),
        ([], 422, ": Input should be an object"),
    ],
)
def test_refusals(server, known, body, status, detail):
    answer = server.http.post("/v1/score", json=body)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert answer.json()["detail"].startswith(detail)
    assert "retry-after" not in answer.headers


def test_another_users_key_is_refused(server, known):
    database = open_database(server.store)
    secret = KeyStore(database).create_key("user", "ana")[1]
    database.close()
    headers = {"Authorization": f"Bearer {secret}"}
    asked = {"users": ["quentin"], "sha256": known}
    assert httpx.post(f"{server.url}/v1/score", json=asked, headers=headers).status_code == 403
    assert httpx.post(f"{server.url}/v1/score", json=asked).status_code == 401
