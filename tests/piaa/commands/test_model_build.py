"""``piaa models build`` as a person uses it: stems, a table and photos become one file that fits people."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import onnx
import pytest
import timm
import torch
from PIL import Image
from safetensors.torch import save_file

from generic.model.checkpoint import read_header
from generic.model.generic_model import GenericModel
from piaa.adapters.prior import PREFIX

N, PEOPLE = 24, 22


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A folder with photos, a table of people's ratings, one of means, weights of a small network of timm."""
    folder = tmp_path_factory.mktemp("study")
    (folder / "photos").mkdir()
    rng = np.random.default_rng(3)
    rows, means = ["user,image,score"], ["image,score"]
    for number in range(N):
        colour = rng.uniform(40, 215, 3)
        pixels = np.clip(colour + rng.integers(-30, 30, (40, 40, 3)), 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / "photos" / f"{number:02d}.png")
        liked = 1 + 4 * (colour[0] - 40) / 175
        scores = np.clip(np.round(liked + rng.normal(0, 0.5, PEOPLE)), 1, 5)
        rows += [f"p{person},{number:02d}.png,{score:g}" for person, score in enumerate(scores)]
        means.append(f"{number:02d}.png,{scores.mean():.3f}")
    (folder / "ratings.csv").write_text("\n".join(rows))
    (folder / "means.csv").write_text("\n".join(means))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        save_file(timm.create_model("test_resnet").state_dict(), folder / "weights.safetensors")
    return folder


def arguments(study, table, out):
    return (
        *("models", "build", "--stem", f"test_resnet={study / 'weights.safetensors'}"),
        *("--ratings", study / table, "--images", study / "photos", "--scale", "1", "5", "--out", out),
    )


def test_people_and_photos_become_one_file(piaa, study, tmp_path):
    out = tmp_path / "mine.onnx"
    result = piaa(*arguments(study, "ratings.csv", out))
    assert result.exit_code == 0, result.stderr
    header = read_header(out)
    srcc = header.figures["srcc_out_of_fold"]
    assert result.stdout == (
        f"{out}: mine {header.hash[:8]}, test_resnet, built on 24 photos; SRCC with "
        f"mean scores in cross-validation {srcc:.3f}\n"
    )
    assert result.stderr == (
        "running the stems over the photos, then cross-validation: minutes for hundreds of photos\n"
    )
    assert (header.architecture["kind"], header.scale) == ("graph", (1.0, 5.0))
    assert (header.training["people"], header.training["ratings"]) == (PEOPLE, N * PEOPLE)
    files = sorted((study / "photos").iterdir())
    assert header.training["images_sha256"] == sorted(
        hashlib.sha256(path.read_bytes()).hexdigest() for path in files
    )
    onnx.checker.check_model(onnx.load(out))
    # No names of people in a file that is given away.
    assert not any(f"p{person}" in header.training.values() for person in range(PEOPLE))

    # A person is fitted on it with the default adapter, which takes the prior, and scored.
    assert set(GenericModel(out).tensors(PREFIX)) == {"mean", "covariance", "noise", "log_weights", "scalars"}
    own = tmp_path / "own.csv"
    own.write_text("image,score\n" + "\n".join(f"{number:02d}.png,{1 + number % 5}" for number in range(10)))
    options = ("--images", study / "photos", "--model", out, "--adapter", "bayes")
    assert piaa("fit-user", "--user", "ana", "--ratings", own, *options).exit_code == 0
    scored = piaa("score", study / "photos", "--user", "ana", "--model", out, "--json")
    assert len(json.loads(scored.stdout)["scores"]) == N
    refused = piaa("fit-user", "--user", "bo", "--ratings", own, *options[:-1], "lora")
    assert refused.exit_code == 1
    assert "is a graph to be run: it holds no network that torch could train" in refused.stderr


def test_means_give_a_model_without_a_prior_and_say_so(piaa, study, tmp_path):
    out = tmp_path / "mine.onnx"
    command = arguments(study, "means.csv", out)
    result = piaa(*command)
    assert result.exit_code == 0
    assert result.stderr.splitlines()[1:] == [
        "no prior, so adapters that need one are refused: the table has no people but one mean a photo, "
        "which does not say how people differ"
    ]
    assert GenericModel(out).tensors(PREFIX) == {}
    assert piaa(*command).stderr == (
        f"piaa: cannot write {out}: it exists; name another or pass --overwrite\n"
    )
    told = json.loads(piaa(*command, "--overwrite", "--name", "again", "--jobs", "1", "--json").stdout)
    assert (told["name"], told["hash"]) == ("again", read_header(out).hash)
    assert (told["skipped"], told["left_out"]) == ({}, 0)
    # The same photos and ratings give the same model.
    other = tmp_path / "other.onnx"
    assert piaa(*arguments(study, "means.csv", other)).exit_code == 0
    assert read_header(other).hash == told["hash"]


def test_what_cannot_be_built_is_one_line(piaa, study, tmp_path):
    out = tmp_path / "mine.onnx"
    few = tmp_path / "few.csv"
    few.write_text("\n".join([*(study / "means.csv").read_text().splitlines()[:6], "none.png,3"]))
    result = piaa(*arguments(study, few, out))
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.splitlines()[-1] == (
        "piaa: a model is built from at least 20 readable photos with different means, got 5 photos with 5 "
        "different means; rate more"
    )
    assert not out.exists()
