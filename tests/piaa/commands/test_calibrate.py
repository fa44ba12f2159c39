"""``piaa calibrate`` as an app team uses it: many raters become a model file, or it is said why not."""

from __future__ import annotations

import hashlib
import importlib.util
import json

import numpy as np
import pytest
from PIL import Image

from generic.cache.features import FeatureCache
from generic.engine.calibrated import PREFIX
from generic.model.checkpoint import read_header
from generic.model.generic_model import GenericModel
from generic.model.known_users import user_digest

N, PEOPLE = 60, 12
SUFFIX = ".safetensors" if importlib.util.find_spec("torch") else ".onnx"
"""Of the tiny model's file."""


@pytest.fixture(scope="module")
def study(tmp_path_factory, tiny_model):
    """Photos, their vectors, a table by which people like a direction of them, and one of noise."""
    folder = tmp_path_factory.mktemp("group")
    (folder / "photos").mkdir()
    rng = np.random.default_rng(5)
    for number in range(N):
        pixels = rng.uniform(40, 215, 3) + rng.uniform(5, 40) * rng.normal(size=(64, 64, 3))
        Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(
            folder / "photos" / f"{number:02d}.png"
        )
    paths = sorted((folder / "photos").iterdir())
    model = GenericModel(tiny_model)
    vectors = np.stack([item.vector for item in model.embed(paths, cache=FeatureCache(None))])
    axis = np.linalg.svd(vectors[:, 1:] - vectors[:, 1:].mean(axis=0), full_matrices=False)[0][:, 0]
    liked = 3 + axis / axis.std()
    for name, signal, people in (("liked", 1, PEOPLE), ("noise", 0, PEOPLE), ("few", 1, 3)):
        rows = ["user,image,score"]
        for person in range(people):
            scores = 3 + signal * (liked - 3) + rng.normal(0, 0.7, N)
            own = np.clip(np.round(scores), 1, 5)
            rows += [f"p{person},{number:02d}.png,{score:g}" for number, score in enumerate(own)]
        (folder / f"{name}.csv").write_text("\n".join(rows))
    return folder, vectors, liked


@pytest.fixture
def run(piaa, study, tiny_model):
    """``run(table, out, ...)``: the command on a table of the study."""
    folder, _, _ = study

    def command(table, out, *more, model=tiny_model):
        given = ("--ratings", folder / f"{table}.csv", "--images", folder / "photos", "--scale", "1", "5")
        return piaa("calibrate", *given, "--model", model, "--out", out, *more)

    return command


def test_a_group_that_agrees_gets_a_model_of_its_own(run, study, tmp_path, tiny_model):
    folder, vectors, liked = study
    out = tmp_path / f"app{SUFFIX}"
    result = run("liked", out)
    assert result.exit_code == 0, result.stderr
    header, before = read_header(out), read_header(tiny_model)
    gain, low, high = header.training["calibrated_from"]["gain"]
    assert result.stdout == (
        f"{out}: {header.name} {header.hash[:8]}, SRCC {gain:+.2f} [{low:+.2f}, {high:+.2f}] at 10 ratings, "
        f"for people and photos not used; learned from 12 people, 60 photos, 720 ratings\n"
    )
    assert header.hash != before.hash
    origin = header.training["calibrated_from"]
    assert origin["users_sha256"] == sorted(user_digest("table", f"p{person}") for person in range(PEOPLE))
    files = sorted((folder / "photos").iterdir())
    assert origin["images_sha256"] == sorted(hashlib.sha256(path.read_bytes()).hexdigest() for path in files)

    # The embedding is the network's; the score is what the group likes, of taught photos as if left out.
    embedded = GenericModel(out).embed(files, cache=FeatureCache(None))
    found = np.stack([item.vector for item in embedded])
    np.testing.assert_array_equal(found[:, 1:], vectors[:, 1:])
    np.testing.assert_array_equal(found[:, 0], GenericModel(out).tensors(PREFIX)["left_out"][_order(files)])
    assert np.corrcoef(found[:, 0], liked)[0, 1] > 0.8

    # People of the group have weights of their own in the prior; all else of it, and the network, stays.
    model, plain = GenericModel(out), GenericModel(tiny_model)
    theirs, shipped = model.tensors("prior."), plain.tensors("prior.")
    assert (theirs["log_weights"] != shipped["log_weights"]).any()
    for name in set(shipped) - {"log_weights"}:
        np.testing.assert_array_equal(theirs[name], shipped[name])
    assert model.network_hash == plain.hash

    # It is not calibrated on top of itself.
    again = run("liked", tmp_path / f"again{SUFFIX}", model=out)
    assert (again.exit_code, again.stdout) == (1, "")
    assert again.stderr == (
        f"piaa: model {header.name} {header.hash[:8]} is calibrated already; give the model that it was "
        "made from, with all ratings, old and new\n"
    )


def _order(files):
    """Where each file is in the order of identities, in which photos are taught."""
    from generic.photos.identity import photo_identity

    identities = [photo_identity(path.read_bytes()) for path in files]
    return [sorted(identities).index(identity) for identity in identities]


def test_the_order_of_ratings_and_their_portions_change_nothing(run, study, tmp_path):
    folder, _, _ = study
    head, *rows = (folder / "liked.csv").read_text().split("\n")
    (folder / "turned.csv").write_text("\n".join([head, *reversed(rows)]))
    outs = [tmp_path / f"{name}{SUFFIX}" for name in ("liked", "turned")]
    for out in outs:
        assert run(out.stem, out).exit_code == 0
    assert outs[0].read_bytes() == outs[1].read_bytes()


def test_noise_is_not_learned(run, tmp_path):
    out = tmp_path / f"app{SUFFIX}"
    result = run("noise", out, "--json")
    assert result.exit_code == 0, result.stderr
    found = json.loads(result.stdout)
    assert (found["calibrated"], found["file"], found["hash"]) == (False, None, None)
    assert found["interval"][0] <= 0
    assert not out.exists()


def test_few_people_are_told_what_would_be_enough(run, tmp_path):
    result = run("few", tmp_path / f"app{SUFFIX}")
    assert (result.exit_code, result.stdout) == (
        0,
        "not calibrated: 3 people and 60 photos can be tested and 6 of each are needed, people who gave "
        "5 ratings or more in a fold of the photos, so about 25 in all; given 3 people, 60 photos, "
        "180 ratings\n",
    )


def test_an_evaluation_finds_that_it_was_taught_by_whom_it_tests(run, piaa, study, tmp_path):
    folder, out = study[0], tmp_path / f"app{SUFFIX}"
    assert run("liked", out).exit_code == 0
    result = piaa(
        *("evaluate", "--dataset", "table", "--ratings", folder / "liked.csv", "--images", folder / "photos"),
        *("--model", out, "--scale", "1", "5", "--shots", "3", "--repeats", "1", "--out", tmp_path / "run"),
    )
    header = read_header(out)
    assert (result.exit_code, result.stderr.splitlines()[-1]) == (
        1,
        f"piaa: the calibration of model {header.name} {header.hash[:8]} was learned from 12 of 12 test "
        "users, such as 'p0', 'p1', 'p10'; calibrate without them: piaa calibrate",
    )
