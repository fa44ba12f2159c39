"""Third-party weights, written as model files: what they score, and what they start."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from timm.data import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD

from generic.cache.features import FeatureCache
from generic.eat import EAT
from generic.eat.layouts import preset
from generic.eat.official import renamed
from generic.errors import OutputError, ShapeError
from generic.model import networks
from generic.model.checkpoint import NETWORK, load_checkpoint, read_header
from generic.model.convert import convert
from generic.model.generic_model import GenericModel
from generic.photos.open import load_pixels

SIDE = 32


@pytest.fixture
def released(tmp_path, config, weights):
    """A file of weights of the released EAT."""
    path = tmp_path / "ava.pth"
    torch.save(weights(config), path)
    return path


# ---- released EAT weights become a model ----


def normalised(pixels):
    values = (pixels / 255 - np.array(IMAGENET_DEFAULT_MEAN)) / np.array(IMAGENET_DEFAULT_STD)
    return torch.from_numpy(values).permute(0, 3, 1, 2).float()


def released_scores(state, config, pixels):
    """Unit scores as the released code gives them for one image at a time: the sum of output times bin."""
    network = EAT.from_official(config, state, compat="official")
    with torch.no_grad():
        outputs = np.concatenate([network(one[None]).numpy() for one in normalised(pixels)])
    if outputs.shape[1] == 1:
        return outputs[:, 0]
    return ((outputs * np.arange(1, 11)).sum(1) - 1) / 9


def noise(side, n=3):
    return np.random.default_rng(1).integers(0, 256, (n, side, side, 3), dtype=np.uint8)


def check_model(path, state, config, pixels):
    """The file scores as the released network does, whatever is scored beside."""
    model = GenericModel(path)
    together = model.vectors(pixels)
    assert together.shape == (len(pixels), 1 + config["dims"][-1])
    expected = released_scores(state, config, pixels)
    assert np.ptp(expected) > 1e-3
    np.testing.assert_allclose(together[:, 0], expected, rtol=0, atol=1e-5)
    alone = np.concatenate([model.vectors(one[None]) for one in pixels])
    assert np.array_equal(alone, together)
    assert not model.network.network.config.over_batch


def test_a_converted_file_scores_as_the_released_network(released, tmp_path, config):
    out = tmp_path / "model.safetensors"
    convert(released, out)
    check_model(out, torch.load(released), config, noise(SIDE))


def test_the_golden_weights_score_as_the_released_network(tmp_path, golden_networks):
    for state, config in golden_networks:
        source, out = tmp_path / "golden.pth", tmp_path / "model.safetensors"
        torch.save({"model": state}, source)
        convert(source, out, overwrite=True)
        check_model(out, state, config, noise(config["img_size"]))


def test_photo_files_are_embedded(released, tmp_path, album, names, config):
    out = tmp_path / "model.safetensors"
    convert(released, out)
    model, paths = GenericModel(out), [album / name for name in names[:3]]
    with FeatureCache.open(tmp_path / "cache") as cache:
        embedded = list(model.embed(paths, cache=cache))
    assert [one.error for one in embedded] == [None] * 3
    pixels = np.stack([load_pixels(path, SIDE) for path in paths])
    expected = released_scores(torch.load(released), config, pixels)
    np.testing.assert_allclose([one.vector[0] for one in embedded], expected, rtol=0, atol=1e-5)


def test_a_single_output_is_a_score_between_0_and_1(tmp_path, config, weights):
    source, out, config = tmp_path / "tad.pth", tmp_path / "tad.safetensors", {**config, "num_classes": 1}
    torch.save(weights(config), source)
    header = convert(source, out)
    assert header.scale == (0, 1)
    check_model(out, torch.load(source), config, noise(SIDE))


def test_what_the_header_says(released, tmp_path):
    out = tmp_path / "model.safetensors"
    header = convert(released, out)
    assert header == read_header(out)
    assert header.name == "model"
    assert header.scale == (1.0, 10.0)
    about = {
        key: header.architecture[key] for key in ("kind", "size", "bins", "softmax", "stages", "over_batch")
    }
    assert about == {
        "kind": "eat",
        "size": SIDE,
        "bins": list(range(1, 11)),
        "softmax": False,
        "stages": ["LS", "LS", "LE", "LE"],
        "over_batch": False,
    }
    assert header.training == {
        "summary": "released EAT weights of ava.pth",
        "history": ["released EAT weights of ava.pth"],
        "compat": "interest points of each image, where the released code takes their mean over the batch: "
        "scores are those of the released network for one image at a time",
        "assumed": ["offset_range_factor 2, the released value; --config gives another"],
        "source": "ava.pth",
        "sha256": hashlib.sha256(released.read_bytes()).hexdigest(),
    }
    assert convert(released, tmp_path / "again.safetensors", name="other").name == "other"
    assert read_header(tmp_path / "again.safetensors").hash == header.hash


def test_what_was_assumed_is_said_and_can_be_given(tmp_path, config, weights):
    source, out = tmp_path / "few.safetensors", tmp_path / "model.safetensors"
    state = {name: value for name, value in weights(config).items() if not name.endswith("attn_mask")}
    save_file(state, source)
    header = convert(source, out)
    assert header.architecture["stages"] == ["LL", "LL", "LE", "LE"]
    assert header.training["assumed"] == [
        "offset_range_factor 2, the released value; --config gives another",
        "no shifted windows, since the weights hold no attn_mask; stage_spec in --config says so",
    ]
    given = {"stage_spec": config["stage_spec"], "offset_range_factor": [-1, -1, 1, 2]}
    header = convert(source, out, config=given, overwrite=True)
    assert header.architecture["stages"] == ["LS", "LS", "LE", "LE"]
    assert header.training["assumed"] == []
    check_model(out, state, {**config, **given}, noise(SIDE))


def test_weights_move_to_another_image_size(released, tmp_path, refused):
    out = tmp_path / "model.safetensors"
    header = convert(released, out, img_size=64)
    assert (header.architecture["size"], header.training["trained_at"]) == (64, "32 px")
    tensors = load_checkpoint(out)[1]
    assert tensors[f"{NETWORK}stages.2.blocks.1.attention.bias_table"].shape == (4, 15, 15)
    vectors = GenericModel(out).vectors(noise(64))
    assert np.isfinite(vectors).all()
    assert refused(convert, released, tmp_path / "x.safetensors", img_size=60, error=ShapeError) == (
        "EAT cannot be built: img_size 60 does not divide into patches, stages and windows; the nearest "
        "sizes that do: 32 and 64"
    )


def test_an_existing_file_stays_unless_told(released, tmp_path, refused):
    out = tmp_path / "model.safetensors"
    out.write_text("precious")
    assert refused(convert, released, out, error=OutputError) == (
        f"cannot write {out}: it exists; name another or pass --overwrite"
    )
    assert out.read_text() == "precious"
    convert(released, out, overwrite=True)
    assert read_header(out).name == "model"


def test_nothing_is_written_when_something_is_wrong(released, tmp_path, config, weights, refused):
    out = tmp_path / "model.safetensors"

    def fails(state, **options):
        torch.save(state, released)
        message = refused(convert, released, out, **options)
        assert not out.exists()
        return message

    state = weights(config)
    nan = {**state, "cls_norm.norm.bias": torch.full((32,), torch.nan)}
    assert fails(nan) == f"{released} holds numbers that are not finite in norm.bias; fetch it again"
    assert fails(weights({**config, "num_classes": 5})) == (
        f"{released} has 5 outputs, expected 10 (shares of the scores 1 to 10) or 1 (a score from 0 to 1)"
    )
    assert fails(state, start="dat_tiny_eat_patch4_224") == (
        f"{released} holds weights of EAT, which keep their own layout; leave --start out"
    )
    assert fails({**state, "stages.0.layer_scales.0.weight": torch.ones(8)}) == (
        "the released weights do not fit their configuration: stages.0.layer_scales.0.weight is unknown; "
        "give the configuration that the weights were trained with"
    )
    assert fails(state, config={"img_size": "large"}) == (
        "the configuration cannot be used ('>=' not supported between instances of 'str' and 'int'); give "
        "--config arguments of the released network, in its types"
    )
    assert fails(state, config={"heads": [1, 2, 4, 4]}) == (
        "the released weights do not fit their configuration: stages.3.blocks.0.attention.bias_table has "
        "shape (8, 3, 3), expected (4, 3, 3); stages.3.blocks.1.attention.bias_table has shape (8, 3, 3), "
        "expected (4, 3, 3); give the configuration that the weights were trained with"
    )


# ---- DAT's weights become a start ----


@pytest.fixture(scope="module")
def dat(tmp_path_factory, published_dat, weights):
    """Random weights of DAT's smallest network as its training saves them, and their start."""
    folder = tmp_path_factory.mktemp("dat")
    path, out = folder / "dat_tiny_in1k_224.pth", folder / "start.safetensors"
    torch.save({"model": weights(published_dat["tiny"], interest=False, scale=0.02)}, path)
    yield path, out, convert(path, out)
    path.unlink()
    out.unlink()


