"""``piaa models`` as a person uses it, on weights that others trained."""

from __future__ import annotations

import hashlib
import json
import shutil

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from sklearn.linear_model import RidgeCV

from generic.eat import EAT
from generic.eat.registry import PRESETS
from generic.model.checkpoint import read_header

SCORES = (5, 1, 4, 2, 3, 5, 2, 1, 4, 3)
"""What the fixture ``ratings`` gives the first ten photos of the album."""


def test_models_list_and_info(piaa, tiny_model):
    (listed,) = json.loads(piaa("models", "list", "--json").stdout)
    assert listed["name"] == "piaa-lite"
    assert piaa("models", "list").stdout.startswith(f"piaa-lite  {listed['hash'][:8]}  ")

    content = json.loads(piaa("models", "info", "--json").stdout)
    assert (content["name"], content["hash"]) == ("piaa-lite", listed["hash"])
    assert {"architecture", "scale", "training", "figures", "file", "n_bytes"} <= set(content)

    lines = piaa("models", "info", tiny_model).stdout.splitlines()
    assert lines[0] == f"file: {tiny_model} ({tiny_model.stat().st_size / 1e6:.1f} MB)"
    assert {"name: piaa-tiny", "scale: 1..7", "  size: 64", "  srcc: 0.0"} <= set(lines)

    shipped = piaa("models", "info").stdout
    assert len(content["training"]["images_sha256"]) == 562
    assert "  images_sha256: 562 hashes (all with --json)\n" in shipped
    assert content["training"]["srcc_out_of_fold"] == pytest.approx(0.8564, abs=5e-5)
    assert "  srcc_out_of_fold: 0.8564\n" in shipped
    assert len(shipped) < 5_000

    unknown = piaa("models", "info", "piaa-huge")
    assert unknown.exit_code == 1
    assert unknown.stderr == (
        "piaa: there is no model 'piaa-huge': it is neither one of the package's (piaa-lite) nor a file; "
        "`piaa models list` shows the package's\n"
    )


# ---- the released EAT ----


def test_convert_says_what_became_of_the_weights(piaa, weights, tmp_path):
    out = tmp_path / "eat-ava.safetensors"
    result = piaa("models", "convert", weights, "--out", out)
    short = read_header(out).hash[:8]
    assert result.exit_code == 0
    assert result.stdout == f"{out}: eat-ava {short}, released EAT weights of eat_ava.pth\n"
    assert result.stderr == "assumed: offset_range_factor 2, the released value; --config gives another\n"


def test_what_is_given_is_not_assumed(piaa, weights, recorded, tmp_path):
    out, config = tmp_path / "eat.safetensors", tmp_path / "config.json"
    given = {"offset_range_factor": recorded[1]["offset_range_factor"]}
    config.write_text(json.dumps(given))
    result = piaa("models", "convert", weights, "--out", out, "--config", config, "--name", "mine")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == (
        f"{out}: mine {read_header(out).hash[:8]}, released EAT weights of eat_ava.pth\n"
    )
    # The assumption was right, so the two models are one.
    other = tmp_path / "other.safetensors"
    assert piaa("models", "convert", weights, "--out", other).exit_code == 0
    assert read_header(other).hash == read_header(out).hash


