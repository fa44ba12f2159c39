"""A real server process: scores as ``piaa score`` gives them, ratings, fits, versions, erasure."""

from __future__ import annotations

import hashlib
import json
import re
import time

import httpx
import numpy as np
import pytest

from piaa import load_model
from piaa.adapters.registry import ADAPTERS
from piaa.people.suggest_photos import suggest_photos

FROM_VECTORS = [name for name, kind in ADAPTERS.items() if not (kind.needs_pixels or kind.needs_start)]
SCORES = (5, 1, 4, 2, 3, 5, 2, 1, 4, 3)


# Of the session, as the server is: workers that take tests from each other come back to this module.
@pytest.fixture(scope="session")
def ana(server, album, names):
    """A user fitted over HTTP."""
    assert server.rate("ana", album, dict(zip(names, SCORES, strict=False))).json()["n_ratings"] == 10
    assert server.fit("ana")["version"] == 1
    return "ana"


def test_scores_equal_those_of_the_command_line(server, ana, piaa, album, names, tiny_model, ratings):
    options = ("--ratings", ratings, "--images", album, "--model", tiny_model)
    assert piaa("fit-user", "--user", "ana", *options).exit_code == 0
    # The table that `piaa score` prints is rounded to four places; this is what it is made from.
    table = load_model(tiny_model).load("ana").score_table(album)
    columns = zip(table.images, table.scores, table.low, table.high, strict=True)
    expected = {image: dict(zip(("score", "low", "high"), row, strict=True)) for image, *row in columns}
    for chosen in (names, names[3:4], names[::-1]):
        files = [(name, (album / name).read_bytes()) for name in chosen]
        plain = server.score([ana], files).json()
        wide = server.score([ana], files, params={"intervals": "true"}).json()
        assert [image["problem"] for image in plain["images"]] == [None] * len(chosen)
        for column, answer in (("score", plain), ("score", wide), ("low", wide), ("high", wide)):
            (user,) = answer["users"]
            got = user["scores" if column == "score" else column]
            want = [expected[name][column] for name in chosen]
            np.testing.assert_allclose(got, want, atol=1e-6, rtol=0)
        assert plain["users"][0]["low"] is None


def test_images_seen_before_are_known_by_their_hash(server, ana, album, names):
    content = (album / names[0]).read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    sent = server.score([ana], [(names[0], content)]).json()
    known = server.http.post("/v1/score", data={"user": ana, "sha256": digest}).json()
    assert known["users"] == sent["users"]
    unknown = server.http.post("/v1/score", data={"user": ana, "sha256": ["0" * 64, digest]}).json()
    assert unknown["images"][0]["problem"] == (
        f"no image with the hash '{'0' * 64}' was seen before; send the file"
    )
    assert unknown["users"][0]["scores"] == [None, *sent["users"][0]["scores"]]


def test_bad_images_are_reported_and_the_others_scored(server, ana, album, names):
    good = (album / names[0]).read_bytes()
    files = [("empty.jpg", b""), ("../../good.jpg", good), ("cut.jpg", good[:200]), ("a.txt", b"hello world")]
    answer = server.score([ana], files)
    assert answer.status_code == 200
    assert [image["problem"] for image in answer.json()["images"]] == [
        "empty.jpg is empty (0 bytes); replace it by an intact copy or leave it out",
        None,
        answer.json()["images"][2]["problem"],
        "a.txt is not an image: it begins with b'hello world', expected AVIF, BMP, GIF, HEIC, JPEG, PNG, "
        "raw, TIFF or WebP",
    ]
    assert answer.json()["images"][2]["problem"].startswith("cut.jpg is damaged or incomplete (")
    assert [score is None for score in answer.json()["users"][0]["scores"]] == [True, False, True, True]
    alone = server.score([ana], files[:1])
    assert (alone.status_code, alone.headers["content-type"]) == (422, "application/problem+json")
    assert alone.json()["detail"] == (
        "not even the one image can be scored: "
        "empty.jpg is empty (0 bytes); replace it by an intact copy or leave it out"
    )