FRESH = [
    *(
        f"stages.{stage}.blocks.{block}.attention.interest.{name}"
        for stage, block in ((2, 1), (2, 3), (2, 5), (3, 1))
        for name in ("start", "conv.weight", "conv.bias")
    ),
    "head.weight",
    "head.bias",
]


def test_a_start_says_what_it_took(dat):
    path, out, header = dat
    assert header == read_header(out)
    own = EAT(**preset("tiny", alternate=True)).state_dict()
    training = header.training
    assert sorted(training["fresh"]) == sorted(FRESH)
    assert training["taken"] == len(own) - len(FRESH)
    assert training["resized"] == []
    assert training["left_out"] == ["head.weight", "head.bias"]
    assert training["history"] == ["ImageNet-1K weights of dat_tiny_in1k_224.pth"]
    assert training["start"] == "dat_tiny_eat_patch4_224"
    assert training["summary"] == (
        "a start for piaa pretrain, not trained on ratings: dat_tiny_eat_patch4_224 from "
        "dat_tiny_in1k_224.pth"
    )
    assert training["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert header.architecture["head"] == "fresh"
    assert (header.architecture["softmax"], header.architecture["num_classes"]) == (True, 10)
    assert header.architecture["drop_path_rate"] == 0.2


def test_a_start_holds_dats_tensors_and_is_fresh_where_it_says(dat):
    path, out, _ = dat
    arrays = {key.removeprefix(NETWORK): value for key, value in load_checkpoint(out)[1].items()}
    theirs = renamed(torch.load(path)["model"])
    for name, value in arrays.items():
        if name not in FRESH:
            assert np.array_equal(value, theirs[name].numpy()), name
    assert arrays["head.weight"].shape == (10, 768)
    assert 0.01 < arrays["head.weight"].std() < 0.03
    grid = np.tanh(arrays["stages.2.blocks.1.attention.interest.start"])
    np.testing.assert_allclose(grid[0, 0, 0], np.linspace(-0.9, 0.9, 7), atol=1e-6)


def test_a_start_computes_what_dat_computes_before_the_first_interest_point(dat):
    path, out, _ = dat
    header, tensors = load_checkpoint(out)
    state = {key.removeprefix(NETWORK): value for key, value in tensors.items()}
    start = networks.build(header.architecture, state).network
    dat_network = EAT(**preset("tiny", layout="SSDD", alternate=True), num_classes=1000).eval()
    dat_network.load_state_dict(renamed(torch.load(path)["model"]))
    x = normalised(noise(224, 1))
    with torch.no_grad():
        ours, theirs = (
            net.forward_intermediates(x, indices=[0, 1], stop_early=True, intermediates_only=True)
            for net in (start, dat_network)
        )
    for one, other in zip(ours, theirs, strict=True):
        assert one.std() > 0.1
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)


