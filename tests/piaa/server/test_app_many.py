"""Many users and one photo: the scores of each by herself, and those without the smooth part for who asks."""

from __future__ import annotations

import hashlib

import pytest

from piaa.server.client import Client

USERS = ("olga", "piet", "rosa")


@pytest.fixture(scope="module")
def known(server, album, names):
    """Hashes of photos, and users who are fitted with `auto`, `ridge` and `bias`."""
    for place, (user, adapter) in enumerate(zip(USERS, ("auto", "ridge", "bias"), strict=True)):
        rated = {name: 1 + (3 * number + place) % 5 for number, name in enumerate(names[:6])}
        assert server.rate(user, album, rated).status_code == 200
        assert server.fit(user, adapter)["state"] == "done"
    yield [hashlib.sha256((album / name).read_bytes()).hexdigest() for name in names[:6]]
    for user in USERS:
        server.http.delete(f"/v1/users/{user}")


def asked(server, known, users, **more):
    answer = server.http.post("/v1/score", json={"users": users, "sha256": known, **more})
    assert answer.status_code == 200, answer.text
    return {one["user"]: one for one in answer.json()["users"]}


def test_together_each_has_her_own_scores_to_the_bit(server, known):
    together = asked(server, known, list(USERS))
    for user in USERS:
        assert asked(server, known, [user])[user] == together[user]
        assert asked(server, known[2:3], [user])[user]["scores"] == together[user]["scores"][2:3]
        assert together[user]["exact"] is True
        exact = asked(server, known, [user], intervals=True)[user]["scores"]
        assert together[user]["scores"] == pytest.approx(exact, abs=1e-9)


def test_who_learned_the_same_is_still_somebody_else(server, known, album, names):
    rated = {name: 1 + number for number, name in enumerate(names[:4])}
    for user in ("twin-1", "twin-2"):
        server.rate(user, album, rated)
        assert server.fit(user, "auto")["state"] == "done"
    first, second = (asked(server, known, [user])[user] for user in ("twin-1", "twin-2"))
    assert first["scores"] == second["scores"]
    for user in ("twin-1", "twin-2"):
        server.http.delete(f"/v1/users/{user}")


def test_without_the_smooth_part_it_is_said(server, known):
    whole, less = asked(server, known, list(USERS)), asked(server, known, list(USERS), exact=False)
    assert {user: one["exact"] for user, one in less.items()} == {"olga": False, "piet": True, "rosa": True}
    assert less["olga"]["scores"] != whole["olga"]["scores"]
    assert less["piet"] == whole["piet"]
    # Whoever asks for all of it next has it.
    assert asked(server, known, list(USERS)) == whole
    form = {"user": "olga", "sha256": known}
    found = server.http.post("/v1/score", data=form, params={"exact": "false"}).json()["users"][0]
    assert found == less["olga"]
    secret = server.http.headers["Authorization"].removeprefix("Bearer ")
    with Client(server.url, key=secret) as client:
        (one,) = client.score(["olga"], sha256=known, exact=False).users
    assert one.model_dump() == {**less["olga"], "scale": tuple(less["olga"]["scale"])}


def test_who_is_fitted_anew_has_new_scores_and_the_others_theirs(server, known, album, names):
    before = asked(server, known, list(USERS))
    server.rate("olga", album, {names[0]: 5, names[1]: 1})
    assert server.fit("olga", "auto")["state"] == "done"
    after = asked(server, known, list(USERS))
    assert after["olga"]["version"] == before["olga"]["version"] + 1
    assert after["olga"]["scores"] != before["olga"]["scores"]
    assert (after["piet"], after["rosa"]) == (before["piet"], before["rosa"])
