"""One truth: what is said in the terminal or over HTTP is seen, exported and learned from in both."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import httpx
import numpy as np
import pytest
from safetensors.numpy import save as pack

from piaa import load_model
from piaa.store.keys import KeyStore
from piaa.store.place import open_database
from piaa.store.records import AdapterRecord, SeenPhoto
from piaa.store.saying import Saying
from piaa.store.store import Store

SCORES = (5, 1, 4, 2, 3)
OLD = "ab" * 32
"""Hash of a model that nobody has any more."""


@pytest.fixture
def terminal(piaa, album, tiny_model, warm, tmp_path, server):
    """``terminal(user, {name: score}, *options)``: ``piaa fit-user`` into the server's store."""

    def run(user: str, scores: dict[str, float], *options: str) -> None:
        table = tmp_path / "table.csv"
        table.write_text("image,score\n" + "".join(f"{name},{score}\n" for name, score in scores.items()))
        given = ("--ratings", table, "--images", album, "--model", tiny_model, "--store", server.store)
        result = piaa("fit-user", "--user", user, *given, *options)
        assert result.exit_code == 0, result.stderr

    return run


def scores_of(server, user: str, album, names) -> list[float]:
    files = [(name, (album / name).read_bytes()) for name in names]
    return server.score([user], files).json()["users"][0]["scores"]


def expected(tiny_model, rated: dict[str, float], album, names, adapter: str) -> list[float]:
    frame = load_model(tiny_model).fit_user(rated, images=album, adapter=adapter).score(album)
    by_name = dict(zip(frame["image"], frame["score"], strict=True))
    return [by_name[name] for name in names]


def test_terminal_and_http_are_one_set(server, terminal, album, names, tiny_model):
    terminal("pat", dict(zip(names[:4], SCORES, strict=False)), "--adapter", "ridge")
    assert [one["image"] for one in server.http.get("/v1/users/pat").json()["ratings"]] == names[:4]
    # One of the terminal's photos again, and a new one.
    assert server.rate("pat", album, {names[0]: 2, names[4]: 3}).json()["n_ratings"] == 5
    assert server.fit("pat", "ridge")["version"] == 2
    rated = dict(zip(names, (2, 1, 4, 2, 3), strict=False))
    info = server.http.get("/v1/users/pat").json()
    assert {one["image"]: one["score"] for one in info["ratings"]} == rated
    assert [one["n_ratings"] for one in info["versions"]] == [4, 5]
    want = expected(tiny_model, rated, album, names, "ridge")
    np.testing.assert_allclose(scores_of(server, "pat", album, names), want, atol=1e-6, rtol=0)
    # And back: the terminal learns on from what came over HTTP.
    terminal("pat", {names[5]: 5}, "--add")
    rated[names[5]] = 5
    want = expected(tiny_model, rated, album, names, "ridge")
    np.testing.assert_allclose(scores_of(server, "pat", album, names), want, atol=1e-6, rtol=0)
    history = server.http.get("/v1/users/pat/export").json()["history"]
    assert [(one["what"], one["source"]) for one in history] == [
        ("rate", "table"),
        ("rate", "http"),
        ("rate", "table"),
    ]


def test_who_was_fitted_in_the_terminal_alone_is_exported(server, terminal, piaa, album, names, tmp_path):
    terminal("kit", dict(zip(names, SCORES, strict=False)))
    got = server.http.get("/v1/users/kit/export")
    assert got.status_code == 200
    content = got.json()
    assert (content["active"], content["scale"], content["jobs"]) == (1, [1, 5], [])
    assert {one["image"]: one["score"] for one in content["ratings"]} == dict(
        zip(names, SCORES, strict=False)
    )
    assert all(one["vector"] for one in content["ratings"])
    (tmp_path / "kit.json").write_text(json.dumps(content["adapters"]))
    place = tmp_path / "other.db"
    assert piaa("users", "import", tmp_path / "kit.json", "--store", place).exit_code == 0
    assert Store(place).content("kit") == Store(server.store).content("kit")


