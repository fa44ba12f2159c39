"""``piaa pretrain`` as a person uses it: a table of ratings in, a run folder and a model file out."""

from __future__ import annotations

import csv
import json
import shutil

import numpy as np
import pytest
from PIL import Image

from generic.cache.features import FeatureCache
from generic.model.checkpoint import read_header
from generic.model.generic_model import GenericModel
from protocols.datasets.load import load_dataset
from protocols.training.pretrain_data import training_data

FILES = {
    *("best.safetensors", "config.json", "curves.png", "environment.json", "history.csv", "result.json"),
    "state.safetensors",
}


def test_a_run_leaves_its_folder_and_a_model_that_learns_people(
    train, piaa, tmp_path, album, names, ratings, monkeypatch
):
    out = tmp_path / "runs" / "first"
    done = train("--epochs", 2, out=out)
    written = {path.name for path in out.iterdir()}
    assert written >= FILES
    (events,) = written - FILES
    assert events.startswith("events.out.tfevents.")
    with Image.open(out / "curves.png") as curves:
        assert curves.width > 600
    with (out / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["1", "2"]
    assert set(rows[0]) == {
        *("epoch", "step", "rate", "loss", "srcc", "plcc", "accuracy", "ratio", "mse"),
        *("emd", "emd1", "plcc_std"),
    }
    header = read_header(out / "best.safetensors")
    assert header.hash == done.hash
    assert header.scale == (1.0, 5.0)
    assert header.architecture["bins"] == [1.0, 2.0, 3.0, 4.0, 5.0]
    assert header.training["history"] == ["table: 9 photos, preset eat_tiny, 2 epochs, loss emd+mse, seed 0"]
    assert header.training["data"]["train"] == 9
    assert len(header.training["images_sha256"]) == 12
    config = json.loads((out / "config.json").read_text())
    assert config["settings"]["batch"] == 4
    assert config["network"]["options"]["dims"] == [8, 16, 16, 16]
    # Its scores are the very ones that were validated, and a person is learned on it.
    model = ["--model", out / "best.safetensors"]
    fitted = piaa(
        "fit-user", "--user", "ana", "--ratings", ratings, "--images", album, *model, "--adapter", "ridge"
    )
    assert fitted.exit_code == 0, fitted.stderr
    scored = piaa("score", album, "--user", "ana", *model, "--json")
    assert len(json.loads(scored.stdout)["scores"]) == len(names)


def test_the_model_file_gives_the_scores_that_were_validated(train, tmp_path, album, table):
    done = train("--epochs", 1, out=tmp_path / "run")
    model = GenericModel(tmp_path / "run" / "best.safetensors")
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    with table.open() as file:
        rows = list(csv.DictReader(file))
    opened = load_dataset("table", table.parent, ratings=table, images=album)
    data = training_data(opened, with_shares=True, validation_share=0.25)
    names = list(data.validation.names)
    scores = [
        (np.mean([float(row["score"]) for row in rows if row["image"] == name]) - 1) / 4 for name in names
    ]
    with FeatureCache.open(None) as cache:
        given = [item.vector[0] for item in model.embed([album / name for name in names], cache=cache)]
    assert result["validation"]["mse"] == pytest.approx(
        np.mean((np.array(given) - np.array(scores)) ** 2), abs=1e-6
    )
    assert done.validation["mse"] == result["validation"]["mse"]


def test_means_are_learned_by_default_where_no_distribution_is_published(
    piaa, config, table, album, tmp_path
):
    words = ["pretrain", "--dataset", "table", "--ratings", table, "--images", album, "--config", config]
    out = tmp_path / "run"
    done = piaa(*words, "--preset", "eat_tiny", "--epochs", 1, "--out", out)
    assert done.exit_code == 0, done.stderr
    assert "table publishes no distributions: --loss mse" in done.stderr.splitlines()
    assert read_header(out / "best.safetensors").architecture["bins"] == []


def test_the_same_command_after_the_end_only_reports_again(train, tmp_path):
    first = train("--epochs", 1, out=tmp_path / "run")
    before = (tmp_path / "run" / "best.safetensors").read_bytes()
    again = train("--epochs", 1, out=tmp_path / "run")
    assert (again.history, again.hash) == (first.history, first.hash)
    assert (tmp_path / "run" / "best.safetensors").read_bytes() == before


def test_a_folder_of_another_run_is_refused(train, tmp_path):
    train("--epochs", 1, out=tmp_path / "run")
    model = (tmp_path / "run" / "best.safetensors").read_bytes()
    for _ in range(2):
        refused = train("--epochs", 1, "--rate", 0.5, out=tmp_path / "run", ok=False)
        assert refused.error == (
            f"the run folder {tmp_path / 'run'} holds another run: its settings.rate is 0.001, asked for is "
            f"0.5; name another folder with --out"
        )
        # Also where somebody made room by deleting what a finished run no longer needs.
        (tmp_path / "run" / "state.safetensors").unlink(missing_ok=True)
    assert (tmp_path / "run" / "best.safetensors").read_bytes() == model


def test_another_timm_model_padded_with_layer_rates_and_freezing(piaa, table, album, tmp_path):
    out = tmp_path / "run"
    words = ["pretrain", "--dataset", "table", "--ratings", table, "--images", album, "--out", out]
    words += ["--preset", "test_vit", "--size", 32, "--epochs", 2, "--batch", 4, "--workers", 0]
    words += ["--layer-decay", 0.7, "--freeze", "0:1,1:0.5", "--fit", "pad", "--precision", "bf16"]
    done = piaa(*words)
    assert done.exit_code == 0, done.stderr
    header = read_header(out / "best.safetensors")
    assert header.architecture["kind"] == "timm"
    assert header.architecture["fit"] == "pad"
    with FeatureCache.open(None) as cache:
        (item,) = GenericModel(out / "best.safetensors").embed([album / "photo-01.jpg"], cache=cache)
    assert item.vector.shape == (1 + 64,)


def test_photos_that_cannot_be_read_are_left_out_and_named(train, tmp_path, album, command, piaa, table):
    broken = tmp_path / "broken"
    shutil.copytree(album, broken)
    (broken / "photo-01.jpg").write_bytes(b"no photo")
    done = piaa(*command("--images", broken, "--epochs", 1, "--json", out=tmp_path / "run"))
    assert done.exit_code == 0, done.stderr
    assert list(json.loads(done.stdout)["unreadable"]) == ["photo-01.jpg"]
    assert "skipped 1 of 12 photos:" in done.stderr
