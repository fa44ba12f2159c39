"""``piaa explain`` as a person uses it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from piaa.commands.explain import HEAT_MEANS

ROOT = Path(__file__).resolve().parents[3]
SCORES = (5, 1, 4, 2, 3, 5, 2, 1, 4, 3)
"""Of the table that ``fit`` learns from."""


def test_explain_draws_and_says_the_released_score(piaa, converted, album, names, released, tmp_path):
    photo, out = album / names[10], tmp_path / "why.png"
    command = ("explain", photo, "--out", out, "--model", converted)
    result = piaa(*command)
    assert (result.exit_code, result.stderr) == (0, "")
    told = json.loads(piaa(*command, "--json").stdout)
    assert result.stdout == (
        f"eat-ava: score {told['score']:.3f} on 1..10; {told['score_without_attention']:.3f} without its "
        f"attention\ndrawn: {out}\n{HEAT_MEANS}\n"
    )
    assert told["score"] == pytest.approx(1 + 9 * released[10, 0], abs=1e-3)
    assert told["score_without_attention"] != told["score"]
    assert (told["image"], told["model"], told["scale"]) == (str(photo), "eat-ava", [1, 10])
    assert (told["picture"], told["heat_means"]) == (str(out), HEAT_MEANS)
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


def test_a_persons_score_is_told_by_photos_that_she_rated(piaa, fit, album, names, tiny_model):
    assert fit().exit_code == 0
    command = ("explain", album / names[10], "--user", "ana", "--model", tiny_model)
    told = json.loads(piaa(*command, "--json").stdout)["person"]
    given = dict(zip(names, SCORES, strict=False))
    assert [one["score"] for one in told["nearest"]] == [given[one["image"]] for one in told["nearest"]]
    result = piaa(*command)
    assert (result.exit_code, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert lines[0] == (
        f"ana: {told['score']:.2f} on 1..5 (80 % interval {told['low']:.2f} … {told['high']:.2f}; "
        f"generic {told['generic']:.2f})"
    )
    near = [f"  {one['likeness']:.2f}  gave {one['score']:g}  {one['image']}" for one in told["nearest"]]
    assert lines[2 : 2 + len(near)] == near
    parts = told["parts"]
    assert lines[2 + len(near)] == f"beside the average photo that she rated {parts['total']:+.2f}:"
    amounts = [
        parts["generic"],
        parts["others"],
        parts["alike"],
        *(one["adds"] for one in parts["directions"]),
    ]
    raised, lowered = lines.index("what raises it:"), lines.index("what lowers it:")
    shown = [float(line.split()[0]) for line in lines[raised + 1 : lowered]]
    assert shown == sorted((round(one, 2) for one in amounts if round(one, 2) > 0), reverse=True)
    shown = [float(line.split()[0]) for line in lines[lowered + 1 :]]
    assert shown == sorted(round(one, 2) for one in amounts if round(one, 2) < 0)
    for one in parts["directions"]:
        for photo in (*one["towards"], *one["away"]):
            assert photo["score"] == given[photo["image"]]
            if round(one["adds"], 2):
                assert f"{photo['image']} (gave {photo['score']:g})" in result.stdout


def test_without_the_extra_a_person_hears_her_reasons_and_one_line(
    piaa, fit, album, names, tiny_model, tmp_path, monkeypatch
):
    assert fit().exit_code == 0
    command = ("explain", album / names[10], "--user", "ana", "--model", tiny_model)
    reasons = piaa(*command).stdout
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delitem(sys.modules, "generic.explain.explanation", raising=False)
    result = piaa(*command, "--out", tmp_path / "why.png")
    assert (result.exit_code, result.stdout) == (1, reasons)
    assert len(result.stderr.splitlines()) == 1
    assert "torch, which is not installed; install it: pip install 'piaa[train]'" in result.stderr
    assert not (tmp_path / "why.png").exists()


def test_the_heat_map_says_how_much_it_means_as_measured():
    measured = json.loads((ROOT / "benchmarks" / "results" / "explain_heat.json").read_text())
    figure = measured["figures"]["HiResCAM"]
    assert f"{figure['mean']:.2f} ± {figure['standard_error']:.2f}" in HEAT_MEANS
    assert f"on {measured['photos']} photos with piaa-lite" in HEAT_MEANS
