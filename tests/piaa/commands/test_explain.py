"""``piaa explain`` as a person uses it."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image


def test_explain_draws_and_says_the_released_score(piaa, converted, album, names, released, tmp_path):
    photo, out = album / names[10], tmp_path / "why.png"
    command = ("explain", photo, "--out", out, "--model", converted)
    result = piaa(*command)
    assert (result.exit_code, result.stderr) == (0, "")
    told = json.loads(piaa(*command, "--json").stdout)
    assert result.stdout == (
        f"eat-ava: score {told['score']:.3f} on 1..10; {told['score_without_attention']:.3f} without its "
        f"attention\ndrawn: {out}\n"
    )
    assert told["score"] == pytest.approx(1 + 9 * released[10, 0], abs=1e-3)
    assert told["score_without_attention"] != told["score"]
    assert (told["image"], told["model"], told["scale"]) == (str(photo), "eat-ava", [1, 10])
    assert told["picture"] == str(out)
    layers = [(layer["name"], layer["grid"]) for layer in told["layers"]]
    assert layers == [
        (f"network.stages.{stage}.blocks.{block}.attention", [side, side])
        for stage, block, side in ((2, 1, 6), (2, 3, 6), (3, 1, 3))
    ]
    for layer, groups in zip(told["layers"], (2, 2, 4), strict=True):
        points = layer["grid"][0] ** 2
        assert np.shape(layer["starts"]) == np.shape(layer["positions"]) == (groups, points, 2)
        np.testing.assert_allclose(np.sum(layer["weights"], 1), np.ones(groups), atol=1e-5)
    with Image.open(out) as picture:
        assert (picture.format, picture.width) == ("PNG", 1976)
        colours = np.unique(np.asarray(picture.convert("RGB")).reshape(-1, 3), axis=0)
    assert len(colours) > 1000  # two photos, not an empty page


def test_explain_without_a_model_takes_the_embedded_one_and_any_format(piaa, album, names, tmp_path):
    pytest.importorskip("torch")
    out = tmp_path / "why.WebP"
    result = piaa("explain", album / names[0], "--out", out)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith("piaa-lite: score 0.")
    with Image.open(out) as picture:
        assert picture.format == "WEBP"


def test_explain_errors_as_json(piaa, album, names, tmp_path):
    result = piaa("explain", album / names[0], "--out", tmp_path / "why.gif", "--json")
    assert (result.exit_code, result.stderr) == (1, "")
    assert json.loads(result.stdout) == {
        "error": f"cannot write {tmp_path / 'why.gif'}: the suffix '.gif' is no picture format; name a file "
        "that ends in .png, .jpg, .jpeg, .webp",
        "kind": "OutputError",
        "problems": [],
    }
