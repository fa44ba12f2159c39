"""``piaa models convert`` and ``piaa explain`` as a person uses them, on weights that others trained."""

from __future__ import annotations

import hashlib
import json
import shutil

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.numpy import load_file
from sklearn.linear_model import RidgeCV
from timm.data import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD

from generic.eat import EAT
from generic.eat.registry import PRESETS
from generic.model.checkpoint import read_header
from generic.photos.open import load_pixels

SCORES = (5, 1, 4, 2, 3, 5, 2, 1, 4, 3)
"""What the fixture ``ratings`` gives the first ten photos of the album."""


# ---- the released EAT ----


@pytest.fixture(scope="module")
def recorded(golden_files):
    """Weights and configuration of one recorded network."""
    with safe_open(golden_files[0], "pt") as file:
        names = [name for name in file.keys() if name.startswith("state.")]  # noqa: SIM118
        state = {name.removeprefix("state."): file.get_tensor(name) for name in names}
        return state, json.loads(file.metadata()["config"])


@pytest.fixture
def weights(tmp_path, recorded):
    """The weights as their authors publish them."""
    path = tmp_path / "eat_ava.pth"
    torch.save({"model": recorded[0], "epoch": 9}, path)
    return path


@pytest.fixture
def converted(piaa, weights, tmp_path):
    """The model file that the command made of the weights."""
    out = tmp_path / "eat-ava.safetensors"
    assert piaa("models", "convert", weights, "--out", out).exit_code == 0
    return out


@pytest.fixture(scope="module")
def released(recorded, album, names):
    """Unit score and embedding of each photo as the released network computes them, one photo at a time."""
    state, config = recorded
    network = EAT.from_official(config, state, compat="official").eval()
    rows = []
    for name in names:
        pixels = load_pixels(album / name, config["img_size"]) / 255
        values = (pixels - np.array(IMAGENET_DEFAULT_MEAN)) / np.array(IMAGENET_DEFAULT_STD)
        x = torch.from_numpy(values).permute(2, 0, 1)[None].float()
        with torch.no_grad():
            expected = (network(x)[0].numpy() * np.arange(1, 11)).sum()
            embedding = network.forward_features(x).mean((2, 3))[0].numpy()
        rows.append([(expected - 1) / 9, *embedding])
    return np.array(rows)


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
        "piaa: adapter 'bayes' needs a prior, but the model file has none; use --adapter ridge\n"
    )


def test_a_person_of_one_model_is_not_scored_with_another(piaa, fitted, converted, album, tiny_model):
    assert fitted("--adapter", "ridge").exit_code == 0
    result = piaa("score", album, "--user", "ana", "--model", tiny_model)
    assert (result.exit_code, result.stdout) == (1, "")
    ours, theirs = read_header(converted).hash[:8], read_header(tiny_model).hash[:8]
    assert result.stderr == (
        f"piaa: adapter of user 'ana' (version 1) was fitted on model eat-ava {ours}, but the loaded model "
        f"is piaa-tiny {theirs}; fit it again: piaa fit-user --user ana --ratings FILE --images DIR, or "
        f"pass the old model with --model\n"
    )


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
