"""Two servers on one store, with a cache of each: what one has seen, learned or erased, the other knows."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import threading

import httpx
import numpy as np
import pytest

from generic.cache.contents import Content
from generic.errors import StoreUnavailable
from piaa.server.sharing import Sharing
from piaa.store.keys import KeyStore
from piaa.store.place import open_database
from piaa.store.sent import Sent, SentStore


def hash_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def sources(server) -> dict[str, float]:
    text = server.http.get("/metrics").text
    found = re.findall(r'piaa_images_total{source="(\w+)"} (\S+)', text)
    return {source: float(value) for source, value in found}


@pytest.fixture(params=["file", "postgres"])
def two(request, serve, tmp_path):
    """Two servers on one store, asked as an admin; ``secrets`` of the first opens both for a user."""
    place = tmp_path / "piaa.db" if request.param == "file" else request.getfixturevalue("postgres")
    database = open_database(place)
    keys = KeyStore(database)
    secrets = {user: keys.create_key("user", user)[1] for user in ("ana", "ben")}
    secrets["admin"] = keys.create_key("admin")[1]
    database.close()
    servers = [serve(place, "--rate", "100000") for _ in range(2)]
    for one in servers:
        one.http.headers["Authorization"] = f"Bearer {secrets['admin']}"
        one.secrets = secrets
    yield servers
    for one in servers:
        one.stop()


def scored(server, user: str, *, who: str | None = None, **options) -> httpx.Response:
    headers = {"Authorization": f"Bearer {server.secrets[who or user]}"}
    params = {"fallback": "generic"}
    return httpx.post(f"{server.url}/v1/score", headers=headers, params=params, timeout=60, **options)


def by_hash(server, user: str, photo: bytes, *, who: str | None = None) -> httpx.Response:
    return scored(server, user, who=who, data={"user": user, "sha256": hash_of(photo)})


def what_one_server_has_seen_the_other_knows(two, picture, starred):
    here, there = two
    photos = [picture(2000 + number) for number in range(3)]
    for at, photo in enumerate(photos):  # each answered at once by the other server, not after a while
        one, other = two if at % 2 else two[::-1]
        sent = scored(one, "ana", data={"user": "ana"}, files={"image": ("a.jpg", photo)})
        assert sent.status_code == 200, sent.text
        for who in ("ana", "admin"):
            known = by_hash(other, "ana", photo, who=who)
            assert (known.status_code, known.json()["users"]) == (200, sent.json()["users"])
        assert by_hash(other, "ben", photo).status_code == 422  # who did not send it
    before = sources(there)
    for _ in range(3):  # what a process knows by now it does not look up
        assert by_hash(there, "ana", photos[0]).status_code == 200
    after = sources(there)
    assert (after["store"], after["cache"]) == (before["store"], before["cache"] + 3)
    # The file itself needs no run of the network there, nor does the same picture in another file.
    fresh = picture(2010)
    assert scored(here, "ana", data={"user": "ana"}, files={"image": ("a", fresh)}).status_code == 200
    before = sources(there)
    for content in (fresh, starred(fresh)):
        answer = scored(there, "ben", data={"user": "ben"}, files={"image": ("b", content)})
        assert answer.status_code == 200
    after = sources(there)
    assert after["network"] == before.get("network", 0.0)
    assert after["store"] == before.get("store", 0.0) + 1  # the second is in the machine's own cache by then
    assert by_hash(here, "ben", starred(fresh)).status_code == 200


def what_an_admin_shares_through_one_is_known_to_the_other(two, picture):
    here, there = two
    photo = picture(2020)
    scored(here, "ana", data={"user": "ana"}, files={"image": ("a", photo)})
    assert by_hash(here, "ben", photo).status_code == 422
    shared = there.http.post("/v1/users/ben/photos", json={"sha256": [hash_of(photo)]})
    assert shared.json() == {"user": "ben", "n_shared": 1}
    assert [by_hash(one, "ben", photo).status_code for one in two] == [200, 200]


def rating_by_hash_and_learning_are_seen_by_the_next_request(two, picture):
    here, there = two
    photos = [picture(2030 + number) for number in range(6)]
    for photo in photos:
        assert scored(here, "ana", data={"user": "ana"}, files={"image": ("a", photo)}).status_code == 200
    ratings = [{"sha256": hash_of(photo), "score": 1 + at % 5} for at, photo in enumerate(photos)]
    rated = there.http.post("/v1/users/ana/ratings", data={"ratings": json.dumps(ratings)})
    assert rated.json()["n_ratings"] == 6
    for number, (one, other) in enumerate((two, two[::-1]), 1):
        assert one.fit("ana", "ridge")["version"] == number
        lines = [by_hash(at, "ana", photos[0]).json()["users"][0] for at in (one, other)]
        assert lines[0] == lines[1]
        assert (lines[0]["version"], lines[0]["fallback"]) == (number, False)
    assert here.http.post("/v1/users/ana/rollback", json={"version": 1}).status_code == 200
    assert by_hash(there, "ana", photos[0]).json()["users"][0]["version"] == 1


def erased_through_one_is_forgotten_for_both(two, picture):
    here, there = two
    alone, shared = picture(2040), picture(2041)
    for photo in (alone, shared):
        scored(here, "ana", data={"user": "ana"}, files={"image": ("a", photo)})
        there.say("ratings", "ana", [{"image": "a", "score": 4}], {"a": photo})
    scored(here, "ben", data={"user": "ben"}, files={"image": ("a", shared)})
    assert there.http.delete("/v1/users/ana").status_code == 200
    database = open_database(there.store)
    with database.reading() as sql:
        known = [
            sql.run("SELECT count(*) FROM sent_files WHERE name = :name", name=hash_of(photo))[0][0]
            for photo in (alone, shared)
        ]
    assert known == [0, 1]
    database.close()
    assert [by_hash(one, "ana", alone).status_code for one in two] == [401, 401]
    assert by_hash(there, "ben", shared).status_code == 200


def what_was_withdrawn_or_went_to_make_room_is_known_to_both_once_it_is_sent_again(two, picture, starred):
    here, there = two
    photo = picture(2045)
    for content in (photo, starred(photo)):
        assert here.say("ratings", "ben", [{"image": "a", "score": 4}], {"a": content}).status_code == 200
        assert scored(here, "ben", data={"user": "ben"}, files={"image": ("a", content)}).status_code == 200
    assert here.http.delete(f"/v1/users/ben/ratings/{hash_of(photo)}").status_code == 200
    answers = [by_hash(one, "ben", content) for one in two for content in (photo, starred(photo))]
    assert [one.status_code for one in answers] == [422] * 4

    def gone() -> None:
        database = open_database(here.store)
        with database.writing() as sql:
            sql.run("DELETE FROM sent_files")
        database.close()

    for make_room in (lambda: None, gone):
        make_room()
        for server in (here, there):
            assert scored(here, "ben", data={"user": "ben"}, files={"image": ("a", photo)}).status_code == 200
            assert by_hash(server, "ben", photo).status_code == 200
            assert by_hash(server, "ben", photo, who="admin").status_code == 200
    gone()
    other = picture(2046)
    assert scored(here, "ben", data={"user": "ben"}, files={"image": ("a", other)}).status_code == 200
    gone()
    shared = here.http.post("/v1/users/ben/photos", json={"sha256": [hash_of(other)]})
    assert shared.json() == {"user": "ben", "n_shared": 1}
    assert by_hash(there, "ben", other).status_code == 200


def test_two_servers_are_as_one(two, picture, starred):
    what_one_server_has_seen_the_other_knows(two, picture, starred)
    what_an_admin_shares_through_one_is_known_to_the_other(two, picture)
    rating_by_hash_and_learning_are_seen_by_the_next_request(two, picture)
    what_was_withdrawn_or_went_to_make_room_is_known_to_both_once_it_is_sent_again(two, picture, starred)
    erased_through_one_is_forgotten_for_both(two, picture)


def test_nothing_is_shared_unless_it_is_wanted(serve, tmp_path, picture):
    servers = [serve(tmp_path / "piaa.db", "--no-keys", "--share-vectors", "0") for _ in range(2)]
    photo, params = picture(2050), {"fallback": "generic"}
    assert servers[0].score(["ana"], [("a", photo)], params=params).status_code == 200
    form = {"user": "ana", "sha256": hash_of(photo)}
    assert servers[1].http.post("/v1/score", data=form, params=params).status_code == 422
    for one in servers:
        one.stop()


class Slow(SentStore):
    """Waits for leave before it writes; may fail."""

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.leave = threading.Event()
        self.away = False

    def lacking(self, sent, network):  # noqa: ARG002
        return sent

    def keep(self, sent, network):  # noqa: ARG002
        self.leave.wait(10)
        if self.away:
            raise StoreUnavailable("store 'piaa.db' cannot be used now: it is locked; try again later")
        self.batches.append(len(sent))


def one_file(number: int) -> Sent:
    return Sent(content=Content(f"{number:064d}", f"{number:064d}"), owner="", vector=np.zeros(3, np.float32))


def test_requests_that_wait_are_one_transaction():
    slow = Slow()

    async def run() -> None:
        sharing = Sharing(slow, "a")
        first = asyncio.create_task(sharing.keep([one_file(0)]))
        await asyncio.sleep(0.1)
        others = [asyncio.create_task(sharing.keep([one_file(number)])) for number in range(1, 10)]
        await asyncio.sleep(0.1)
        slow.leave.set()
        await asyncio.gather(first, *others)
        await sharing.keep([])

    asyncio.run(run())
    assert slow.batches == [1, 9]


def test_an_answer_does_not_wait_while_somebody_holds_the_store(monkeypatch):
    monkeypatch.setattr("piaa.server.sharing._PATIENCE_S", 0.05)
    slow = Slow()

    async def run() -> None:
        sharing = Sharing(slow, "a")
        await sharing.keep([one_file(1)])
        await sharing.keep([one_file(2)])
        assert slow.batches == []
        slow.leave.set()
        await sharing.stop()

    asyncio.run(run())
    assert slow.batches == [1, 1]


def test_a_store_that_cannot_be_written_to_stops_no_score(caplog):
    slow = Slow()
    slow.away = True
    slow.leave.set()
    asyncio.run(Sharing(slow, "a").keep([one_file(1)]))
    assert [record.getMessage() for record in caplog.records] == [
        "1 photos are known to this server alone: store 'piaa.db' cannot be used now: it is locked; "
        "try again later"
    ]


def test_what_a_killed_server_had_answered_the_other_knows(serve, tmp_path, picture):
    here, there = (serve(tmp_path / "piaa.db", "--no-keys") for _ in range(2))
    params, photos = {"fallback": "generic"}, [picture(2060 + number) for number in range(4)]
    sent = [here.score(["ana"], [("a", photo)], params=params) for photo in photos]
    here.kill()
    assert [answer.status_code for answer in sent] == [200] * 4
    form = {"user": "ana", "sha256": [hash_of(photo) for photo in photos]}
    known = there.http.post("/v1/score", data=form, params=params)
    assert known.json()["users"][0]["scores"] == [answer.json()["users"][0]["scores"][0] for answer in sent]
    there.stop()
