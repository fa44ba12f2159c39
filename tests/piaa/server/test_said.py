"""Comparisons and flags over HTTP: kept beside ratings, learned from or not, refused with a line."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest

from piaa import load_model


def hash_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def photos(album, names, *places: int) -> dict[str, bytes]:
    return {names[place]: (album / names[place]).read_bytes() for place in places}


def rows(names, *pairs: tuple[int, int, str]) -> list[dict[str, object]]:
    return [{"a": names[a], "b": names[b], "outcome": outcome} for a, b, outcome in pairs]


def test_who_only_compares_is_learned_from_that(server, album, names, tiny_model):
    compared = rows(names, (0, 1, "a"), (1, 2, "b"), (2, 3, "a"))
    answer = server.say("comparisons", "mia", compared, photos(album, names, 0, 1, 2, 3))
    assert (answer.status_code, answer.json()["n_ratings"]) == (200, 0)
    assert [one["problem"] for one in answer.json()["images"]] == [None] * 4
    job = server.fit("mia")
    assert (job["state"], job["version"]) == ("done", 1)
    info = server.http.get("/v1/users/mia").json()
    assert info["comparisons"] == compared
    assert [(one["adapter"], one["n_ratings"]) for one in info["versions"]] == [("pairs", 0)]
    assert (info["ratings"], info["active"]) == ([], 1)
    pairs = [(names[a], names[b]) for a, b in ((0, 1), (2, 1), (2, 3))]
    frame = load_model(tiny_model).fit_pairs(pairs, images=album).score(album)
    expected = dict(zip(frame["image"], frame["score"], strict=True))
    (scored,) = server.score(["mia"], list(photos(album, names, *range(12)).items())).json()["users"]
    np.testing.assert_allclose(scored["scores"], [expected[name] for name in names], atol=1e-6, rtol=0)


def test_two_photos_that_are_equal_to_her_are_brought_together(server, album, names, tiny_model):
    sent, model = list(photos(album, names, *range(12)).items()), load_model(tiny_model)
    crowd = [1 + 4 * float(model.vector_of(album / name)[0]) for name in names]
    apart = int(np.argmax(crowd)), int(np.argmin(crowd))
    server.say("comparisons", "eva", rows(names, (*apart, "equal")), photos(album, names, *apart))
    job = server.fit("eva")
    assert (job["state"], job["version"], job["error"]) == ("done", 1, None)
    hers = server.score(["eva"], sent).json()["users"][0]["scores"]
    assert 0 < hers[apart[0]] - hers[apart[1]] < crowd[apart[0]] - crowd[apart[1]]


def test_ratings_and_comparisons_are_learned_from_together(server, album, names, tiny_model):
    scores = {names[0]: 5, names[1]: 1, names[2]: 4}
    server.rate("lia", album, scores)
    server.say("comparisons", "lia", rows(names, (3, 4, "b"), (5, 6, "a")), photos(album, names, 3, 4, 5, 6))
    assert server.fit("lia")["version"] == 1
    pairs = [(names[4], names[3]), (names[5], names[6])]
    frame = load_model(tiny_model).fit_user(scores, images=album, pairs=pairs).score(album)
    expected = dict(zip(frame["image"], frame["score"], strict=True))
    (scored,) = server.score(["lia"], list(photos(album, names, *range(12)).items())).json()["users"]
    np.testing.assert_allclose(scored["scores"], [expected[name] for name in names], atol=1e-6, rtol=0)


def test_comparisons_and_flags_are_kept_beside_ratings(server, album, names, tiny_model):
    scores = {names[0]: 5, names[1]: 1, names[2]: 4}
    server.rate("noa", album, scores)
    compared = rows(names, (3, 4, "b"))
    answer = server.say("comparisons", "noa", compared, photos(album, names, 3, 4))
    assert answer.json()["n_ratings"] == 3
    flags = [{"image": names[5], "flag": "pick"}, {"image": names[6], "flag": "pick"}]
    assert server.say("flags", "noa", flags, photos(album, names, 5, 6)).json()["n_ratings"] == 3
    digest = hash_of((album / names[5]).read_bytes())
    assert server.say("flags", "noa", [{"sha256": digest, "flag": "reject"}]).status_code == 200
    assert server.fit("noa", "ridge")["version"] == 1
    info = server.http.get("/v1/users/noa").json()
    assert {one["image"]: one["score"] for one in info["ratings"]} == scores
    assert info["comparisons"] == compared
    assert [(one["sha256"], one["flag"]) for one in info["flags"]] == [
        (hash_of((album / names[6]).read_bytes()), "pick"),
        (digest, "reject"),
    ]
    assert (info["versions"][0]["adapter"], info["versions"][0]["n_ratings"]) == ("ridge", 3)
    frame = load_model(tiny_model).fit_user(scores, images=album, adapter="ridge").score(album)
    expected = dict(zip(frame["image"], frame["score"], strict=True))
    (scored,) = server.score(["noa"], list(photos(album, names, 7, 8).items())).json()["users"]
    np.testing.assert_allclose(scored["scores"], [expected[names[at]] for at in (7, 8)], atol=1e-6, rtol=0)


def test_flags_teach_nothing(server, album, names):
    server.say("flags", "flo", [{"image": names[0], "flag": "pick"}], photos(album, names, 0))
    refused = server.http.post("/v1/users/flo/fit")
    assert (refused.status_code, refused.json()["detail"]) == (
        422,
        "user 'flo' gave 0 ratings, but at least 1 is needed; rate some photos first",
    )


def test_a_photo_is_not_compared_with_itself(server, picture, starred):
    one = picture(1)
    cases = [
        ({"a": "x.jpg", "b": "x.jpg"}, {"x.jpg": one}),
        ({"a": "x.jpg", "b": "y.jpg"}, {"x.jpg": one, "y.jpg": starred(one)}),
        ({"a": hash_of(one), "b": hash_of(starred(one))}, {}),
    ]
    for sides, files in cases:
        answer = server.say("comparisons", "sam", [{**sides, "outcome": "a"}], files)
        assert (answer.status_code, answer.json()["detail"]) == (
            422,
            "comparison 1 has the same photo on both sides; name two photos",
        )
    assert server.http.get("/v1/users/sam").status_code == 404


@pytest.mark.parametrize(
    ("kind", "row"),
    [
        ("ratings", {"image": "x.jpg", "score": 5}),
        ("comparisons", {"a": "y.jpg", "b": "x.jpg", "outcome": "a"}),
        ("flags", {"image": "x.jpg", "flag": "pick"}),
    ],
)
def test_a_name_that_means_two_files_is_refused(server, picture, kind, row):
    files = [("image", (name, picture(at))) for at, name in enumerate(("x.jpg", "y.jpg", "x.jpg"))]
    answer = server.http.post(f"/v1/users/ida/{kind}", data={kind: json.dumps([row])}, files=files)
    assert (answer.status_code, answer.json()["detail"]) == (
        422,
        "2 files were sent under the name 'x.jpg', expected one; give each a name of its own",
    )
    assert server.http.get("/v1/users/ida").status_code == 404


@pytest.mark.parametrize(
    ("kind", "row", "detail"),
    [
        (
            "comparisons",
            {"a": "x.jpg", "b": "y.jpg", "outcome": "left"},
            "comparisons are not a JSON list of {a, b, outcome}: "
            "0.outcome String should match pattern '^(a|b|equal)$'; correct them",
        ),
        (
            "comparisons",
            {"a": "x.jpg", "b": "y.jpg", "outcome": "a"},
            "image 'x.jpg' is named, but no file of that name was sent; send it as 'image'",
        ),
        (
            "flags",
            {"image": "x.jpg", "flag": "love"},
            "flags are not a JSON list of {image or sha256, flag}: "
            "0.flag String should match pattern '^(pick|reject)$'; correct them",
        ),
        (
            "flags",
            {"image": "x.jpg", "sha256": "0" * 64, "flag": "pick"},
            "flag 1 has both or neither of image and sha256; give one of them",
        ),
        (
            "ratings",
            {"score": 3},
            "rating 1 has both or neither of image and sha256; give one of them",
        ),
        (
            "ratings",
            {"image": "x.jpg", "score": True},
            "ratings are not a JSON list of {image or sha256, score}: "
            "0.score Value error, is true or false, not a number; correct them",
        ),
        (
            "flags",
            {"sha256": "0" * 64, "flag": "pick"},
            f"1 of 1 image cannot be used, nothing was stored: no image with the hash '{'0' * 64}' was "
            "seen before; send the file",
        ),
        ("comparisons", None, "comparisons is an empty list, expected at least one comparison"),
        ("flags", None, "flags is an empty list, expected at least one flag"),
    ],
)
def test_what_is_refused(server, kind, row, detail):
    answer = server.say(kind, "ida", [] if row is None else [row])
    assert (answer.status_code, answer.json()["detail"]) == (422, detail)
    assert server.http.get("/v1/users/ida").status_code == 404
