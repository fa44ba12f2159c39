"""Keys over HTTP: made, rotated, revoked, and what each scope opens; the audit of it."""

from __future__ import annotations

import datetime

import httpx
import pytest


def asked(server, secret: str, method: str, path: str, **options) -> httpx.Response:
    headers = {"Authorization": f"Bearer {secret}"}
    return httpx.request(method, server.url + path, headers=headers, timeout=60, **options)


@pytest.fixture
def make(server):
    """``make(role, ...)``: a new key with its secret; revoked after the test."""
    made = []

    def post(role: str, **more) -> dict:
        answer = server.http.post("/v1/keys", json={"role": role, **more})
        assert answer.status_code == 201, answer.text
        made.append(answer.json())
        return made[-1]

    yield post
    for one in made:
        server.http.delete(f"/v1/keys/{one['key']['id']}")


def test_a_key_from_its_making_to_its_end(server, make):
    made = make("service", scopes=["score", "rate"], label="web")
    key, secret = made["key"], made["secret"]
    assert (key["role"], key["user"], key["scopes"], key["label"]) == (
        "service",
        None,
        ["score", "rate"],
        "web",
    )
    assert asked(server, secret, "GET", "/v1/models").status_code == 200
    listed = server.http.get("/v1/keys")
    assert secret not in listed.text
    (found,) = (one for one in listed.json()["keys"] if one["id"] == key["id"])
    assert {**found, "last_used": None} == key

    later = (datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=1)).isoformat()
    rotated = server.http.post(f"/v1/keys/{key['id']}/rotate", json={"old_until": later}).json()
    assert rotated["key"]["id"] == key["id"]
    for one in (secret, rotated["secret"]):
        assert asked(server, one, "GET", "/v1/models").status_code == 200
    last = server.http.post(f"/v1/keys/{key['id']}/rotate", json={}).json()["secret"]
    statuses = [asked(server, one, "GET", "/v1/models").status_code for one in (secret, rotated["secret"])]
    assert statuses == [401, 401]
    assert asked(server, last, "GET", "/v1/models").status_code == 200

    gone = server.http.delete(f"/v1/keys/{key['id']}").json()
    assert gone["revoked"] is not None
    refused = asked(server, last, "GET", "/v1/models")
    assert (refused.status_code, refused.json()["detail"]) == (
        401,
        "this key is unknown, was revoked or has expired; make one with: piaa keys create",
    )
    told = [one["what"] for one in server.http.get("/v1/audit").json()]
    assert told[-4:] == [f"{what} key {key['id']}" for what in ("create", "rotate", "rotate", "revoke")]


def test_keys_come_in_pages(server, make):
    for number in range(3):
        make("service", scopes=["score"], label=f"service {number}")
    whole = server.http.get("/v1/keys", params={"n": 1000}).json()
    assert whole["next"] is None
    found, after = [], {}
    while after.get("after", "") is not None:
        page = server.http.get("/v1/keys", params={"n": 2, **after}).json()
        assert len(page["keys"]) <= 2
        found, after = found + page["keys"], {"after": page["next"]}
    assert found == whole["keys"]
    assert [one["label"] for one in found[-3:]] == ["service 0", "service 1", "service 2"]
    refused = server.http.get("/v1/keys", params={"after": "abc"})
    assert (refused.status_code, refused.json()["detail"]) == (
        404,
        "there is no key 'abc'; see all keys with: piaa keys list",
    )


def test_the_audit_names_the_key_that_asked_and_comes_in_pages(server, make):
    boss = make("admin", label="boss")
    ids = []
    for _ in range(3):
        made = asked(server, boss["secret"], "POST", "/v1/keys", json={"role": "user", "user": "ana"})
        ids.append(made.json()["key"]["id"])
    last = server.http.get("/v1/audit", params={"n": 2}).json()
    assert [(one["who"], one["what"], one["user"]) for one in last] == [
        (boss["key"]["id"], f"create key {one}", "ana") for one in ids[1:]
    ]
    before = server.http.get("/v1/audit", params={"n": 1, "before": last[0]["id"]}).json()
    assert [one["what"] for one in before] == [f"create key {ids[0]}"]
    for one in ids:
        server.http.delete(f"/v1/keys/{one}")


