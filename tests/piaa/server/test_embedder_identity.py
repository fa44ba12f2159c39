"""A photo is its picture over HTTP too: stars set elsewhere make no new photo and no run of the network."""

from __future__ import annotations

import hashlib
import re


def hash_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def counted(server) -> dict[str, float]:
    """How many images came from where."""
    text = server.http.get("/metrics").text
    return {
        source: float(value) for source, value in re.findall(r'piaa_images_total{source="(\w+)"} (\S+)', text)
    }


def vectors(server, user: str) -> list[str]:
    return [one["vector"] for one in server.http.get(f"/v1/users/{user}/export").json()["ratings"]]


def test_another_star_is_the_same_photo(server, picture, starred):
    first = picture(40)
    answer = server.say("ratings", "vic", [{"image": "a.jpg", "score": 2}], {"a.jpg": first})
    assert answer.json()["n_ratings"] == 1
    before, vector = counted(server), vectors(server, "vic")
    again = server.say("ratings", "vic", [{"image": "b.jpg", "score": 5}], {"b.jpg": starred(first)})
    assert again.json()["n_ratings"] == 1
    after = counted(server)
    assert after["network"] == before["network"]
    assert after["cache"] == before["cache"] + 1
    assert vectors(server, "vic") == vector
    (rating,) = server.http.get("/v1/users/vic").json()["ratings"]
    assert rating == {"image": "b.jpg", "sha256": hash_of(starred(first)), "score": 5}


def test_a_hash_means_the_photo_of_the_file(server, picture, starred):
    first = picture(41)
    server.say("ratings", "val", [{"image": "a.jpg", "score": 2}], {"a.jpg": first})
    server.score(["val"], [("seen", starred(first))], params={"fallback": "generic"})
    for digest, score in ((hash_of(first), 3), (hash_of(starred(first)), 4)):
        answer = server.say("ratings", "val", [{"sha256": digest, "score": score}])
        assert (answer.status_code, answer.json()["n_ratings"]) == (200, 1)
    (rating,) = server.http.get("/v1/users/val").json()["ratings"]
    assert rating["score"] == 4


def test_a_hash_is_known_after_a_restart(serve, tmp_path, picture, starred):
    first, other = picture(42), starred(picture(42))
    server = serve(tmp_path / "piaa.db", "--no-keys")
    server.say("ratings", "ana", [{"image": "a.jpg", "score": 2}], {"a.jpg": first})
    server.score(["ana"], [("b", other)], params={"fallback": "generic"})
    server.stop()
    # Each server of these tests has a cache of its own, unless it is told another.
    cache = server.log.parent / "served-cache"
    again = serve(tmp_path / "piaa.db", "--no-keys", "--cache", str(cache))
    form = {"user": "ana", "sha256": [hash_of(first), hash_of(other)]}
    scored = again.http.post("/v1/score", data=form, params={"fallback": "generic"})
    one, two = scored.json()["users"][0]["scores"]
    assert one == two is not None
    answer = again.say("ratings", "ana", [{"sha256": hash_of(other), "score": 5}])
    assert answer.json()["n_ratings"] == 1
    again.stop()