def test_users_not_fitted(server, ana, album, names):
    file = (names[0], (album / names[0]).read_bytes())
    answer = server.score([ana, "zoe"], [file])
    assert answer.status_code == 404
    assert answer.json()["detail"] == (
        "1 of 2 users is not fitted, the first is 'zoe'; "
        "rate photos and fit the user first, or ask with fallback=generic"
    )
    users = server.score([ana, "zoe"], [file], params={"fallback": "generic"}).json()["users"]
    assert [(one["user"], one["fallback"], one["scale"]) for one in users] == [
        ("ana", False, [1, 5]),
        ("zoe", True, [1, 7]),
    ]


def test_as_many_users_as_are_promised(server, album, names):
    digest = server.score(["x"], [("a", (album / names[0]).read_bytes())], params={"fallback": "generic"})
    form = {"user": [f"u{i}" for i in range(10_000)], "sha256": digest.json()["images"][0]["sha256"]}
    answer = server.http.post("/v1/score", data=form, params={"fallback": "generic"})
    assert answer.status_code == 200
    assert [one["user"] for one in answer.json()["users"]] == form["user"]
    form["user"].append("one too many")
    refused = server.http.post("/v1/score", data=form, params={"fallback": "generic"})
    assert refused.status_code == 413
    assert refused.json()["detail"] == (
        "the request has 10001 users, at most 10000 may be; send several requests"
    )


def test_versions_rollback_and_erasure(server, album, names):
    first = dict(zip(names[:5], SCORES, strict=False))
    assert server.rate("bea", album, first).status_code == 200
    assert server.fit("bea", "ridge")["version"] == 1
    assert server.rate("bea", album, {names[0]: 1}).json()["n_ratings"] == 5
    assert server.fit("bea", "generic")["version"] == 2
    info = server.http.post("/v1/users/bea/rollback", json={"version": 1}).json()
    assert info["active"] == 1
    assert [one["adapter"] for one in info["versions"]] == ["ridge", "generic"]
    assert len(info["ratings"]) == 5
    names_listed = [one["user"] for one in server.http.get("/v1/users", params={"n": 1000}).json()["users"]]
    assert "bea" in names_listed
    gone = server.http.delete("/v1/users/bea")
    assert gone.status_code == 200
    assert {key: value for key, value in gone.json().items() if key not in ("n_photos", "n_remembered")} == {
        "user": "bea",
        "n_ratings": 7,  # two of them are history: one was given anew, one was rolled back
        "n_comparisons": 0,
        "n_flags": 0,
        "n_versions": 2,
        "n_jobs": 2,
        "n_keys": 0,
        "overwritten": True,
    }
    assert server.http.get("/v1/users/bea").status_code == 404
    assert server.http.delete("/v1/users/bea").status_code == 404


def test_ratings_are_stored_as_a_whole_or_not_at_all(server, album, names):
    good = (album / names[0]).read_bytes()
    cases = [
        ([{"image": names[0], "score": 3}, {"image": "x.jpg", "score": 3}], [(names[0], good)]),
        ([{"image": names[0], "score": 3}, {"image": "b", "score": 3}], [(names[0], good), ("b", b"")]),
        ([{"image": names[0], "score": 9}], [(names[0], good)]),
        ([{"score": 3}], []),
        ([], []),
    ]
    for ratings, files in cases:
        answer = server.http.post(
            "/v1/users/kim/ratings",
            data={"ratings": json.dumps(ratings)},
            files=[("image", file) for file in files] or None,
        )
        assert answer.status_code == 422, answer.text
        assert server.http.get("/v1/users/kim").status_code == 404


def test_suggestions_are_those_of_the_toolkit(server, ana, album, names, tiny_model):
    digests = [hashlib.sha256((album / name).read_bytes()).hexdigest() for name in names]
    server.score([ana], [(name, (album / name).read_bytes()) for name in names])
    got = server.http.get("/v1/users/ana/suggest", params={"sha256": digests, "n": 2}).json()
    model = load_model(tiny_model)
    person = model.fit_user(dict(zip(names, SCORES, strict=False)), images=album)
    said = person.unsaved.said
    picks = suggest_photos(model, [album / name for name in names], names, 2, said=said).picks
    assert [digests.index(one["sha256"]) for one in got] == [names.index(one.image) for one in picks]
    for one, pick in zip(got, picks, strict=True):
        np.testing.assert_allclose((one["before"], one["after"]), (pick.before, pick.after), atol=1e-6)