def test_a_start_is_no_model(dat, refused):
    _, out, _ = dat
    assert refused(GenericModel, out) == (
        f"model file {out} is a start for `piaa pretrain`, not a trained model: its head is fresh; train it "
        f"first, or name a trained model"
    )


def test_a_start_moves_between_layouts_and_sizes(dat, tmp_path):
    path, out = dat[0], tmp_path / "start.safetensors"
    again = convert(path, out)
    assert again.hash == dat[2].hash  # what is fresh is drawn from a named stream
    # The paper's layout: windows in stages 1 and 2 only, all else deformable; windows of 8 at 448 px.
    header = convert(path, out, start="eat_tiny_patch4_224", img_size=448, overwrite=True)
    arrays = {key.removeprefix(NETWORK): value for key, value in load_checkpoint(out)[1].items()}
    fresh = set(header.training["fresh"])
    assert "stages.2.blocks.0.attention.bias_table" in fresh
    assert "stages.2.blocks.0.attention.out.weight" in fresh
    assert "stages.2.blocks.0.mlp.expand.weight" not in fresh
    assert "stages.2.blocks.0.attention.qkv.weight" in header.training["left_out"]
    assert header.training["resized"] == [
        f"stages.{stage}.blocks.{block}.attention.bias_table"
        for stage, block in ((2, 1), (2, 3), (2, 5), (3, 1))
    ]
    table = arrays["stages.2.blocks.1.attention.bias_table"]
    theirs = torch.load(path)["model"]["stages.2.attns.1.rpe_table"].numpy()
    assert table.shape == (12, 55, 55)
    # 27 entries become 55: borders stay, and so does the middle, no displacement.
    np.testing.assert_allclose(table[:, ::27, ::27], theirs[:, ::13, ::13], atol=1e-6)
    out.unlink()


