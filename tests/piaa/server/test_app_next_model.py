"""The next model on a running server: everybody moves, and nobody is refused meanwhile."""

from __future__ import annotations

import re
import time

import pytest

from generic.model.generic_model import GenericModel

N_USERS, N_RATED = 4, 4


pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def next_model(tiny_graph):
    """Another model than the tiny one of the other tests: other vectors, another hash."""
    return tiny_graph


@pytest.fixture(scope="module")
def moving(serve, tmp_path_factory, album, names, tiny_model, next_model):
    """A store of people learned under one model, and a server that serves the next one beside it."""
    place = tmp_path_factory.mktemp("moving") / "piaa.db"
    before = serve(place, "--no-keys", "--rate", "100000")
    people = [f"user-{number}" for number in range(N_USERS)]
    for number, user in enumerate(people):
        chosen = names[number % 3 : number % 3 + N_RATED]
        rated = {name: 1 + (place + number) % 5 for place, name in enumerate(chosen)}
        assert before.rate(user, album, rated).status_code == 200
        assert before.fit(user, "ridge")["state"] == "done"
    file = (names[0], (album / names[0]).read_bytes())
    scored = before.score(people, [file]).json()["users"]
    before.stop()
    after = serve(place, "--no-keys", "--rate", "100000", "--model", next_model, "--before", tiny_model)
    yield after, people, scored
    after.stop()


def left(server) -> int:
    return int(float(re.search(r"^piaa_users_not_moved (\S+)", server.http.get("/metrics").text, re.M)[1]))


def hashes(lines: list[dict]) -> set[str]:
    return {one["model_hash"] for one in lines}


def test_everybody_moves_and_nobody_is_refused(moving, album, names, tiny_model, next_model):
    server, people, before = moving
    old, new = GenericModel(tiny_model).hash, GenericModel(next_model).hash
    assert old != new
    assert {one["hash"] for one in server.http.get("/v1/models").json()} == {old, new}
    assert left(server) == N_USERS

    # The old version answers, as it did; somebody unknown has the generic score of the model of now.
    file = (names[0], (album / names[0]).read_bytes())
    lines = server.score([*people, "nobody"], [file], params={"fallback": "generic"}).json()["users"]
    assert [one["scores"] for one in lines[:-1]] == [one["scores"] for one in before]
    assert hashes(lines[:-1]) == {old}
    assert (lines[-1]["model_hash"], lines[-1]["fallback"]) == (new, True)

    # Somebody rates a photo that is new, and is learned before she has moved: under the model of before.
    assert server.rate(people[0], album, {names[-1]: 5}).status_code == 200
    assert server.fit(people[0], "ridge")["state"] == "done"
    (line,) = server.score([people[0]], [file]).json()["users"]
    assert (line["version"], line["model_hash"]) == (2, old)

    # Photos are seen again; each user moves with the last of hers.
    end = time.monotonic() + 500
    for name in names:
        answer = server.score(people, [(name, (album / name).read_bytes())])
        assert answer.status_code == 200, answer.text
    while left(server):
        assert time.monotonic() < end
        assert server.score(people, [file]).status_code == 200
        time.sleep(0.2)
    lines = server.score(people, [file]).json()["users"]
    assert hashes(lines) == {new}
    assert {one["version"] for one in lines[1:]} == {2}
    versions = server.http.get(f"/v1/users/{people[0]}").json()["versions"]
    assert [(one["model_hash"], one["adapter"], one["n_ratings"]) for one in versions] == [
        (old, "ridge", N_RATED),
        (old, "ridge", N_RATED + 1),
        (new, "ridge", N_RATED + 1),
    ]


def test_what_one_sends_the_other_asks_for_by_its_hash(serve, tmp_path, album, names, tiny_model, next_model):
    """Whichever model each of them is of."""
    first = serve(tmp_path / "piaa.db", "--no-keys")
    assert first.rate("old", album, {names[0]: 5, names[1]: 2}).status_code == 200
    assert first.fit("old", "ridge")["state"] == "done"
    first.stop()
    server = serve(tmp_path / "piaa.db", "--no-keys", "--model", next_model, "--before", tiny_model)
    file = (names[2], (album / names[2]).read_bytes())
    sent = server.score(["nobody"], [file], params={"fallback": "generic"}).json()
    asked = {"users": ["old", "nobody"], "sha256": [sent["images"][0]["sha256"]], "fallback": "generic"}
    lines = server.http.post("/v1/score", json=asked).json()["users"]
    assert hashes(lines) == {GenericModel(tiny_model).hash, GenericModel(next_model).hash}
    assert [len(one["scores"]) for one in lines if None not in one["scores"]] == [1, 1]
    server.stop()


def test_what_her_model_has_not_seen_is_told(serve, tmp_path, album, names, tiny_model, next_model):
    place = tmp_path / "piaa.db"
    first = serve(place, "--no-keys")
    assert first.rate("old", album, {names[0]: 5, names[1]: 2}).status_code == 200
    assert first.fit("old", "ridge")["state"] == "done"
    first.stop()
    alone = serve(place, "--no-keys", "--model", next_model)  # and its feature cache remembers what it sees
    file = (names[3], (album / names[3]).read_bytes())
    sent = alone.score(["nobody"], [file], params={"fallback": "generic"}).json()
    alone.stop()
    cache = alone.log.parent / "served-cache"
    server = serve(place, "--no-keys", "--model", next_model, "--before", tiny_model, "--cache", cache)
    digest = sent["images"][0]["sha256"]
    asked = {"users": ["old", "nobody"], "sha256": [digest], "fallback": "generic"}
    old, nobody = server.http.post("/v1/score", json=asked).json()["users"]
    assert (old["scores"], nobody["problem"]) == ([None], None)
    assert old["problem"] == f"no image with the hash {digest!r} was seen before; send the file"
    server.stop()


def test_who_is_of_a_third_model_has_the_generic_score_if_asked(serve, moving, album, names, tiny_model):
    server, people, _ = moving
    file = (names[0], (album / names[0]).read_bytes())
    alone = serve(server.store, "--no-keys", "--model", "piaa-lite")
    assert alone.score([people[0]], [file]).status_code == 409
    lines = alone.score([people[0], "nobody"], [file], params={"fallback": "generic"}).json()["users"]
    assert [one["fallback"] for one in lines] == [True, True]
    alone.stop()


def test_the_same_model_twice_is_refused(piaa, tiny_model, tmp_path):
    result = piaa(
        "serve", "--no-keys", "--model", tiny_model, "--before", tiny_model, "--store", tmp_path / "a"
    )
    assert (result.exit_code, result.stderr) == (
        1,
        f"piaa: --before {tiny_model} is the same model as --model {tiny_model}; name the earlier one\n",
    )
