"""A model calibrated from the people of a server, and everybody moves to it without sending a photo."""

from __future__ import annotations

import re
import time
from itertools import pairwise

import numpy as np
import pytest

from generic.engine.calibrated import ORIGIN, PREFIX, Calibration
from generic.model.arrays import with_arrays
from generic.model.checkpoint import read_header
from generic.model.generic_model import GenericModel

pytestmark = pytest.mark.timeout(900)


def calibrated(model, out, slope):
    """A file whose score is a line in the network's."""
    d = len(GenericModel(model).tensors("prior.")["mean"]) - 2
    numbers = Calibration(
        coefficients=np.concatenate([[0.1, slope], np.zeros(d)]),
        taught=np.full((1, min(d, 16)), 99, np.float32),
        left_out=np.ones(1, np.float32),
    )
    with_arrays(model, out, PREFIX, numbers.tensors(), {ORIGIN: {"dataset": "table"}})
    return out


def left(server) -> int:
    return int(float(re.search(r"^piaa_users_not_moved (\S+)", server.http.get("/metrics").text, re.M)[1]))


def test_people_move_on_at_once_night_after_night(serve, tmp_path, album, names, tiny_model):
    place, cache = tmp_path / "piaa.db", tmp_path / "cache"
    options = ("--no-keys", "--rate", "100000", "--cache", cache)
    models = [tiny_model, *(calibrated(tiny_model, tmp_path / f"{n}.safetensors", 0.3 * n) for n in (1, 2))]
    server = serve(place, *options, "--model", tiny_model)
    for number, user in enumerate(("ana", "ben")):
        rated = {name: 1 + (row + number) % 5 for row, name in enumerate(names[number : number + 4])}
        assert server.rate(user, album, rated).status_code == 200
        assert server.fit(user, "ridge")["state"] == "done"
    for before, now in pairwise(models):
        server.stop()
        server = serve(place, *options, "--model", now, "--before", before)
        end = time.monotonic() + 300
        while left(server):
            assert time.monotonic() < end
            time.sleep(0.2)
        # Who rates a new photo under it has its vector of the network in the cache, for the next night.
        assert server.rate("ana", album, {names[models.index(now) + 4]: 5}).status_code == 200
    versions = server.http.get("/v1/users/ana").json()["versions"]
    assert [(one["model_hash"], one["n_ratings"]) for one in versions] == [
        (read_header(model).hash, n) for model, n in zip(models, (4, 4, 5), strict=True)
    ]
    server.stop()
