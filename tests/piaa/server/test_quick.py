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
        (
            {"users": ["a name\nof two lines", *map(str, range(10_000))], "sha256": ["0" * 64]},
            413,
            "the request has 10001 users, at most 10000 may be; send several requests",
        ),
        (
            {"users": [1] * 1000, "sha256": [2] * 1000},
            422,
            "users.0: Input should be a valid string; sha256.0: Input should be a valid string; see /docs",
        ),
        (
            {"users": ["quentin"], "sha256": ["0" * 64], **dict.fromkeys(map(str, range(101)))},
            422,
            "the body has 101 faults; see /docs for what is expected",
        ),
    ],
)
def test_refusals(server, known, body, status, detail):
    answer = server.http.post("/v1/score", json=body)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert answer.json()["detail"].startswith(detail)
    assert "retry-after" not in answer.headers


def test_more_json_than_a_request_needs_is_refused_before_it_is_read(serve, tmp_path):
    server = serve(tmp_path / "piaa.db", "--no-keys")
    body = b'{"users": ["ana"], "sha256": [' + b'"a", ' * 1_000_000 + b'"a"]}'
    headers = {"Content-Type": "application/json"}
    whole = server.http.post("/v1/score", content=body, headers=headers)
    pieces = server.http.post(
        "/v1/score", content=iter([body[:4_000_000], body[4_000_000:]]), headers=headers
    )
    assert {one.headers["content-type"] for one in (whole, pieces)} == {"application/problem+json"}
    assert [(one.status_code, one.json()["detail"]) for one in (whole, pieces)] == [
        (413, f"the body is {len(body)} bytes, at most 4194304 may be; send several requests"),
        (413, "the body is above 4194304 bytes; send several requests"),
    ]
    # Photos may be larger: they come in parts.
    photo = server.score(["ana"], [("a.jpg", b"no photo" * 1_000_000)], params={"fallback": "generic"})
    assert photo.status_code == 422
    server.stop()


@pytest.mark.parametrize("place", ["file", "postgres"])
def test_what_is_no_hash_was_never_seen(serve, request, tmp_path, place):
    store = tmp_path / "piaa.db" if place == "file" else request.getfixturevalue("postgres")
    database = open_database(store)
    secret = KeyStore(database).create_key("user", "ana")[1]
    database.close()
    server = serve(store)
    server.http.headers["Authorization"] = f"Bearer {secret}"
    json_body = {"users": ["ana"], "sha256": ["a\0b"], "fallback": "generic"}
    form = (
        '--x\r\nContent-Disposition: form-data; name="user"\r\n\r\nana\r\n'
        '--x\r\nContent-Disposition: form-data; name="sha256"\r\n\r\na\\ud800b\r\n--x--\r\n'
    )
    headers = {"Content-Type": "multipart/form-data; boundary=x; charset=unicode_escape"}
    params = {"fallback": "generic"}
    for answer in (
        server.http.post("/v1/score", json=json_body),
        server.http.post("/v1/score", content=form, headers=headers, params=params),
    ):
        problem = "no image with the hash 'a\ufffdb' was seen before; send the file"
        assert (answer.status_code, answer.json()["images"]) == (
            422,
            [{"image": "a\ufffdb", "sha256": "a\ufffdb", "problem": problem}],
        )
    suggested = server.http.get("/v1/users/ana/suggest", params={"sha256": "a\0b"})
    assert (suggested.status_code, suggested.json()["detail"]) == (
        404,
        "none of these images was seen before; score or rate them first",
    )
    server.stop()


def test_another_users_key_is_refused(server, known):
    database = open_database(server.store)
    secret = KeyStore(database).create_key("user", "ana")[1]
    database.close()
    headers = {"Authorization": f"Bearer {secret}"}
    asked = {"users": ["quentin"], "sha256": known}
    assert httpx.post(f"{server.url}/v1/score", json=asked, headers=headers).status_code == 403
    assert httpx.post(f"{server.url}/v1/score", json=asked).status_code == 401