def test_operation(server):
    assert server.http.get("/health").json() == {"status": "ok"}
    assert server.http.get("/ready").json() == {"status": "ready"}
    assert server.http.get("/v1/models").json()[0]["name"] == "piaa-tiny"
    text = server.http.get("/metrics").text
    assert 'piaa_request_seconds_count{method="GET",route="/health",status="200"}' in text
    assert "piaa_images_total" in text
    assert re.search(r"^piaa_oldest_fit_seconds \d", text, re.M)
    (fits,) = re.findall(r"^piaa_leases_lost_total (\S+)$", text, re.M)
    assert float(fits) == 0
    assert "ana" not in text
    assert '"ana"' not in server.log.read_text()


@pytest.mark.parametrize("adapter", FROM_VECTORS)
def test_every_adapter_scores_as_in_the_toolkit(server, ana, album, names, tiny_model, adapter):
    rated = dict(zip(names, SCORES, strict=False))
    assert server.rate("zed", album, rated).status_code == 200
    assert server.fit("zed", adapter)["state"] == "done"
    frame = load_model(tiny_model).fit_user(rated, images=album, adapter=adapter).score(album)
    expected = dict(zip(frame["image"], frame["score"], strict=True))
    files = [(name, (album / name).read_bytes()) for name in names]
    got = {one["user"]: one["scores"] for one in server.score([ana, "zed"], files).json()["users"]}
    np.testing.assert_allclose(got["zed"], [expected[name] for name in names], atol=1e-6, rtol=0)


def test_a_network_of_ones_own_sees_the_photos_sent(server, ana, album, names, tiny_model):
    person = load_model(tiny_model).fit_user(
        dict(zip(names, SCORES, strict=False)), images=album, adapter="lora", user="lea"
    )
    person.save(server.store)
    table = person.score_table(album)
    expected = dict(zip(table.images, zip(table.scores, table.low, table.high, strict=True), strict=True))
    files = [("bad.jpg", b"no image"), *((name, (album / name).read_bytes()) for name in names[:3])]
    answer = server.score([ana, "lea"], files, params={"intervals": "true"}).json()
    lea = answer["users"][1]
    got = list(zip(lea["scores"], lea["low"], lea["high"], strict=True))
    assert got[0] == (None, None, None)
    np.testing.assert_allclose(got[1:], [expected[name] for name in names[:3]], atol=1e-6, rtol=0)
    assert server.score([ana, "lea"], files).json()["users"][1]["scores"] == lea["scores"]
    digest = answer["images"][1]["sha256"]
    known = server.http.post("/v1/score", data={"user": ["lea"], "sha256": digest})
    assert (known.status_code, known.json()["detail"]) == (
        422,
        "adapter 'lora' of user 'lea' sees the photos themselves; send files as 'image' instead of 'sha256'",
    )
    fit = server.http.post(f"/v1/users/{ana}/fit", params={"adapter": "lora"})
    assert fit.status_code == 501
    assert fit.json()["detail"] == (
        "adapter 'lora' is fitted from the photos themselves, which this server does not keep; choose one of "
        f"{', '.join(FROM_VECTORS)}, or fit the user with: piaa fit-user --adapter lora"
    )


@pytest.mark.slow
def test_workers_see_each_others_fits(serve, tmp_path, album, names):
    server = serve(tmp_path / "piaa.db", "--no-keys", "--rate", "100000", "--workers", "2")
    # The address is printed by their parent, before they listen.
    while server.log.read_text().count("Application startup complete") < 2:
        assert server.process.poll() is None, server.log.read_text()
        time.sleep(0.1)
    file = (names[0], (album / names[0]).read_bytes())
    assert server.rate("ana", album, dict(zip(names, SCORES, strict=False))).status_code == 200
    for version, adapter in enumerate(("ridge", "generic", "auto"), 1):
        job = server.fit("ana", adapter)
        assert (job["state"], job["version"]) == ("done", version)
        lines = []
        for _ in range(20):  # a connection each, so that both workers answer
            with httpx.Client(base_url=server.url, timeout=60) as one:
                answer = one.post("/v1/score", data={"user": "ana"}, files={"image": file})
                lines += answer.raise_for_status().json()["users"]
        assert {line["version"] for line in lines} == {version}
        assert len({tuple(line["scores"]) for line in lines}) == 1
    assert server.log.read_text().count("Started server process") == 2
    # Of both workers, whichever answers.
    count = 'piaa_request_seconds_count{method="POST",route="/v1/score",status="200"} 60.0'
    assert count in server.http.get("/metrics").text
    server.stop()
