"""Two servers on one store: no answer is lost, either takes back the last one, no cookie fits both."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from piaa.page.page_state import open_page

pytest.importorskip("httpx", reason="the core has no httpx")
PORT, TOKEN = 8766, "another-token-that-nobody-guesses"


@pytest.fixture
def other(state, photos, model, tmp_path, until):
    """A second page of the same photos and store."""
    page = open_page(photos, model, user="ana", store=tmp_path / "piaa.db")
    page.start()
    until(lambda: page.album.n_known == len(page.album))
    yield page
    page.stop()


@pytest.fixture
def there(other):
    """The second application as its own browser asks it."""
    from starlette.testclient import TestClient

    from piaa.page.app import create_app

    address = f"http://127.0.0.1:{PORT}"
    made = TestClient(create_app(other, TOKEN, PORT), base_url=address, headers={"Origin": address})
    assert made.get(f"/?token={TOKEN}").status_code == 200
    return made


def rate(asked, row, stars):
    answer = asked.post("/api/rate", json={"user": "ana", "row": row, "stars": stars})
    assert answer.status_code == 200, answer.text
    return answer.json()["own"]


def test_answers_given_at_both_at_once_are_all_kept(client, there, state):
    for asked in (client, there):
        # An application builds all its routes for the first address that it does not know. It silences a
        # warning meanwhile, for every thread: two that build at once would show it.
        assert asked.get("/nowhere").status_code == 404
    with ThreadPoolExecutor(2) as people:
        ours = people.submit(lambda: [rate(client, row, 1 + row % 5) for row in range(6)])
        theirs = people.submit(lambda: [rate(there, row, 1 + row % 5) for row in range(6, 12)])
        ours.result()
        theirs.result()
    known = state.store.said("ana", state.model.generic.hash)
    assert sorted(one.score for one in known.ratings) == sorted(1.0 + row % 5 for row in range(12))
    assert rate(client, 0, 5) == {str(row): 1.0 + row % 5 if row else 5.0 for row in range(12)}


def test_of_one_photo_rated_at_both_the_newest_counts(client, there):
    rate(client, 3, 1)
    rate(there, 3, 5)
    assert rate(client, 4, 2) == {"3": 5.0, "4": 2.0}


def test_undo_takes_back_what_was_said_last_wherever_it_was(client, there, state):
    rate(client, 3, 1)
    rate(there, 4, 5)
    undone = client.post("/api/undo", json={"user": "ana"})
    assert (undone.status_code, undone.json()["own"]) == (200, {"3": 1.0})
    assert [one.undone for one in state.store.history("ana") if one.what == "rate"] == [False, True]
    with_both = there.post("/api/undo", json={"user": "ana"})
    assert with_both.json()["own"] == {}


def test_the_cookie_of_one_opens_nothing_of_the_other(client, there):
    (cookie,) = client.cookies.jar
    there.cookies.clear()
    there.cookies.set(f"piaa-{PORT}", cookie.value)
    there.cookies.set(cookie.name, cookie.value)
    assert there.get("/api/album").status_code == 403
