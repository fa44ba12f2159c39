"""An admin has a running server make a model of what its people rated."""

from __future__ import annotations

import json
import time

import numpy as np
import pytest
from PIL import Image

from generic.cache.features import FeatureCache
from generic.engine.calibrated import ORIGIN
from generic.model.generic_model import GenericModel

pytestmark = pytest.mark.timeout(900)
PEOPLE, N = 12, 60


@pytest.fixture(scope="module")
def liked(tmp_path_factory, tiny_model):
    """Photos, and how much a group likes each of them: as far as one direction of them goes."""
    folder = tmp_path_factory.mktemp("liked")
    rng = np.random.default_rng(5)
    for number in range(N):
        pixels = rng.uniform(40, 215, 3) + rng.uniform(5, 40) * rng.normal(size=(64, 64, 3))
        Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(folder / f"{number:02d}.png")
    embedded = GenericModel(tiny_model).embed(sorted(folder.iterdir()), cache=FeatureCache(None))
    embeddings = np.stack([item.vector for item in embedded])[:, 1:]
    axis = np.linalg.svd(embeddings - embeddings.mean(axis=0), full_matrices=False)[0][:, 0]
    return folder, 3 + axis / axis.std()


def done(server) -> dict:
    end = time.monotonic() + 300
    while (found := server.http.get("/v1/calibration").json())["state"] == "running":
        assert time.monotonic() < end
        time.sleep(0.3)
    return found


def test_a_group_that_agrees_has_a_model_of_its_own(serve, liked, tmp_path, tiny_model):
    (folder, scores), rng = liked, np.random.default_rng(1)
    out = tmp_path / "made"
    options = ("--no-keys", "--rate", "100000", "--calibrations", out)
    server, other = (serve(tmp_path / "piaa.db", *options) for _ in range(2))
    assert server.http.get("/v1/calibration").json()["state"] == "none"
    assert server.http.post("/v1/calibration").status_code == 202
    found = done(server)
    assert (found["state"], found["error"]) == (
        "failed",
        "the store has 0 ratings, none of a photo with a vector of model piaa-tiny "
        f"{GenericModel(tiny_model).hash[:8]}; name the plain model that its people were learned on",
    )
    logged = [json.loads(line) for line in server.log.read_text().splitlines() if line.startswith("{")]
    assert [one["message"] for one in logged if one.get("logger") == "piaa.server.problems"] == [
        f"a caller was told {found['error']!r} of this: store {server.store}{found['error'][9:]}"
    ]
    for person in range(PEOPLE):
        own = np.clip(np.round(scores + rng.normal(0, 0.5, N)), 1, 5).astype(int)
        rated = {f"{number:02d}.png": int(score) for number, score in enumerate(own)}
        for start in range(0, N, 20):
            some = dict(list(rated.items())[start : start + 20])
            assert server.rate(f"user-{person}", folder, some).status_code == 200
    assert server.http.post("/v1/calibration").status_code == 202
    assert other.http.post("/v1/calibration").status_code in {202, 409}  # which has the same folder
    found = done(server)
    assert done(other) == found
    told = [(one["who"], one["what"]) for one in other.http.get("/v1/audit").json()]
    assert set(told) == {("http", "calibrate")}
    assert len(told) in {2, 3}
    assert (found["state"], found["calibrated"], found["people"], found["photos"]) == (
        "done",
        True,
        PEOPLE,
        N,
    )
    model = GenericModel(out / f"piaa-tiny-{found['hash'][:8]}{tiny_model.suffix}")
    assert (str(model.path), model.hash) == (found["file"], found["hash"])
    assert model.header.training[ORIGIN]["ratings"] == PEOPLE * N
    assert model.network_hash == GenericModel(tiny_model).hash
    low, high = found["interval"]
    assert found["words"] == (
        f"SRCC {found['gain']:+.2f} [{low:+.2f}, {high:+.2f}] at 10 ratings, for people and photos not used; "
        f"learned from 12 people, 60 photos, 720 ratings"
    )
    server.stop()
    other.stop()


def test_who_may_not_is_told(server):
    answer = server.http.post("/v1/calibration")
    assert (answer.status_code, answer.json()["detail"]) == (
        501,
        "this server makes no models; start it with --calibrations DIR",
    )
