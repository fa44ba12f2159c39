"""``piaa models export`` as a person uses it."""

from __future__ import annotations

import json

import pytest
import timm
import torch
from safetensors.torch import save_file

from generic.model.checkpoint import read_header
from piaa.commands import model_export


@pytest.fixture(autouse=True)
def few(monkeypatch):
    monkeypatch.setattr(model_export, "N_PHOTOS", 3)


@pytest.fixture
def timm_weights(tmp_path):
    """A file of weights of timm's smallest network."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        state = timm.create_model("test_resnet").state_dict()
    path = tmp_path / "weights.safetensors"
    save_file(state, path)
    return path


def test_people_of_the_safetensors_file_go_on_with_the_exported_one(
    piaa, fit, album, tiny_model, tmp_path, warm
):
    out = tmp_path / "tiny.onnx"
    result = piaa("models", "export", tiny_model, "--out", out, "--photos", album)
    assert (result.exit_code, result.stderr) == (
        0,
        "making the graph and checking it: about half a minute\n",
    )
    hash_ = read_header(tiny_model).hash
    assert read_header(out).hash == hash_
    assert result.stdout.startswith(f"{out}: piaa-tiny {hash_[:8]}, {out.stat().st_size / 1e6:.1f} MB; on 3 ")
    assert result.stdout.endswith(" from torch, 0.0% of them beyond 1e-4\n")

    assert fit().exit_code == 0
    first = json.loads(piaa("score", album, "--user", "ana", "--model", tiny_model, "--json").stdout)
    # From the store and the cache alone: byte for byte what the other file gave.
    again = piaa("score", album, "--user", "ana", "--model", out, "--json")
    assert json.loads(again.stdout)["scores"] == first["scores"]
    # And by its own eyes.
    fresh = json.loads(piaa("score", album, "--user", "ana", "--model", out, "--no-cache", "--json").stdout)
    for row, other in zip(fresh["scores"], first["scores"], strict=True):
        assert row["score"] == pytest.approx(other["score"], abs=2e-3)


def test_what_exists_is_replaced_on_request_alone(piaa, tiny_model, tmp_path):
    out = tmp_path / "tiny.onnx"
    out.write_bytes(b"before")
    refused = piaa("models", "export", tiny_model, "--out", out)
    assert (refused.exit_code, refused.stderr) == (
        1,
        f"piaa: cannot write {out}: it exists; name another or pass --overwrite\n",
    )
    assert out.read_bytes() == b"before"
    told = json.loads(piaa("models", "export", tiny_model, "--out", out, "--overwrite", "--json").stdout)
    assert told == json.loads(piaa("models", "info", out, "--json").stdout)
    assert (told["engine"]["checked"]["photos"], told["engine"]["checked"]["beyond"]) == (3, 0)
    other = piaa("models", "export", tiny_model, "--out", tmp_path / "tiny.safetensors")
    assert other.stderr == (
        f"piaa: cannot write {tmp_path / 'tiny.safetensors'}: model files end in .onnx; name it so\n"
    )
    itself = piaa("models", "export", out, "--out", out, "--overwrite")
    assert itself.stderr.startswith(f"piaa: cannot write {out}: it is the model file itself, which")


def test_a_network_of_timm_becomes_a_stem(piaa, album, timm_weights, tmp_path):
    out = tmp_path / "stem.onnx"
    name = f"timm:test_resnet={timm_weights}"
    assert piaa("models", "export", name, "--out", out, "--photos", album).exit_code == 0
    header = read_header(out)
    assert header.architecture["kind"] == "stem"
    assert header.training["summary"] == "a stem, no model: test_resnet, weights of weights.safetensors"
    assert header.training["tapped"] == ["layer3.0", "layer4.0"]

    again = piaa("models", "export", out, "--out", tmp_path / "again.onnx")
    refused = piaa("score", album, "--user", "ana", "--model", out)
    assert again.stderr.splitlines()[-1] == refused.stderr.rstrip()
    assert refused.stderr == (
        f"piaa: model file {out} is a stem: it sees photos but has no score; build a model on it: piaa "
        f"models build --stem {out} --ratings FILE --images DIR --scale LOW HIGH --out FILE.onnx\n"
    )


def test_weights_that_cannot_be_had_are_one_line(piaa, timm_weights, tmp_path, monkeypatch):
    out = tmp_path / "stem.onnx"

    def offline(*args, **kwargs):
        raise OSError("Name or service not known")

    monkeypatch.setattr(timm, "create_model", offline)
    assert piaa("models", "export", "test_vit", "--out", out).stderr.splitlines()[-1] == (
        "piaa: timm's hub gave no weights of 'test_vit' (Name or service not known); without a way to it, "
        "fetch the file elsewhere and give it as test_vit=FILE"
    )
    monkeypatch.undo()
    wrong = piaa("models", "export", f"test_vit={timm_weights}", "--out", out).stderr.splitlines()[-1]
    assert wrong.startswith("piaa: weights of weights.safetensors do not fit test_vit: ")
    assert wrong.endswith("; give weights of that very network")
    unknown = piaa("models", "export", "no-such-model", "--out", out).stderr.splitlines()[-1]
    assert unknown.startswith("piaa: there is no model 'no-such-model': it is neither")
    assert not out.exists()


def test_photos_that_cannot_be_read_are_counted(piaa, album, names, tiny_model, tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "a.jpg").write_text("not a photo")
    out = tmp_path / "tiny.onnx"
    result = piaa("models", "export", tiny_model, "--out", out, "--photos", folder)
    assert result.stderr.splitlines()[1] == "skipped 1 of 1 photo:"
    assert result.stderr.splitlines()[-1] == (
        f"piaa: not even the one photo in {folder} can be read; name another folder"
    )
    (folder / "b.jpg").write_bytes((album / names[0]).read_bytes())
    assert piaa("models", "export", tiny_model, "--out", out, "--photos", folder).exit_code == 0
    assert read_header(out).engine["checked"]["photos"] == 1
