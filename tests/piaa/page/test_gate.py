"""The attack table: nobody but the opened page gets anything, and nothing outside the folder is read."""

from __future__ import annotations

import re

import pytest

from piaa.page.gate import MOST_BYTES

pytest.importorskip("httpx", reason="the core has no httpx")
PORT, TOKEN = 8765, "a-token-that-nobody-guesses"
OWN = f"http://127.0.0.1:{PORT}"


def stranger(client):
    """The same application, for whoever was never let in."""
    from starlette.testclient import TestClient

    return TestClient(client.app, base_url=OWN, headers={"Origin": OWN})


@pytest.fixture
def app(state):
    """A page that nobody opened yet."""
    from piaa.page.app import create_app

    return create_app(state, TOKEN, PORT)


def browser(app):
    from starlette.testclient import TestClient

    return TestClient(app, base_url=OWN, headers={"Origin": OWN})


def test_the_token_becomes_a_cookie_that_no_script_and_no_other_site_can_use(app):
    name, cookie, *attributes = re.split("=|; ", browser(app).get(f"/?token={TOKEN}").headers["set-cookie"])
    assert name == f"piaa-{PORT}"
    assert len(cookie) == 43
    assert cookie != TOKEN  # which ps shows
    assert attributes == ["Path", "/", "HttpOnly", "SameSite", "Strict"]


def test_the_opened_address_lets_in_one_browser_alone(app):
    person, other = browser(app), browser(app)
    assert person.get(f"/?token={TOKEN}").status_code == 200
    assert person.get("/api/album").status_code == 200  # with the cookie the token is spent
    late = other.get(f"/?token={TOKEN}")
    assert late.status_code == 403
    assert late.text == (
        "this address was opened already, and lets in one browser alone; go on there, or stop piaa open with "
        "Ctrl-C and start it again: nothing is lost. If it was not you who opened it, somebody else on this "
        "computer did\n"
    )
    assert "set-cookie" not in late.headers
    other.cookies.set(f"piaa-{PORT}", TOKEN)
    assert other.get("/api/album").status_code == 403
    assert person.get(f"/?token={TOKEN}").status_code == 200  # she may open it again


def test_a_page_that_was_fetched_and_thrown_away_locks_nobody_out(app):
    ahead, person = browser(app), browser(app)
    assert ahead.get(f"/?token={TOKEN}").status_code == 200
    assert person.get(f"/?token={TOKEN}").status_code == 200
    assert person.get("/api/album").status_code == 200
    assert ahead.get("/api/album").status_code == 403  # of two cookies the first that comes back counts


@pytest.mark.parametrize(
    "path", ["/", "/?token=", "/?token=guess", "/static/page.js", "/api/album", "/thumb/0"]
)
def test_without_token_nothing_is_told(client, path):
    answer = stranger(client).get(path)
    assert answer.status_code == 403
    assert answer.text == (
        "open the address that piaa open printed; this one is not known, or piaa was started again\n"
    )
    assert "set-cookie" not in answer.headers


def test_a_token_elsewhere_than_in_the_opened_address_is_none(client):
    assert stranger(client).get(f"/api/album?token={TOKEN}").status_code == 403


@pytest.mark.parametrize("host", ["evil.example", f"evil.example:{PORT}", "127.0.0.1", "127.0.0.1:1", ""])
def test_a_foreign_host_is_refused_though_the_cookie_is_right(client, host):
    answer = client.get("/api/album", headers={"Host": host})
    assert answer.status_code == 421
    assert answer.text == "this page answers to its own address only; use the one that piaa open printed\n"


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://127.0.0.1:1", f"https://127.0.0.1:{PORT}"]
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_foreign_origin_is_refused_though_the_cookie_is_right(client, state, origin, method):
    content = {"user": "ana", "row": 0, "stars": 1}
    answer = client.request(method, "/api/rate", json=content, headers={"Origin": origin})
    assert (answer.status_code, answer.text) == (403, "another page asked; nothing was done\n")
    assert state.store.users() == []


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_what_another_page_embeds_is_refused(client, site):
    assert client.get("/photo/0", headers={"Sec-Fetch-Site": site}).status_code == 403


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]
)
def test_a_form_changes_nothing(client, state, kind):
    content = '{"user": "ana", "row": 0, "stars": 1}'
    answer = client.post("/api/rate", content=content, headers={"Content-Type": kind})
    assert answer.status_code == 403
    assert state.store.users() == []


def test_a_change_without_origin_is_refused(client, state):
    answer = client.build_request("POST", "/api/rate", json={"user": "ana", "row": 0, "stars": 1})
    del answer.headers["origin"]
    assert client.send(answer).status_code == 403
    assert state.store.users() == []


@pytest.mark.parametrize(
    "path",
    [
        "/thumb/../../etc/passwd",
        "/thumb/..%2f..%2fetc%2fpasswd",
        "/photo/%2fetc%2fpasswd",
        "/photo/-1",
        "/photo/99999999999999999999",
        "/static/../app.py",
        "/static/..%2fapp.py",
        "/static/page.html",
        "/photo/0/whole/../../../etc/passwd",
        "//etc/passwd",
    ],
)
def test_no_path_leads_out(client, path):
    answer = client.get(path)
    assert answer.status_code in (400, 404, 422)
    assert "root:" not in answer.text
    assert "import" not in answer.text


def test_a_body_of_ten_megabytes_is_not_read(client, state):
    names = {"user": "ana", "rows": ["x" * 50] * 200_000}
    answer = client.post("/api/want", json=names)
    assert (answer.status_code, answer.text) == (
        413,
        f"the request is larger than {MOST_BYTES} bytes; nothing was done\n",
    )

    def pieces():
        for _ in range(100):
            yield b" " * 100_000

    answer = client.post("/api/want", content=pieces(), headers={"Content-Type": "application/json"})
    assert answer.status_code in (400, 413)
    assert state.store.users() == []


@pytest.mark.parametrize("path", ["/", "/static/page.js", "/api/album", "/photo/0", "/nowhere"])
def test_every_answer_forbids_what_the_page_does_not_need(client, path):
    headers = client.get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert headers["referrer-policy"] == "no-referrer"


def test_a_name_is_never_markup(client):
    page = client.get("/").text
    assert "<script" in page
    assert "onerror" not in page
    odd = client.get("/api/said", params={"user": "<img src=x onerror=alert(1)>"})
    assert odd.headers["content-type"] == "application/json"


@pytest.mark.parametrize("rows", ["²", "9" * 5000, "-1", "1.5"])
def test_rows_that_are_no_numbers_are_refused(client, rows):
    answer = client.get("/api/intervals", params={"user": "ana", "rows": rows})
    assert answer.status_code == 400
    assert answer.json() == {"error": "photos are asked for by numbers with commas between them"}


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.0.0.1:80"])
def test_on_the_usual_port_a_browser_does_not_name_it(state, host):
    from starlette.testclient import TestClient

    from piaa.page.app import create_app

    asked = TestClient(create_app(state, TOKEN, 80), base_url=f"http://{host}", headers={"Host": host})
    assert asked.get(f"/?token={TOKEN}").status_code == 200


def test_a_name_that_nobody_can_have_is_refused(client):
    answer = client.get("/api/said", params={"user": "a\nb"})
    assert answer.status_code == 400
    assert answer.json()["error"] == (
        "user name 'a\\nb' contains the control character U+000A; choose another name"
    )