def test_all_that_was_said_is_exported_and_imported(server, piaa, album, names, tmp_path, tiny_model):
    files = {name: (album / name).read_bytes() for name in names[:6]}
    server.rate("ron", album, dict(zip(names[:3], SCORES, strict=False)))
    server.rate("ron", album, {names[0]: 1})
    server.say("comparisons", "ron", [{"a": names[3], "b": names[4], "outcome": "b"}], files)
    server.say("flags", "ron", [{"image": names[5], "flag": "reject"}], files)
    assert server.fit("ron", "ridge")["version"] == 1
    content = server.http.get("/v1/users/ron/export").json()
    said = content["adapters"]["said"]
    assert [(one["score"], one["counts"]) for one in said["ratings"]] == [
        (5, False),
        (1, True),
        (4, True),
        (1, True),
    ]
    assert content["comparisons"] == [{"a": names[3], "b": names[4], "outcome": "b"}]
    assert [one["flag"] for one in content["flags"]] == ["reject"]
    assert [one["what"] for one in content["history"]] == ["rate", "rate", "compare", "flag"]
    (tmp_path / "ron.json").write_text(json.dumps(content["adapters"]))
    place = tmp_path / "other.db"
    assert piaa("users", "import", tmp_path / "ron.json", "--store", place).exit_code == 0
    here, there = Store(place), Store(server.store)
    assert here.content("ron") == there.content("ron")
    frame = load_model(tiny_model).load("ron", store=place).score(album)
    by_name = dict(zip(frame["image"], frame["score"], strict=True))
    got = scores_of(server, "ron", album, names)
    np.testing.assert_allclose(got, [by_name[name] for name in names], atol=1e-6, rtol=0)


def test_a_rollback_restores_what_counted_then(server, album, names):
    server.rate("sue", album, {names[0]: 5, names[1]: 1})
    server.fit("sue", "ridge")
    before = scores_of(server, "sue", album, names)
    server.rate("sue", album, {names[0]: 2, names[2]: 4})
    assert server.fit("sue", "ridge")["version"] == 2
    assert scores_of(server, "sue", album, names) != before
    info = server.http.post("/v1/users/sue/rollback", json={"version": 1}).json()
    assert info["active"] == 1
    assert {one["image"]: one["score"] for one in info["ratings"]} == {names[0]: 5, names[1]: 1}
    assert scores_of(server, "sue", album, names) == before
    # What is learned from now on is learned from that set.
    assert server.fit("sue", "ridge")["version"] == 3
    assert scores_of(server, "sue", album, names) == before


def test_who_was_learned_under_another_model(server, album, names):
    seen = [SeenPhoto(identity=f"{at:064x}", image=f"old {at}.jpg", vector=np.ones(9, "f4")) for at in (1, 2)]
    store = Store(server.store)
    store.say("old", Saying(ratings=[(one, 4.0) for one in seen], model_hash=OLD, source="python"))
    said = store.said("old", OLD)
    record = AdapterRecord(
        adapter="bias",
        model_name="gone",
        model_hash=OLD,
        scale_low=1,
        scale_high=5,
        state=pack({"a": np.ones(1)}),
        ratings=said.ratings,
    )
    assert store.keep("old", record, said) == 1
    scored = server.score(["old"], [("a", (album / names[0]).read_bytes())])
    assert (scored.status_code, scored.json()["detail"]) == (
        409,
        "the adapter of user 'old' (version 1) was fitted on another model; fit the user again",
    )
    fitted = server.http.post("/v1/users/old/fit")
    start = "of 2 of 2 photos that user 'old' rated there is no vector of model piaa-tiny "
    assert (fitted.status_code, fitted.json()["detail"].startswith(start)) == (409, True)
    assert fitted.json()["detail"].endswith(
        "; have the photos read anew (piaa users refit old --images DIR), or use the model under which they "
        "were rated"
    )
    content = server.http.get("/v1/users/old/export").json()
    assert [one["vector"] for one in content["ratings"]] == [None, None]
    assert server.http.get("/v1/users/old").json()["active"] == 1


