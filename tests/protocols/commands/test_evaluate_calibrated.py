"""FLICKR-AES in the official format: calibrated with the training workers, evaluated on the 37 others."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from generic.cache.features import FeatureCache
from generic.engine.calibrated import ORIGIN
from generic.model.checkpoint import read_header
from generic.model.generic_model import GenericModel
from protocols.datasets.flickr_aes import RATINGS, TEST_WORKERS

pytestmark = pytest.mark.timeout(900)
N_TRAIN, N_TEST, WORKERS = 60, 40, 14


@pytest.fixture(scope="module")
def released(tmp_path_factory, tiny_model):
    """A folder as released, of generated photos that all workers like along one direction of them."""
    root, rng = tmp_path_factory.mktemp("flickr"), np.random.default_rng(2)
    (root / "40K").mkdir()
    names = [f"farm1_{number:03d}.jpg" for number in range(N_TRAIN + N_TEST)]
    for name in names:
        pixels = rng.uniform(40, 215, 3) + rng.uniform(5, 40) * rng.normal(size=(64, 64, 3))
        Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(root / "40K" / name)
    paths = [root / "40K" / name for name in names]
    embedded = GenericModel(tiny_model).embed(paths, cache=FeatureCache(None))
    embeddings = np.stack([item.vector for item in embedded])[:, 1:]
    axis = np.linalg.svd(embeddings - embeddings.mean(axis=0), full_matrices=False)[0][:, 0]
    liked = 3 + axis / axis.std()

    def rows(worker, photos):
        scores = np.clip(np.round(liked[photos] + rng.normal(0, 0.7, len(photos))), 1, 5)
        return [f" {worker},{names[row]},{score:g}" for row, score in zip(photos, scores, strict=True)]

    train = [row for n in range(WORKERS) for row in rows(f"TRAIN{n:02d}", np.arange(N_TRAIN))]
    test = [
        row
        for worker in TEST_WORKERS
        for row in rows(worker, N_TRAIN + np.sort(rng.permutation(N_TEST)[:25]))
    ]
    head = " worker, imagePair, score"
    (root / RATINGS).write_text("\n".join([head, *train, *test]) + "\n")
    (root / "train.csv").write_text("\n".join([head, *train]) + "\n")
    return root


def srcc(piaa, root, model, out):
    """Of each of the 37 by the generic score, mean over the repeats."""
    result = piaa(
        *("evaluate", "--dataset", "flickr-aes", "--root", root, "--model", model, "--adapter", "generic"),
        *("--shots", "10", "--repeats", "2", "--out", out),
    )
    assert result.exit_code == 0, result.stderr
    found = json.loads((out / "results.json").read_text())["results"]
    of = {user: [] for user in TEST_WORKERS}
    for user, value in zip(found["user"], found["srcc"], strict=True):
        of[user].append(value)
    return np.array([np.mean(values) for values in of.values()])


def test_the_training_workers_teach_and_the_37_gain(piaa, released, tiny_model, tmp_path):
    out = tmp_path / "app.safetensors"
    given = ("--ratings", released / "train.csv", "--images", released / "40K", "--scale", "1", "5")
    result = piaa("calibrate", *given, "--model", tiny_model, "--out", out, "--dataset", "flickr-aes")
    assert result.exit_code == 0, result.stderr
    assert read_header(out).training[ORIGIN]["dataset"] == "flickr-aes"
    after, before = (srcc(piaa, released, one, tmp_path / one.stem) for one in (out, tiny_model))
    assert after.mean() - before.mean() > 0.2
    assert (after > before).mean() > 0.8


def test_calibrated_with_the_37_among_them_it_is_refused(piaa, released, tiny_model, tmp_path):
    out = tmp_path / "app.safetensors"
    given = ("--ratings", released / RATINGS, "--images", released / "40K", "--scale", "1", "5")
    result = piaa("calibrate", *given, "--model", tiny_model, "--out", out, "--dataset", "flickr-aes")
    assert result.exit_code == 0, result.stderr
    refused = piaa(
        *("evaluate", "--dataset", "flickr-aes", "--root", released, "--model", out, "--adapter", "generic"),
        *("--shots", "10", "--repeats", "1", "--out", tmp_path / "run"),
    )
    header, first = read_header(out), sorted(TEST_WORKERS)[:3]
    assert (refused.exit_code, refused.stderr.splitlines()[-1]) == (
        1,
        f"piaa: the calibration of model {header.name} {header.hash[:8]} was learned from 37 of 37 test "
        f"users, such as {', '.join(map(repr, first))}; calibrate without them: piaa calibrate",
    )
