"""What is withdrawn over HTTP is gone: the rating, the versions that knew it, its traces in the file."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from piaa import load_model
from piaa.store.store import Store

SCORES = (5, 1, 4, 2, 3)


def hash_of(album, name: str) -> str:
    return hashlib.sha256((album / name).read_bytes()).hexdigest()


def withdraw(server, user: str, digest: str):
    return server.http.delete(f"/v1/users/{user}/ratings/{digest}")


def test_a_rating_goes_with_what_was_learned_from_it(server, album, names, tiny_model):
    rated = dict(zip(names, SCORES, strict=False))
    server.rate("ute", album, dict(list(rated.items())[:4]))
    assert server.fit("ute", "ridge")["version"] == 1
    server.rate("ute", album, {names[4]: SCORES[4]})
    assert server.fit("ute", "bayes")["version"] == 2
    answer = withdraw(server, "ute", hash_of(album, names[4]))
    assert answer.status_code == 200
    found = answer.json()
    assert (found["user"], found["n_ratings"], found["deleted_versions"]) == ("ute", 4, [2])
    assert (found["job"]["adapter"], found["job"]["error"]) == ("bayes", None)
    assert server.follow(found["job"]["id"])["version"] == 3
    info = server.http.get("/v1/users/ute").json()
    assert [(one["version"], one["adapter"]) for one in info["versions"]] == [(1, "ridge"), (3, "bayes")]
    assert (info["active"], [one["image"] for one in info["ratings"]]) == (3, names[:4])
    four = dict(list(rated.items())[:4])
    frame = load_model(tiny_model).fit_user(four, images=album, adapter="bayes").score(album)
    expected = dict(zip(frame["image"], frame["score"], strict=True))
    files = [(name, (album / name).read_bytes()) for name in names]
    (scored,) = server.score(["ute"], files).json()["users"]
    np.testing.assert_allclose(scored["scores"], [expected[name] for name in names], atol=1e-6, rtol=0)


def test_a_version_that_knew_it_not_goes_on_counting(server, album, names):
    server.rate("ivo", album, {names[0]: 5, names[1]: 1})
    server.fit("ivo", "ridge")
    server.rate("ivo", album, {names[2]: 4})
    found = withdraw(server, "ivo", hash_of(album, names[2])).json()
    assert found == {"user": "ivo", "n_ratings": 2, "deleted_versions": [], "job": None}
    assert server.http.get("/v1/users/ivo").json()["active"] == 1


def test_the_last_rating_may_go(server, album, names):
    server.rate("leo", album, {names[0]: 5})
    server.fit("leo", "bias")
    found = withdraw(server, "leo", hash_of(album, names[0])).json()
    assert found == {"user": "leo", "n_ratings": 0, "deleted_versions": [1], "job": None}
    info = server.http.get("/v1/users/leo").json()
    assert (info["active"], info["versions"], info["ratings"]) == (None, [], [])
    assert server.score(["leo"], [("a", (album / names[0]).read_bytes())]).status_code == 404
    history = server.http.get("/v1/users/leo/export").json()["history"]
    assert [(one["what"], one["source"], one["n_withdrawn"]) for one in history] == [
        ("rate", "http", 0),
        ("withdraw", "http", 1),
    ]


def test_a_photo_that_was_only_compared_or_flagged(server, album, names):
    files = {name: (album / name).read_bytes() for name in names[:4]}
    pairs = [{"a": names[0], "b": names[1], "outcome": "a"}, {"a": names[2], "b": names[1], "outcome": "b"}]
    server.say("comparisons", "kai", pairs, files)
    server.say("flags", "kai", [{"image": names[3], "flag": "pick"}], files)
    assert server.fit("kai")["version"] == 1
    flagged = withdraw(server, "kai", hash_of(album, names[3])).json()
    assert (flagged["deleted_versions"], flagged["job"]) == ([], None)
    compared = withdraw(server, "kai", hash_of(album, names[0])).json()
    assert compared["deleted_versions"] == [1]
    assert server.follow(compared["job"]["id"])["version"] == 2
    info = server.http.get("/v1/users/kai").json()
    assert (info["comparisons"], info["flags"]) == (pairs[1:], [])
    assert info["versions"][0]["adapter"] == "pairs"


def test_any_file_that_holds_the_photo_will_do(server, picture, starred):
    one, two, never = picture(10), picture(11), starred(picture(10))
    server.say(
        "ratings", "tom", [{"image": "a", "score": 3}, {"image": "b", "score": 4}], {"a": one, "b": two}
    )
    digest = hashlib.sha256(never).hexdigest()
    assert withdraw(server, "tom", digest).status_code == 404  # no one has seen that file yet
    server.score(["tom"], [("c", never)], params={"fallback": "generic"})
    assert withdraw(server, "tom", digest).json()["n_ratings"] == 1


def test_what_a_server_cannot_fit_is_learned_in_the_usual_way(server, album, names, tiny_model):
    rated = dict(zip(names, SCORES, strict=False))
    load_model(tiny_model).fit_user(rated, images=album, adapter="lora", user="lou").save(server.store)
    found = withdraw(server, "lou", hash_of(album, names[0])).json()
    assert (found["deleted_versions"], found["job"]["adapter"]) == ([1], "auto")
    assert server.follow(found["job"]["id"])["version"] == 2


def test_nothing_of_it_is_left(serve, tmp_path, picture):
    server = serve(tmp_path / "piaa.db", "--no-keys")
    gone, stays = picture(20), picture(21)
    rows = [{"image": "a secret name.jpg", "score": 3}, {"image": "another.jpg", "score": 4}]
    server.say("ratings", "ana", rows, {"a secret name.jpg": gone, "another.jpg": stays})
    assert server.fit("ana", "ridge")["version"] == 1
    digest = hashlib.sha256(gone).hexdigest()
    exported = server.http.get("/v1/users/ana/export").json()
    (rating,) = [one for one in exported["adapters"]["said"]["ratings"] if one["sha256"] == digest]
    traces = [rating["photo"].encode(), digest.encode(), b"a secret name.jpg"]

    def there() -> list[bool]:
        content = b"".join(path.read_bytes() for path in Path(tmp_path).glob("piaa.db*"))
        return [trace in content for trace in traces]

    assert there() == [True] * 3
    answer = withdraw(server, "ana", digest).json()
    assert (answer["n_ratings"], answer["deleted_versions"]) == (1, [1])
    assert server.follow(answer["job"]["id"])["version"] == 2
    assert there() == [False] * 3
    assert digest not in server.http.get("/v1/users/ana/export").text
    server.stop()
    assert there() == [False] * 3


def test_what_is_refused(server, album, names):
    server.rate("rex", album, {names[0]: 5})
    never = "user 'rex' said nothing of a photo with this hash; see /v1/users/{id}"
    nobody = "there is no user 'nobody'; rate some photos for the user first"
    pattern = "path.photo: String should match pattern '^[0-9a-f]{64}$'; see /docs for what is expected"
    for user, digest, status, detail in (
        ("rex", hash_of(album, names[1]), 404, never),
        ("nobody", "0" * 64, 404, nobody),
        ("rex", "beach.jpg", 422, pattern),
    ):
        answer = withdraw(server, user, digest)
        assert (answer.status_code, answer.json()["detail"]) == (status, detail)
    assert len(server.http.get("/v1/users/rex").json()["ratings"]) == 1


@pytest.mark.parametrize("what", ["withdraw", "restore version 1"])
def test_the_audit_names_the_key(server, piaa, album, names, what):
    server.rate("gil", album, {names[0]: 5, names[1]: 2})
    server.fit("gil", "bias")
    if what == "withdraw":
        assert withdraw(server, "gil", hash_of(album, names[0])).status_code == 200
    else:
        assert server.http.post("/v1/users/gil/rollback", json={"version": 1}).status_code == 200
    listed = json.loads(piaa("keys", "list", "--store", server.store, "--json").stdout)
    admins = {one["id"] for one in listed if one["role"] == "admin" and not one["revoked"]}
    entry = json.loads(piaa("keys", "audit", "--store", server.store, "--json").stdout)[-1]
    assert (entry["what"], entry["user"], entry["who"] in admins) == (what, "gil", True)
    Store(server.store).delete("gil", source="terminal")
