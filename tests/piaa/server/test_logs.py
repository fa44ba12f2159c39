"""The log: a line of JSON for everything, with the request's id and the key's, and nobody's name."""

from __future__ import annotations

import json
import logging
import re
import sys
import time

import pytest

from piaa.server.logs import JsonLines

TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"


def lines(server) -> list[dict]:
    """Everything that it wrote, each line of which is JSON."""
    found = [
        json.loads(line) for line in server.log.read_text().splitlines(keepends=True) if line[-1] == "\n"
    ]
    assert all(re.fullmatch(TIME, one["time"]) for one in found)
    assert all({"level", "logger"} <= set(one) for one in found)
    return found


def of_request(server, request: str) -> list[dict]:
    """Its lines; that of the access is written after the answer."""
    for _ in range(200):
        found = [one for one in lines(server) if one.get("request") == request]
        if any(one["logger"] == "piaa.server.gate" for one in found):
            return found
        time.sleep(0.05)
    raise AssertionError(server.log.read_text())


def test_a_request_is_told_by_its_id_its_key_and_its_address(server):
    answer = server.http.get("/v1/users/nobody-of-this-name", headers={"X-Request-ID": "proxy-7:a.b"})
    assert (answer.status_code, answer.headers["x-request-id"]) == (404, "proxy-7:a.b")
    (line,) = [one for one in of_request(server, "proxy-7:a.b") if one["logger"] == "piaa.server.gate"]
    assert {name: line[name] for name in ("method", "route", "status", "address", "level")} == {
        "method": "GET",
        "route": "/v1/users/{id}",
        "status": 404,
        "address": "127.0.0.1",
        "level": "info",
    }
    assert re.fullmatch(r"[0-9a-f]+", line["key"])
    assert server.keys["admin"] not in server.log.read_text()
    assert "nobody-of-this-name" not in server.log.read_text()


@pytest.mark.parametrize("sent", ["", "x" * 65, 'a"b', "a b", "a\tb", "Ána"])
def test_an_id_that_is_not_sane_is_made_anew(server, sent):
    answer = server.http.get("/health", headers={"X-Request-ID": sent.encode()})
    made = answer.headers["x-request-id"]
    assert re.fullmatch("[0-9a-f]{16}", made)
    assert [one["status"] for one in of_request(server, made)] == [200]


def test_who_is_refused_at_the_door_is_told_too(server):
    answer = server.http.get("/v1/models", headers={"Authorization": "Bearer wrong"})
    (line,) = of_request(server, answer.headers["x-request-id"])
    assert (line["status"], line["route"], "key" in line) == (401, "none", False)


def test_the_servers_own_lines_have_the_form_too(server):
    started = [one["message"] for one in lines(server) if one["logger"] == "uvicorn.error"]
    assert "Application startup complete." in started
    assert any(one.startswith("Uvicorn running on http://127.0.0.1:") for one in started)


def test_an_errors_own_words_name_nobody():
    try:
        raise ValueError("no user 'ána \"x'; did you mean 'ana'?")
    except ValueError:
        record = logging.LogRecord(
            "a.b",
            logging.ERROR,
            __file__,
            1,
            "version 3 of user %r: %s",
            ("eva", 'users "ida"'),
            sys.exc_info(),
        )
    line = json.loads(JsonLines().format(record))
    assert line["message"] == "version 3 of user ...: users ..."
    assert "ValueError: no user ...; did you mean ...?" in line["trace"]
    assert (line["level"], line["logger"], "request" in line) == ("error", "a.b", False)