def test_nobody_is_told_who_else_is_there(server, album, names):
    server.rate("nina", album, {names[0]: 3})
    for method, path in (
        ("GET", "/v1/users/nino"),
        ("GET", "/v1/users/nino/export"),
        ("POST", "/v1/users/nino/fit"),
        ("POST", "/v1/users/nino/rollback"),
        ("DELETE", "/v1/users/nino"),
    ):
        answer = server.http.request(method, path, json={"version": 1} if "rollback" in path else None)
        assert (answer.status_code, answer.json()["detail"]) == (
            404,
            "there is no user 'nino'; rate some photos for the user first",
        )


def test_a_copy_of_a_rated_photo_is_not_suggested(server, picture, starred):
    files = {f"{number}.jpg": picture(30 + number) for number in range(4)}
    server.say("ratings", "amy", [{"image": "0.jpg", "score": 4}], files)
    files |= {"copy": starred(files["0.jpg"]), "twin": starred(files["1.jpg"])}
    sent = server.score(["amy"], list(files.items()), params={"fallback": "generic"})
    digests = {one["image"]: one["sha256"] for one in sent.json()["images"]}
    asked = {"sha256": list(digests.values())}
    got = [one["sha256"] for one in server.http.get("/v1/users/amy/suggest", params=asked).json()]
    assert len(got) == 3
    assert {digests["0.jpg"], digests["copy"]}.isdisjoint(got)
    assert len({digests["1.jpg"], digests["twin"]} & set(got)) == 1
    rated = {"sha256": [digests["0.jpg"], digests["copy"]]}
    refused = server.http.get("/v1/users/amy/suggest", params=rated)
    assert (refused.status_code, refused.json()["detail"]) == (
        422,
        "all 2 images are rated already; ask about others",
    )


def test_somebody_who_rated_nothing_yet_gets_suggestions(server, album, names):
    digests = [hashlib.sha256((album / name).read_bytes()).hexdigest() for name in names[:5]]
    files = {name: (album / name).read_bytes() for name in names[:5]}
    server.say("flags", "new", [{"image": names[0], "flag": "pick"}], files)
    server.score(["new"], list(files.items()), params={"fallback": "generic"})
    got = server.http.get("/v1/users/new/suggest", params={"sha256": digests, "n": 2})
    assert (got.status_code, len(got.json())) == (200, 2)
    assert [one["other"] for one in got.json()] == [None, None]
    asked = {"sha256": digests, "n": 2, "ask": "comparisons"}
    pairs = server.http.get("/v1/users/new/suggest", params=asked).json()
    assert len({one[side] for one in pairs for side in ("sha256", "other")} & set(digests)) == 4
    slow = server.http.get("/v1/users/new/suggest", params={**asked, "ask": "both", "comparison_seconds": 99})
    assert [one["other"] for one in slow.json()] == [None, None]
    alone = server.http.get("/v1/users/new/suggest", params={**asked, "sha256": digests[:1]})
    assert alone.status_code == 422
    assert (
        alone.json()["detail"]
        == "a comparison needs two images that are not rated yet; ask about more of them"
    )


def test_a_long_name_from_the_terminal_is_shown(server):
    name = "/".join(["x" * 200] * 15)
    seen = SeenPhoto(identity="5" * 64, image=name)
    Store(server.store).say("deep", Saying(ratings=[(seen, 4.0)], model_hash=OLD, source="table"))
    assert server.http.get("/v1/users/deep").json()["ratings"][0]["image"] == name
    other = replace(seen, identity="6" * 64)
    saying = Saying(comparisons=[(seen, other, "a")], model_hash=OLD, source="table")
    Store(server.store).say("deep", saying)
    assert server.http.get("/v1/users/deep/export").json()["comparisons"][0]["a"] == name


def test_a_key_of_somebody_who_was_erased_opens_nothing(server, album, names):
    database = open_database(server.store)
    secret = KeyStore(database).create_key("user", "ida")[1]
    database.close()
    for status in (200, 401):
        assert server.rate("ida", album, {names[0]: 4}).status_code == 200
        hers = {"Authorization": f"Bearer {secret}"}
        answer = httpx.get(f"{server.url}/v1/users/ida", headers=hers, timeout=30)
        assert answer.status_code == status
        assert server.http.delete("/v1/users/ida").status_code == 200
    assert (
        answer.json()["detail"]
        == "this key is unknown, was revoked or has expired; make one with: piaa keys create"
    )
