"""What is refused at the door, before anything is asked of the store."""

from __future__ import annotations

import re
import socket

import httpx
import pytest


def raw(server, *lines: str) -> str:
    """The first line of the answer to a request that no client library would send."""
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall("\r\n".join((*lines, "", "")).encode())
        return b"".join(iter(lambda: connection.recv(65536), b"")).decode()


@pytest.mark.parametrize(
    ("lines", "detail"),
    [
        (
            ("Authorization: Bearer a", "Authorization: Bearer b"),
            "the header 'authorization' was sent more than",
        ),
        (
            ("Content-Length: 0", "Transfer-Encoding: chunked"),
            "both Content-Length and Transfer-Encoding were",
        ),
    ],
)
def test_what_can_be_read_in_two_ways_is_refused(server, lines, detail):
    answer = raw(server, "POST /v1/score HTTP/1.1", "Host: localhost", "Connection: close", *lines)
    assert answer.startswith("HTTP/1.1 400 "), answer
    assert detail in answer


def test_two_hosts_are_refused(server):
    answer = raw(server, "GET /health HTTP/1.1", "Host: localhost", "Host: evil.example", "Connection: close")
    assert answer.startswith("HTTP/1.1 400 "), answer


@pytest.fixture(scope="module")
def keyless(serve, tmp_path_factory):
    server = serve(tmp_path_factory.mktemp("keyless") / "piaa.db", "--no-keys")
    yield server
    server.stop()


@pytest.mark.parametrize("host", ["localhost", "localhost:8000", "127.0.0.1:1", "[::1]:8000", "LOCALHOST"])
def test_a_server_without_keys_answers_to_this_machine(keyless, host):
    assert keyless.http.get("/v1/models", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example:80", "", "["]
)
def test_a_server_without_keys_answers_to_no_other_name(keyless, host):
    answer = keyless.http.get("/v1/models", headers={"Host": host})
    assert (answer.status_code, answer.headers["content-type"]) == (403, "application/problem+json")
    assert answer.json()["detail"].startswith("this server has no keys and answers to localhost, not to '")


def test_a_server_without_keys_answers_no_page_of_another_site(keyless):
    for origin in ("https://evil.example", "null"):
        answer = keyless.http.get("/v1/models", headers={"Origin": origin})
        assert (answer.status_code, answer.json()["detail"]) == (
            403,
            "this server has no keys and answers no page of another site; serve with keys",
        )
    assert keyless.http.get("/v1/models", headers={"Origin": "http://localhost:3000"}).status_code == 200


def test_a_host_header_sends_nobody_elsewhere(server):
    answer = server.http.get("/v1/users/", headers={"Host": "evil.example"}, follow_redirects=False)
    assert (answer.status_code, "location" in answer.headers) == (404, False)


def test_guesses_at_keys_end_at_the_door(server):
    # From an address of its own: other tests guess as well.
    transport = httpx.HTTPTransport(local_address="127.0.0.3")
    with httpx.Client(base_url=server.url, transport=transport) as guesser:
        answers = [
            guesser.get("/v1/models", headers={"Authorization": f"Bearer piaa_{number}"})
            for number in range(260)
        ]
    # A twentieth of a second lets one more pass.
    assert [one.status_code for one in answers[:200]] == [401] * 200
    assert [one.status_code for one in answers[-20:]] == [429] * 20
    assert answers[-1].json()["detail"] == (
        "200 wrong keys came from this address; try again later, with the right one"
    )
    assert answers[-1].headers["retry-after"].isdigit()
    # Whoever has a key goes on from the same address, which may be a proxy's.
    transport = httpx.HTTPTransport(local_address="127.0.0.3")
    with httpx.Client(base_url=server.url, transport=transport, headers=server.http.headers) as known:
        assert known.get("/v1/models").status_code == 200


def test_the_description_says_how_to_be_admitted(server):
    made = server.http.get("/openapi.json").json()
    assert made["components"]["securitySchemes"]["key"]["scheme"] == "bearer"
    assert made["paths"]["/v1/score"]["post"]["security"] == [{"key": []}]
    assert made["paths"]["/health"]["get"]["security"] == []


def test_the_description_says_what_names_and_adapters_may_be(server):
    made = server.http.get("/openapi.json").json()
    fit = made["paths"]["/v1/users/{id}/fit"]["post"]["parameters"]
    name, adapter = fit[0]["schema"], fit[1]["schema"]
    assert (name["minLength"], name["maxLength"]) == (1, 200)
    allowed = re.compile(name["pattern"].replace("$", r"\Z"))  # as JSON Schema means it
    for text in ("ana", "Ána Lúcia", "a b", "."):
        assert allowed.search(text), text
    for text in ("a/b", "a\n", "a\x85", "\u2028"):
        assert not allowed.search(text), text
    assert {"ridge", "auto", "pairs"} <= set(adapter["enum"])
    assert not {"finetune", "maml"} & set(adapter["enum"])


def test_a_wrong_method_is_told_all_that_there_are(server):
    answer = server.http.request("OPTIONS", "/v1/users/ana")
    assert (answer.status_code, answer.headers["allow"]) == (405, "DELETE, GET")
    assert answer.headers["content-type"] == "application/problem+json"


def test_the_page_loads_nothing(server):
    page = server.http.get("/docs")
    assert page.headers["content-security-policy"] == "default-src 'none'; style-src 'unsafe-inline'"
    assert "<script" not in page.text
    assert "http://" not in page.text
    assert "https://" not in page.text
    assert "POST /v1/score" in page.text
