"""Every dataset in its official format, from its label files to a model file; and several stages."""

from __future__ import annotations

import json

import pytest
import torch
from PIL import Image

from generic.model.checkpoint import read_header
from protocols.datasets.load import load_dataset
from protocols.training.pretrain_data import training_data

QUICK = ("--preset", "test_vit", "--size", 32, "--epochs", 1, "--batch", 4, "--workers", 0, "--json")


def ava(official, root):
    official.ava(root, 30)
    official.write(root / "train.txt", "\n".join(str(1000 + i) for i in range(1, 23)))
    official.write(root / "test.txt", "\n".join(str(1000 + i) for i in range(23, 31)))
    return "images", ["--train", root / "train.txt", "--test", root / "test.txt"]


def flickr_aes(official, root):
    official.flickr_aes(root)
    return "40K", []


def tad66k(official, root):
    official.tad66k(root, train=20, test=8)
    return "TAD66K", []


def aadb(official, root):
    # 22 people with the ratings that make a test user, and 20 photos that none of them rated.
    rows = [
        official.aadb_row(
            f"T{user}", [1 + (photo + user) % 5 for photo in range(10)], photos=range(s, s + 10)
        )
        for user in range(22)
        for s in range(0, 110, 10)
    ]
    rows += [
        official.aadb_row("OTHER", [1 + photo % 5 for photo in range(10)], photos=range(s, s + 10))
        for s in (200, 210)
    ]
    official.aadb(root, rows)
    return "images", ["--images", root / "images"]


def para(official, root):
    rows = [
        ("s1", f"iaa_pub{photo}_.jpg", f"U{user}", 1 + (photo + user) % 9 / 2)
        for photo in range(132)
        for user in range(43)
    ]
    official.para(root, rows)
    for part, photos in (("Train", range(22)), ("Test", range(22, 132))):
        lines = [f"iaa_pub{photo}_.jpg,s1,scene" for photo in photos]
        text = "\n".join(("imageName,sessionId,semantic", *lines)) + "\n"
        official.write(root / "annotation" / f"PARA-Giaa{part}.csv", text)
    return "imgs", []


def write_colours(folder, names):
    """Small photos, each of its own colour."""
    for number, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        colour = tuple((number * step) % 256 for step in (37, 91, 153))
        Image.new("RGB", (12, 8), colour).save(path, "JPEG")


def test_distributions_keep_the_scale_of_their_scores(official, root):
    """Whatever scale a preset has for means: an expected score of 1 to 10 is not one of 0 to 10."""
    _, options = ava(official, root)
    (root / "images").mkdir()
    lists = {"train": options[1], "test": options[3]}
    write_colours(root / "images", load_dataset("ava", root, **lists).labelled())
    opened = load_dataset("ava", root, **lists)
    data = training_data(opened, with_shares=True, target_scale=(0.0, 10.0), validation_share=0.2)
    assert data.target_scale == (1.0, 10.0)
    expected = ((data.train.targets.shares * torch.tensor(data.bins)).sum(1) - 1) / 9
    torch.testing.assert_close(data.train.targets.scores, expected, rtol=0, atol=1e-6)
    assert data.threshold == pytest.approx((5 - 1) / 9)
    means = training_data(opened, with_shares=False, target_scale=(0.0, 10.0), validation_share=0.2)
    assert means.target_scale == (0.0, 10.0)


@pytest.mark.parametrize(
    ("name", "write", "loss"),
    [
        ("ava", ava, "emd"),
        ("flickr-aes", flickr_aes, "mse"),
        ("tad66k", tad66k, "mse"),
        ("aadb", aadb, "mse"),
        ("para", para, "mse"),
    ],
)
def test_every_dataset_is_trained_on(piaa, official, root, tmp_path, name, write, loss):
    folder, options = write(official, root)
    (root / folder).mkdir()
    opened = load_dataset(
        name, root, **{key[2:]: value for key, value in zip(*[iter(options)] * 2, strict=True)}
    )
    write_colours(root / folder, opened.labelled())
    words = ["pretrain", "--dataset", name, "--root", root, *QUICK, *options]
    done = piaa(*words, "--out", tmp_path / "run")
    assert done.exit_code == 0, done.output
    result = json.loads(done.stdout)
    header = read_header(tmp_path / "run" / "best.safetensors")
    assert header.training["settings"]["loss"] == loss
    assert len(header.architecture["bins"]) == (10 if loss == "emd" else 0)
    assert result["test"]["n"] > 0
    assert result["skipped"] == {}