def test_convert_as_json(piaa, weights, tmp_path):
    out = tmp_path / "eat-ava.safetensors"
    result = piaa("models", "convert", weights, "--out", out, "--img-size", "192", "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    told = json.loads(result.stdout)
    assert told == json.loads(piaa("models", "info", out, "--json").stdout)
    assert told["name"] == "eat-ava"
    assert (told["file"], told["n_bytes"]) == (str(out), out.stat().st_size)
    assert (told["architecture"]["kind"], told["architecture"]["size"]) == ("eat", 192)
    assert told["training"]["trained_at"] == "96 px"
    assert told["training"]["sha256"] == hashlib.sha256(weights.read_bytes()).hexdigest()


def test_an_existing_model_is_replaced_on_request_alone(piaa, weights, converted):
    command = ("models", "convert", weights, "--out", converted, "--name", "second")
    assert piaa(*command).exit_code == 1
    assert read_header(converted).name == "eat-ava"
    assert piaa(*command, "--overwrite").exit_code == 0
    assert read_header(converted).name == "second"


def test_an_error_as_json(piaa, tmp_path):
    result = piaa("models", "convert", tmp_path / "none.pth", "--out", tmp_path / "x.safetensors", "--json")
    assert (result.exit_code, result.stderr) == (1, "")
    assert json.loads(result.stdout) == {
        "error": f"there is no weights file {tmp_path / 'none.pth'}; check the path",
        "kind": "CheckpointError",
        "problems": [],
    }


def test_models_info_of_a_converted_file(piaa, converted):
    result = piaa("models", "info", converted)
    assert (result.exit_code, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert lines[:3] == [f"file: {converted} (1.9 MB)", "name: eat-ava", "architecture:"]
    for line in (
        "  kind: eat",
        '  stages: ["LS", "LS", "LELE", "LE"]',
        "  size: 96",
        "scale: 1..10",
        f"hash: {read_header(converted).hash}",
        "  summary: released EAT weights of eat_ava.pth",
        '  assumed: ["offset_range_factor 2, the released value; --config gives another"]',
        "  source: eat_ava.pth",
    ):
        assert line in lines


@pytest.fixture
def fitted(piaa, converted, ratings, album, monkeypatch, tmp_path):
    """Fits a person on the converted model."""
    monkeypatch.setenv("PIAA_CACHE_DIR", str(tmp_path / "cache"))

    def run(*args):
        options = ("--ratings", ratings, "--images", album, "--model", converted)
        return piaa("fit-user", "--user", "ana", *options, *args)

    return run


def test_a_person_is_learned_on_the_released_network_and_two_photos_scored(
    piaa, fitted, converted, album, names, released, tmp_path
):
    result = fitted("--adapter", "ridge")
    assert (result.exit_code, result.stderr) == (0, "")
    short = read_header(converted).hash[:8]
    assert result.stdout.startswith(f"ana: learned from 10 ratings (ridge on eat-ava {short})\n")

    # Two photos that she did not rate.
    folder = tmp_path / "two"
    folder.mkdir()
    for name in names[10:]:
        shutil.copy(album / name, folder)
    command = ("score", folder, "--user", "ana", "--model", converted, "--json")
    scored = json.loads(piaa(*command).stdout)["scores"]
    assert len(scored) == 2
    assert all(1 <= row["low"] < row["score"] < row["high"] <= 5 for row in scored)

    # Best first, as ridge regression on the released network's own features has it.
    unit = (np.array(SCORES) - 1) / 4
    x = released[:, 1:]
    reference = RidgeCV(alphas=np.logspace(0, 6, 25)).fit(x[:10], unit - released[:10, 0])
    predicted = reference.predict(x) + released[:, 0]
    best, other = sorted(names[10:], key=lambda name: -predicted[names.index(name)])
    assert [row["image"] for row in scored] == [best.split("/")[-1], other.split("/")[-1]]

    # The ends of the scale bend scores but keep their order, here of all twelve photos.
    album_command = ("score", album, "--user", "ana", "--model", converted, "--json")
    ranked = [row["image"] for row in json.loads(piaa(*album_command).stdout)["scores"]]
    assert ranked == sorted(names, key=lambda name: -predicted[names.index(name)])


def test_an_adapter_that_needs_more_than_a_network_is_refused(fitted):
    result = fitted("--adapter", "bayes")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        "piaa: adapter 'bayes' needs a prior, but the model file has none; use --adapter auto, or learn one: "
        "piaa models learn-prior\n"
    )


def test_a_person_of_one_model_is_not_scored_with_another(piaa, fitted, converted, album, tiny_model):
    assert fitted("--adapter", "ridge").exit_code == 0
    result = piaa("score", album, "--user", "ana", "--model", tiny_model)
    assert (result.exit_code, result.stdout) == (1, "")
    ours, theirs = read_header(converted).hash[:8], read_header(tiny_model).hash[:8]
    assert result.stderr == (
        f"piaa: adapter of user 'ana' (version 1) was fitted on model eat-ava {ours}, but the loaded model "
        f"is piaa-tiny {theirs}; learn from the same ratings on this one: piaa users refit ana --images DIR, "
        f"or pass the old model with --model\n"
    )


# ---- DAT ----


def affine(name: str, *shape: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": shape, f"{name}.bias": shape[:1]}


def dat_weights() -> dict[str, torch.Tensor]:
    """As wide as the smallest DAT, but only two blocks deep in every stage; each number is 0.5."""
    shapes = affine("patch_proj.0", 96, 3, 4, 4) | affine("patch_proj.1.norm", 96)
    for stage, (dim, heads, side) in enumerate(((96, 3, 56), (192, 6, 28), (384, 12, 14), (768, 24, 7))):
        if stage:
            shapes[f"down_projs.{stage - 1}.0.weight"] = (dim, dim // 2, 2, 2)
            shapes |= affine(f"down_projs.{stage - 1}.1.norm", dim)
        for block in (0, 1):
            part, mlp = f"stages.{stage}.attns.{block}", f"stages.{stage}.mlps.{block}.chunk"
            shapes |= affine(f"{mlp}.linear1", 4 * dim, dim) | affine(f"{mlp}.linear2", dim, 4 * dim)
            for number in (2 * block, 2 * block + 1):
                shapes |= affine(f"stages.{stage}.layer_norms.{number}.norm", dim)
            if stage < 2 or block == 0:
                shapes |= affine(f"{part}.proj_qkv", 3 * dim, dim) | affine(f"{part}.proj_out", dim, dim)
                shapes[f"{part}.relative_position_bias_table"] = (169, heads)
                if block == 1:
                    shapes[f"{part}.attn_mask"] = ((side // 7) ** 2, 49, 49)
                continue
            for name in ("q", "k", "v", "out"):
                shapes |= affine(f"{part}.proj_{name}", dim, dim, 1, 1)
            kernel = 9 - 2 * stage
            shapes |= affine(f"{part}.conv_offset.0", 128, 1, kernel, kernel)
            shapes |= affine(f"{part}.conv_offset.1.norm", 128)
            shapes[f"{part}.conv_offset.3.weight"] = (2, 128, 1, 1)
            shapes[f"{part}.rpe_table"] = (heads, 2 * side - 1, 2 * side - 1)
    shapes |= affine("cls_norm.norm", 768) | affine("cls_head", 1000, 768)
    return {name: torch.full((), 0.5).expand(shape) for name, shape in shapes.items()}


START = "dat_tiny_eat_patch4_224"


@pytest.fixture(scope="module")
def dat(tmp_path_factory):
    """A file of DAT's weights; what is made of it is large, so it goes with the module."""
    folder = tmp_path_factory.mktemp("dat")
    path = folder / "dat.pth"
    torch.save({"model": dat_weights()}, path)
    yield path
    shutil.rmtree(folder)


def test_weights_of_dat_become_a_start_and_no_model(piaa, dat, album, names):
    out = dat.parent / "start.safetensors"
    result = piaa("models", "convert", dat, "--out", out, "--start", START)
    assert result.exit_code == 0
    assert result.stdout == (
        f"{out}: start {read_header(out).hash[:8]}, a start for piaa pretrain, not trained on ratings: "
        f"{START} from dat.pth\n"
    )
    training = json.loads(piaa("models", "info", out, "--json").stdout)["training"]
    own = EAT(**PRESETS[START]).state_dict()
    assert result.stderr == (
        f"tensors: {training['taken']} taken, 0 resized, {len(training['fresh'])} fresh, 2 left_out; "
        f"names: piaa models info {out}\n"
    )
    assert training["left_out"] == ["head.weight", "head.bias"]
    # DAT has no interest points, this one no blocks 2 to 5 in stage 3, and its classes are no ratings.
    fresh = {
        name
        for name in own
        if name.startswith("head.")
        or ".interest." in name
        or (name.startswith("stages.2.blocks.") and int(name.split(".")[3]) > 1)
    }
    assert set(training["fresh"]) == fresh
    assert training["taken"] == len(own) - len(fresh)
    tensors = {name.removeprefix("network."): value for name, value in load_file(out).items()}
    assert tensors.keys() == own.keys()
    for name, value in tensors.items():
        assert (value == 0.5).all() == (name not in fresh), name

    listed = piaa("models", "info", out).stdout.splitlines()
    assert f"  fresh: {json.dumps(training['fresh'])}" in listed
    picture = dat.parent / "why.png"
    result = piaa("explain", album / names[0], "--out", picture, "--model", out)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        f"piaa: model file {out} is a start for `piaa pretrain`, not a trained model: its head is fresh; "
        f"train it first, or name a trained model\n"
    )
    assert not picture.exists()


def test_a_size_without_a_preset_asks_for_one(piaa, dat):
    result = piaa("models", "convert", dat, "--out", dat.parent / "x.safetensors")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        "piaa: no preset has dims [96, 192, 384, 768] and depths [2, 2, 2, 2]; DAT's tiny, small and base "
        "are known, any other needs --start\n"
    )
    result = piaa("models", "convert", dat, "--out", dat.parent / "x.safetensors", "--start", "dat-tiny")
    assert result.stderr.startswith("piaa: there is no preset 'dat-tiny' to start; choose one of eat_tiny_")
    assert not (dat.parent / "x.safetensors").exists()
