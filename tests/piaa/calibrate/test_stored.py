"""What people of a store rated is calibrated from as their table would be."""

from __future__ import annotations

import json
import os

import numpy as np

from generic.cache.features import FeatureCache
from generic.model.checkpoint import read_header
from generic.model.generic_model import GenericModel
from generic.model.registry import find_model
from piaa.calibrate.stored import NO_VECTOR, stored_group
from piaa.store.records import SeenPhoto
from piaa.store.saying import Saying
from piaa.store.store import Store


def test_a_store_is_calibrated_as_its_table_would_be(piaa, tmp_path, album, names, tiny_model):
    rows = ["user,image,score"]
    for number in range(8):
        own = [f"p{number},{name},{1 + (row * number) % 5}" for row, name in enumerate(names)]
        (tmp_path / "own.csv").write_text(
            "\n".join(["image,score", *(line.split(",", 1)[1] for line in own)])
        )
        fitted = piaa(
            *("fit-user", "--user", f"p{number}", "--ratings", tmp_path / "own.csv", "--images", album),
            *("--model", tiny_model, "--store", tmp_path / "piaa.db", "--scale", "1", "5"),
        )
        assert fitted.exit_code == 0, fitted.stderr
        rows += own
    (tmp_path / "all.csv").write_text("\n".join(rows))
    out = ("--model", tiny_model, "--out", tmp_path / f"app{tiny_model.suffix}", "--json")
    given = ("--ratings", tmp_path / "all.csv", "--images", album, "--scale", "1", "5")
    table, store = (piaa("calibrate", *of, *out) for of in (given, ("--store", tmp_path / "piaa.db")))
    assert table.exit_code == store.exit_code == 0, store.stderr
    assert json.loads(table.stdout) == json.loads(store.stdout)
    both = piaa("calibrate", *given, *out[:-1], "--store", tmp_path / "piaa.db")
    assert (both.exit_code, both.stderr) == (
        1,
        "piaa: whose ratings is not clear; give all of --ratings, --images and --scale, or --store\n",
    )


def test_a_store_without_vectors_of_the_model_is_refused_in_one_line(piaa, fit, tmp_path):
    assert fit().exit_code == 0
    result = piaa("calibrate", "--out", tmp_path / "app.onnx", "--store", os.environ["PIAA_STORE"])
    name, own = find_model("piaa-lite"), read_header(find_model("piaa-lite")).hash[:8]
    assert name.exists()
    assert (result.exit_code, result.stderr) == (
        1,
        f"piaa: store {os.environ['PIAA_STORE']} has 10 ratings, none of a photo with a vector of model "
        f"piaa-lite {own}; name the plain model that its people were learned on\n",
    )


def test_photos_left_out_are_counted_as_photos_whatever_they_are_called(tiny_model, tmp_path):
    model, store = GenericModel(tiny_model), Store(tmp_path / "piaa.db")

    def say(user, **photos):
        vector = np.ones(3, np.float32)
        seen = [
            SeenPhoto(identity=digit * 64, image=f"{name}.jpg", vector=vector if digit == "0" else None)
            for name, digit in photos.items()
        ]
        rated = [(photo, 3.0) for photo in seen]
        store.say(user, Saying(ratings=rated, model_hash=model.hash, source="http", scale=(1, 5)))

    say("ana", beach="a", lake="b", hill="0")
    say("ben", beach="c", shore="b")
    with FeatureCache.open(None) as cache:
        group = stored_group(model, store, cache)
    assert group.skipped == dict.fromkeys(
        ["beach.jpg (aaaaaaaa)", "shore.jpg", "beach.jpg (cccccccc)"], NO_VECTOR
    )
    assert group.names == ("hill.jpg",)