def test_prometheus_key_opens_the_metrics_and_nothing_else(server, make):
    secret = make("service", scopes=["metrics"], label="prometheus")["secret"]
    assert asked(server, secret, "GET", "/metrics").status_code == 200
    open_paths = {"/health", "/ready"}
    routes = server.http.get("/openapi.json").json()["paths"]
    values = {"id": "ana", "photo": "0" * 64}
    bodies = {
        "/v1/score": {"data": {"user": "ana", "sha256": "0" * 64}},
        "/v1/users/{id}/ratings": {"data": {"ratings": '[{"sha256": "' + "0" * 64 + '", "score": 3}]'}},
        "/v1/users/{id}/comparisons": {"data": {"comparisons": "[]"}},
        "/v1/users/{id}/flags": {"data": {"flags": "[]"}},
        "/v1/users/{id}/photos": {"json": {"sha256": ["0" * 64]}},
        "/v1/users/{id}/rollback": {"json": {"version": 1}},
        "/v1/users/{id}/suggest": {"params": {"sha256": "0" * 64}},
        "/v1/keys": {"json": {"role": "admin"}},
        "/v1/keys/{id}/rotate": {"json": {}},
    }
    asked_for = 0
    for path, methods in routes.items():
        for method in methods:
            if path in open_paths | {"/metrics"}:
                continue
            named = {**values, "id": "0" * 32} if path.startswith(("/v1/jobs", "/v1/keys")) else values
            options = bodies.get(path, {}) if method != "get" or "params" in bodies.get(path, {}) else {}
            answer = asked(server, secret, method, path.format(**named), **options)
            assert answer.status_code == 403, (method, path, answer.text)
            asked_for += 1
    assert asked_for > 15
    quick = asked(server, secret, "POST", "/v1/score", json={"users": ["ana"], "sha256": ["0" * 64]})
    assert quick.json()["detail"] == (
        "this needs a key with the scope score, and this one has metrics; see: piaa keys create"
    )


@pytest.mark.parametrize(
    ("scopes", "statuses"),
    [
        (["score"], (404, 403, 403, 403)),
        (["rate"], (403, 404, 403, 403)),
        (["admin"], (403, 403, 200, 403)),
        (["metrics"], (403, 403, 403, 200)),
        (["score", "rate"], (404, 404, 403, 403)),
    ],
)
def test_what_a_scope_opens(server, make, scopes, statuses):
    secret = make("service", scopes=scopes)["secret"]
    tried = (
        ("POST", "/v1/score", {"json": {"users": ["nobody-here"], "sha256": ["0" * 64]}}),
        ("GET", "/v1/users/nobody-here", {}),
        ("GET", "/v1/users", {}),
        ("GET", "/metrics", {}),
    )
    got = tuple(asked(server, secret, method, path, **more).status_code for method, path, more in tried)
    assert got == statuses


@pytest.mark.parametrize(
    ("asked_for", "expected"),
    [
        ({"role": "service"}, "a service's key needs scopes; choose of score, rate, admin, metrics"),
        (
            {"role": "user", "user": "ana", "scopes": ["admin"]},
            "a key of the role user has no scope 'admin'; choose of score, rate",
        ),
        (
            {"role": "service", "scopes": ["all"]},
            "body.scopes.0: String should match pattern '^(score|rate|admin|metrics)$'; "
            "see /docs for what is expected",
        ),
    ],
)
def test_keys_that_cannot_be(server, asked_for, expected):
    answer = server.http.post("/v1/keys", json=asked_for)
    assert (answer.status_code, answer.json()["detail"]) == (422, expected)


def test_a_key_that_there_is_not(server):
    answer = server.http.delete("/v1/keys/abc")
    assert (answer.status_code, answer.json()["detail"]) == (
        404,
        "there is no key 'abc'; see all keys with: piaa keys list",
    )


@pytest.mark.parametrize("time", [0, "0", "1735689600"])
def test_a_time_is_written_as_a_date(server, make, time):
    answer = server.http.post("/v1/keys", json={"role": "admin", "expires": time})
    assert (answer.status_code, answer.json()["detail"]) == (
        422,
        "body.expires: Value error, expected a date and a time with its zone, such as 2027-01-31T00:00:00Z; "
        "see /docs for what is expected",
    )


def test_a_time_that_utc_cannot_hold_is_refused(server, make):
    key = make("service", scopes=["score"])["key"]["id"]
    last = "9999-12-31T23:59:59-12:00"
    for path, asked_for in (
        ("/v1/keys", {"role": "admin", "expires": last}),
        (f"/v1/keys/{key}/rotate", {"old_until": last}),
    ):
        answer = server.http.post(path, json=asked_for)
        assert (answer.status_code, answer.json()["detail"]) == (
            422,
            f"{last!r} is in UTC outside the years 1 to 9999; name a time within them",
        )
