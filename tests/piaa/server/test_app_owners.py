"""Photos belong to who sent them: another user's hash means nothing, unless an admin shared it."""

from __future__ import annotations

import hashlib
import json

import httpx
import pytest

from piaa.store.keys import KeyStore
from piaa.store.place import open_database


class User:
    """Somebody with a key of her own."""

    def __init__(self, server, name: str) -> None:
        database = open_database(server.store)
        secret = KeyStore(database).create_key("user", name)[1]
        database.close()
        self.name = name
        self.http = httpx.Client(
            base_url=server.url, timeout=60, headers={"Authorization": f"Bearer {secret}"}
        )

    def score(self, **options) -> httpx.Response:
        data = {"user": self.name, **options.pop("data", {})}
        return self.http.post("/v1/score", params={"fallback": "generic"}, data=data, **options)


@pytest.fixture
def people(server):
    both = [User(server, name) for name in ("owner", "stranger")]
    yield both
    for one in both:
        one.http.close()
        server.http.delete(f"/v1/users/{one.name}")


def attempts(user: User, digest: str) -> dict[str, httpx.Response]:
    """All ways to make something of a hash."""
    path = f"/v1/users/{user.name}"
    rating, flag = ({"sha256": digest, "score": 3}, {"sha256": digest, "flag": "pick"})
    pair = {"a": digest, "b": digest, "outcome": "a"}
    return {
        "score": user.score(data={"sha256": digest}),
        "rate": user.http.post(f"{path}/ratings", data={"ratings": json.dumps([rating])}),
        "flag": user.http.post(f"{path}/flags", data={"flags": json.dumps([flag])}),
        "compare": user.http.post(f"{path}/comparisons", data={"comparisons": json.dumps([pair])}),
        "suggest": user.http.get(f"{path}/suggest", params={"sha256": digest}),
    }


@pytest.mark.parametrize("how", ["scored", "rated"])
def test_a_hash_is_known_to_who_sent_the_photo_alone(server, people, picture, how):
    owner, stranger = people
    photo = picture(700 + len(how))
    digest = hashlib.sha256(photo).hexdigest()
    files = {"image": ("mine.jpg", photo)}
    if how == "scored":
        assert owner.score(files=files).status_code == 200
    else:
        ratings = json.dumps([{"image": "mine.jpg", "score": 4}])
        sent = owner.http.post("/v1/users/owner/ratings", data={"ratings": ratings}, files=files)
        assert sent.status_code == 200
    assert owner.score(data={"sha256": digest}).status_code == 200
    refused = attempts(stranger, digest)
    assert {what: answer.status_code for what, answer in refused.items()} == {
        "score": 422,
        "rate": 422,
        "flag": 422,
        "compare": 422,
        "suggest": 404,
    }
    nothing = attempts(stranger, "0" * 64)
    for what, answer in refused.items():  # nor can she tell that somebody has it
        assert answer.text.replace(digest, "0" * 64) == nothing[what].text

    shared = server.http.post("/v1/users/stranger/photos", json={"sha256": [digest, "0" * 64]})
    assert shared.json() == {"user": "stranger", "n_shared": 1}
    assert attempts(stranger, digest)["rate"].status_code == 200


def test_who_sends_the_same_photo_has_it_too(people, picture):
    owner, stranger = people
    photo = picture(710)
    digest = hashlib.sha256(photo).hexdigest()
    for one in (owner, stranger):
        assert one.score(files={"image": ("a.jpg", photo)}).status_code == 200
        assert one.score(data={"sha256": digest}).status_code == 200


def test_only_an_admin_shares(people):
    answer = people[0].http.post("/v1/users/owner/photos", json={"sha256": ["0" * 64]})
    assert answer.status_code == 403