def test_starts_that_cannot_be(tmp_path, dat, config, weights, refused):
    path, out = tmp_path / "dat.pth", tmp_path / "start.safetensors"
    torch.save(weights(config, interest=False), path)
    assert refused(convert, path, out) == (
        "no preset has dims [4, 8, 16, 32] and depths [2, 2, 2, 2]; DAT's tiny, small and base are "
        "known, any other needs --start"
    )
    assert refused(convert, dat[0], out, start="dat_tiny").startswith(
        "there is no preset 'dat_tiny' to start; choose one of eat_tiny_patch4_224, eat_small_patch4_224, "
    )
    assert refused(convert, dat[0], out, start="eat_base_patch4_224") == (
        f"{dat[0]} does not fit eat_base_patch4_224: stem.0.weight has shape (96, 3, 4, 4), expected "
        f"(128, 3, 4, 4); choose another --start"
    )
    assert not out.exists()


@pytest.mark.slow
def test_dats_base_becomes_the_starts_of_the_reproduction_guide(
    published_dat, shaped, tmp_path, monkeypatch, piaa
):
    """One number for each tensor, so that the file is small."""
    monkeypatch.chdir(tmp_path)
    state = shaped(published_dat["base"], interest=False)
    torch.save(
        {"model": {name: torch.zeros(()).expand(value.shape) for name, value in state.items()}},
        "dat_base_in1k_224.pth",
    )
    page = Path(__file__).resolve().parents[3] / "docs" / "reproduce.md"
    lines = [line.split() for line in page.read_text("utf-8").splitlines() if "models convert" in line]
    assert [line[line.index("--start") + 1] for line in lines] == [
        "eat_base_patch4_224",
        "eat_base_released_patch4_224",
    ]
    for line in lines:
        done = piaa(*line[1:])
        assert done.exit_code == 0, done.stderr
        out = Path(line[line.index("--out") + 1])
        assert read_header(out).training["start"] == line[line.index("--start") + 1]
        out.unlink()  # a third of a gigabyte
